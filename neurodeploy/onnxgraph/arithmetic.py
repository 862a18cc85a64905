"""The integer arithmetic of a neuron in ONNX operations, each equal to its namesake in :mod:`neurodeploy.fixedpoint`.

What ONNX specifies is relied on, and nothing beyond: ``Div`` of integers truncates toward zero, a ``Cast`` to fewer
bits keeps the low ones. There are no signed shifts, and 32 bits do not hold the product of a 24-bit state and a 12-bit
factor. ``Min``, ``Max``, ``Clip`` and ``Sign`` of 64-bit integers are avoided: onnxruntime, up to 1.31 at least, errs
in some numbers beyond 32 bits (its pull requests 25280 and 32475).
"""

from __future__ import annotations

from functools import reduce

import numpy as np
import numpy.typing as npt

from neurodeploy.fixedpoint import DECAY_ONE, STATE_LIMIT
from neurodeploy.onnxgraph.emitter import Emitter, Value

Width = type[np.int32] | type[np.int64]


def scale(emit: Emitter, value: Value, factor: int, width: Width) -> Value:
    """Return ``value * factor``."""
    return value if factor == 1 else emit.op("Mul", value, emit.constant(factor, width))


def shift(emit: Emitter, value: Value, exponent: int, width: Width) -> Value:
    """Return ``value * 2^exponent``; a negative exponent rounds toward minus infinity."""
    if exponent >= 0:
        return scale(emit, value, 1 << exponent, width)
    divisor = emit.constant(1 << -exponent, width)
    quotient = emit.op("Div", value, divisor)
    rounded_up = emit.op("Greater", emit.op("Mul", quotient, divisor), value)
    return emit.op("Sub", quotient, emit.cast(rounded_up, width))


def decay(emit: Emitter, state: Value, amount: npt.NDArray[np.integer], width: Width) -> Value | None:
    """Return ``state * (4096 - amount) / 4096`` rounded toward zero, or None where nothing is left of it.

    In 32 bits the state is cut into ``4096 q + r`` of one sign: then ``q (4096 - amount) + r (4096 - amount) / 4096``
    is the same number, and no product exceeds the state or 24 bits. Division of 64-bit integers is slow.
    """
    if (amount == DECAY_ONE).all():
        return None
    if not amount.any():
        return state
    kept, one = emit.constant(DECAY_ONE - amount.astype(np.int64), width), emit.constant(DECAY_ONE, width)
    if width is np.int64:
        return emit.op("Div", emit.op("Mul", state, kept), one)
    quotient = emit.op("Div", state, one)
    rest = emit.op("Sub", state, emit.op("Mul", quotient, one))
    small = emit.op("Div", emit.op("Mul", rest, kept), one)
    return emit.op("Add", emit.op("Mul", quotient, kept), small)


def wrap(emit: Emitter, current: Value, width: Width, limit: int = STATE_LIMIT) -> Value:
    """Return the current wrapped once by 2 ``limit`` into (-limit, limit]."""
    turn = emit.constant(2 * limit, width)
    above = emit.op("Greater", current, emit.constant(limit, width))
    below = emit.op("LessOrEqual", current, emit.constant(-limit, width))
    over = emit.op("Where", above, emit.op("Sub", current, turn), current)
    return emit.op("Where", below, emit.op("Add", current, turn), over)


def saturate(emit: Emitter, potential: Value, width: Width, limit: int = STATE_LIMIT) -> Value:
    """Return the membrane potential held within [-(limit - 1), limit - 1]."""
    low, high = (emit.constant(bound, width) for bound in (1 - limit, limit - 1))
    if width is np.int32:
        return emit.op("Clip", potential, low, high)
    raised = emit.op("Where", emit.op("Less", potential, low), low, potential)
    return emit.op("Where", emit.op("Greater", potential, high), high, raised)


def differ(emit: Emitter, *pairs: tuple[Value, Value]) -> Value:
    """Return where the values of any pair differ."""
    apart = [emit.op("Not", emit.op("Equal", *pair)) for pair in pairs]
    return reduce(lambda some, more: emit.op("Or", some, more), apart)


def at_least_zero(emit: Emitter, value: Value, width: Width) -> Value:
    """Return ``max(value, 0)``."""
    zero = emit.constant(0, width)
    return emit.op("Where", emit.op("Greater", value, zero), value, zero)


class Registers:
    """Brings int64 values into 32-bit registers, modulo 2^32 and signed, and remembers which."""

    def __init__(self, emit: Emitter) -> None:
        self._emit = emit
        self._held: list[tuple[Value, Value]] = []

    def hold(self, value: Value) -> Value:
        """Return a value as a register holds it."""
        held = self._emit.cast(self._emit.cast(value, np.int32), np.int64)
        self._held.append((value, held))
        return held

    def wrapped(self) -> Value:
        """Return where any of the values held so far did not fit."""
        return differ(self._emit, *self._held)


def zero_like(emit: Emitter, value: Value, width: Width) -> Value:
    """Return zeros of the shape of ``value``."""
    return emit.op("Mul", value, emit.constant(0, width))


def total(emit: Emitter, *terms: Value | None) -> Value | None:
    """Return the sum of the terms that are not None, or None where there are none."""
    given = [term for term in terms if term is not None]
    if not given:
        return None
    value = given[0]
    for term in given[1:]:
        value = emit.op("Add", value, term)
    return value


def plus(emit: Emitter, value: Value, term: Value | None) -> Value:
    """Return ``value + term``, or ``value`` where there is no term."""
    return value if term is None else emit.op("Add", value, term)
