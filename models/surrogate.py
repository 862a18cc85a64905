"""The firing step and the smooth function whose slope stands in for its derivative."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def atan_slope(distance: Tensor) -> Tensor:
    """Return 1 / (1 + (pi * d)^2), the derivative of arctan(pi * d) / pi + 1/2, which a spike's gradient uses.

    ``distance`` is membrane potential minus threshold and is overwritten with the result. This is the ATan surrogate
    with alpha = 2 (Fang et al., 2021).
    """
    return distance.mul_(math.pi).square_().add_(1.0).reciprocal_()


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, potential: Tensor, threshold: Tensor) -> Tensor:
        ctx.save_for_backward(potential, threshold)
        return torch.gt(potential, threshold).to(potential.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        potential, threshold = ctx.saved_tensors
        slope = grad * atan_slope(potential - threshold)
        return slope, -slope.sum_to_size(threshold.shape)


def spike(potential: Tensor, threshold: Tensor) -> Tensor:
    """Return 1.0 where ``potential`` is strictly above ``threshold``, else 0.0, with the ATan slope as gradient."""
    result: Tensor = _Spike.apply(potential, threshold)  # type: ignore[no-untyped-call]
    return result
