"""A placement: which tile of which population sits on which core of which chip, and what each core uses."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from neurodeploy.fans import Fan, fan_of
from neurodeploy.knobs import Knob
from neurodeploy.mesh import Routes, site_positions
from neurodeploy.network import Network, Projection
from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Box, Counts, Tiling

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Core:
    """A core in use, with a tile it holds; one that holds tiles of several populations has an entry for each.

    Attributes
    ----------
    chip, core : which chip, and which core of it, both from 0.
    box : per axis the cells [start, stop) it holds, of (C, H, W) or of the flattened population.
    use : limit -> (used, allowed), of all the core's tiles together; allowed is after the margin.
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
    """A limit that cannot be kept: by whom, how much was found and allowed, and what would help.

    Attributes
    ----------
    knobs : the changes named in ``advice`` that were tried out, with the cores each leaves.
    """

    population: str
    limit: str
    found: int
    allowed: int
    advice: str
    knobs: tuple[Knob, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the violation as JSON values."""
        return {**vars(self), "knobs": [vars(knob) for knob in self.knobs]}


@dataclass(frozen=True, eq=False)
class Placement:
    """Which tile of which population sits on which core of which chip.

    Attributes
    ----------
    optimize : what it was made for, one of :data:`neurodeploy.mapping.OBJECTIVES`.
    tilings : population -> its cut; its tiles are consecutive in ``cores``, from ``first_core`` on.
    first_core : population -> index of its first core in ``cores``.
    cores : the cores in use, population by population; ``chip`` and ``core`` of each say where it is.
    violations : limits that cannot be kept; empty where the network fits.
    share : whether cores may hold tiles of several populations.
    """

    network: Network
    chip: Chip
    margin: float
    optimize: str
    tilings: Mapping[str, Tiling]
    first_core: Mapping[str, int]
    cores: tuple[Core, ...]
    violations: tuple[Violation, ...]
    share: bool = False

    @property
    def fits(self) -> bool:
        """Whether every limit is kept."""
        return not self.violations

    @cached_property
    def sites(self) -> tuple[tuple[int, int], ...]:
        """The cores that hold neurons, each (chip, core) once, in the order in which ``cores`` first names them."""
        return tuple(dict.fromkeys((core.chip, core.core) for core in self.cores))

    @cached_property
    def site_of(self) -> Counts:
        """Index into :attr:`sites` of each entry of ``cores``, int64."""
        index = {site: place for place, site in enumerate(self.sites)}
        return np.array([index[core.chip, core.core] for core in self.cores], dtype=np.int64)

    @property
    def cores_used(self) -> int:
        """The number of cores that hold neurons; one that holds tiles of several populations counts once."""
        return len(self.sites)

    @property
    def chips_used(self) -> int:
        """The number of chips on which these cores are."""
        return len({core.chip for core in self.cores})

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
        sites = [core.chip * self.chip.usable_cores + core.core for core in self.cores]
        return site_positions(self.chip, np.array(sites, dtype=np.int64))

    @cached_property
    def expected_routes(self) -> Routes:
        """The ways of the messages that one spike of every neuron causes."""
        routes = Routes()
        for projection in self.network.projections:
            if projection.source in self.tilings:
                once = np.ones(math.prod(self.network.by_name[projection.source].shape), dtype=np.int64)
                traffic = self.fan(projection).traffic(once, self.tilings[projection.source])
                start, end = (self.positions[self.cores_of(name)] for name in (projection.source, projection.target))
                routes.add(traffic, start, end)
        return routes

    @cached_property
    def tiles_used(self) -> int:
        """The number of tiles in use on the chip that uses most, which its barrier has to wait for."""
        tiles = Counter(chip for chip, _, _ in {tuple(place) for place in self.positions.tolist()})
        return max(tiles.values(), default=0)

    def _named(self, core: Core) -> dict[str, Any]:
        """Return the neurons of a tile where its box, a range of places in an order, does not say them."""
        tiling = self.tilings[core.population]
        return {} if tiling.order is None else {"neurons": tiling.cells(core.box).tolist()}

    def as_dict(self, *, cores: bool = False) -> dict[str, Any]:
        """Return the placement as JSON values; with ``cores``, core by core as well."""
        document: dict[str, Any] = {
            "schema": SCHEMA_VERSION,
            "target": self.chip.name,
            "fits": self.fits,
            "margin": self.margin,
            "optimize": self.optimize,
            "share": self.share,
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
            "violations": [violation.as_dict() for violation in self.violations],
        }
        if cores:
            document["cores"] = [
                {
                    "chip": core.chip,
                    "core": core.core,
                    "population": core.population,
                    "box": [list(span) for span in core.box],
                    "use": {name: list(pair) for name, pair in core.use.items()},
                    **self._named(core),
                }
                for core in self.cores
            ]
        return document
