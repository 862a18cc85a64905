"""Place the tiles of a network on the cores of a mesh so that their messages have short ways.

::

    cost = sum over pairs of cores on one chip   traffic (|dx| c_x + |dy| c_y)
         + sum over pairs on different chips     traffic c_cross

Tiles are laid in their order along two curves, row by row and Hilbert's, and each of these starts is improved by
exchanging the two tiles that gain most, until no exchange gains: the cost only ever falls. Up to eight tiles all
arrangements are tried, and the cheapest is the optimum. Exchanges use the same cores as their start, so that the tiles
of the mesh in use, and with them the barrier, stay as few.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.mesh import hilbert_sites, site_positions, snake_sites
from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Counts

Costs = npt.NDArray[np.float64]

#: Up to so many tiles every arrangement is tried: 40320 of them.
EXHAUSTIVE = 8
#: Up to so many tiles some shuffled starts are tried as well, for they cost next to nothing.
_SHUFFLED, _SHUFFLES = 128, 6
#: Rounds of exchanges, and their bound in products of a row of traffic: seconds on a laptop.
_ROUNDS, _EFFORT = 40, 4_000_000_000
#: An exchange has to gain this share of the cost, so that rounding cannot make it go round in circles.
_GAIN = 1e-12


@dataclass(frozen=True)
class HopCost:
    """What a message costs per hop in each direction and per change of the chip, in one unit."""

    x: float
    y: float
    cross: float

    def between(self, one: Counts, others: Counts) -> Costs:
        """Return the cost of a message between positions, [..., (chip, x, y)] that broadcast."""
        apart = np.abs(others - one)
        on_chip = apart[..., 1] * self.x + apart[..., 2] * self.y
        return np.asarray(np.where(apart[..., 0] > 0, self.cross, on_chip), dtype=np.float64)


#: Where the tiles may start: (chip, number of tiles) -> sites in the order of the tiles.
CURVES: tuple[Callable[[Chip, int], Counts], ...] = (snake_sites, hilbert_sites)


def hop_cost(chip: Chip, section: str) -> HopCost:
    """Return what hops cost by the chip file's ``energy`` or ``time``; a hop costs 1 where the file gives none.

    What a change of the chip costs is not public for any chip: unless the file says, it counts as more than the
    longest way on one.
    """
    numbers = chip.energy if section == "energy" else chip.time
    x = numbers["hop_x"].value if numbers else 1.0
    y = numbers["hop_y"].value if numbers else 1.0
    known = numbers.get("chip_crossing")
    return HopCost(x, y, known.value if known else x * chip.mesh[0] + y * chip.mesh[1])


def place(traffic: Any, chip: Chip, cost: HopCost) -> Counts:
    """Return the site of each tile, int64 [tiles].

    Parameters
    ----------
    traffic : symmetric scipy.sparse rows, messages between each two tiles in both directions together.
    """
    tiles = traffic.shape[0]
    starts = [curve(chip, tiles) for curve in CURVES]
    if not traffic.nnz:
        return starts[0]
    if tiles <= EXHAUSTIVE:
        return min((_try_all(traffic, chip, cost, start) for start in starts), key=lambda s: s[1])[0]
    if tiles <= _SHUFFLED:
        random = np.random.default_rng(0)
        starts += [random.permutation(starts[0]) for _ in range(_SHUFFLES)]
    improved = [exchange(traffic, start, chip, cost) for start in starts]
    return min(improved, key=lambda sites: placing_cost(traffic, site_positions(chip, sites), cost))


def placing_cost(traffic: Any, positions: Counts, cost: HopCost) -> float:
    """Return the cost of an arrangement; each pair of tiles counts once."""
    pairs = traffic.tocoo()
    return float(pairs.data @ cost.between(positions[pairs.row], positions[pairs.col])) / 2


def _try_all(traffic: Any, chip: Chip, cost: HopCost, sites: Counts) -> tuple[Counts, float]:
    positions = site_positions(chip, sites)
    apart = cost.between(positions[:, None], positions[None, :])
    orders = np.array(list(itertools.permutations(range(len(sites)))))
    pairs = traffic.tocoo()
    total = np.zeros(len(orders))
    for one, other, messages in zip(pairs.row, pairs.col, pairs.data, strict=True):
        total += messages * apart[orders[:, one], orders[:, other]]
    best = int(total.argmin())
    return sites[orders[best]], float(total[best])


def exchange(traffic: Any, sites: Counts, chip: Chip, cost: HopCost) -> Counts:
    """Return the sites after exchanging pairs of tiles for as long as that lowers the cost."""
    state = _State(traffic, sites.copy(), site_positions(chip, sites), cost, chip)
    rounds = min(_ROUNDS, max(1, _EFFORT // (traffic.nnz * len(sites))))
    for _ in range(rounds):
        gained = False
        for tile in np.argsort(-state.own, kind="stable").tolist():
            gained |= state.improve(tile)
        if not gained:
            break
    return state.sites


class _State:
    """An arrangement, and what the messages of each tile cost in it."""

    def __init__(self, traffic: Any, sites: Counts, positions: Counts, cost: HopCost, chip: Chip) -> None:
        self.traffic, self.sites, self.positions, self.cost = traffic.tocsr(), sites, positions, cost
        self.chips, self.mesh = int(positions[:, 0].max()) + 1, chip.mesh
        pairs = self.traffic.tocoo()
        apart = cost.between(positions[pairs.row], positions[pairs.col])
        self.own = np.bincount(pairs.row, weights=pairs.data * apart, minlength=len(sites))
        self.least = _GAIN * max(float(self.own.sum()), 1e-300)

    def improve(self, tile: int) -> bool:
        """Exchange the tile with the one that gains most; return whether any does."""
        if self.own[tile] <= 0:
            return False
        here = self.positions[tile].copy()
        to_here = self.cost.between(here, self.positions)
        change = self._everywhere(tile) - self.own[tile] + self.traffic @ to_here - self.own
        near, messages = self._neighbours(tile)
        change[near] += 2 * messages * to_here[near]
        other = int(change.argmin())
        if change[other] >= -self.least:
            return False
        there = self.positions[other].copy()
        self._move(tile, there)
        self._move(other, here)
        self.sites[[tile, other]] = self.sites[[other, tile]]
        return True

    def _neighbours(self, tile: int) -> tuple[Counts, Costs]:
        span = slice(self.traffic.indptr[tile], self.traffic.indptr[tile + 1])
        return self.traffic.indices[span], self.traffic.data[span]

    def _everywhere(self, tile: int) -> Costs:
        """Return what the tile's messages would cost at the place of every tile, the others staying where they are."""
        near, messages = self._neighbours(tile)
        chip, x, y = self.positions[near].T
        by_chip = np.bincount(chip, weights=messages, minlength=self.chips)
        total = self.cost.cross * (messages.sum() - by_chip)[self.positions[:, 0]]
        for axis, at, step in ((1, x, self.cost.x), (2, y, self.cost.y)):
            size = self.mesh[axis - 1]
            load = np.bincount(chip * size + at, weights=messages, minlength=self.chips * size)
            ways = np.abs(np.subtract.outer(np.arange(size), np.arange(size))) * step
            total = total + (load.reshape(self.chips, size) @ ways)[self.positions[:, 0], self.positions[:, axis]]
        return np.asarray(total, dtype=np.float64)

    def _move(self, tile: int, to: Counts) -> None:
        near, messages = self._neighbours(tile)
        at = self.positions[near]
        after = messages * self.cost.between(to, at)
        self.own[near] = self.own[near] + after - messages * self.cost.between(self.positions[tile], at)
        self.own[tile] = after.sum()
        self.positions[tile] = to
