"""What a run hands on when it stops between two steps: all that the next step depends on, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.dynamics import cleared
from neurodeploy.network import Network
from neurodeploy.state import State

Sent = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, eq=False)
class Carried:
    """The state of a network after ``steps`` steps of each of its samples.

    Attributes
    ----------
    steps : on which the phase of scheduled resets depends.
    neurons : population -> its model's states by name, int64 [samples, *shape].
    sent : port or population -> what it sent last, integer [samples, depth, *shape] with the newest step at the end;
        depth is the longest lag of what starts there. Before the first step nothing was sent: zeros.
    """

    steps: int
    neurons: Mapping[str, State]
    sent: Mapping[str, Sent]

    @property
    def samples(self) -> int:
        """How many samples run side by side."""
        return len(next(iter(self.sent.values())))


def depth(network: Network, name: str) -> int:
    """Return how many steps of what a port or population sent may still have to arrive."""
    return max((network.lag(projection) for projection in network.out_of(name)), default=0)


def at_start(network: Network, samples: int) -> Carried:
    """Return the state before the first step: neurons cleared, nothing on its way."""
    neurons = {population.name: cleared(population, samples) for population in network.populations}
    sent = {
        name: np.zeros((samples, depth(network, name), *part.shape), dtype=np.uint8)
        for name, part in network.by_name.items()
    }
    return Carried(0, neurons, sent)


def latest(before: Sent, now: Sent) -> Sent:
    """Return the last steps of ``before`` and ``now`` together, as many as ``before`` has."""
    kept, steps = before.shape[1], now.shape[1]
    if steps >= kept:
        return np.array(now[:, steps - kept :])
    return np.concatenate([before[:, steps:], now], axis=1)
