"""The fused time loop on a CPU: numba kernels over pieces of neurons that stay in the first-level cache.

A piece runs through all steps before the next one starts, so that potentials never leave the cache and every array is
read or written once. A kernel is compiled for a kind of neuron and a dtype, never for shapes or values, and kept on
disk. The kind decides every branch at compile time, which leaves loops that the vector units take whole.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from neurodeploy.models.spiking import kinds
from neurodeploy.models.spiking.dynamics import RESETS, SURROGATES, Dynamics
from neurodeploy.models.spiking.exponential import exponential

#: Neurons in a piece: its few rows of a step fit the first-level cache beside the streams.
PIECE = 1024

_OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}

_DECAY, _MEAN, _MEMORYLESS, _HALVES = range(4)
_ZERO, _SUBTRACT, _NONE = range(3)
_ATAN, _SIGMOID, _RECTANGLE, _EXPONENTIAL = range(4)


@numba.njit(**_OPTIONS)
def charged(kind, v, x, factor, inverse):
    """Return the potential that an input ``x`` makes of ``v``; ``kind`` is a constant of whoever calls."""
    if kind == _DECAY:
        return v * factor + x
    if kind == _MEAN:
        return v + (x - v) / factor
    if kind == _HALVES:
        return v + (x - v) * inverse
    return factor * x


@numba.njit(**_OPTIONS)
def after(kind, h, fired, threshold, zero):
    """Return the potential that the reset leaves."""
    if kind == _ZERO:
        return zero if fired else h
    if kind == _SUBTRACT:
        return h - threshold if fired else h
    return h


@numba.njit(**_OPTIONS)
def slope(kind, d, c):
    """Return the surrogate's slope at the distance ``d`` from the threshold."""
    width, height, steep, one = c[3], c[4], c[5], c[8]
    if kind == _ATAN:
        d = d * steep
        return height / (one + d * d)
    if kind == _SIGMOID:
        # Of |d|, for which the exponential is at most 1; the slope is even.
        decayed = exponential(-width * abs(d))
        return width * decayed / ((one + decayed) * (one + decayed))
    if kind == _RECTANGLE:
        return height if abs(d) < width else one - one
    return exponential(-width * abs(d))


class Kernels(NamedTuple):
    """The compiled loops of one kind of neuron; see :func:`_forward` and :func:`_backward` for their arguments."""

    forward: Any
    backward: Any


def kernels(dynamics: Dynamics, factor: float) -> Kernels:
    """Return the loops of a neuron model with this factor, compiled at their first call with a dtype."""
    return _kernels(
        kinds.charge_of(dynamics, factor),
        dynamics.strict,
        RESETS.index(dynamics.reset),
        SURROGATES.index(dynamics.surrogate),
        dynamics.detach_reset,
    )


def constants(dynamics: Dynamics, factor: float, threshold: float, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return what the loops calculate with, all of one dtype, for a Python number in them would widen everything."""
    return np.array([*kinds.constants(dynamics, factor, threshold), 1.0], dtype)


@cache
def _kernels(charge: int, strict: bool, reset: int, surrogate: int, detach: bool) -> Kernels:
    return Kernels(
        _forward(charge, strict, reset),
        _backward(charge, strict, reset, surrogate, through_reset=not detach),
    )


def _forward(charge: int, strict: bool, reset: int) -> Any:
    """Return the function that runs neurons ``first`` to ``last`` through all steps.

    Its arguments: ``c`` from :func:`constants`; the input ``x`` [T, N]; the potential ``v`` [N], overwritten with the
    last one; the charged potentials ``u`` [T, N] that the backward pass needs, or [0, N]; the spikes ``s`` [T, N].
    """

    @numba.njit(**_OPTIONS)
    def forward(c, x, v, u, s, first, last):
        factor, inverse, threshold, one = c[0], c[1], c[2], c[8]
        zero = one - one
        keep = len(u) > 0
        scratch = np.empty(PIECE, x.dtype)
        for start in range(first, last, PIECE):
            n = min(start + PIECE, last) - start
            vs = v[start : start + n]
            for t in range(len(x)):
                xs, ss = x[t, start : start + n], s[t, start : start + n]
                us = u[t, start : start + n] if keep else scratch[:n]
                for i in range(n):
                    h = charged(charge, vs[i], xs[i], factor, inverse)
                    fired = h > threshold if strict else h >= threshold
                    us[i] = h
                    ss[i] = one if fired else zero
                    vs[i] = after(reset, h, fired, threshold, zero)

    return forward


def _backward(charge: int, strict: bool, reset: int, surrogate: int, through_reset: bool) -> Any:
    """Return the function that carries gradients back through neurons ``first`` to ``last``.

    Its arguments: ``c`` from :func:`constants`; the charged potentials ``u`` [T, N] and the potential ``v0`` [N] before
    them; the gradient ``gs`` of the spikes [T, N]; that of the last potential ``gv`` [N], overwritten with that of
    ``v0``; that of the input ``gx`` [T, N], written; and ``totals`` float64 [2], to which the gradients of factor and
    threshold are added, or empty where nobody asks.
    """

    @numba.njit(**_OPTIONS)
    def backward(c, u, v0, gs, gv, gx, totals, first, last):
        inverse, threshold, to_x, to_v, one = c[1], c[2], c[6], c[7], c[8]
        zero = one - one
        trained = len(totals) > 0
        steps = len(u)
        into_s = np.empty(PIECE, u.dtype)
        for start in range(first, last, PIECE):
            n = min(start + PIECE, last) - start
            gvs = gv[start : start + n]
            for back in range(steps):
                t = steps - 1 - back
                us, gss, gxs = u[t, start : start + n], gs[t, start : start + n], gx[t, start : start + n]
                for i in range(n):
                    fired = us[i] > threshold if strict else us[i] >= threshold
                    to_s, to_u = gss[i], gvs[i]
                    if reset == _ZERO:
                        if through_reset:
                            to_s = to_s - gvs[i] * us[i]
                        to_u = zero if fired else gvs[i]
                    elif reset == _SUBTRACT and through_reset:
                        to_s = to_s - gvs[i] * threshold
                    into_s[i] = to_s * slope(surrogate, us[i] - threshold, c)
                    gxs[i] = to_u + into_s[i]  # the gradient of u, until it has served
                if trained:
                    for i in range(n):
                        totals[1] -= into_s[i]
                        if reset == _SUBTRACT:
                            totals[1] -= gvs[i] if (us[i] > threshold if strict else us[i] >= threshold) else zero
                        before = v0[start + i]
                        if t > 0:
                            before = u[t - 1, start + i]
                            fired = before > threshold if strict else before >= threshold
                            if fired and reset != _NONE:
                                before = zero if reset == _ZERO else before - threshold
                        if charge == _DECAY:
                            totals[0] += gxs[i] * before
                        elif charge == _MEMORYLESS:
                            totals[0] += gxs[i] * us[i] * inverse
                        else:
                            totals[0] -= gxs[i] * (us[i] - before) * inverse
                for i in range(n):
                    gvs[i] = gxs[i] * to_v
                    gxs[i] = gxs[i] * to_x

    return backward
