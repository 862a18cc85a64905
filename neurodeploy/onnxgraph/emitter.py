"""Collects the nodes and constants of one ONNX graph, every value named after the operation that makes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.onnxgraph.package import require_onnx

Value = str

#: Constants of at most so many numbers are shared between the places that use them.
_SHARED = 64


class Emitter:
    """One graph in the making.

    Equal operations on equal inputs are emitted once. Constants, and what :meth:`once` computes from them, belong to
    the outermost graph: the body of a loop reads them from there, so that they exist once and not in every step.

    Parameters
    ----------
    outer : the graph this one is the body of; None for an outermost one.
    """

    def __init__(self, outer: Emitter | None = None) -> None:
        self._onnx = require_onnx()
        self.root: Emitter = outer.root if outer is not None else self
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.scope = ""
        self._names: set[str] = set()
        self._made: dict[Any, Value] = {}

    def reserve(self, name: str) -> str:
        """Keep a name, of an input or output of a graph, from being given to anything else."""
        assert name not in self.root._names, name
        self.root._names.add(name)
        return name

    def op(self, kind: str, *inputs: Value, **attributes: Any) -> Value:
        """Emit one operation with one output and return the name of that."""
        key = (kind, inputs, tuple(sorted((k, str(v)) for k, v in attributes.items())))
        if key not in self._made:
            name = self._fresh(f"{self.scope}/{kind}")
            self.nodes.append(self._onnx.helper.make_node(kind, inputs, [name], name, **attributes))
            self._made[key] = name
        return self._made[key]

    def name(self, value: Value, name: str) -> Value:
        """Give a value a second name, which must be reserved, and return it."""
        self.nodes.append(self._onnx.helper.make_node("Identity", [value], [name], name))
        return name

    def once(self, kind: str, *inputs: Value, **attributes: Any) -> Value:
        """Emit an operation on constants in the outermost graph."""
        self.root.scope = self.scope
        return self.root.op(kind, *inputs, **attributes)

    def constant(self, values: npt.ArrayLike, dtype: npt.DTypeLike) -> Value:
        """Return the name of these numbers; small ones are shared."""
        array = np.asarray(values, dtype=dtype)
        key = (array.dtype.str, array.shape, array.tobytes()) if array.size <= _SHARED else object()
        root = self.root
        if key not in root._made:
            short = f"{array.dtype.name} {array.item()}" if array.size == 1 else f"{self.scope}/constant"
            name = root._fresh(short)
            root.constants.append(self._onnx.numpy_helper.from_array(array.copy(order="C"), name))
            root._made[key] = name
        return root._made[key]

    def cast(self, value: Value, dtype: npt.DTypeLike) -> Value:
        """Return ``value`` as another element type."""
        return self.op("Cast", value, to=self.element(dtype))

    def element(self, dtype: npt.DTypeLike) -> int:
        """Return ONNX's number of an element type."""
        return int(self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def typed(self, name: str, dtype: npt.DTypeLike, shape: tuple[int | str, ...]) -> Any:
        """Return the declaration of an input or output of a graph."""
        return self._onnx.helper.make_tensor_value_info(name, self.element(dtype), list(shape))

    def _fresh(self, wanted: str) -> str:
        names = self.root._names
        name, count = wanted, 1
        while name in names:
            count += 1
            name = f"{wanted} {count}"
        names.add(name)
        return name
