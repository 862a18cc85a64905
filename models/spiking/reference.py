"""The plain form of every neuron model: torch operations step by step, differentiated by autograd alone.

The fused kernels are tested equal to it: spikes and potentials bit for bit, gradients to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurodeploy.models.spiking.dynamics import Dynamics

#: Surrogate -> its slope at the distance d from the threshold.
SLOPES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "atan": lambda d, a: (a / 2) / (1 + (d * (math.pi / 2 * a)).square()),
    "sigmoid": lambda d, a: a * torch.sigmoid(a * d) * (1 - torch.sigmoid(a * d)),
    "rectangle": lambda d, a: (d.abs() < a).to(d.dtype) / (2 * a),
    "exponential": lambda d, a: torch.exp(-a * d.abs()),
}


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, threshold: Tensor, dynamics: Dynamics) -> Tensor:
        ctx.save_for_backward(u, threshold)
        ctx.dynamics = dynamics
        return (u > threshold if dynamics.strict else u >= threshold).to(u.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        u, threshold = ctx.saved_tensors
        slope = grad * SLOPES[ctx.dynamics.surrogate](u - threshold, ctx.dynamics.width)
        return slope, -slope.sum_to_size(threshold.shape), None


def charge(dynamics: Dynamics, x: Tensor, v: Tensor, factor: Tensor) -> Tensor:
    """Return the potential u after the charge."""
    if dynamics.charge == "memoryless":
        return factor * x
    # On a GPU torch divides by a scalar of the host by multiplying with its reciprocal, which may be one bit off.
    return v * factor + x if dynamics.charge == "decay" else v + (x - v) / factor.to(x.device)


def step(dynamics: Dynamics, x: Tensor, v: Tensor, factor: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    """Return spikes and potential after one step of input ``x`` [...] from the potential ``v`` [...].

    ``factor`` and ``threshold`` are 0-dimensional and may be trained.
    """
    u = charge(dynamics, x, v, factor)
    s: Tensor = _Fire.apply(u, threshold, dynamics)  # type: ignore[no-untyped-call]
    if dynamics.reset == "none":
        return s, u
    fired = s.detach() if dynamics.detach_reset else s
    # u - u s is exactly 0 or u for s in {0, 1}.
    return s, u - u * fired if dynamics.reset == "zero" else u - fired * threshold


def sequence(dynamics: Dynamics, x: Tensor, v: Tensor, factor: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    """Return the spikes [T, ...] of input ``x`` [T, ...] from the potential ``v`` [...], and the last potential."""
    spikes = []
    for current in x:
        s, v = step(dynamics, current, v, factor, threshold)
        spikes.append(s)
    return torch.stack(spikes), v
