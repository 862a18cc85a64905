"""Cut each population into tiles, one per core, so that every limit of the chip is kept.

A population beside a convolution is cut along (C, H, W) by the rule its chip file names (:data:`TILINGS`), any other
into the fewest equal ranges of neurons. ``columns`` is what the vendor's compiler does on Loihi 2, whose published
core counts it reproduces: all channels and rows, as many columns as fit of 1, 2, 4, ...; rows are halved where not one
column fits, and channels where that does not help. ``cheapest`` tries equal parts of any size along each axis, and
weighs the cores a cut takes against those whose output slots it fills in the layers before. ``whole`` is for chips
whose cores hold a layer each: such a population is not cut at all.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from neurodeploy.network import Population, Shape
from neurodeploy.occupancy import Occupancy, Surroundings, Use, extents_of, least_excess
from neurodeploy.tiling import Tiling

Fits = Callable[[Shape], bool]
Cost = Callable[[Tiling], float]

#: Cuts depend on each other through output slots and padded sources; they only ever grow finer, and settle long before.
_ROUNDS = 16


def cut_populations(
    occupancy: Occupancy, kinds: Sequence[Use], ceilings: Mapping[str, int] | None = None, *, even: bool = True
) -> dict[str, Use]:
    """Fill in ``occupancy.tilings``; return per population the limits that no cut respects, with their least use.

    Parameters
    ----------
    kinds : what each kind of core allows; a tile has to fit on one of them.
    ceilings : population -> the most neurons a tile of it may have, fewer than a core could hold.
    even : cut flat populations into equal ranges; otherwise into full ones and a rest, which leaves others room.
    """
    hopeless: dict[str, Use] = {}
    cut_for: dict[str, Surroundings] = {}
    for _ in range(_ROUNDS):
        changed = False
        for population in reversed(occupancy.network.order):
            surroundings = occupancy.surroundings(population)
            if cut_for.get(population.name) == surroundings:
                continue
            cut_for[population.name] = surroundings
            ceiling = (ceilings or {}).get(population.name)
            tiling = _finest_needed(occupancy, population, _Room(kinds, ceiling, even), hopeless)
            tiling = replace(tiling, order=occupancy.orders.get(population.name))
            known = occupancy.tilings.get(population.name)
            if known is None or (tiling != known and tiling.count >= known.count):
                occupancy.tilings[population.name], changed = tiling, True
        if not changed:
            break
    return hopeless


def least_use(occupancy: Occupancy, population: Population) -> Use:
    """Return the use of each limit by a core that holds as little of the population as a cut leaves, at the worst."""
    return _use(occupancy, population, _finest(occupancy, population))


@dataclass(frozen=True)
class _Room:
    """What each kind of core allows, and the neurons at most that a tile is to have."""

    kinds: Sequence[Use]
    ceiling: int | None
    even: bool = True

    def without(self, ignored: Collection[str]) -> _Room:
        kinds = [{name: most for name, most in allowed.items() if name not in ignored} for allowed in self.kinds]
        return replace(self, kinds=kinds)

    def neurons(self, otherwise: int) -> int:
        most = max(allowed.get("neurons", otherwise) for allowed in self.kinds)
        return most if self.ceiling is None else min(most, self.ceiling)


def _finest(occupancy: Occupancy, population: Population) -> Tiling:
    """Return the cut that is left where none fits: single neurons, or the whole where the chip cuts nothing."""
    extents = extents_of(occupancy.network, population)
    return Tiling(extents, FINEST.get(occupancy.chip.tiling, _single)(extents))


def _single(extents: Shape) -> Shape:
    return (1,) * len(extents)


def _whole_shape(extents: Shape) -> Shape:
    return extents


#: Name in a chip file -> the smallest tile its cuts lead to; names without an entry go down to single neurons.
FINEST: dict[str, Callable[[Shape], Shape]] = {"whole": _whole_shape}


def _finest_needed(occupancy: Occupancy, population: Population, room: _Room, hopeless: dict[str, Use]) -> Tiling:
    tiling = _cut(occupancy, population, room.without(hopeless.get(population.name, ())))
    if tiling is None:
        least = least_use(occupancy, population)
        hopeless[population.name] = {name: least[name] for name in least_excess(least, room.kinds)}
        tiling = _cut(occupancy, population, room.without(hopeless[population.name]))
    return tiling or _finest(occupancy, population)


def _use(occupancy: Occupancy, population: Population, tiling: Tiling) -> Use:
    spans = tuple(tuple(tiling.ranges(axis)) for axis in range(len(tiling.extents)))
    return occupancy.use(population, spans, math.prod(tiling.tile))


def _cut(occupancy: Occupancy, population: Population, room: _Room) -> Tiling | None:
    extents = extents_of(occupancy.network, population)

    def fits(tile: Shape) -> bool:
        if math.prod(tile) > room.neurons(math.prod(tile)):
            return False
        return not least_excess(_use(occupancy, population, Tiling(extents, tile)), room.kinds)

    def cost(tiling: Tiling) -> float:
        slots = room.kinds[0].get("out_slots")
        return tiling.count + (occupancy.slots_for(population, tiling) / slots if slots else 0.0)

    tilings = TILINGS if len(extents) > 1 else RANGES if room.even else FULL_RANGES
    return tilings[occupancy.chip.tiling](extents, fits, cost)


def _cut_range(extents: Shape, fits: Fits, cost: Cost) -> Tiling | None:
    """Return the fewest equal ranges that fit."""
    full = _fill_ranges(extents, fits, cost)
    return full and Tiling(extents, (-(-extents[0] // full.count),))


def _fill_ranges(extents: Shape, fits: Fits, _cost: Cost) -> Tiling | None:
    """Return ranges as long as fit, and the rest."""
    largest = _last(range(1, extents[0] + 1), lambda neurons: fits((neurons,)))
    return None if largest is None else Tiling(extents, (largest,))


def _columns(extents: Shape, fits: Fits, _cost: Cost) -> Tiling | None:
    """Return the first cut that fits, whole channels and rows before halved ones."""
    widths = [1 << k for k in range((extents[2] - 1).bit_length() + 1)]
    for depth in _halves(extents[0]):
        for height in _halves(extents[1]):
            width = _last(widths, partial(_fits_width, fits, depth, height))
            if width is not None:
                return Tiling(extents, (depth, height, width))
    return None


def _cheapest(extents: Shape, fits: Fits, cost: Cost) -> Tiling | None:
    """Return the cut of least cost, of several the one with the most channels and rows together."""
    best: Tiling | None = None
    least = math.inf
    for depth in _equal_parts(extents[0]):
        for height in _equal_parts(extents[1]):
            width = _last(_equal_parts(extents[2])[::-1], partial(_fits_width, fits, depth, height))
            if width is not None:
                tiling = Tiling(extents, (depth, height, width))
                if tiling.count < least and (found := cost(tiling)) < least:
                    best, least = tiling, found
    return best


def _whole(extents: Shape, fits: Fits, _cost: Cost) -> Tiling | None:
    """Return the population as one tile, where it fits."""
    return Tiling(extents, extents) if fits(extents) else None


Cut = Callable[[Shape, Fits, Cost], Tiling | None]

#: Name in a chip file -> how it cuts (C, H, W) into tiles that fit.
TILINGS: dict[str, Cut] = {"columns": _columns, "cheapest": _cheapest, "whole": _whole}

#: Name in a chip file -> how it cuts the neurons of a flat population into equal ranges, or into full ones and a rest.
RANGES: dict[str, Cut] = {"columns": _cut_range, "cheapest": _cut_range, "whole": _whole}
FULL_RANGES: dict[str, Cut] = {"columns": _fill_ranges, "cheapest": _fill_ranges, "whole": _whole}


def _fits_width(fits: Fits, depth: int, height: int, width: int) -> bool:
    return fits((depth, height, width))


def _halves(extent: int) -> list[int]:
    return [-(-extent // (1 << k)) for k in range((extent - 1).bit_length() + 1)]


def _equal_parts(extent: int) -> list[int]:
    return sorted({-(-extent // parts) for parts in range(1, extent + 1)}, reverse=True)


def _last(values: Collection[int], fits: Callable[[int], bool]) -> int | None:
    """Return the largest of ascending values that fits, where what fits a value fits all smaller ones."""
    ascending = list(values)
    place = bisect_left(ascending, True, key=lambda value: not fits(value))
    return ascending[place - 1] if place else None
