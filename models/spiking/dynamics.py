"""What a spiking neuron does in one step, as data: charge, fire, reset, and the slope that stands in for the firing.

With the membrane potential v (0 before the first step) and the input x of a step::

    u = charge(v, x)          decay: decay v + x     mean: v + (x - v) / tau     memoryless: gain x
    s = 1 where u > threshold (strict) or u >= threshold, else 0
    v = reset(u, s)           zero: u (1 - s)        subtract: u - threshold s   none: u

Every product and sum is rounded by itself, never fused, so that any other simulator can repeat the bits. Where
``detach_reset`` holds, s is a constant in the reset's derivative.

==============  =====================================================================================================
surrogate       ds/du at d = u - threshold, with the width a
==============  =====================================================================================================
``atan``        (a / 2) / (1 + (pi a d / 2)^2)                 Fang et al., 2021
``sigmoid``     a q (1 - q), q = 1 / (1 + exp(-a d))           Zenke and Vogels, 2021
``rectangle``   1 / (2 a) where |d| < a, else 0                Wu et al., 2018
``exponential`` exp(-a |d|)                                    Shrestha and Orchard, 2018
==============  =====================================================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

Charge = Literal["decay", "mean", "memoryless"]
Reset = Literal["zero", "subtract", "none"]
Surrogate = Literal["atan", "sigmoid", "rectangle", "exponential"]

CHARGES: tuple[Charge, ...] = get_args(Charge)
RESETS: tuple[Reset, ...] = get_args(Reset)
SURROGATES: tuple[Surrogate, ...] = get_args(Surrogate)


@dataclass(frozen=True)
class Dynamics:
    """One neuron model.

    Attributes
    ----------
    factor : what its charge names: the decay 0..1, the time constant tau in steps (at least 1), or the gain.
    width : the ``a`` of its surrogate.

    Raises
    ------
    ValueError : a value is none of those, naming it.
    """

    charge: Charge = "decay"
    factor: float = 0.9
    threshold: float = 1.0
    strict: bool = True
    reset: Reset = "zero"
    detach_reset: bool = True
    surrogate: Surrogate = "atan"
    width: float = 2.0

    def __post_init__(self) -> None:
        for name, value, known in (
            ("charge", self.charge, CHARGES),
            ("reset", self.reset, RESETS),
            ("surrogate", self.surrogate, SURROGATES),
        ):
            if value not in known:
                raise ValueError(f"{name} {value!r} is none of {', '.join(known)}")
        low, high = {"decay": (0.0, 1.0), "mean": (1.0, math.inf), "memoryless": (-math.inf, math.inf)}[self.charge]
        if not (low <= self.factor <= high and math.isfinite(self.factor)):
            raise ValueError(f"factor {self.factor} of charge {self.charge!r} is outside {low:g} to {high:g}")
        if not math.isfinite(self.threshold):
            raise ValueError(f"threshold {self.threshold} is not finite")
        if not (0 < self.width < math.inf):
            raise ValueError(f"surrogate width {self.width} is not above 0")

    @property
    def stateful(self) -> bool:
        """Whether a step depends on the steps before it."""
        return self.charge != "memoryless"


def spikingjelly_lif(tau: float = 2.0, *, surrogate: Surrogate = "atan", width: float = 2.0) -> Dynamics:
    """Return SpikingJelly's LIF with decaying input, hard reset to 0 and a detached reset."""
    return Dynamics("mean", tau, 1.0, strict=False, reset="zero", surrogate=surrogate, width=width)


def membrane_shortcut_lif(decay: float = 0.25, threshold: float = 0.5) -> Dynamics:
    """Return the LIF of MS-ResNet (Hu et al., 2021): the step after a spike starts from 0, rectangular surrogate."""
    return Dynamics("decay", decay, threshold, strict=True, reset="zero", surrogate="rectangle", width=0.5)


def soft_reset_lif(tau: float = 2.0) -> Dynamics:
    """Return the LIF of locally supervised training: decay exp(-1 / tau), soft reset that the gradient passes."""
    decay = math.exp(-1.0 / tau)
    return Dynamics("decay", decay, 1.0, False, "subtract", detach_reset=False, surrogate="exponential", width=1.0)


def non_stateful(like: Dynamics, gain: float | None = None) -> Dynamics:
    """Return a neuron without memory with threshold and surrogate of ``like``.

    ``gain`` is by default what ``like`` makes of an input on an empty membrane: 1, or 1 / tau.
    """
    if gain is None:
        gain = 1.0 / like.factor if like.charge == "mean" else like.factor if like.charge == "memoryless" else 1.0
    return Dynamics("memoryless", gain, like.threshold, like.strict, "none", True, like.surrogate, like.width)
