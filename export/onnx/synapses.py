"""ONNX operations that are linear: weights, biases, sums, normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.errors import Unsupported
from neurodeploy.export.onnx.attributes import attributes, label, windows
from neurodeploy.export.onnx.operands import constant_of, float_array, signal_of
from neurodeploy.export.onnx.translation import Array, Signal, Translation, Value
from neurodeploy.graph import Convolution, Linear, Scale, frozen_array


def convolution(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read a convolution over one or two axes."""
    x, weight = signal_of(node, inputs[0]), constant_of(node, inputs[1], "weight")
    if weight.ndim - 2 not in (1, 2) or len(x.shape) != weight.ndim - 1:
        raise Unsupported(label(node), f"has a kernel {list(weight.shape)} on {list(x.shape)}", "1 or 2 axes are read")
    given = attributes(node)
    stride, dilation, padding = windows(node, given, weight.shape[2:], x.shape[1:])
    bias = None if len(inputs) < 3 or inputs[2] is None else float_array(constant_of(node, inputs[2], "bias"))
    part = Convolution(float_array(weight), bias, stride, padding, dilation, int(given.get("group", 1)))
    return walk.layer(node, part, x)


def gemm(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read a matrix product with bias."""
    x, weight = _flat(node, signal_of(node, inputs[0])), constant_of(node, inputs[1], "weight")
    given = attributes(node)
    if weight.ndim != 2:
        raise Unsupported(label(node), f"multiplies by {list(weight.shape)}", "use a matrix")
    if given.get("transA", 0):
        raise Unsupported(label(node), "transposes its input", "export it with transA=0")
    matrix = given.get("alpha", 1.0) * (weight if given.get("transB", 0) else weight.T)
    bias = None
    if len(inputs) > 2 and inputs[2] is not None:
        added = given.get("beta", 1.0) * constant_of(node, inputs[2], "bias")
        if added.size not in (1, len(matrix)):
            raise Unsupported(label(node), f"adds {list(added.shape)} to {len(matrix)} values", "export it again")
        bias = float_array(np.broadcast_to(added.reshape(-1), (len(matrix),)))
    return walk.layer(node, Linear(float_array(matrix), bias), x)


def _flat(node: Any, x: Signal) -> Signal:
    if len(x.shape) != 1:
        raise Unsupported(label(node), f"multiplies the last axis of {list(x.shape)}", "flatten it before")
    return x


def matmul(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read a product with a constant matrix."""
    x, weight = _flat(node, signal_of(node, inputs[0])), constant_of(node, inputs[1], "second factor")
    if weight.ndim != 2:
        raise Unsupported(label(node), f"multiplies by {list(weight.shape)}", "use a matrix")
    return walk.layer(node, Linear(float_array(weight.T), None), x)


def add(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read a sum, or a bias."""
    if all(isinstance(value, Signal) for value in inputs):
        return _sum(walk, node, *(signal_of(node, value) for value in inputs))
    x, added = _sides(node, inputs)
    return walk.affine(node, x, np.ones(()), added)


def _sum(walk: Translation, node: Any, a: Signal, b: Signal) -> Value:
    if a.shape != b.shape:
        raise Unsupported(label(node), f"adds {list(a.shape)} and {list(b.shape)}", "add values of one shape")
    if set(a.sources) & set(b.sources):
        b = walk.layer(node, Scale(frozen_array(np.float32(1))), b)
    return Signal((*a.sources, *b.sources), a.shape, a.nonnegative and b.nonnegative, shared=a.shared or b.shared)


def _sides(node: Any, inputs: tuple[Value | None, ...]) -> tuple[Signal, Array]:
    """Return what depends on the input, and the constant beside it."""
    first, second = inputs
    if isinstance(first, Signal):
        return signal_of(node, first), constant_of(node, second, "second input")
    return signal_of(node, second), constant_of(node, first, "first input")


def subtract(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read a difference with a constant."""
    x, other = _sides(node, inputs)
    sign = 1.0 if isinstance(inputs[0], Signal) else -1.0
    return walk.affine(node, x, np.asarray(sign), -sign * other)


def multiply(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read a product with one number, or one a channel."""
    x, other = _sides(node, inputs)
    return walk.affine(node, x, other, np.zeros(()))


def divide(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read a quotient by one number, or one a channel."""
    x, other = signal_of(node, inputs[0]), constant_of(node, inputs[1], "divisor")
    if not np.all(other):
        raise Unsupported(label(node), "divides by zero", "correct the network")
    return walk.affine(node, x, 1.0 / other, np.zeros(()))


def batch_norm(walk: Translation, node: Any, *inputs: Value | None) -> Value:
    """Read a normalisation with its trained statistics."""
    x, given = signal_of(node, inputs[0]), attributes(node)
    if given.get("training_mode", 0):
        raise Unsupported(label(node), "is in training mode", "export the network in evaluation mode")
    parts = [np.asarray(constant_of(node, value, "statistics"), np.float64) for value in inputs[1:5]]
    if any(part.shape != x.shape[:1] for part in parts):
        raise Unsupported(label(node), f"does not have one number for each of {x.shape[0]} channels", "export it again")
    weight, bias, mean, variance = parts
    spread = variance + float(given.get("epsilon", 1e-5))
    if not (spread > 0).all():
        raise Unsupported(label(node), "has a variance that is not above 0", "train it again")
    factor = weight / np.sqrt(spread)
    across = (-1, *[1] * (len(x.shape) - 1))
    return walk.affine(node, x, factor.reshape(across), (bias - factor * mean).reshape(across))
