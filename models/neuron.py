"""The leaky integrate-and-fire layer of recipes: one decay, which may be trained, and one threshold.

Per neuron and step, with the membrane potential ``v`` starting at 0::

    h = beta * v + x               charge (two roundings, never fused, so that any other simulator can repeat it)
    s = 1 if h > threshold else 0  fire (strict), with the ATan surrogate of alpha = 2 (Fang et al., 2021)
    v = h (1 - s), h - threshold s or h

The reset is constant for the gradient: only the charge and the surrogate of the firing carry it back in time.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from neurodeploy.models.spiking import reference
from neurodeploy.models.spiking.dynamics import RESETS, Dynamics, Reset
from neurodeploy.models.spiking.merged import merged
from neurodeploy.models.spiking.normalized import joins, normalized_sequence
from neurodeploy.models.spiking.sequence import sequence
from neurodeploy.models.spiking.streaming import Carrying


class _Sigmoid(nn.Module):
    """Keeps a learned decay inside (0, 1)."""

    def forward(self, raw: Tensor) -> Tensor:
        return torch.sigmoid(raw)

    def right_inverse(self, value: Tensor) -> Tensor:
        return torch.logit(value)


class Lif(Carrying):
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
        self, beta: float = 0.9, threshold: float = 1.0, reset: Reset = "zero", *, learn_beta: bool = False
    ) -> None:
        super().__init__()
        if reset not in RESETS:
            raise ValueError(f"reset {reset!r} is none of {', '.join(RESETS)}")
        if not 0.0 <= beta <= 1.0 or (learn_beta and beta in (0.0, 1.0)):
            raise ValueError(f"beta {beta} is outside 0 to 1" + (" without its ends" if learn_beta else ""))
        if not math.isfinite(threshold):
            raise ValueError(f"threshold {threshold} is not finite")
        self.reset: Reset = reset
        self._dynamics = Dynamics("decay", float(beta), float(threshold), reset=reset)
        self.register_buffer("threshold", torch.tensor(float(threshold)))
        if learn_beta:
            self.beta = nn.Parameter(torch.tensor(float(beta)))
            parametrize.register_parametrization(self, "beta", _Sigmoid())
        else:
            self.register_buffer("beta", torch.tensor(float(beta)))

    def forward(self, x: Tensor, norm: nn.Module | None = None) -> Tensor:
        """Return the spikes [T, B, ...] (0.0 or 1.0) for input currents ``x`` [T, B, ...], from potential 0.

        Currents of half precision, as autocast makes them, are taken as float32, so that the potential loses nothing.
        With a batch ``norm`` they are what that makes of ``x``; where it can, and no decay is trained, both are one.
        """
        if norm is not None:
            if joins(norm, x) and not self._carries and not parametrize.is_parametrized(self):
                now = replace(self._dynamics, factor=self.beta.item(), threshold=self.threshold.item())
                return normalized_sequence(norm, now, x)
            x = merged(norm, x)
        x = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
        spikes, last = sequence(self._dynamics, x, self.carried, self.beta, self.threshold)
        self.carry(last)
        return spikes

    def step(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return spikes and potential after one step of current ``x`` [B, ...] from potential ``v`` [B, ...].

        Spikes equal those of :meth:`forward` bit for bit; plain autograd differentiates it to the same gradient.
        """
        return reference.step(self._dynamics, x, v, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Return the parameters for ``repr``."""
        return f"beta={self.beta.item():.6g}, threshold={self.threshold.item():.6g}, reset={self.reset!r}"
