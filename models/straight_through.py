"""The chip's integer operations on whole-valued float tensors, each with a gradient that looks through its rounding.

Forward, every function gives exactly what :mod:`neurodeploy.fixedpoint` gives on integers, as long as the operands are
whole numbers that the dtype holds exactly (float32: sums to 2^24). Backward, rounding, wrapping and truncation count as
the identity (Bengio et al., 2013); where a value was held at the end of its range, nothing flows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurodeploy.fixedpoint import DECAY_ONE, STATE_LIMIT, STATE_SHIFT
from neurodeploy.models.spiking.reference import SLOPES

STATE_ONE = float(1 << STATE_SHIFT)


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, low: float, high: float, step: float) -> Tensor:
        ctx.save_for_backward((values >= low) & (values <= high))
        return torch.round(values.clamp(low, high) / step) * step

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (inside,) = ctx.saved_tensors
        return grad * inside, None, None, None


def rounded(values: Tensor, low: float, high: float, step: float = 1.0) -> Tensor:
    """Return the nearest multiples of ``step`` within ``low`` to ``high``, half to even."""
    result: Tensor = _Round.apply(values, low, high, step)  # type: ignore[no-untyped-call]
    return result


def floored(values: Tensor) -> Tensor:
    """Return the next integers below, with the identity as gradient."""
    return values + (torch.floor(values) - values).detach()


class _Decay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, state: Tensor, amount: Tensor) -> Tensor:
        kept = DECAY_ONE - amount
        ctx.save_for_backward(state, kept)
        size = state.abs()
        # Two products below 2^24 in place of one of 2^35, which float32 could not hold.
        high = torch.floor(size / DECAY_ONE)
        low = size - high * DECAY_ONE
        return torch.sign(state) * (high * kept + torch.floor(low * kept / DECAY_ONE))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        state, kept = ctx.saved_tensors
        amount = (grad * state / -DECAY_ONE).sum_to_size(kept.shape) if ctx.needs_input_grad[1] else None
        return grad * kept / DECAY_ONE, amount


def decayed(state: Tensor, amount: Tensor) -> Tensor:
    """Return ``state * (4096 - amount) / 4096`` rounded toward zero; ``amount`` is a whole number, 0 to 4096."""
    result: Tensor = _Decay.apply(state, amount)  # type: ignore[no-untyped-call]
    return result


def wrapped(current: Tensor, limit: int = STATE_LIMIT) -> Tensor:
    """Return the current wrapped once into (-limit, limit]."""
    with torch.no_grad():
        turn = (current <= -limit).to(current.dtype) - (current > limit).to(current.dtype)
    return current + 2 * limit * turn


def saturated(potential: Tensor, limit: int = STATE_LIMIT) -> Tensor:
    """Return the membrane potential held within [-(limit - 1), limit - 1]."""
    return potential.clamp(1 - limit, limit - 1)


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, potential: Tensor, threshold: Tensor) -> Tensor:
        ctx.save_for_backward(potential, threshold)
        return (potential > threshold * STATE_ONE).to(potential.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        potential, threshold = ctx.saved_tensors
        unit = threshold.clamp(min=1.0) * STATE_ONE
        slope = SLOPES["atan"]((potential - threshold * STATE_ONE) / unit, 2.0).mul_(grad).div_(unit)
        lowered = (slope * -STATE_ONE).sum_to_size(threshold.shape) if ctx.needs_input_grad[1] else None
        return slope, lowered


class _Burst(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, potential: Tensor, threshold: Tensor) -> Tensor:
        ctx.save_for_backward(potential, threshold)
        # A quotient just below a whole number is further from it than rounding reaches: potentials end at 2^23.
        return torch.floor(potential.clamp(min=0) / (threshold * STATE_ONE))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        potential, threshold = ctx.saved_tensors
        unit = threshold * STATE_ONE
        times = potential / unit
        slope = SLOPES["atan"](times - times.round().clamp(min=1), 2.0).mul_(grad)
        lowered = (slope * times / -threshold).sum_to_size(threshold.shape) if ctx.needs_input_grad[1] else None
        return slope / unit, lowered


def bursts(potential: Tensor, threshold: Tensor) -> Tensor:
    """Return how often 64 ``threshold``, at least 1, fits into ``potential``.

    The gradient is the ATan slope around the nearest multiple of the threshold, with the threshold as unit.
    """
    result: Tensor = _Burst.apply(potential, threshold)  # type: ignore[no-untyped-call]
    return result


def fires(potential: Tensor, threshold: Tensor) -> Tensor:
    """Return 1.0 where ``potential`` is above 64 ``threshold``, else 0.0.

    The gradient is the ATan slope of alpha = 2 with the threshold as the unit of distance, so that it does not depend
    on the scale which quantization chose.
    """
    result: Tensor = _Fire.apply(potential, threshold)  # type: ignore[no-untyped-call]
    return result
