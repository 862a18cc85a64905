"""Place a network on the cores of a chip, within every limit the chip file names.

Cores hold tiles of one population each and are numbered along the mesh, row by row and back again, chip after chip.
Input ports take no cores: their spikes come from the host, and only the axons they end in are counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from neurodeploy.advice import Excess, advise
from neurodeploy.errors import DoesNotFit, UsageError
from neurodeploy.network import Network, Projection
from neurodeploy.occupancy import Occupancy, Use, allowed_use, exceeded
from neurodeploy.partition import cut_populations
from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Box, Counts, Fan, Tiling, fan_of

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Core:
    """A core in use.

    Attributes
    ----------
    chip, core : which chip, and which core of it, both from 0.
    box : per axis the cells [start, stop) it holds, of (C, H, W) or of the flattened population.
    use : limit -> (used, allowed); allowed is after the margin.
    """

    chip: int
    core: int
    population: str
    box: Box
    use: Mapping[str, tuple[int, int]]

    @cached_property
    def tightest(self) -> tuple[str, float]:
        """The limit of which the core uses the greatest share, and that share."""
        return max(((name, used / max(allowed, 1)) for name, (used, allowed) in self.use.items()), key=lambda x: x[1])


@dataclass(frozen=True)
class PopulationUse:
    """Cores of a population, and the limit one of them uses most, as a share of what is allowed."""

    name: str
    cores: int
    tile: tuple[int, ...]
    tightest_limit: str
    use: float


@dataclass(frozen=True)
class Violation:
    """A limit that cannot be kept: by whom, how much was found and allowed, and what would help."""

    population: str
    limit: str
    found: int
    allowed: int
    advice: str


@dataclass(frozen=True, eq=False)
class Placement:
    """Which tile of which population sits on which core of which chip.

    Attributes
    ----------
    tilings : population -> its cut; its tiles sit on consecutive cores from ``first_core`` on.
    first_core : population -> index of its first core, counted over all chips.
    violations : limits that cannot be kept; empty where the network fits.
    """

    network: Network
    chip: Chip
    margin: float
    tilings: Mapping[str, Tiling]
    first_core: Mapping[str, int]
    cores: tuple[Core, ...]
    violations: tuple[Violation, ...]

    @property
    def fits(self) -> bool:
        """Whether every limit is kept."""
        return not self.violations

    @property
    def cores_used(self) -> int:
        """The number of cores that hold neurons."""
        return len(self.cores)

    @property
    def chips_used(self) -> int:
        """The number of chips that these cores fill."""
        return -(-len(self.cores) // self.chip.usable_cores)

    @cached_property
    def populations(self) -> tuple[PopulationUse, ...]:
        """Per population its cores and its tightest limit, in order of placement."""
        summary = []
        for name, first in self.first_core.items():
            tiling = self.tilings[name]
            limit, use = max((core.tightest for core in self.cores[first : first + tiling.count]), key=lambda x: x[1])
            summary.append(PopulationUse(name, tiling.count, tiling.tile, limit, use))
        return tuple(summary)

    def cores_of(self, population: str) -> slice:
        """Return where the cores of a population stand in :attr:`cores`."""
        first = self.first_core[population]
        return slice(first, first + self.tilings[population].count)

    def fan(self, projection: Projection) -> Fan:
        """Return the reach of a projection, core by core."""
        return fan_of(projection, self.network.by_name[projection.source].shape, self.tilings[projection.target])

    def destinations(self, projection: Projection) -> Counts:
        """Return per source neuron, in (C, H, W) order, how many cores of the target hold a synapse from it; int64."""
        return self.fan(projection).destinations()

    @cached_property
    def positions(self) -> Counts:
        """Chip and mesh coordinates of each core, int64 [cores, (chip, x, y)]."""
        index = np.arange(len(self.cores), dtype=np.int64)
        chip, core = np.divmod(index, self.chip.usable_cores)
        y, x = np.divmod(core // self.chip.cores_per_tile, self.chip.mesh[0])
        return np.stack([chip, np.where(y % 2 == 0, x, self.chip.mesh[0] - 1 - x), y], axis=1)

    def as_dict(self, *, cores: bool = False) -> dict[str, Any]:
        """Return the placement as JSON values; with ``cores``, core by core as well."""
        document: dict[str, Any] = {
            "schema": SCHEMA_VERSION,
            "target": self.chip.name,
            "fits": self.fits,
            "margin": self.margin,
            "cores_used": self.cores_used,
            "chips_used": self.chips_used,
            "cores_allowed": self.chip.cores_max,
            "populations": [
                {
                    "name": p.name,
                    "cores": p.cores,
                    "tile": list(p.tile),
                    "tightest_limit": p.tightest_limit,
                    "use": p.use,
                }
                for p in self.populations
            ],
            "violations": [vars(violation) for violation in self.violations],
        }
        if cores:
            document["cores"] = [
                {
                    "chip": core.chip,
                    "core": core.core,
                    "population": core.population,
                    "box": [list(span) for span in core.box],
                    "use": {name: list(pair) for name, pair in core.use.items()},
                }
                for core in self.cores
            ]
        return document


def map_network(network: Network, chip: Chip, *, margin: float | None = None) -> Placement:
    """Cut every population into tiles, one per core, and place them.

    Parameters
    ----------
    margin : share of the axon and memory limits to leave free; the chip file's own when None.

    Returns
    -------
    A placement also where the network does not fit: then with violations. :func:`require_fit` makes them an error.

    Raises
    ------
    UsageError : a margin outside 0 to 1.
    """
    margin = chip.margin if margin is None else margin
    if not 0 <= margin < 1:
        raise UsageError("margin", f"is {margin}", "give a share of at least 0 and below 1, such as 0.05")
    allowed = allowed_use(chip, margin)
    occupancy = Occupancy(network, chip)
    hopeless = cut_populations(occupancy, allowed)
    tilings = {population.name: occupancy.tilings[population.name] for population in network.order}
    cores = _cores(occupancy, tilings, allowed)
    first_core, count = {}, 0
    for name, tiling in tilings.items():
        first_core[name], count = count, count + tiling.count
    violations = (
        *_core_violations(occupancy, cores, hopeless, allowed),
        *_delay_violations(network, chip),
        *_chip_violations(network, chip, tilings, margin),
    )
    return Placement(network, chip, margin, tilings, first_core, cores, violations)


def require_fit(placement: Placement) -> None:
    """Raise :class:`DoesNotFit`, naming layer, limit, amount and remedy, where a placement has violations."""
    if placement.violations:
        worst = placement.violations[0]
        others = len(placement.violations) - 1
        more = f" (and {others} more)" if others else ""
        problem = f"needs {worst.found:,} {worst.limit}, {placement.chip.name} allows {worst.allowed:,}{more}"
        raise DoesNotFit(worst.population, problem, worst.advice)


def _cores(occupancy: Occupancy, tilings: Mapping[str, Tiling], allowed: Use) -> tuple[Core, ...]:
    cores: list[Core] = []
    populations = {population.name: population for population in occupancy.network.populations}
    for name, tiling in tilings.items():
        for box in tiling.boxes():
            neurons = math.prod(stop - start for start, stop in box)
            use = occupancy.use(populations[name], tuple((span,) for span in box), neurons)
            chip, core = divmod(len(cores), occupancy.chip.usable_cores)
            cores.append(Core(chip, core, name, box, {limit: (use[limit], allowed[limit]) for limit in allowed}))
    return tuple(cores)


def _core_violations(
    occupancy: Occupancy, cores: tuple[Core, ...], hopeless: Mapping[str, Use], allowed: Use
) -> list[Violation]:
    """Return, per population and limit, the least use it can be brought to where that is too much."""
    found: dict[tuple[str, str], int] = {}
    for core in cores:
        for limit in exceeded({name: used for name, (used, _) in core.use.items()}, allowed):
            least = hopeless.get(core.population, {}).get(limit, core.use[limit][0])
            found[core.population, limit] = max(least, found.get((core.population, limit), 0))
    populations = {population.name: population for population in occupancy.network.populations}
    limits = allowed_use(occupancy.chip, 0.0)
    return [
        Violation(
            name,
            limit,
            amount,
            allowed[limit],
            advise(Excess(occupancy, populations[name], limit, amount, allowed[limit], limits[limit])),
        )
        for (name, limit), amount in found.items()
    ]


def _delay_violations(network: Network, chip: Chip) -> list[Violation]:
    most = chip.formats.delay_maximum
    advice = f"shorten the delay to {most} steps, or split it with a relay population"
    return [
        Violation(projection.target, "delay", projection.delay, most, advice)
        for projection in network.projections
        if projection.delay > most
    ]


def _chip_violations(network: Network, chip: Chip, tilings: Mapping[str, Tiling], margin: float) -> list[Violation]:
    """Return the violation of needing more cores than the largest board has."""
    cores = sum(tiling.count for tiling in tilings.values())
    if cores <= chip.cores_max:
        return []
    largest = max(tilings, key=lambda name: tilings[name].count)
    knobs = [
        f"a board of {-(-cores // chip.usable_cores)} chips (chips_max in a chip file of your own)",
        _fewer_bits(network, chip, margin, cores),
        f"fewer channels or a stride of 2 in {largest}, which takes {tilings[largest].count:,} cores",
    ]
    return [Violation(largest, "cores", cores, chip.cores_max, ", or ".join(knob for knob in knobs if knob))]


def _fewer_bits(network: Network, chip: Chip, margin: float, cores: int) -> str:
    """Say how many cores weights of half the widest width would take, where that is fewer."""
    bits = max(chip.weight_bits) // 2
    if all(projection.weight_bits <= bits for projection in network.projections):
        return ""
    thin = tuple(replace(p, weight_bits=min(p.weight_bits, bits)) for p in network.projections)
    occupancy = Occupancy(replace(network, projections=thin), chip)
    cut_populations(occupancy, allowed_use(chip, margin))
    fewer = sum(tiling.count for tiling in occupancy.tilings.values())
    return f"weights of {bits} bits, with which it takes {fewer:,} cores" if fewer < cores else ""
