"""The neurons that a backbone's parts are built with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import nn

from neurodeploy.models.spiking.dynamics import spikingjelly_lif
from neurodeploy.models.spiking.layer import MultiSpike, SpikingNeuron


@dataclass(frozen=True)
class Neurons:
    """What makes the neurons between layers, behind the product of attention, and before the classifier.

    ``unit`` is the smallest spike that those between layers send.
    """

    inner: Callable[[], nn.Module]
    attention: Callable[[], nn.Module]
    last: Callable[[], nn.Module]
    unit: float = 1.0


def integer_neurons(levels: int) -> Neurons:
    """Return I-LIF neurons that send up to ``levels``, divided by it except before the classifier (the public code)."""
    return Neurons(
        inner=lambda: MultiSpike(levels),
        attention=lambda: MultiSpike(levels),
        last=lambda: MultiSpike(levels, 1.0),
        unit=1.0 / levels,
    )


def leaky_neurons(attention_threshold: float) -> Neurons:
    """Return V2's neurons: tau 2, hard detached reset, a sigmoid of slope 4 as surrogate."""
    dynamics = spikingjelly_lif(2.0, surrogate="sigmoid", width=4.0)
    lower = replace(dynamics, threshold=attention_threshold)
    return Neurons(
        inner=lambda: SpikingNeuron(dynamics),
        attention=lambda: SpikingNeuron(lower),
        last=lambda: SpikingNeuron(dynamics),
    )
