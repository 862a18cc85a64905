"""How long a step of a placed cut is expected to last, and what it is expected to cost, before anything is simulated.

::

    t_step = max(t_minimum, barrier(tiles in use) + max(slowest core, busiest link * t_hop))
    E_step = energy of the cores' events + hops e_hop + (P_static chips + P_management) t_step

More cores take less time each, send more messages over the links, and make the barrier longer. What a chip draws all
the time it draws the shorter, the sooner the step ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodeploy.mesh import links_between, site_positions
from neurodeploy.placing import hop_cost, placing_cost
from neurodeploy.spreading import Cut
from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Counts
from neurodeploy.traffic import both_ways


@dataclass(frozen=True)
class Expectation:
    """Seconds and joules of a step; both 0 where the chip file has no numbers."""

    second: float = 0.0
    joule: float = 0.0


def expect(cut: Cut, traffic: Any, sites: Counts, chip: Chip) -> Expectation:
    """Return what a step is expected to take.

    Parameters
    ----------
    traffic : messages a step from each core to each other one, sparse [cores, cores].
    sites : site of each core.
    """
    positions = site_positions(chip, sites)
    places = {tuple(place) for place in positions.tolist()}
    chips = {chip_ for chip_, _, _ in places}
    tiles = max((sum(1 for place in places if place[0] == one) for one in chips), default=0)
    busy = max(cut.core_second, _busiest_link_second(traffic, positions, chip))
    second = max(chip.barrier_second(tiles) + busy, chip.time["step_minimum"].value)
    watts = chip.power["static"].value * len(chips) + chip.power["management"].value
    hops = _hop_joule(traffic, positions, chip)
    return Expectation(second, cut.core_joule + hops + watts * second)


def _hop_joule(traffic: Any, positions: Counts, chip: Chip) -> float:
    """Return the energy of all ways; a change of the chip counts only where the file gives its price."""
    cost = hop_cost(chip, "energy")
    if "chip_crossing" not in chip.energy:
        cost = type(cost)(cost.x, cost.y, 0.0)
    return placing_cost(both_ways(traffic), positions, cost)


def _busiest_link_second(traffic: Any, positions: Counts, chip: Chip) -> float:
    pairs = traffic.tocoo()
    tiles, tile_of = np.unique(positions, axis=0, return_inverse=True)
    ends = tile_of.reshape(-1)[pairs.row] * len(tiles) + tile_of.reshape(-1)[pairs.col]
    messages = np.bincount(ends, weights=pairs.data, minlength=len(tiles) ** 2)
    loads: dict[Any, float] = {}
    for index in np.flatnonzero(messages).tolist():
        start, end = (tiles[place].tolist() for place in divmod(index, len(tiles)))
        if start[0] == end[0]:
            for link in links_between(start, end):
                loads[link] = loads.get(link, 0.0) + float(messages[index])
    return max((load * chip.time[f"hop_{axis}"].value for (axis, _), load in loads.items()), default=0.0)
