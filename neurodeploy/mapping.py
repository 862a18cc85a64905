"""Place a network on the cores of a chip, within every limit the chip file names.

::

    cut populations into tiles  ->  find each tile a core  ->  name the limits that are not kept

Cores hold tiles of one population each. Input ports take no cores: their spikes come from the host, and only the axons
they end in are counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neurodeploy.errors import DoesNotFit, UsageError
from neurodeploy.matching import Shortage, match_cores
from neurodeploy.network import Network
from neurodeploy.occupancy import Occupancy, Use, allowed_by_kind
from neurodeploy.partition import cut_populations
from neurodeploy.placement import Core, Placement, PopulationUse, Violation
from neurodeploy.placing import hop_cost, place
from neurodeploy.spreading import spread
from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Box, Counts, Tiling
from neurodeploy.traffic import expected_traffic
from neurodeploy.violations import find_violations

__all__ = ["OBJECTIVES", "Core", "Placement", "PopulationUse", "Violation", "map_network", "require_fit"]


@dataclass(frozen=True)
class Objective:
    """What a mapping is to be good at: whether it takes more cores to be faster, and what its ways are to save."""

    spreads: bool
    hops: str


#: Name -> what is sought. Ever fewer cores also send the fewest messages, so that ``energy`` cuts like ``cores``.
OBJECTIVES = {
    "cores": Objective(spreads=False, hops="energy"),
    "energy": Objective(spreads=False, hops="energy"),
    "latency": Objective(spreads=True, hops="time"),
}


def map_network(
    network: Network,
    chip: Chip,
    *,
    margin: float | None = None,
    optimize: str = "cores",
    rates: Mapping[str, float] | None = None,
) -> Placement:
    """Cut every population into tiles, one per core, and place them.

    Parameters
    ----------
    margin : share of the axon and memory limits to leave free; the chip file's own when None.
    optimize : ``cores``, the fewest; ``energy``, the fewest and their hops weighed by energy; ``latency``, as many as
        shorten the step, and hops weighed by time.
    rates : population or port -> spikes per neuron and step, by which traffic is weighed; all alike when None.

    Returns
    -------
    A placement also where the network does not fit: then with violations. :func:`require_fit` makes them an error.

    Raises
    ------
    UsageError : a margin outside 0 to 1, an unknown objective, or one for which the chip file has no numbers.
    """
    margin = chip.margin if margin is None else margin
    objective = _objective(chip, margin, optimize)
    kinds = allowed_by_kind(chip, margin)
    if objective.spreads:
        occupancy, hopeless = spread(network, chip, kinds, rates)
    else:
        occupancy = Occupancy(network, chip)
        hopeless = cut_populations(occupancy, kinds)
    tilings = {population.name: occupancy.tilings[population.name] for population in network.order}
    tiles = _tiles(occupancy, tilings)
    sites, shortage = _sites(occupancy, tilings, [use for _, _, use in tiles], kinds, objective, rates)
    cores = _cores(chip, tiles, sites, kinds)
    first_core, count = {}, 0
    for name, tiling in tilings.items():
        first_core[name], count = count, count + tiling.count
    violations = find_violations(occupancy, cores, hopeless, margin, shortage)
    return Placement(network, chip, margin, optimize, tilings, first_core, cores, violations)


def require_fit(placement: Placement) -> None:
    """Raise :class:`DoesNotFit`, naming layer, limit, amount and remedy, where a placement has violations."""
    if placement.violations:
        worst = placement.violations[0]
        others = len(placement.violations) - 1
        more = f" (and {others} more)" if others else ""
        problem = f"needs {worst.found:,} {worst.limit}, {placement.chip.name} allows {worst.allowed:,}{more}"
        raise DoesNotFit(worst.population, problem, worst.advice)


def _objective(chip: Chip, margin: float, name: str) -> Objective:
    if not 0 <= margin < 1:
        raise UsageError("margin", f"is {margin}", "give a share of at least 0 and below 1, such as 0.05")
    if name not in OBJECTIVES:
        raise UsageError("optimize", f"{name!r} is no objective", f"one of {', '.join(OBJECTIVES)}")
    if OBJECTIVES[name].spreads and not chip.has_costs:
        raise UsageError(chip.name, "gives no times, by which latency could be judged", "choose --optimize cores")
    return OBJECTIVES[name]


#: A tile: its population, its cells, and its use of each limit.
_Tile = tuple[str, Box, Use]


def _tiles(occupancy: Occupancy, tilings: Mapping[str, Tiling]) -> list[_Tile]:
    populations = {population.name: population for population in occupancy.network.populations}
    tiles = []
    for name, tiling in tilings.items():
        for box in tiling.boxes():
            neurons = math.prod(stop - start for start, stop in box)
            tiles.append((name, box, occupancy.use(populations[name], tuple((span,) for span in box), neurons)))
    return tiles


def _sites(
    occupancy: Occupancy,
    tilings: Mapping[str, Tiling],
    uses: Sequence[Use],
    kinds: Sequence[Use],
    objective: Objective,
    rates: Mapping[str, float] | None,
) -> tuple[Counts, Shortage | None]:
    """Return the site of each tile: by kind where cores differ, by traffic where they are alike."""
    chip = occupancy.chip
    if len(kinds) > 1:
        return match_cores(chip, uses, kinds)
    traffic = expected_traffic(occupancy.network, tilings, rates)
    return place(traffic, chip, hop_cost(chip, objective.hops)), None


def _cores(chip: Chip, tiles: Sequence[_Tile], sites: Counts, kinds: Sequence[Use]) -> tuple[Core, ...]:
    cores = []
    for (name, box, use), site in zip(tiles, sites.tolist(), strict=True):
        which, core = divmod(site, chip.usable_cores)
        allowed = kinds[chip.kind_of_core[core]]
        cores.append(Core(which, core, name, box, {limit: (use[limit], allowed[limit]) for limit in allowed}))
    return tuple(cores)
