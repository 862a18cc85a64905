"""Cut slow populations finer than they need to be, for as long as the step gets shorter.

A step lasts as long as its slowest core and the barrier among all tiles in use; more cores make the one shorter and
the other longer. With the chip file's times, per core and step::

    t = neurons t_idle + r arrivals t_in + r operations t_operation + r messages t_out

where every neuron of a source is taken to fire ``r`` times a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neurodeploy.network import Convolution, Network
from neurodeploy.occupancy import Occupancy, Use
from neurodeploy.partition import cut_populations
from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Counts

#: Spikes per neuron and step where nothing has been simulated: an assumption.
DEFAULT_RATE = 0.1
#: Cuts tried; each halves the tiles of the slowest population.
_CUTS = 64


@dataclass(frozen=True)
class Spread:
    """The cuts found: tilings are those of ``occupancy``, and what no cut respects as in ``cut_populations``."""

    occupancy: Occupancy
    hopeless: dict[str, Use]
    step_second: float


def spread(
    network: Network, chip: Chip, kinds: tuple[Use, ...], rates: Mapping[str, float] | None
) -> tuple[Occupancy, dict[str, Use]]:
    """Return the cuts with the shortest expected step, on no more chips than the fewest cores take.

    Parameters
    ----------
    kinds : what each kind of core allows.
    rates : population or port -> spikes per neuron and step; :data:`DEFAULT_RATE` where unknown.
    """
    ceilings: dict[str, int] = {}
    best = current = _cut(network, chip, kinds, ceilings, rates)
    room = chip.usable_cores * max(1, -(-_cores(best.occupancy) // chip.usable_cores))
    for _ in range(_CUTS):
        slowest = _slowest(current.occupancy, rates)
        largest = int(current.occupancy.tilings[slowest].sizes().max())
        if largest == 1 or chip.tiling == "whole":
            break
        ceilings[slowest] = -(-largest // 2)
        current = _cut(network, chip, kinds, ceilings, rates)
        if _cores(current.occupancy) > min(room, chip.cores_max):
            break
        if current.step_second < best.step_second:
            best = current
    return best.occupancy, best.hopeless


def _cut(
    network: Network,
    chip: Chip,
    kinds: tuple[Use, ...],
    ceilings: Mapping[str, int],
    rates: Mapping[str, float] | None,
) -> Spread:
    occupancy = Occupancy(network, chip)
    hopeless = cut_populations(occupancy, kinds, ceilings)
    tiles = -(-min(_cores(occupancy), chip.usable_cores) // chip.cores_per_tile)
    barrier = chip.barrier_second(tiles)
    slowest = max((float(times.max()) for times in core_times(occupancy, rates).values()), default=0.0)
    return Spread(occupancy, hopeless, max(barrier + slowest, chip.time["step_minimum"].value))


def _cores(occupancy: Occupancy) -> int:
    return sum(tiling.count for tiling in occupancy.tilings.values())


def _slowest(occupancy: Occupancy, rates: Mapping[str, float] | None) -> str:
    times = core_times(occupancy, rates)
    return max(times, key=lambda name: float(times[name].max()))


def core_times(occupancy: Occupancy, rates: Mapping[str, float] | None) -> dict[str, np.ndarray]:
    """Return per population the expected seconds a step takes each of its cores, float64 [tiles]."""
    network, times = occupancy.network, occupancy.chip.time
    seconds = {p.name: occupancy.tilings[p.name].sizes() * times["neuron_idle"].value for p in network.populations}
    for projection in network.projections:
        rate = (rates or {}).get(projection.source, DEFAULT_RATE)
        fan = occupancy.fan(projection, occupancy.tilings[projection.target])
        once = np.ones(int(np.prod(network.by_name[projection.source].shape)), dtype=np.int64)
        kind = "convolution" if isinstance(projection.connection, Convolution) else "dense"
        operations: Counts = fan.synapses_into(once)
        seconds[projection.target] += rate * operations * times[f"synaptic_operation_{kind}"].value
        seconds[projection.target] += rate * fan.messages_into(once) * times["message_in"].value
        if projection.source in seconds:
            sent = occupancy.tilings[projection.source].sums(fan.destinations())
            seconds[projection.source] += rate * sent * times["message_out"].value
    return seconds
