"""Find a core for every tile on a chip whose cores differ: a matching of tiles and cores, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurodeploy.occupancy import Use, excess
from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Counts

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Shortage:
    """Tiles, by index, that compete for fewer cores than they are; no other core has room for any of them."""

    tiles: tuple[int, ...]
    cores: int


def match_cores(chip: Chip, uses: Sequence[Use], kinds: Sequence[Use]) -> tuple[Counts, Shortage | None]:
    """Return the site of each tile, int64 [tiles], and where not all have one, which tiles lack what.

    Tiles without a core are put on sites behind the last chip, so that what they use can still be told. A tile that
    no kind has room for counts as fitting the kinds that come nearest.

    Parameters
    ----------
    uses : per tile its use of each limit.
    kinds : per kind of core what it allows, in the order of ``chip.kinds``.
    """
    chips = min(chip.chips_max, len(uses))
    of_site = np.tile(np.array(chip.kind_of_core), chips)
    fitting = np.array([_fitting(use, kinds) for use in uses], dtype=np.bool_)[:, of_site]
    site_of: dict[int, int] = {}
    tile_at: dict[int, int] = {}
    shortage = None
    for tile in np.argsort(fitting.sum(axis=1), kind="stable").tolist():
        reached = _augment(tile, fitting, site_of, tile_at)
        if reached is not None and shortage is None:
            shortage = reached
    spare = iter(range(chip.usable_cores * chips, chip.usable_cores * chips + len(uses)))
    sites = [site_of[tile] if tile in site_of else next(spare) for tile in range(len(uses))]
    return np.array(sites, dtype=np.int64), shortage


def _fitting(use: Use, kinds: Sequence[Use]) -> list[bool]:
    over = [excess(use, allowed) for allowed in kinds]
    return [share == min(over) for share in over]


def _augment(tile: int, fitting: Flags, site_of: dict[int, int], tile_at: dict[int, int]) -> Shortage | None:
    """Give the tile a site, moving others where that makes room; return the competitors where nothing does."""
    came_from: dict[int, int] = {}
    waiting, competing = [tile], [tile]
    while waiting:
        current = waiting.pop(0)
        for site in np.flatnonzero(fitting[current]).tolist():
            if site in came_from:
                continue
            came_from[site] = current
            if site not in tile_at:
                _shift(site, tile, came_from, site_of, tile_at)
                return None
            waiting.append(tile_at[site])
            competing.append(tile_at[site])
    return Shortage(tuple(sorted(competing)), len(came_from))


def _shift(site: int, tile: int, came_from: dict[int, int], site_of: dict[int, int], tile_at: dict[int, int]) -> None:
    """Move every tile on the path that led to a free site one site further along it."""
    mover = came_from[site]
    while True:
        left = site_of.get(mover)
        site_of[mover], tile_at[site] = site, mover
        if mover == tile:
            return
        assert left is not None
        site, mover = left, came_from[left]
