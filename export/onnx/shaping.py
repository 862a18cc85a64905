"""ONNX operations that change nothing but shapes, or nothing at all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.export.onnx.attributes import attributes, label
from neurodeploy.export.onnx.operands import attribute_or_input, constant_of, signal_of
from neurodeploy.export.onnx.reading import to_array
from neurodeploy.export.onnx.translation import Array, Signal, Translation, Value
from neurodeploy.graph import Flatten, Shape


def flatten(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read the merging of all axes of a sample."""
    x, axis = signal_of(node, inputs[0]), int(attributes(node).get("axis", 1))
    if axis % (len(x.shape) + 1) != 1:
        raise Unsupported(label(node), f"flattens at axis {axis}", "export it with axis=1")
    return _with_shape(walk, node, x, (math.prod(x.shape),))


def reshape(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read a new shape, where it is that of a flattened sample."""
    x = signal_of(node, inputs[0])
    wanted = _whole(node, attribute_or_input(node, inputs, "shape", 1), "shape")
    keeps_zero = attributes(node).get("allowzero", 0)
    old = (1, *x.shape)
    sizes = [old[i] if size == 0 and not keeps_zero and i < len(old) else int(size) for i, size in enumerate(wanted)]
    # -1 in front is the samples; elsewhere what is left of one of them.
    if sizes and sizes[0] > 0:
        sizes[0] = 1  # a number of samples that the file fixes
    if sizes and sizes[0] != -1 and sizes.count(-1) == 1:
        known = math.prod(size for size in sizes if size != -1)
        sizes[sizes.index(-1)] = math.prod(old) // known if known else 0
    if len(sizes) < 2 or math.prod(sizes[1:]) != math.prod(x.shape) or min(sizes[1:]) < 1:
        raise Unsupported(label(node), f"reshapes {list(x.shape)} to {wanted.tolist()}", "keep the samples in front")
    return _with_shape(walk, node, x, tuple(sizes[1:]))


def squeeze(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read the removal of axes of size 1."""
    x = signal_of(node, inputs[0])
    axes = attribute_or_input(node, inputs, "axes", 1)
    full = (1, *x.shape)
    dropped = {int(a) % len(full) for a in _whole(node, axes, "axes")} if axes is not None else set()
    if axes is None or 0 in dropped or any(full[a] != 1 for a in dropped):
        raise Unsupported(label(node), f"squeezes {list(x.shape)}", "name axes of size 1 beside the samples")
    return _with_shape(walk, node, x, tuple(n for i, n in enumerate(full) if i and i not in dropped))


def _whole(node: Any, values: Any, what: str) -> Array:
    """Return whole numbers, in a row."""
    row = np.asarray(constant_of(node, values, what)).reshape(-1)
    if row.dtype.kind not in "iu":
        raise Unsupported(label(node), f"its {what} is of type {row.dtype}", "export it again")
    return row


def _with_shape(walk: Translation, node: Any, x: Signal, shape: Shape) -> Signal:
    if shape == x.shape:
        return x
    if len(shape) != 1:
        raise Unsupported(label(node), f"turns {list(x.shape)} into {list(shape)}", "only flattening is read")
    return walk.layer(node, Flatten(0, -1), x, nonnegative=x.nonnegative)


def same(walk: Translation, node: Any, *inputs: Value | None) -> Value:  # noqa: ARG001  # see the table
    """Pass a value on."""
    return signal_of(node, inputs[0])


def softmax(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Leave out a softmax that closes the network."""
    if node.output[0] != walk.graph.output[0].name or signal_of(node, inputs[0]).shared:
        raise Unsupported(label(node), "stands within the network", "it is read at the very end only")
    walk.answer = node.input[0]
    walk.notes.append(f"{label(node)} left out: it does not change which answer is the largest")
    return signal_of(node, inputs[0])


def constant(walk: Translation, node: Any, *_inputs: Value | None) -> Value:  # noqa: ARG001  # see the table
    """Return a constant of the file."""
    given = attributes(node)
    if "value" in given:
        return to_array(given["value"])
    numbers = next((given[k] for k in ("value_float", "value_floats", "value_int", "value_ints") if k in given), None)
    if numbers is None:
        raise Unsupported(label(node), "is no number", "export it again")
    return np.asarray(numbers, np.float32 if isinstance(np.ravel(numbers)[0], float) else np.int64)


def shape(walk: Translation, node: Any, *inputs: Value | None) -> Value:  # noqa: ARG001  # see the table
    """Return the shape of a value as a constant."""
    if not isinstance(inputs[0], Signal):
        return np.array(constant_of(node, inputs[0], "input").shape, dtype=np.int64)
    given = attributes(node)
    shape = np.array((1, *inputs[0].shape), dtype=np.int64)  # one sample for all
    return shape[slice(given.get("start", 0), given.get("end"))]
