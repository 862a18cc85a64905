"""Leaky integrate-and-fire over a whole sequence: one autograd node for all time steps.

Per neuron and step, with the membrane potential ``v`` starting at 0::

    h = beta * v + x              charge (two roundings, never fused, so that any other simulator can repeat it)
    s = 1 if h > threshold else 0  fire (strict)
    v = RESETS[reset](h, s)        reset in the same step

The reset is constant for the gradient: only the charge and the surrogate of the firing carry it back in time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils import parametrize

from neurodeploy.models.surrogate import atan_slope, spike

# h - h * s is exactly 0 or h for s in {0, 1}; a mask would say the same several times slower on a CPU.
RESETS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "zero": lambda h, s, _threshold: torch.addcmul(h, h, s, value=-1),
    "subtract": lambda h, s, threshold: h - s * threshold,
    "none": lambda h, _s, _threshold: h,
}


class _LifSequence(torch.autograd.Function):
    """The time loop with its hand-written gradient; keeps the charged potential ``h`` and the spikes it returns."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, beta: Tensor, threshold: Tensor, reset: str) -> Tensor:
        h, s = torch.empty_like(x), torch.empty_like(x)
        v = torch.zeros_like(x[:1]).squeeze(0)
        for t in range(len(x)):
            torch.mul(v, beta, out=h[t]).add_(x[t])
            torch.gt(h[t], threshold, out=s[t])
            v = RESETS[reset](h[t], s[t], threshold)
        ctx.save_for_backward(h, s, beta, threshold)
        ctx.reset = reset
        return s

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_s: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, None]:
        h, s, beta, threshold = ctx.saved_tensors
        grad_h = torch.empty_like(h)
        through_spikes = torch.zeros_like(threshold)
        for t in reversed(range(len(h))):  # step by step: one step's arrays stay in the cache
            slope = atan_slope(h[t] - threshold).mul_(grad_s[t])
            if ctx.needs_input_grad[2]:
                through_spikes -= slope.sum()
            if t + 1 < len(h):
                carry = grad_h[t + 1] * beta
                if ctx.reset == "zero":
                    carry.addcmul_(carry, s[t], value=-1)
                slope.add_(carry)
            grad_h[t] = slope
        return grad_h, *_parameter_gradients(ctx, grad_h, through_spikes), None


def _parameter_gradients(ctx: Any, grad_h: Tensor, through_spikes: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients of ``beta`` and ``threshold``, each None when nobody asks for it."""
    h, s, beta, threshold = ctx.saved_tensors
    grad_beta = grad_threshold = None
    if ctx.needs_input_grad[1]:
        grad_beta = (grad_h[1:] * RESETS[ctx.reset](h[:-1], s[:-1], threshold)).sum()
    if ctx.needs_input_grad[2]:
        through_reset = beta * (grad_h[1:] * s[:-1]).sum() if ctx.reset == "subtract" else 0.0
        grad_threshold = through_spikes - through_reset
    return grad_beta, grad_threshold


class _Sigmoid(nn.Module):
    """Keeps a learned decay inside (0, 1)."""

    def forward(self, raw: Tensor) -> Tensor:
        return torch.sigmoid(raw)

    def right_inverse(self, value: Tensor) -> Tensor:
        return torch.logit(value)


class Lif(nn.Module):
    """A population of leaky integrate-and-fire neurons with one decay and one threshold.

    Parameters
    ----------
    beta : what is left of the membrane potential after one step, 0 to 1; 1 integrates without leak.
    threshold : a neuron fires when its potential is strictly above it.
    reset : after a spike the potential becomes 0 (``zero``), loses the threshold (``subtract``) or stays (``none``).
    learn_beta : train the decay too, through a sigmoid; ``beta`` must then lie strictly between 0 and 1.

    ``beta`` and ``threshold`` are readable as 0-dimensional float32 tensors in either case.
    """

    beta: Tensor
    threshold: Tensor

    def __init__(
        self, beta: float = 0.9, threshold: float = 1.0, reset: str = "zero", *, learn_beta: bool = False
    ) -> None:
        super().__init__()
        if reset not in RESETS:
            raise ValueError(f"reset {reset!r} is none of {', '.join(RESETS)}")
        if not 0.0 <= beta <= 1.0 or (learn_beta and beta in (0.0, 1.0)):
            raise ValueError(f"beta {beta} is outside 0 to 1" + (" without its ends" if learn_beta else ""))
        if not math.isfinite(threshold):
            raise ValueError(f"threshold {threshold} is not finite")
        self.reset = reset
        self.register_buffer("threshold", torch.tensor(float(threshold)))
        if learn_beta:
            self.beta = nn.Parameter(torch.tensor(float(beta)))
            parametrize.register_parametrization(self, "beta", _Sigmoid())
        else:
            self.register_buffer("beta", torch.tensor(float(beta)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes [T, B, ...] (0.0 or 1.0) for input currents ``x`` [T, B, ...], from potential 0."""
        spikes: Tensor = _LifSequence.apply(x, self.beta, self.threshold, self.reset)  # type: ignore[no-untyped-call]
        return spikes

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return spikes and potential after one step of current ``x`` [B, ...] from potential ``v`` [B, ...].

        Spikes equal those of :meth:`forward` bit for bit; plain autograd differentiates it to the same gradient.
        """
        h = v * self.beta + x
        s = spike(h, self.threshold)
        return s, RESETS[self.reset](h, s.detach(), self.threshold)

    def extra_repr(self) -> str:
        """Return the parameters for ``repr``."""
        return f"beta={self.beta.item():.6g}, threshold={self.threshold.item():.6g}, reset={self.reset!r}"
