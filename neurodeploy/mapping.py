"""Place a network on the cores of a chip, within every limit the chip file names.

::

    cut populations into tiles  ->  put tiles on cores  ->  find each core a site  ->  name the limits that are not kept

A core holds tiles of one population, or with ``share`` of as many as the chip file allows. Input ports take no cores:
their spikes come from the host, and only the axons they end in are counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neurodeploy.errors import DoesNotFit, UsageError
from neurodeploy.expectation import Expectation, expect
from neurodeploy.matching import Shortage, match_cores
from neurodeploy.network import Network
from neurodeploy.occupancy import Occupancy, Use, allowed_by_kind
from neurodeploy.ordering import find_orders, require_method
from neurodeploy.partition import cut_populations
from neurodeploy.placement import Core, Placement, PopulationUse, Violation
from neurodeploy.placing import hop_cost, place
from neurodeploy.sharing import combined, pack
from neurodeploy.spreading import Cut, finer_cuts, rate_of
from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Box, Counts
from neurodeploy.traffic import both_ways, directed_traffic, merged
from neurodeploy.violations import find_violations

__all__ = [
    "OBJECTIVES",
    "Core",
    "Placement",
    "PopulationUse",
    "Violation",
    "map_network",
    "require_choices",
    "require_fit",
]


@dataclass(frozen=True)
class Objective:
    """What a mapping is to be good at: whether finer cuts are weighed by what they cost, and what ways may save."""

    weighs: bool
    hops: tuple[str, ...]


#: Cuts placed where they are weighed: these many of the ever finer ones, and no more than a few beyond so many cores.
_WEIGHED, _FEW, _MANY_CORES = 5, 2, 600

#: Name -> what is sought. What is weighed is placed by both costs of hops, so that all objectives choose alike.
OBJECTIVES = {
    "cores": Objective(weighs=False, hops=("energy",)),
    "energy": Objective(weighs=True, hops=("energy", "time")),
    "latency": Objective(weighs=True, hops=("energy", "time")),
}


def map_network(
    network: Network,
    chip: Chip,
    *,
    margin: float | None = None,
    optimize: str = "cores",
    rates: Mapping[str, float] | None = None,
    share: bool = False,
    partition: str = "own",
) -> Placement:
    """Cut every population into tiles, put them on cores, and place these.

    Parameters
    ----------
    margin : share of the axon and memory limits to leave free; the chip file's own when None.
    optimize : ``cores``, the fewest; ``latency``, as many as shorten the step, and hops weighed by time; ``energy``, as
        many as lower what an inference is expected to take in all, static power included.
    rates : population or port -> spikes per neuron and step, by which costs and traffic are weighed; all alike when
        None.
    share : put tiles of several populations on a core where the chip allows it; never more cores than without.
    partition : which neurons behind sparse synapses stand together, a key of :data:`neurodeploy.ordering.METHODS`.

    Returns
    -------
    A placement also where the network does not fit: then with violations. :func:`require_fit` makes them an error.

    Raises
    ------
    UsageError : a margin outside 0 to 1, an unknown objective or partition, an objective for which the chip file has no
        numbers, or sharing where the chip or the objective rules it out.
    BackendMissing : Mt-KaHyPar is asked for and not installed.
    """
    margin = chip.margin if margin is None else margin
    objective = _objective(chip, margin, optimize, share=share)
    kinds = allowed_by_kind(chip, margin)
    start = Occupancy(network, chip, find_orders(network, chip, kinds, partition))
    cuts = _cuts(start, kinds, objective, rates, share=share)
    placed = [_put(cut, kinds, hops, objective, rates, share=share) for cut in cuts for hops in objective.hops]
    best = min(placed, key=_SCORES[optimize])
    occupancy = best.cut.occupancy
    tilings = {population.name: occupancy.tilings[population.name] for population in network.order}
    cores = _cores(chip, best, kinds)
    first_core, count = {}, 0
    for name, tiling in tilings.items():
        first_core[name], count = count, count + tiling.count
    violations = find_violations(occupancy, cores, best.cut.hopeless, margin, best.shortage)
    return Placement(network, chip, margin, optimize, tilings, first_core, cores, violations, share)


def require_fit(placement: Placement) -> None:
    """Raise :class:`DoesNotFit`, naming layer, limit, amount and remedy, where a placement has violations."""
    if placement.violations:
        worst = placement.violations[0]
        others = len(placement.violations) - 1
        more = f" (and {others} more)" if others else ""
        problem = f"needs {worst.found:,} {worst.limit}, {placement.chip.name} allows {worst.allowed:,}{more}"
        raise DoesNotFit(worst.population, problem, worst.advice)


def require_choices(chip: Chip, *, margin: float | None, optimize: str, share: bool, partition: str) -> None:
    """Refuse what :func:`map_network` would, before there is a network.

    Raises
    ------
    UsageError : as there.
    """
    _objective(chip, chip.margin if margin is None else margin, optimize, share=share)
    require_method(partition)


def _objective(chip: Chip, margin: float, name: str, *, share: bool) -> Objective:
    if not 0 <= margin < 1:
        raise UsageError("margin", f"is {margin}", "give a share of at least 0 and below 1, such as 0.05")
    if name not in OBJECTIVES:
        raise UsageError("optimize", f"{name!r} is no objective", f"one of {', '.join(OBJECTIVES)}")
    objective = OBJECTIVES[name]
    if objective.weighs and not chip.has_costs:
        raise UsageError(chip.name, f"gives no numbers, by which {name} could be judged", "choose --optimize cores")
    if share and chip.populations == 1:
        raise UsageError(chip.name, "has one population to a core", "leave out --share, or set limits.populations")
    if share and objective.weighs:
        raise UsageError("--share", f"is for the fewest cores, not for {name}", "choose --optimize cores")
    return objective


def _cuts(
    start: Occupancy,
    kinds: tuple[Use, ...],
    objective: Objective,
    rates: Mapping[str, float] | None,
    *,
    share: bool,
) -> list[Cut]:
    """Return the cuts among which a placing is to choose, the fewest cores first."""
    if not objective.weighs:
        found = []
        for even in (True, False) if share else (True,):
            occupancy = Occupancy(start.network, start.chip, start.orders)
            found.append(Cut(occupancy, cut_populations(occupancy, kinds, even=even)))
        return found
    cuts = finer_cuts(start, kinds, rates)
    count = _WEIGHED if cuts[-1].cores <= _MANY_CORES else _FEW
    fastest = min(range(len(cuts)), key=lambda index: cuts[index].core_second)
    chosen = {0, fastest, *(round(fastest * step / count) for step in range(count))}
    return [cuts[index] for index in sorted(chosen)]


#: A tile: its population, its cells, and its use of each limit.
_Tile = tuple[str, Box, Use]


@dataclass(frozen=True, eq=False)
class _Put:
    """A cut on its sites.

    Attributes
    ----------
    tiles : in the order of the populations.
    core_of : core of each tile, from 0.
    uses : per core what it uses.
    sites : site of each core.
    expected : of a step; nothing where nothing is weighed.
    """

    cut: Cut
    tiles: Sequence[_Tile]
    core_of: Counts
    uses: Sequence[Use]
    sites: Counts
    shortage: Shortage | None
    expected: Expectation

    @property
    def cores(self) -> int:
        """The number of cores."""
        return len(self.uses)


#: Name of an objective -> what its mapping has the least of.
_SCORES: dict[str, Callable[[_Put], float]] = {
    "cores": lambda put: put.cores,
    "energy": lambda put: put.expected.joule,
    "latency": lambda put: put.expected.second,
}


def _put(
    cut: Cut,
    kinds: tuple[Use, ...],
    hops: str,
    objective: Objective,
    rates: Mapping[str, float] | None,
    *,
    share: bool,
) -> _Put:
    """Put the tiles of a cut on cores, and these on sites: by kind where cores differ, else by traffic."""
    occupancy, chip = cut.occupancy, cut.occupancy.chip
    tiles = _tiles(occupancy)
    core_of = np.arange(len(tiles), dtype=np.int64)
    if share:
        core_of = pack([use for _, _, use in tiles], [name for name, _, _ in tiles], kinds, chip.populations)
    held: list[list[Use]] = [[] for _ in range(int(core_of.max(initial=-1)) + 1)]
    for (_, _, use), core in zip(tiles, core_of.tolist(), strict=True):
        held[core].append(use)
    uses = [combined(each) for each in held]
    network = occupancy.network
    tilings = {population.name: occupancy.tilings[population.name] for population in network.order}
    weights = {part: rate_of(rates, part) for part in network.by_name} if objective.weighs or rates else None
    traffic = merged(directed_traffic(network, tilings, weights), core_of)
    if len(kinds) > 1:
        sites, shortage = match_cores(chip, uses, kinds)
    else:
        sites, shortage = place(both_ways(traffic), chip, hop_cost(chip, hops)), None
    expected = expect(cut, traffic, sites, chip) if objective.weighs else Expectation()
    return _Put(cut, tiles, core_of, uses, sites, shortage, expected)


def _tiles(occupancy: Occupancy) -> list[_Tile]:
    tiles = []
    for population in occupancy.network.order:
        for box in occupancy.tilings[population.name].boxes():
            neurons = math.prod(stop - start for start, stop in box)
            spans = tuple((span,) for span in box)
            tiles.append((population.name, box, occupancy.use(population, spans, neurons)))
    return tiles


def _cores(chip: Chip, put: _Put, kinds: Sequence[Use]) -> tuple[Core, ...]:
    cores = []
    for (name, box, _), index in zip(put.tiles, put.core_of.tolist(), strict=True):
        which, core = divmod(int(put.sites[index]), chip.usable_cores)
        allowed = kinds[chip.kind_of_core[core]]
        cores.append(
            Core(which, core, name, box, {limit: (put.uses[index][limit], allowed[limit]) for limit in allowed})
        )
    return tuple(cores)
