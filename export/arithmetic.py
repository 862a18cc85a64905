"""Sums, differences and factors between layers: edges, and Scale and shift nodes.

A constant beside a value is a factor of every cell, or a shift of every channel; a constant is whatever does not come
from the input, such as a parameter. What changes from step to step is found by the proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from neurodeploy.export.recorder import Handler, Recorder, Value, leading_axes
from neurodeploy.export.torch_layers import values
from neurodeploy.graph import BatchNorm, Scale, Shape, frozen_array

Array = npt.NDArray[np.float64]


def _sum(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    _combine(recorder, operation, (args, kwargs), answer, sign=1.0)


def _difference(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    _combine(recorder, operation, (args, kwargs), answer, sign=-1.0)


def _reversed(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    _combine(recorder, operation, (args[::-1], kwargs), answer, sign=-1.0)


def _combine(recorder: Recorder, operation: str, given: tuple[Any, Any], answer: Tensor, *, sign: float) -> None:
    """Add ``left + sign right``; one of them may be a constant."""
    args, kwargs = given
    left, right = args[0], args[1] if len(args) > 1 else kwargs.get("other")
    if kwargs.get("alpha", 1) != 1:
        raise recorder.cannot(operation, f"adds with the factor alpha={kwargs['alpha']}")
    if not recorder.follows(left):
        base, constant, turned = right, left, sign
    elif not recorder.follows(right):
        base, constant, turned = left, right, 1.0
    else:
        return _add(recorder, operation, (left, right, sign), answer)
    value = recorder.read(base, operation)
    shift = _constant(recorder, operation, constant, base, value) * (sign if base is left else 1.0)
    if turned != 1.0:
        value = _scaled(recorder, value, turned)
    if not shift.any():
        return recorder.pass_on(answer, value)
    recorder.put("shift", _shift(recorder, operation, shift, value.shape), value, answer)
    return None


def _add(recorder: Recorder, operation: str, terms: tuple[Any, Any, float], answer: Tensor) -> None:
    left, right, sign = terms
    first, second = recorder.read(left, operation), recorder.read(right, operation)
    if first.shape != second.shape:
        raise recorder.cannot(operation, f"adds values of shape {first.shape} and {second.shape}")
    if sign != 1.0:
        second = _scaled(recorder, second, sign)
    if set(first.sources) & set(second.sources):
        second = recorder.separate(second, second.shape)
    recorder.pass_on(answer, Value(first.sources + second.sources, first.shape))


def _scaled(recorder: Recorder, value: Value, factor: float) -> Value:
    return Value((recorder.insert("scale", Scale(frozen_array(factor)), value),), value.shape)


def _shift(recorder: Recorder, operation: str, shift: Array, shape: Shape) -> BatchNorm:
    """Return the normalisation that does nothing but add a number to every channel."""
    full = np.broadcast_to(shift, shape).reshape(shape[0], -1)
    if (full != full[:, :1]).any():
        raise recorder.cannot(operation, "adds another constant to every place of a channel")
    ones, zeros = np.ones(shape[0]), np.zeros(shape[0])
    return BatchNorm(frozen_array(-full[:, 0]), frozen_array(ones), frozen_array(ones), frozen_array(zeros), 0.0)


def _product(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    left, right = args[0], args[1] if len(args) > 1 else kwargs.get("other")
    if not recorder.follows(left):
        left, right = right, left
    value = recorder.read(left, operation)
    factor = _constant(recorder, operation, right, left, value)
    recorder.put("scale", Scale(frozen_array(factor)), value, answer)


def _quotient(recorder: Recorder, operation: str, args: Any, kwargs: Any, answer: Tensor) -> None:
    left, right = args[0], args[1] if len(args) > 1 else kwargs.get("other")
    if kwargs.get("rounding_mode") or not recorder.follows(left):
        raise recorder.cannot(operation, "rounds its quotient, or divides by a value of the network")
    value = recorder.read(left, operation)
    divisor = _constant(recorder, operation, right, left, value)
    if not divisor.all():
        raise recorder.cannot(operation, "divides by zero")
    recorder.put("scale", Scale(frozen_array(1.0 / divisor)), value, answer)


def _negative(recorder: Recorder, operation: str, args: Any, _kwargs: Any, answer: Tensor) -> None:
    recorder.put("scale", Scale(frozen_array(-1.0)), recorder.read(args[0], operation), answer)


def _constant(recorder: Recorder, operation: str, constant: Any, beside: Tensor, value: Value) -> Array:
    """Return a number or a tensor that is no value of the network, so that it broadcasts to a sample."""
    if recorder.follows(constant):
        raise recorder.cannot(operation, "multiplies values of the network with each other")
    if not isinstance(constant, Tensor):
        return np.asarray(float(constant))
    array = np.asarray(values(constant), np.float64)
    extra = array.ndim - len(value.shape)
    if extra > leading_axes(beside, value) or any(size != 1 for size in array.shape[: max(0, extra)]):
        raise recorder.cannot(operation, f"takes a constant of shape {array.shape} beside samples {value.shape}")
    return array.reshape(array.shape[max(0, extra) :])


#: Operation -> what it adds to the graph.
ARITHMETIC: Mapping[str, Handler] = {
    **dict.fromkeys(("add", "add_", "__add__", "__radd__", "__iadd__"), _sum),
    **dict.fromkeys(("sub", "sub_", "subtract", "__sub__", "__isub__"), _difference),
    **dict.fromkeys(("rsub", "__rsub__"), _reversed),
    **dict.fromkeys(("neg", "negative", "__neg__"), _negative),
    **dict.fromkeys(("mul", "mul_", "multiply", "__mul__", "__rmul__", "__imul__"), _product),
    **dict.fromkeys(("div", "div_", "divide", "true_divide", "__truediv__", "__itruediv__"), _quotient),
}
