"""Cut slow populations finer than they need to be, and expect of every cut how long a step takes and what it costs.

A step lasts as long as its slowest core and the barrier among all tiles in use; more cores make the one shorter and
the other longer. With the chip file's times, per core and step::

    t = neurons t_idle + r arrivals t_in + r operations t_operation + r messages t_out
    E = the same sum with energies over all cores

where every neuron of a source is taken to fire ``r`` times a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.network import Convolution
from neurodeploy.occupancy import Occupancy, Use
from neurodeploy.partition import cut_populations
from neurodeploy.targets.chipfile import Number
from neurodeploy.tiling import Counts

#: Spikes per neuron and step where nothing has been simulated: an assumption.
DEFAULT_RATE = 0.1
#: Cuts tried; each halves the tiles of the slowest population.
_CUTS = 64


@dataclass(frozen=True, eq=False)
class Cut:
    """A cut of every population, and what it promises.

    Attributes
    ----------
    occupancy : holds its tilings.
    hopeless : what no cut respects, as :func:`~neurodeploy.partition.cut_populations` returns it.
    core_second, core_joule : expected in a step of the slowest core, and of all cores' events together; 0 where the
        chip file has no numbers.
    """

    occupancy: Occupancy
    hopeless: dict[str, Use]
    core_second: float = 0.0
    core_joule: float = 0.0

    @property
    def cores(self) -> int:
        """The number of tiles."""
        return sum(tiling.count for tiling in self.occupancy.tilings.values())


def finer_cuts(start: Occupancy, kinds: tuple[Use, ...], rates: Mapping[str, float] | None) -> tuple[Cut, ...]:
    """Return the cut with the fewest cores and ever finer ones, on no more chips than the fewest cores take.

    Parameters
    ----------
    start : network, chip and orders of neurons; its tilings are not used.
    kinds : what each kind of core allows.
    rates : population or port -> spikes per neuron and step; :data:`DEFAULT_RATE` where unknown.
    """
    ceilings: dict[str, int] = {}
    chip, found = start.chip, [_cut(start, kinds, ceilings, rates)]
    room = chip.usable_cores * max(1, -(-found[0].cores // chip.usable_cores))
    for _ in range(_CUTS):
        slowest = _slowest(found[-1].occupancy, rates)
        largest = int(found[-1].occupancy.tilings[slowest].sizes().max())
        if largest == 1 or chip.tiling == "whole":
            break
        ceilings[slowest] = -(-largest // 2)
        finer = _cut(start, kinds, ceilings, rates)
        if finer.cores > min(room, chip.cores_max):
            break
        found.append(finer)
    return tuple(found)


def _cut(
    start: Occupancy,
    kinds: tuple[Use, ...],
    ceilings: Mapping[str, int],
    rates: Mapping[str, float] | None,
) -> Cut:
    occupancy = Occupancy(start.network, start.chip, start.orders)
    hopeless = cut_populations(occupancy, kinds, ceilings)
    slowest = max((float(times.max()) for times in core_times(occupancy, rates).values()), default=0.0)
    return Cut(occupancy, hopeless, slowest, _core_joule(occupancy, rates))


def _core_joule(occupancy: Occupancy, rates: Mapping[str, float] | None) -> float:
    """Return the energy expected of a step's events, the messages of ports among them, hops not."""
    energy = occupancy.chip.energy
    joule = sum(float(costs.sum()) for costs in _core_costs(occupancy, rates, energy).values())
    for projection in occupancy.network.projections:
        if projection.source not in occupancy.tilings:
            fan = occupancy.fan(projection, occupancy.tilings[projection.target])
            joule += rate_of(rates, projection.source) * int(fan.destinations().sum()) * energy["message_out"].value
    return joule


def rate_of(rates: Mapping[str, float] | None, name: str) -> float:
    """Return the spikes per neuron and step of a population or port, as given or as assumed."""
    return (rates or {}).get(name, DEFAULT_RATE)


def _slowest(occupancy: Occupancy, rates: Mapping[str, float] | None) -> str:
    times = core_times(occupancy, rates)
    return max(times, key=lambda name: float(times[name].max()))


def core_times(occupancy: Occupancy, rates: Mapping[str, float] | None) -> dict[str, npt.NDArray[Any]]:
    """Return per population the expected seconds a step takes each of its cores, float64 [tiles]."""
    return _core_costs(occupancy, rates, occupancy.chip.time)


def _core_costs(
    occupancy: Occupancy, rates: Mapping[str, float] | None, costs: Mapping[str, Number]
) -> dict[str, npt.NDArray[Any]]:
    """Return per population what its cores' events are expected to cost in a step, float64 [tiles]."""
    network = occupancy.network
    idle = np.float64(costs["neuron_idle"].value)
    found: dict[str, npt.NDArray[Any]] = {p.name: occupancy.tilings[p.name].sizes() * idle for p in network.populations}
    for projection in network.projections:
        rate = rate_of(rates, projection.source)
        fan = occupancy.fan(projection, occupancy.tilings[projection.target])
        once = np.ones(int(np.prod(network.by_name[projection.source].shape)), dtype=np.int64)
        kind = "convolution" if isinstance(projection.connection, Convolution) else "dense"
        operations: Counts = fan.synapses_into(once)
        found[projection.target] += rate * operations * costs[f"synaptic_operation_{kind}"].value
        found[projection.target] += rate * fan.messages_into(once) * costs["message_in"].value
        if projection.source in found:
            sent = occupancy.tilings[projection.source].sums(fan.destinations())
            found[projection.source] += rate * sent * costs["message_out"].value
    return found
