"""From the graph of an ONNX file to layers and rectifiers: one walk over its nodes, which stand in order."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.export.onnx.ann import Activation, Ann, Part
from neurodeploy.export.onnx.attributes import label
from neurodeploy.export.onnx.constants import FOLDED, fold
from neurodeploy.export.onnx.reading import read_model, to_array
from neurodeploy.graph import Convolution, Input, Linear, Output, Shape, frozen_array
from neurodeploy.onnxgraph import require_onnx
from neurodeploy.onnxgraph.model import FORM
from neurodeploy.passes.channels import scale_rows
from neurodeploy.passes.surgery import fresh
from neurodeploy.shapes import output_shape
from neurodeploy.verify_node import MAX_VALUES

Array = npt.NDArray[Any]

#: Memory that constants made of constants may take: so many bytes, and so many times the model.
_SPARE_BYTES, _SPARE_TIMES = 1 << 28, 8


@dataclass(frozen=True, eq=False)
class Signal:
    """A value that depends on the input: the sum of what some layers answer.

    Attributes
    ----------
    shape : of one sample.
    nonnegative : whether it is known to be.
    rounded : scale and zero point where it was turned into integers and has to be turned back.
    shared : whether more than one operation uses it, so that the layer before must stay as it is.
    """

    sources: tuple[str, ...]
    shape: Shape
    nonnegative: bool = False
    rounded: tuple[Any, ...] | None = None
    shared: bool = False


Value = Signal | Array


@dataclass(frozen=True)
class Choices:
    """What the user decided: whether a maximum of spikes may stand for a maximum of rates."""

    max_pool: str = "refuse"


class Translation:
    """One walk through a model."""

    def __init__(self, path: str, model: Any, operators: Mapping[str, Callable[..., Value]], choices: Choices) -> None:
        self.path, self.graph, self.operators, self.choices = path, model.graph, operators, choices
        self.opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
        self.nodes: dict[str, Part] = {}
        self.edges: list[tuple[str, str]] = []
        self.notes: list[str] = []
        self.values: dict[str, Value] = {}
        self.uses = Counter(name for node in self.graph.node for name in node.input)
        self.uses.update(output.name for output in self.graph.output)
        self.answer = ""
        self.left = _SPARE_BYTES + _SPARE_TIMES * model.ByteSize()

    def result(self) -> Ann:
        """Return what the walk found."""
        for tensor in self.graph.initializer:
            self.values[tensor.name] = to_array(tensor)
        feed, batch = self._input()
        for node in self.graph.node:
            self._node(node)
        output = self._output()
        return Ann(
            self.nodes, tuple(self.edges), "input", output, feed, self.answer, batch, tuple(dict.fromkeys(self.notes))
        )

    def _input(self) -> tuple[str, int | None]:
        given = [value for value in self.graph.input if value.name not in self.values]
        if len(given) != 1 or len(self.graph.output) != 1:
            names = [value.name for value in (*given, *self.graph.output)]
            raise Unsupported(self.path, f"has the inputs and outputs {names}", "export it with one of each")
        kind, axes = given[0].type.tensor_type.elem_type, given[0].type.tensor_type.shape.dim
        tensors = require_onnx().TensorProto
        if kind not in (tensors.FLOAT, tensors.DOUBLE):
            raise Unsupported(self.path, "takes an input that is not float", "export the float network")
        shape = tuple(axis.dim_value if axis.HasField("dim_value") else 0 for axis in axes)
        if len(shape) < 2 or min(shape[1:]) < 1:
            raise Unsupported(
                self.path, f"takes the shape {list(shape)}", "the first axis is samples, the others have fixed sizes"
            )
        self.nodes["input"] = Input(shape[1:])
        self.values[given[0].name] = Signal(("input",), self.sized("input", shape[1:]))
        return given[0].name, shape[0] or None

    def _node(self, node: Any) -> None:
        if node.domain not in ("", "ai.onnx"):
            raise Unsupported(label(node), f"is an operation of {node.domain!r}", "only standard operations are read")
        missing = [name for name in node.input if name and name not in self.values]
        if missing:
            raise InputError(label(node), f"takes {missing[0]!r}, which nothing makes", "export it again")
        inputs = [self._taken(name) if name else None for name in node.input]
        constant = [None if isinstance(value, Signal) else value for value in inputs]
        if node.op_type in FOLDED and all(not isinstance(value, Signal) for value in inputs):
            folded = fold(node, constant, self.opset)
            self.charge(node, folded.nbytes)
            answer: Value = folded
        elif node.op_type in self.operators:
            answer = self.operators[node.op_type](self, node, *inputs)
        else:
            known = ", ".join(sorted({*self.operators, *FOLDED}))
            raise Unsupported(label(node), "cannot become spiking neurons", f"what can is {known}")
        for name in node.output[1:]:
            if name and self.uses[name]:
                raise Unsupported(label(node), f"its second answer {name!r} is used", "export it for inference")
        self.values[node.output[0]] = answer

    def _taken(self, name: str) -> Value:
        value = self.values[name]
        if isinstance(value, Signal) and self.uses[name] > 1:
            return replace(value, shared=True)
        return value

    def _output(self) -> str:
        name = self.graph.output[0].name
        value = self.values.get(name)
        if not isinstance(value, Signal):
            raise Unsupported(self.path, f"its output {name!r} does not depend on its input", "export it again")
        self.answer = self.answer or name
        output = fresh("output", self.nodes)
        self.nodes[output] = Output(value.shape)
        self.edges += [(source, output) for source in value.sources]
        return output

    def sized(self, subject: str, shape: Shape) -> Shape:
        """Return ``shape``, or raise where a value of it would be too large."""
        if math.prod(shape) > MAX_VALUES:
            raise InputError(subject, f"has the shape {list(shape)}", f"the limit is {MAX_VALUES:,} values")
        return shape

    def charge(self, node: Any, size: int) -> None:
        """Raise where what is made of constants takes far more memory than the file that they come from."""
        self.left -= size
        if self.left < 0:
            raise Unsupported(
                label(node), f"makes {size:,} bytes of constants, too many by now", "export it simplified"
            )

    def layer(self, node: Any, part: Part, source: Signal, *, nonnegative: bool = False) -> Signal:
        """Add a layer after ``source`` and return what it answers."""
        name = fresh(self._name(node), self.nodes)
        shape = part.shape if isinstance(part, Activation) else output_shape(name, part, source.shape, "its input")
        self.sized(label(node), shape)
        self.nodes[name] = part
        self.edges += [(before, name) for before in source.sources]
        return Signal((name,), shape, nonnegative)

    def affine(self, node: Any, source: Signal, factor: Array, offset: Array) -> Signal:
        """Return ``factor * source + offset``: in the layers before where they answer to nobody else, or in a new one.

        Parameters
        ----------
        factor, offset : one number, or one a channel, broadcast from the right as ONNX does.
        """
        by, plus = (_per_channel(node, np.asarray(values, np.float64), source.shape) for values in (factor, offset))
        before = {name: part for name in source.sources if isinstance(part := self.nodes[name], Linear | Convolution)}
        if source.shared or len(before) < len(source.sources):
            self.charge(node, 8 * len(by) ** 2 if len(source.shape) == 1 else 0)
            return self.layer(node, _diagonal(by, plus, len(source.shape) - 1), source)
        for i, (name, part) in enumerate(before.items()):
            self.nodes[name] = scale_rows(part, by, None if i else plus)  # what is added belongs to the sum, so to one
        return replace(source, nonnegative=False)

    def _name(self, node: Any) -> str:
        """Return a name that a ``.nir`` file can hold."""
        wanted = re.sub(r"[^\w.-]+", ".", node.name or node.output[0]).strip(".")
        return wanted[:80] or node.op_type


def _diagonal(factor: Array, offset: Array, axes: int) -> Linear | Convolution:
    """Return the layer that computes ``factor * x + offset`` for each channel by itself."""
    if axes:
        weight = frozen_array(factor.reshape(-1, 1, *[1] * axes))
        return Convolution(weight, frozen_array(offset), (1,) * axes, ((0, 0),) * axes, (1,) * axes, len(factor))
    return Linear(frozen_array(np.diag(factor)), frozen_array(offset))


def _per_channel(node: Any, values: Array, shape: Shape) -> npt.NDArray[np.float64]:
    """Return [channels] of numbers that ONNX would broadcast to [samples, *shape]."""
    axes = (1, *shape)
    own = (1,) * (len(axes) - values.ndim) + values.shape
    if len(own) > len(axes) or any(mine not in (1, theirs) for mine, theirs in zip(own, axes, strict=True)):
        found = f"adds or multiplies the shape {list(values.shape)} to {list(shape)}"
        raise Unsupported(label(node), found, "export it again")
    rows = values.reshape(own[1], -1)
    if (rows != rows[:, :1]).any():
        raise Unsupported(label(node), "differs within a channel", "use one number a channel")
    return np.array(np.broadcast_to(rows[:, 0], shape[:1]), dtype=np.float64)


def read_ann(path: str | Path, choices: Choices | None = None) -> tuple[Ann, Any]:
    """Return the layers of an ``.onnx`` file, and its checked model.

    Raises
    ------
    InputError : as :func:`neurodeploy.export.onnx.reading.read_model`.
    Unsupported : an operation that cannot become spiking neurons, with the list of those that can.
    """
    from neurodeploy.export.onnx.operators import OPERATORS

    model = read_model(path)
    if any(entry.key == FORM for entry in model.metadata_props):
        raise Unsupported(str(path), "is an integer network that neurodeploy wrote", "use the .nir it was written from")
    return Translation(str(path), model, OPERATORS, choices or Choices()).result(), model
