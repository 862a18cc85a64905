"""How a population is cut into tiles: along (C, H, W) beside a convolution, any other along its flattened neurons."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neurodeploy.network import Convolution, Shape

Counts = npt.NDArray[np.int64]
Range = tuple[int, int]
Box = tuple[Range, ...]
#: Per axis one range, or all those a box may have there.
Spans = tuple[tuple[Range, ...], ...]


@dataclass(frozen=True, eq=False)
class Order:
    """In which order the neurons of a flat population are cut into ranges.

    Attributes
    ----------
    neurons : int64, the neuron at each place.
    """

    neurons: Counts

    @cached_property
    def places(self) -> Counts:
        """The place of each neuron, int64."""
        return np.argsort(self.neurons)


@dataclass(frozen=True)
class Tiling:
    """A population cut into boxes of one nominal size; those at the far border may be smaller.

    Attributes
    ----------
    extents : (C, H, W), or (size,) where the population is cut along its flattened neurons.
    tile : the nominal box, per axis; may exceed the extent.
    order : of a flat population, the order of its neurons; boxes are then ranges of places in it.
    """

    extents: Shape
    tile: Shape
    order: Order | None = None

    @property
    def grid(self) -> Shape:
        """The number of tiles along each axis."""
        return tuple(-(-extent // tile) for extent, tile in zip(self.extents, self.tile, strict=True))

    @property
    def count(self) -> int:
        """The number of tiles."""
        return math.prod(self.grid)

    @property
    def padded(self) -> int:
        """The cells of all tiles at their nominal size."""
        return self.count * math.prod(self.tile)

    def ranges(self, axis: int) -> list[Range]:
        """Return the cells [start, stop) of each tile along an axis."""
        extent, tile = self.extents[axis], self.tile[axis]
        return [(start, min(start + tile, extent)) for start in range(0, extent, tile)]

    def boxes(self) -> Iterator[Box]:
        """Yield the tiles in the order of their cores, last axis fastest."""
        yield from itertools.product(*(self.ranges(axis) for axis in range(len(self.extents))))

    def cells(self, box: Box) -> Counts:
        """Return the neurons of a box, each named by its place among the flattened ones; int64."""
        places = np.arange(math.prod(self.extents), dtype=np.int64).reshape(self.extents)
        inside = places[tuple(slice(*span) for span in box)].reshape(-1)
        return inside if self.order is None else self.order.neurons[inside]

    def sizes(self) -> Counts:
        """Return the neurons of each tile, int64 [tiles]."""
        sizes = np.ones(1, dtype=np.int64)
        for axis in range(len(self.extents)):
            widths = np.array([stop - start for start, stop in self.ranges(axis)], dtype=np.int64)
            sizes = np.multiply.outer(sizes, widths)
        return sizes.reshape(-1)

    def tile_of(self, cells: Counts) -> Counts:
        """Return the tile of each cell, named by its place among the flattened neurons; int64, as many as cells."""
        along = np.unravel_index(cells if self.order is None else self.order.places[cells], self.extents)
        tiles = tuple(axis // tile for axis, tile in zip(along, self.tile, strict=True))
        return np.asarray(np.ravel_multi_index(tiles, self.grid), dtype=np.int64)

    def sums(self, values: npt.NDArray[Any]) -> Counts:
        """Return the sum of one value per neuron over each tile, int64 [..., tiles] of [..., neurons]."""
        before = values.shape[:-1]
        values = values if self.order is None else values[..., self.order.neurons]
        summed = values.reshape(*before, *self.extents)
        for axis in range(len(self.extents)):
            starts = [start for start, _ in self.ranges(axis)]
            summed = np.add.reduceat(summed, starts, axis=len(before) + axis, dtype=np.int64)
        return summed.reshape(*before, self.count)


class Axis(NamedTuple):
    """One spatial axis of a convolution: extents of both ends, and how the kernel moves along it."""

    source: int
    target: int
    kernel: int
    stride: int
    padding: int
    dilation: int

    def cells(self) -> Counts:
        """Return the source cell each (target cell, tap) reads, -1 in the padding; int64 [target, kernel]."""
        cells = np.arange(self.target)[:, None] * self.stride - self.padding + np.arange(self.kernel) * self.dilation
        return np.where((cells >= 0) & (cells < self.source), cells, -1).astype(np.int64)


def spatial_axes(connection: Convolution, source: Shape, target: Shape) -> tuple[Axis, Axis]:
    """Return the axes H and W of a convolution between (C, H, W) shapes."""
    height, width = (
        Axis(
            source[1 + i],
            target[1 + i],
            connection.weight.shape[2 + i],
            connection.stride[i],
            connection.padding[i],
            connection.dilation[i],
        )
        for i in range(2)
    )
    return height, width
