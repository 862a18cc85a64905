"""Put tiles of several populations on one core, within every limit, on as few cores as can be found.

Uses of a core's limits add: neurons, axons, slots, parameter sets, words of memory. Only the longest row and the number
of populations fed do not. A population has one tile at most on a core, for a core that held two would be reached twice.

Up to :data:`EXACT` tiles the packing is the optimum, by branch and bound. Beyond, tiles are taken in their order and by
falling size, each to the first core with room or to the fullest, and the fewest cores win.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurodeploy.occupancy import Use
from neurodeploy.tiling import Counts

#: Up to so many tiles all packings that could be better are tried.
EXACT = 10
#: Limits of which a core uses as much as the tile that uses most.
_NOT_ADDED = ("words_per_axon", "targets")

_Loads = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Tiles:
    """What is to be packed.

    Attributes
    ----------
    uses : int64 [tiles, limits], of the limits that add.
    of : population of each tile, as an index.
    room : int64 [kinds, limits], what each kind of core allows.
    most : populations that one core may hold.
    """

    uses: _Loads
    of: tuple[int, ...]
    room: _Loads
    most: int

    def fits(self, loads: _Loads) -> npt.NDArray[np.bool_]:
        """Return which of several loads [..., limits] some kind of core has room for."""
        return np.asarray((loads[..., None, :] <= self.room).all(axis=-1).any(axis=-1), dtype=np.bool_)

    @property
    def least(self) -> int:
        """A number of cores below which no packing goes."""
        total = self.uses.sum(axis=0) / np.maximum(self.room.max(axis=0), 1)
        tiles_of_one = max(np.bincount(self.of).tolist(), default=0)
        return max(int(np.ceil(total.max(initial=0.0) - 1e-9)), tiles_of_one, -(-len(self.of) // self.most))


def pack(uses: Sequence[Use], populations: Sequence[str], kinds: Sequence[Use], most: int) -> Counts:
    """Return the core of each tile, int64 [tiles], numbered from 0 in the order in which they are first used.

    Never more cores than tiles; a tile that fits no core by itself has one of its own.

    Parameters
    ----------
    uses : per tile its use of each limit.
    populations : per tile the population it is of.
    kinds : what each kind of core allows.
    most : populations that one core may hold.
    """
    limits = [name for name in kinds[0] if name not in _NOT_ADDED]
    names = {name: index for index, name in enumerate(dict.fromkeys(populations))}
    loads = np.array([[use[name] for name in limits] for use in uses], dtype=np.int64).reshape(len(uses), len(limits))
    room = np.array([[allowed[name] for name in limits] for allowed in kinds], dtype=np.int64)
    every = _Tiles(loads, tuple(names[name] for name in populations), room, most)
    alone = ~every.fits(loads)
    packed = np.flatnonzero(~alone)
    tiles = _Tiles(loads[packed], tuple(every.of[tile] for tile in packed.tolist()), room, most)
    cores = np.full(len(uses), -1, dtype=np.int64)
    if len(packed):
        cores[packed] = _fewest(tiles)
    cores[alone] = cores.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return np.array([*_numbered(cores.tolist())], dtype=np.int64)


def combined(uses: Sequence[Use]) -> Use:
    """Return the use of a core that holds tiles of these uses."""
    total = {name: sum(use[name] for use in uses) for name in uses[0]}
    return total | {name: max(use[name] for use in uses) for name in _NOT_ADDED if name in total}


def _numbered(cores: Sequence[int]) -> list[int]:
    order = {core: index for index, core in enumerate(dict.fromkeys(cores))}
    return [order[core] for core in cores]


def _fewest(tiles: _Tiles) -> list[int]:
    shares = (tiles.uses / np.maximum(tiles.room.max(axis=0), 1)).max(axis=1)
    falling = np.argsort(-shares, kind="stable").tolist()
    orders = (list(range(len(tiles.of))), falling)
    best = min((_fill(tiles, order, fullest=full) for full in (False, True) for order in orders), key=max)
    if len(tiles.of) <= EXACT and max(best) + 1 > tiles.least:
        return _search(tiles, falling, best)
    return best


def _fill(tiles: _Tiles, order: Sequence[int], *, fullest: bool) -> list[int]:
    """Give each tile in turn the first core with room, or of those with room the fullest; a new one where none has."""
    cores = [-1] * len(tiles.of)
    loads = np.zeros((len(cores), tiles.uses.shape[1]), dtype=np.int64)
    holds = np.zeros((len(cores), max(tiles.of) + 1), dtype=np.bool_)
    shares = np.maximum(tiles.room.max(axis=0), 1)
    used = 0
    for tile in order:
        open_ = loads[:used]
        possible = tiles.fits(open_ + tiles.uses[tile]) & ~holds[:used, tiles.of[tile]]
        possible &= holds[:used].sum(axis=1) < tiles.most
        found = np.flatnonzero(possible)
        if not len(found):
            core, used = used, used + 1
        elif fullest:
            core = int(found[(open_[found] / shares).max(axis=1).argmax()])
        else:
            core = int(found[0])
        cores[tile] = core
        loads[core] += tiles.uses[tile]
        holds[core, tiles.of[tile]] = True
    return cores


def _search(tiles: _Tiles, order: Sequence[int], known: list[int]) -> list[int]:
    """Return a packing on the fewest cores there are, by branch and bound from a known one."""
    best, least = known, tiles.least
    cores = [-1] * len(order)
    loads = [np.zeros(tiles.uses.shape[1], dtype=np.int64)]
    holds: list[set[int]] = [set()]

    def place(depth: int, used: int) -> None:
        nonlocal best
        if used >= max(best) + 1 or max(best) + 1 == least:
            return
        if depth == len(order):
            best = cores.copy()
            return
        tile = order[depth]
        while len(loads) <= used:
            loads.append(np.zeros(tiles.uses.shape[1], dtype=np.int64))
            holds.append(set())
        for core in range(used + 1):
            if tiles.of[tile] in holds[core] or len(holds[core]) >= tiles.most:
                continue
            if not tiles.fits(loads[core] + tiles.uses[tile]):
                continue
            loads[core] = loads[core] + tiles.uses[tile]
            holds[core].add(tiles.of[tile])
            cores[tile] = core
            place(depth + 1, max(used, core + 1))
            loads[core] = loads[core] - tiles.uses[tile]
            holds[core].remove(tiles.of[tile])

    place(0, 0)
    return best
