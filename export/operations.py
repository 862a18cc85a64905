"""The operations on tensors that may stand between layers, and what each adds to the graph that is being traced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.torch_layers import Reader, flatten_node, reader_for
from neurodeploy.graph import Convolution, Flatten, Linear, Node, Pool, Scale, Shape, frozen_array

#: Attributes and methods that tell about a tensor without looking at its values.
QUESTIONS = frozenset(
    {"__get__", "size", "dim", "ndimension", "numel", "nelement", "stride", "is_contiguous", "is_floating_point"}
    | {"untyped_storage", "is_neg", "is_conj"}  # what copy.copy asks; the copy itself is not followed
    | {"is_complex", "element_size", "get_device", "__len__", "__hash__", "__repr__", "type", "storage_offset"}
)


@dataclass(frozen=True)
class Value:
    """What a tensor holds: the sum of the answers of these nodes, samples of this shape; or the state of a neuron."""

    sources: tuple[str, ...]
    shape: Shape
    state_of: str | None = None


class Recorder(Protocol):
    """What an operation may ask of the trace it belongs to."""

    readers: Mapping[type, Reader]
    dt: float

    def read(self, tensor: Any, operation: str) -> Value:
        """Return what a tensor holds, refusing states and constants."""

    def put(self, name: str, node: Node, value: Value, answer: Tensor) -> None:
        """Add a node between a value and the tensor it becomes."""

    def insert(self, name: str, node: Node, value: Value) -> str:
        """Add a node that reads a value and return the name it has got."""

    def pass_on(self, answer: Tensor, value: Value) -> None:
        """Let a tensor hold a value."""

    def separate(self, value: Value, shape: Shape) -> Value:
        """Return an equal value with edges of its own."""

    def cannot(self, operation: str, problem: str) -> Unsupported:
        """Return the error for an operation."""


def _keep(recorder: Recorder, operation: str, args: Any, _kwargs: Any, answer: Tensor) -> None:
    recorder.pass_on(answer, recorder.read(args[0], operation))


def _same_numbers(recorder: Recorder, operation: str, args: Any, _kwargs: Any, answer: Tensor) -> None:
    value = recorder.read(args[0], operation)
    if not answer.is_floating_point():
        raise recorder.cannot(operation, f"turns the values into {answer.dtype}")
    recorder.pass_on(answer, value)


def _sum(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    if kwargs.get("alpha", 1) != 1:
        raise recorder.cannot(operation, f"adds with the factor alpha={kwargs['alpha']}")
    left, right = (args[0], args[1] if len(args) > 1 else kwargs.get("other"))
    if isinstance(right, int | float) and right == 0:  # the start of sum([...])
        return recorder.pass_on(answer, recorder.read(left, operation))
    first, second = recorder.read(left, operation), recorder.read(right, operation)
    if first.shape != second.shape:
        raise recorder.cannot(operation, f"adds values of shape {first.shape} and {second.shape}")
    if set(first.sources) & set(second.sources):
        second = recorder.separate(second, second.shape)
    return recorder.pass_on(answer, Value(first.sources + second.sources, first.shape))


def _flatten(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    value = recorder.read(args[0], operation)
    start = args[1] if len(args) > 1 else kwargs.get("start_dim", 0)
    end = args[2] if len(args) > 2 else kwargs.get("end_dim", -1)
    recorder.put("flatten", flatten_node(operation, value.shape, start, end), value, answer)


def _reshape(recorder: Recorder, operation: str, args: Any, _kwargs: Any, answer: Tensor) -> None:
    value, batch = recorder.read(args[0], operation), args[0].shape[0]
    after = tuple(answer.shape[1:])
    if answer.shape[0] == batch and after == value.shape:
        return recorder.pass_on(answer, value)
    for start in range(len(value.shape)):
        for end in range(start + 1, len(value.shape)):
            merged = (int(torch.Size(value.shape[start : end + 1]).numel()),)
            if answer.shape[0] == batch and after == value.shape[:start] + merged + value.shape[end + 1 :]:
                return recorder.put("flatten", Flatten(start, end), value, answer)
    raise recorder.cannot(
        operation, f"turns {tuple(args[0].shape)} into {tuple(answer.shape)}, which is no merging of neighbouring axes"
    )


def _scale(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    left, right = args[0], args[1] if len(args) > 1 else kwargs.get("other")
    if not isinstance(right, int | float) or kwargs.get("rounding_mode"):
        raise recorder.cannot(operation, "multiplies by something other than a plain number")
    factor = float(right) if operation.strip("_").startswith("mul") else 1.0 / float(right)
    recorder.put("scale", Scale(frozen_array(factor)), recorder.read(left, operation), answer)


#: Pooling function -> the layer that computes the same of the same arguments.
_POOLS: Mapping[str, type[nn.Module]] = {
    "avg_pool1d": nn.AvgPool1d,
    "avg_pool2d": nn.AvgPool2d,
    "max_pool1d": nn.MaxPool1d,
    "max_pool2d": nn.MaxPool2d,
}


def _pool(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    pool = _POOLS[operation](*args[1:], **kwargs)
    value = recorder.read(args[0], operation)
    reader = reader_for(pool, recorder.readers)
    node = None if reader is None else reader(pool, operation, value.shape, recorder.dt).node
    if not isinstance(node, Pool):
        raise recorder.cannot(operation, "pools, and no reader takes pools")
    recorder.put("pool", node, value, answer)


def _concatenate(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    """Add for every branch a synapse of weight one that puts its channels in their place: their sum is the whole.

    ``y = P_1 x_1 + P_2 x_2 + ...`` with the columns of ``P_i`` those of the identity that belong to branch i.
    """
    joined = args[0] if args else kwargs["tensors"]
    axis = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis", 0))
    branches = [recorder.read(each, operation) for each in joined]
    shape = branches[0].shape
    leading = answer.ndim - len(shape)
    if axis % answer.ndim != leading or len(shape) not in _PLACES:
        raise recorder.cannot(
            operation, f"joins tensors of shape {tuple(joined[0].shape)} along axis {axis}, {_JOINED}"
        )
    total, start, sources = int(answer.shape[leading]), 0, []
    if total > MOST_JOINED:
        raise recorder.cannot(operation, f"joins {total:,} channels, more than {MOST_JOINED:,}")
    for branch in branches:
        place = np.eye(total, branch.shape[0], -start, dtype=np.float32)
        sources.append(recorder.insert(operation, _PLACES[len(shape)](frozen_array(place)), branch))
        start += branch.shape[0]
    recorder.pass_on(answer, Value(tuple(sources), (total, *shape[1:])))


#: Most channels after a concatenation: it is written as matrices with a row for each of them.
MOST_JOINED = 8192

_JOINED = "not along the channels of flat values or maps of one or two axes"


def _pointwise(axes: int) -> Callable[[Any], Node]:
    """Return what makes a convolution of kernel one over ``axes`` axes from a matrix [out, in]."""

    def make(matrix: Any) -> Node:
        ones = (1,) * axes
        return Convolution(matrix.reshape(*matrix.shape, *ones), None, ones, ((0, 0),) * axes, ones)

    return make


#: Number of axes of a sample -> the synapse that a matrix over its channels becomes.
_PLACES: Mapping[int, Callable[[Any], Node]] = {1: Linear, 2: _pointwise(1), 3: _pointwise(2)}


def _dropout(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    value = recorder.read(args[0], operation)
    if kwargs.get("training", args[2] if len(args) > 2 else True):
        raise recorder.cannot(operation, "drops values in every step; give it training=self.training")
    recorder.pass_on(answer, value)


Handler = Callable[[Recorder, str, Any, dict[str, Any], Tensor], None]

#: Operation -> what it adds to the graph.
OPERATIONS: Mapping[str, Handler] = {
    **dict.fromkeys(("contiguous", "detach", "clone", "alias"), _keep),
    **dict.fromkeys(("to", "float", "double"), _same_numbers),
    **dict.fromkeys(("add", "add_", "__add__", "__radd__", "__iadd__"), _sum),
    "flatten": _flatten,
    **dict.fromkeys(("view", "reshape"), _reshape),
    **dict.fromkeys(("mul", "mul_", "multiply", "div", "div_", "divide", "true_divide"), _scale),
    **dict.fromkeys(("cat", "concat", "concatenate"), _concatenate),
    **dict.fromkeys(_POOLS, _pool),
    **dict.fromkeys(("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_alpha_dropout"), _dropout),
}
