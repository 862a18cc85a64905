"""Cut each population into tiles, one per core, so that every limit of the chip is kept.

A population beside a convolution is cut along (C, H, W) by the rule its chip file names (:data:`TILINGS`), any other
into the fewest equal ranges of neurons. ``columns`` is what the vendor's compiler does on Loihi 2, whose published
core counts it reproduces: all channels and rows, as many columns as fit of 1, 2, 4, ...; rows are halved where not one
column fits, and channels where that does not help. ``cheapest`` tries equal parts of any size along each axis, and
weighs the cores a cut takes against those whose output slots it fills in the layers before.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection
from functools import partial

from neurodeploy.network import Population, Shape
from neurodeploy.occupancy import Occupancy, Use, exceeded, extents_of
from neurodeploy.tiling import Tiling

Fits = Callable[[Shape], bool]
Cost = Callable[[Tiling], float]

#: Cuts depend on each other through output slots and padded sources; they only ever grow finer, and settle long before.
_ROUNDS = 16


def cut_populations(occupancy: Occupancy, allowed: Use) -> dict[str, Use]:
    """Fill in ``occupancy.tilings``; return per population the limits that no cut respects, with their least use."""
    hopeless: dict[str, Use] = {}
    for _ in range(_ROUNDS):
        changed = False
        for population in reversed(occupancy.network.order):
            tiling = _finest_needed(occupancy, population, allowed, hopeless)
            known = occupancy.tilings.get(population.name)
            if known is None or (tiling != known and tiling.count >= known.count):
                occupancy.tilings[population.name], changed = tiling, True
        if not changed:
            break
    return hopeless


def least_use(occupancy: Occupancy, population: Population) -> Use:
    """Return the use of each limit by a core that holds a single neuron of the population, at the worst place."""
    extents = extents_of(occupancy.network, population)
    return _use(occupancy, population, Tiling(extents, (1,) * len(extents)))


def _finest_needed(occupancy: Occupancy, population: Population, allowed: Use, hopeless: dict[str, Use]) -> Tiling:
    ignored = hopeless.get(population.name, {})
    tiling = _cut(occupancy, population, allowed, ignored)
    if tiling is None:
        least = least_use(occupancy, population)
        hopeless[population.name] = {name: least[name] for name in exceeded(least, allowed)}
        tiling = _cut(occupancy, population, allowed, hopeless[population.name])
    extents = extents_of(occupancy.network, population)
    return tiling or Tiling(extents, (1,) * len(extents))


def _use(occupancy: Occupancy, population: Population, tiling: Tiling) -> Use:
    spans = tuple(tuple(tiling.ranges(axis)) for axis in range(len(tiling.extents)))
    return occupancy.use(population, spans, math.prod(tiling.tile))


def _cut(occupancy: Occupancy, population: Population, allowed: Use, ignored: Collection[str]) -> Tiling | None:
    limits = {name: limit for name, limit in allowed.items() if name not in ignored}
    extents = extents_of(occupancy.network, population)

    def fits(tile: Shape) -> bool:
        if math.prod(tile) > limits.get("neurons", math.prod(tile)):
            return False
        return not exceeded(_use(occupancy, population, Tiling(extents, tile)), limits)

    if len(extents) == 1:
        return _cut_range(extents[0], fits)

    def cost(tiling: Tiling) -> float:
        slots = limits.get("out_slots")
        return tiling.count + (occupancy.slots_for(population, tiling) / slots if slots else 0.0)

    return TILINGS[occupancy.chip.tiling](extents, fits, cost)


def _cut_range(size: int, fits: Fits) -> Tiling | None:
    largest = _last(range(1, size + 1), lambda neurons: fits((neurons,)))
    if largest is None:
        return None
    cores = -(-size // largest)
    return Tiling((size,), (-(-size // cores),))


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


#: Name in a chip file -> how it cuts (C, H, W) into tiles that fit.
TILINGS: dict[str, Callable[[Shape, Fits, Cost], Tiling | None]] = {"columns": _columns, "cheapest": _cheapest}


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
