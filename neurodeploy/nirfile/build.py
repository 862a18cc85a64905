"""From the fields of a NIR node to a node of the Graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.graph import Convolution, Flatten, Input, Linear, Neuron, Node, Output, Pool, frozen_array
from neurodeploy.nirfile.flat import Record
from neurodeploy.nirfile.tables import PRIMITIVES, Field
from neurodeploy.semantics import Semantics

Values = dict[str, Any]

#: Entries of a field that holds sizes; no node has more axes.
_MAX_AXES = 8
_FLOAT_OF_INTEGER = {1: np.float32, 2: np.float32, 4: np.float64, 8: np.float64}


@dataclass(frozen=True)
class Built:
    """A node, and what building it left open or assumed.

    Attributes
    ----------
    unsized : the node's constants are single values, so that its shape must come from the node before.
    input_shape : the spatial input shape a convolution or Flatten claims, or empty.
    notes : assumptions made.
    """

    node: Node
    unsized: bool
    input_shape: tuple[int, ...]
    notes: tuple[str, ...]


def build(name: str, record: Record, semantics: Semantics) -> Built:
    """Read the fields of one node and return it.

    Raises
    ------
    InputError : a field is missing, has another type or shape than its meaning allows, or is too large.
    """
    primitive = PRIMITIVES[record.kind]
    notes: list[str] = []
    values: Values = dict(primitive.fixed)
    for field in primitive.fields:
        values[field.attribute] = _field(name, record, field, notes)
    known = {field.name for field in primitive.fields} | {"type", "metadata"}
    if unknown := [member for member in record.group.names if member not in known]:
        notes.append(f"{name}: {record.kind} has no field {', '.join(unknown)} in NIR; it was ignored")
    input_shape = values.pop("input_shape", None) or values.pop("input_type", None) or ()
    make = _MAKERS.get(primitive.node, _plain)
    node = make(record, primitive.axes, values, semantics)
    unsized = isinstance(node, Neuron) and math.prod(node.shape) == 1 and len(node.shape) < 2
    return Built(node, unsized, input_shape, tuple(notes))


def _field(name: str, record: Record, field: Field, notes: list[str]) -> Any:
    group = record.group
    if field.name not in group:
        if field.default is None:
            raise InputError(
                f"{group.where}/{field.name}", f"the field {field.name!r} of {name!r} is missing", "write it"
            )
        if field.note:
            notes.append(f"{name}: {field.name} is missing, as in files before NIR 1.0; {field.default:g} was assumed")
        if field.integer:
            return (int(field.default),) if field.default else None
        return np.full((), field.default)
    if field.text and group.is_text(field.name):
        return group.text(field.name)
    if field.integer:
        return _integers(record, field.name)
    return _floats(record, field.name)


def _integers(record: Record, field: str) -> tuple[int, ...]:
    where = f"{record.group.where}/{field}"
    shape = record.group.shape(field)
    if len(shape) > 1 or math.prod(shape) > _MAX_AXES:
        raise InputError(
            where, f"has the shape {list(shape)}", f"a vector of at most {_MAX_AXES} whole numbers is expected"
        )
    values = record.group.numbers(field)
    if values.dtype.kind == "f" and not (np.isfinite(values) & (values == np.trunc(values))).all():
        raise InputError(where, f"is {values.tolist()}", "whole numbers are expected")
    return tuple(int(value) for value in values.reshape(-1))


def _floats(record: Record, field: str) -> npt.NDArray[Any]:
    values = record.group.numbers(field)
    if values.dtype.kind == "f":
        values.setflags(write=False)  # it was read for this node alone
        return values
    dtype = _FLOAT_OF_INTEGER[values.dtype.itemsize]
    converted = frozen_array(values, dtype)
    if values.dtype.itemsize == 8 and not np.array_equal(converted.astype(values.dtype), values):
        raise InputError(f"{record.group.where}/{field}", "holds integers beyond 2^53", "store them as floating point")
    return converted


def _plain(record: Record, _axes: int, values: Values, _semantics: Semantics) -> Node:
    node: Node = PRIMITIVES[record.kind].node(**values)
    return node


def _port(record: Record, _axes: int, values: Values, _semantics: Semantics) -> Node:
    shape = values["shape"]
    if not shape or min(shape) < 1:
        raise InputError(
            f"{record.group.where}/shape",
            f"the shape is {list(shape)}: empty, zero or negative",
            "sizes are at least 1",
        )
    node: Node = PRIMITIVES[record.kind].node(shape)
    return node


def _linear(record: Record, _axes: int, values: Values, _semantics: Semantics) -> Linear:
    weight = values["weight"]
    if weight.ndim != 2:
        raise Unsupported(
            f"{record.group.where}/weight", f"the weight has the shape {list(weight.shape)}", "[out, in] is supported"
        )
    return Linear(weight, values.get("bias"))


def _convolution(record: Record, axes: int, values: Values, _semantics: Semantics) -> Convolution:
    weight = values["weight"]
    if weight.ndim != axes + 2:
        raise InputError(
            f"{record.group.where}/weight",
            f"the weight has the shape {list(weight.shape)}",
            f"a {record.kind} has {axes + 2} axes: out, in / groups and the kernel",
        )
    stride, dilation = (_per_axis(record, field, values[field], axes) for field in ("stride", "dilation"))
    padding = values["padding"]
    pairs = (
        _named_padding(record, padding, weight.shape[2:], stride, dilation)
        if isinstance(padding, str)
        else tuple((p, p) for p in _per_axis(record, "padding", padding, axes))
    )
    (groups,) = _per_axis(record, "groups", values["groups"], 1)
    return Convolution(weight, values["bias"], stride, pairs, dilation, groups)


def _named_padding(
    record: Record, name: str, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    """Return 'valid' and 'same' in numbers; torch puts the odd one of 'same' behind."""
    where = f"{record.group.where}/padding"
    if name == "valid":
        return ((0, 0),) * len(kernel)
    if name != "same":
        raise InputError(where, f"the padding is {name!r}", "'same', 'valid' or numbers are known")
    if set(stride) != {1}:
        raise InputError(where, f"the padding 'same' is undefined for the stride {list(stride)}", "give it in numbers")
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    return tuple((t // 2, t - t // 2) for t in total)


def _pool(record: Record, axes: int, values: Values, _semantics: Semantics) -> Pool:
    sizes = (_per_axis(record, field, values[field], axes) for field in ("kernel", "stride", "padding"))
    return Pool(values["kind"], *sizes)


def _flatten(record: Record, _axes: int, values: Values, _semantics: Semantics) -> Flatten:
    return Flatten(*(_per_axis(record, field, values[field], 1)[0] for field in ("start", "end")))


def _per_axis(record: Record, field: str, values: tuple[int, ...], axes: int) -> tuple[int, ...]:
    if len(values) == 1:
        return values * axes
    if len(values) != axes:
        raise InputError(f"{record.group.where}/{field}", f"{field} is {list(values)}", f"{axes} numbers are expected")
    return values


def _neuron(record: Record, _axes: int, values: Values, semantics: Semantics) -> Neuron:
    shapes = {
        field.name: values[field.attribute].shape
        for field in PRIMITIVES[record.kind].fields
        if field.name in record.group
    }
    return Neuron(_common_shape(record.group.where, shapes), semantics, **values)


def _common_shape(where: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    try:
        shape = np.broadcast_shapes(*shapes.values())
    except ValueError:
        listed = ", ".join(f"{field} {list(shape)}" for field, shape in shapes.items())
        raise InputError(where, f"its parameters differ in shape: {listed}", "give every parameter one shape") from None
    return tuple(map(int, shape))


_MAKERS: dict[type, Callable[[Record, int, Values, Semantics], Node]] = {
    Input: _port,
    Output: _port,
    Linear: _linear,
    Convolution: _convolution,
    Pool: _pool,
    Flatten: _flatten,
    Neuron: _neuron,
}
