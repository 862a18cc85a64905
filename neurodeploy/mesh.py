"""Where cores lie on a chip's mesh, and by which links messages travel between them: along x first, then along y.

Cores are numbered along the mesh row by row and back again, so that neighbours in number are neighbours on the mesh. A
site is a core counted over all chips: ``chip * usable_cores + core``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Counts

#: Chip and mesh coordinates of a link's start, and its direction, -1 or 1.
Link = tuple[int, int, int, int]


def site_positions(chip: Chip, sites: Counts) -> Counts:
    """Return chip and mesh coordinates of sites, int64 [sites, (chip, x, y)]."""
    which, core = np.divmod(sites, chip.usable_cores)
    y, x = np.divmod(core // chip.cores_per_tile, chip.mesh[0])
    return np.stack([which, np.where(y % 2 == 0, x, chip.mesh[0] - 1 - x), y], axis=1)


def snake_sites(chip: Chip, count: int) -> Counts:  # noqa: ARG001
    """Return the first ``count`` sites in the order of their numbers, chip after chip."""
    return np.arange(count, dtype=np.int64)


def hilbert_sites(chip: Chip, count: int) -> Counts:
    """Return the first ``count`` sites along a Hilbert curve over each chip's mesh, chip after chip.

    Successive cores stay near each other in both directions, where rows keep them near along one.
    """
    cores = np.arange(chip.usable_cores, dtype=np.int64)
    order = 1 << (max(chip.mesh) - 1).bit_length()
    places = site_positions(chip, cores)[:, 1:].tolist()
    wide = chip.mesh[0] >= chip.mesh[1]  # the curve's first half lies along its second coordinate
    index = [_hilbert_index(order, y, x) if wide else _hilbert_index(order, x, y) for x, y in places]
    along = cores[np.argsort(index, kind="stable")]
    which, place = np.divmod(np.arange(count, dtype=np.int64), chip.usable_cores)
    return np.asarray(which * chip.usable_cores + along[place], dtype=np.int64)


def _hilbert_index(order: int, x: int, y: int) -> int:
    """Return how far along the Hilbert curve of an ``order`` x ``order`` square, a power of two, a cell lies."""
    index, side = 0, order // 2
    while side:
        right, upper = int(bool(x & side)), int(bool(y & side))
        index += side * side * ((3 * right) ^ upper)
        if not upper:
            if right:
                x, y = order - 1 - x, order - 1 - y
            x, y = y, x
        side //= 2
    return index


def links_between(start: Sequence[int], end: Sequence[int]) -> Iterator[tuple[str, Link]]:
    """Yield the links of the way between two positions (chip, x, y) of one chip: ``x`` or ``y``, and the link."""
    chip, x, y = start
    while x != end[1]:
        step = 1 if end[1] > x else -1
        yield "x", (chip, x, y, step)
        x += step
    while y != end[2]:
        step = 1 if end[2] > y else -1
        yield "y", (chip, x, y, step)
        y += step


@dataclass
class Routes:
    """Sums what messages between cores take: hops, crossings between chips, and the load of every link.

    Attributes
    ----------
    hops_x, hops_y : links passed in each direction; messages between chips are not routed.
    crossings : messages that change the chip.
    links_x, links_y : link -> messages.
    """

    hops_x: int = 0
    hops_y: int = 0
    crossings: int = 0
    links_x: dict[Link, int] = field(default_factory=dict)
    links_y: dict[Link, int] = field(default_factory=dict)

    def add(self, traffic: Counts, start: Counts, end: Counts) -> tuple[int, int, int]:
        """Send messages from cores at ``start`` to cores at ``end``; return their hops in x, in y, and crossings.

        Parameters
        ----------
        traffic : int64 [cores at start, cores at end].
        start, end : int64 [cores, (chip, x, y)].
        """
        from_tiles, sources = np.unique(start, axis=0, return_inverse=True)
        to_tiles, targets = np.unique(end, axis=0, return_inverse=True)
        by_tile = np.zeros((len(from_tiles), len(to_tiles)), dtype=np.int64)
        np.add.at(by_tile, (sources.reshape(-1, 1), targets.reshape(1, -1)), traffic)
        inside = np.where(from_tiles[:, None, 0] == to_tiles[None, :, 0], by_tile, 0)
        x, y = (int((inside * np.abs(from_tiles[:, None, i] - to_tiles[None, :, i])).sum()) for i in (1, 2))
        for source, target in np.argwhere(inside):
            self._load(int(inside[source, target]), from_tiles[source].tolist(), to_tiles[target].tolist())
        crossings = int(traffic.sum() - inside.sum())
        self.hops_x, self.hops_y, self.crossings = self.hops_x + x, self.hops_y + y, self.crossings + crossings
        return x, y, crossings

    def _load(self, messages: int, start: list[int], end: list[int]) -> None:
        for axis, link in links_between(start, end):
            links = self.links_x if axis == "x" else self.links_y
            links[link] = links.get(link, 0) + messages
