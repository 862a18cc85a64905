"""The fused time loop with the batch norm before it: numba kernels that read a convolution's output and write spikes.

What the norm makes of its input, and the potentials, exist for a piece of neurons at a time and are computed again for
the backward pass. Constants of channels come spread over the neurons of a step, so that no loop knows of a layout.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numba
import numpy as np

from neurodeploy.models.spiking.dynamics import RESETS, SURROGATES, Dynamics
from neurodeploy.models.spiking.kernels import _OPTIONS, _SUBTRACT, _ZERO, PIECE, after, charged, slope
from neurodeploy.models.spiking.kinds import charge_of


class NormalizedKernels(NamedTuple):
    """The compiled loops of one kind of neuron; see :func:`_forward` and :func:`_backward` for their arguments."""

    forward: Any
    backward: Any


def normalized_kernels(dynamics: Dynamics, factor: float) -> NormalizedKernels:
    """Return the loops of a neuron model with this factor, compiled at their first call with a dtype."""
    kind = (charge_of(dynamics, factor), dynamics.strict, RESETS.index(dynamics.reset))
    return _kernels(*kind, SURROGATES.index(dynamics.surrogate), dynamics.detach_reset)


@cache
def _kernels(charge: int, strict: bool, reset: int, surrogate: int, detach: bool) -> NormalizedKernels:
    return NormalizedKernels(
        _forward(charge, strict, reset), _backward(charge, strict, reset, surrogate, through_reset=not detach)
    )


@numba.njit(**_OPTIONS)
def moments(x, mean, spread, first, last):
    """Write mean over the steps of ``x`` [T, N] and sum of squared distances from it, for some of the neurons."""
    steps = len(x)
    count = mean.dtype.type(steps)
    for start in range(first, last, PIECE):
        n = min(start + PIECE, last) - start
        ms, ss = mean[start : start + n], spread[start : start + n]
        ms[:] = x[0, start : start + n]
        ss[:] = 0
        for t in range(1, steps):
            xs = x[t, start : start + n]
            for i in range(n):
                ms[i] += xs[i]
        for i in range(n):
            ms[i] /= count
        for t in range(steps):
            xs = x[t, start : start + n]
            for i in range(n):
                d = xs[i] - ms[i]
                ss[i] += d * d


@numba.njit(**_OPTIONS)
def combine(gx, x, a, b, c, first, last):
    """Overwrite ``gx`` [T, N] with ``a gx + b x + c`` for neurons ``first`` to ``last``; a, b, c are [N]."""
    for start in range(first, last, PIECE):
        n = min(start + PIECE, last) - start
        # Of slices: an index that might be negative would keep the loop from the vector units.
        pa, pb, pc = a[start : start + n], b[start : start + n], c[start : start + n]
        for t in range(len(x)):
            gs, xs = gx[t, start : start + n], x[t, start : start + n]
            for i in range(n):
                gs[i] = pa[i] * gs[i] + pb[i] * xs[i] + pc[i]


def _forward(charge: int, strict: bool, reset: int) -> Any:
    """Return the function that writes the spikes ``s`` [T, N] of inputs ``scale x + shift`` from potential 0.

    Its arguments: ``c`` from :func:`neurodeploy.models.spiking.kernels.constants`; ``x`` [T, N]; ``scale``, ``shift``
    [N]; ``s`` [T, N]; the first neuron and the one behind the last.
    """

    @numba.njit(**_OPTIONS)
    def forward(c, x, scale, shift, s, first, last):
        factor, inverse, threshold, one = c[0], c[1], c[2], c[8]
        zero = one - one
        vs = np.empty(PIECE, x.dtype)
        for start in range(first, last, PIECE):
            n = min(start + PIECE, last) - start
            vs[:] = zero
            scales, shifts = scale[start : start + n], shift[start : start + n]
            for t in range(len(x)):
                xs, ss = x[t, start : start + n], s[t, start : start + n]
                for i in range(n):
                    h = charged(charge, vs[i], xs[i] * scales[i] + shifts[i], factor, inverse)
                    fired = h > threshold if strict else h >= threshold
                    ss[i] = one if fired else zero
                    vs[i] = after(reset, h, fired, threshold, zero)

    return forward


def _backward(charge: int, strict: bool, reset: int, surrogate: int, through_reset: bool) -> Any:
    """Return the function that carries gradients back to what the norm made.

    Its arguments: those of the forward pass, with the gradient ``gs`` [T, N] of the spikes in the place of ``s``; the
    norm's ``centre`` [N]; the gradient ``gy`` [T, N] of the norm's output, written; and, written for each neuron, its
    sum over the steps ``total`` [N] and that of its product with ``x - centre``, ``along`` [N].
    """

    @numba.njit(**_OPTIONS)
    def backward(c, x, scale, shift, gs, centre, gy, total, along, first, last):
        factor, inverse, threshold, to_x, to_v, one = c[0], c[1], c[2], c[6], c[7], c[8]
        zero = one - one
        steps = len(x)
        u = np.empty((steps, PIECE), x.dtype)
        vs, gvs = np.empty(PIECE, x.dtype), np.empty(PIECE, x.dtype)
        for start in range(first, last, PIECE):
            n = min(start + PIECE, last) - start
            scales, shifts, centres = scale[start : start + n], shift[start : start + n], centre[start : start + n]
            totals, alongs = total[start : start + n], along[start : start + n]
            vs[:], gvs[:], totals[:], alongs[:] = zero, zero, zero, zero
            for t in range(steps):
                xs, us = x[t, start : start + n], u[t, :n]
                for i in range(n):
                    h = charged(charge, vs[i], xs[i] * scales[i] + shifts[i], factor, inverse)
                    us[i] = h
                    vs[i] = after(reset, h, h > threshold if strict else h >= threshold, threshold, zero)
            for back in range(steps):
                t = steps - 1 - back
                xs, us = x[t, start : start + n], u[t, :n]
                gss, gys = gs[t, start : start + n], gy[t, start : start + n]
                for i in range(n):
                    to_s, to_u = gss[i], gvs[i]
                    if reset == _ZERO:
                        if through_reset:
                            to_s = to_s - gvs[i] * us[i]
                        to_u = zero if (us[i] > threshold if strict else us[i] >= threshold) else gvs[i]
                    elif reset == _SUBTRACT and through_reset:
                        to_s = to_s - gvs[i] * threshold
                    g = to_u + to_s * slope(surrogate, us[i] - threshold, c)
                    gvs[i] = g * to_v
                    gys[i] = g * to_x
                    totals[i] += gys[i]
                    alongs[i] += gys[i] * (xs[i] - centres[i])

    return backward
