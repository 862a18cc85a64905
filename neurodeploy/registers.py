"""How large u and v can become, whatever the input: bounds that hold for every spike train of a given length.

With P and N the largest sums of positive and of negative weights into one neuron, payloads included, a = 2^e 64, and
what a step keeps of u and v::

    u <= a P min(1 / (1 - beta), steps)                 u >= a N min(...)
    v <= keep(64 theta) + u + b   where it fires: whatever is above the threshold after a step is reset
    v <= (u + b) min(1 / (1 - alpha), steps)            where nothing resets it, and for v >= likewise from below

Rounding toward zero only makes them smaller. A reset by subtraction keeps the rest, so it counts as none unless one
step can bring no more than the threshold takes away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neurodeploy.fixedpoint import DECAY_ONE, STATE_SHIFT, IntArray
from neurodeploy.network import Network, Population, Projection, Sparse
from neurodeploy.neurons import Lif


@dataclass(frozen=True)
class Reach:
    """The largest |u| and |v| of a population for any input; v before its reset."""

    u: float
    v: float

    def within(self, state_bits: int) -> bool:
        """Return whether neither register of so many bits can be left."""
        return max(self.u, self.v) < 1 << (state_bits - 1)


def reaches(network: Network, steps: int, payloads: Mapping[str, tuple[float, float]]) -> dict[str, Reach]:
    """Return population -> how far its registers can go within ``steps`` steps.

    Parameters
    ----------
    payloads : port -> smallest and largest value that is fed in; a population sends 0 or 1, or, where it fires as often
        as its threshold fits, at most as many spikes as its membrane can hold.
    """
    sent: dict[str, tuple[float, float]] = dict(payloads)
    sent |= {p.name: (0, math.inf) for p in network.populations if _bursts(p)}  # in a loop nothing bounds them
    found = {}
    for p in network.order:
        found[p.name] = _reach(p, network.into(p.name), steps, sent)
        if _bursts(p):
            least = int(p.neuron.arrays["threshold"].min()) << STATE_SHIFT
            sent[p.name] = (0, found[p.name].v // least)
    return {p.name: found[p.name] for p in network.populations}


def _bursts(population: Population) -> bool:
    return isinstance(population.neuron, Lif) and population.neuron.reset == "burst"


def _reach(
    population: Population,
    into: list[Projection],
    steps: int,
    payloads: Mapping[str, tuple[float, float]],
) -> Reach:
    neuron = population.neuron
    assert isinstance(neuron, Lif)
    highest, lowest = 0.0, 0.0
    for projection in into:
        low, high = payloads.get(projection.source, (0, 1))
        positive, negative = _sums(projection)
        unit = 2.0 ** (STATE_SHIFT + projection.weight_exponent)
        highest += unit * max(positive * high + negative * low, 0.0)
        lowest += unit * min(negative * high + positive * low, 0.0) - 2**STATE_SHIFT * (projection.weight_exponent < 0)
    current = _memory(neuron.current_decay, steps)
    bias = neuron.bias.astype(np.float64) * 2.0**neuron.bias_exponent
    rise, fall = highest * current + float(max(bias.max(), 0)), lowest * current + float(min(bias.min(), 0))
    u = max(highest, -lowest) * current
    memory = _memory(neuron.voltage_decay, steps)
    return Reach(u, max(_top(neuron, rise, memory), -fall * memory))


def _top(neuron: Lif, rise: float, memory: float) -> float:
    free = rise * memory
    if not neuron.spiking:
        return free
    threshold = float(int(neuron.threshold.max()) << STATE_SHIFT)
    if neuron.reset in ("zero", "burst") or rise <= threshold:
        return min(free, threshold + rise)
    return free


def _memory(decay: IntArray, steps: int) -> float:
    """Return the most that a constant input of 1 adds up to."""
    lost = int(decay.min())
    return float(min(DECAY_ONE / lost, steps)) if lost else float(steps)


def _sums(projection: Projection) -> tuple[float, float]:
    """Return the largest sum of positive weights, and the smallest of negative ones, into one neuron."""
    connection = projection.connection
    weight = connection.to_dense() if isinstance(connection, Sparse) else connection.weight
    rows = weight.reshape(len(weight), -1).astype(np.float64)
    return float(np.maximum(rows, 0).sum(axis=1).max()), float(np.minimum(rows, 0).sum(axis=1).min())
