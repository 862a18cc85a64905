"""How a population is cut into tiles, one per core, and which tiles a spike of each source neuron reaches.

A population of shape (C, H, W) beside a convolution is cut along all three axes, any other along its flattened
neurons. Everything a convolution's synapses do is a product over the axes, so counts stay exact and cheap: ``paths``
holds per axis, for each target tile and source cell, by how many (target, tap) pairs the one reaches the other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neurodeploy.network import Convolution, Projection, Shape, Sparse

Counts = npt.NDArray[np.int64]
Range = tuple[int, int]
Box = tuple[Range, ...]
#: Per axis one range, or all those a box may have there.
Spans = tuple[tuple[Range, ...], ...]


@dataclass(frozen=True)
class Tiling:
    """A population cut into boxes of one nominal size; those at the far border may be smaller.

    Attributes
    ----------
    extents : (C, H, W), or (size,) where the population is cut along its flattened neurons.
    tile : the nominal box, per axis; may exceed the extent.
    """

    extents: Shape
    tile: Shape

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

    def sizes(self) -> Counts:
        """Return the neurons of each tile, int64 [tiles]."""
        sizes = np.ones(1, dtype=np.int64)
        for axis in range(len(self.extents)):
            widths = np.array([stop - start for start, stop in self.ranges(axis)], dtype=np.int64)
            sizes = np.multiply.outer(sizes, widths)
        return sizes.reshape(-1)

    def sums(self, values: Counts) -> Counts:
        """Return the sum of one value per neuron over each tile, int64 [tiles]."""
        summed = values.reshape(self.extents)
        for axis in range(len(self.extents)):
            starts = [start for start, _ in self.ranges(axis)]
            summed = np.add.reduceat(summed, starts, axis=axis, dtype=np.int64)
        return summed.reshape(-1)


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


class DenseFan:
    """The reach of a dense projection: every source neuron to every target neuron."""

    def __init__(self, sources: int, target: Tiling) -> None:
        self.sources, self.target = sources, target

    def destinations(self) -> Counts:
        """Return how many cores each source neuron reaches, int64 [sources]."""
        return np.full(self.sources, self.target.count, dtype=np.int64)

    def destinations_by_axis(self, extents: Shape) -> list[Counts]:
        """Return vectors along the source's axes whose outer product is :meth:`destinations`."""
        first, *others = (np.ones(extent, dtype=np.int64) for extent in extents)
        return [first * self.target.count, *others]

    def fan_out(self) -> Counts:
        """Return the synapses of each source neuron, int64 [sources]."""
        return np.full(self.sources, math.prod(self.target.extents), dtype=np.int64)

    def synapses_into(self, spikes: Counts) -> Counts:
        """Return the synaptic operations of each target core for these spikes per source neuron."""
        return self.target.sizes() * int(spikes.sum())

    def messages_into(self, spikes: Counts) -> Counts:
        """Return the messages that reach each target core for these spikes per source neuron."""
        return np.full(self.target.count, int(spikes.sum()), dtype=np.int64)

    def traffic(self, spikes: Counts, source: Tiling) -> Counts:
        """Return the messages from each source core to each target core, int64 [source cores, target cores]."""
        return np.repeat(source.sums(spikes)[:, None], self.target.count, axis=1)


class ConvolutionFan:
    """The reach of a convolution; borders, stride, dilation and groups are exact."""

    def __init__(self, connection: Convolution, source: Shape, target: Tiling) -> None:
        self.connection, self.source, self.target = connection, source, target

    @cached_property
    def paths(self) -> tuple[Counts, Counts, Counts]:
        """Per axis, int64 [target tiles, source cells]: by how many synapses the cell reaches the tile."""
        groups = self.connection.groups
        group_of_source = np.arange(self.source[0]) // (self.source[0] // groups)
        group_of_target = np.arange(self.target.extents[0]) // (self.target.extents[0] // groups)
        same = (group_of_target[:, None] == group_of_source[None, :]).astype(np.int64)
        channels = np.stack([same[a:b].sum(axis=0) for a, b in self.target.ranges(0)])
        height, width = (
            np.stack([_bincount(axis.cells()[a:b], axis.source) for a, b in self.target.ranges(1 + i)])
            for i, axis in enumerate(spatial_axes(self.connection, self.source, self.target.extents))
        )
        return channels, height, width

    @cached_property
    def reached(self) -> tuple[Counts, Counts, Counts]:
        """Per axis, int64 [target tiles, source cells]: 1 where the cell reaches the tile."""
        channels, height, width = ((paths > 0).astype(np.int64) for paths in self.paths)
        return channels, height, width

    def destinations_by_axis(self, _extents: Shape = ()) -> list[Counts]:
        """Return vectors along (C, H, W) whose outer product is :meth:`destinations`."""
        return [reached.sum(axis=0) for reached in self.reached]

    def destinations(self) -> Counts:
        """Return how many cores each source neuron reaches, int64 [sources]."""
        return _outer(self.destinations_by_axis())

    def fan_out(self) -> Counts:
        """Return the synapses of each source neuron, int64 [sources]."""
        return _outer([paths.sum(axis=0) for paths in self.paths])

    def synapses_into(self, spikes: Counts) -> Counts:
        """Return the synaptic operations of each target core for these spikes per source neuron."""
        return self._contract(spikes, self.paths)

    def messages_into(self, spikes: Counts) -> Counts:
        """Return the messages that reach each target core for these spikes per source neuron."""
        return self._contract(spikes, self.reached)

    def _contract(self, spikes: Counts, matrices: tuple[Counts, Counts, Counts]) -> Counts:
        summed = spikes.reshape(self.source)
        for matrix in matrices:  # each turn consumes the first axis and appends the tiles'
            summed = np.tensordot(summed, matrix, axes=(0, 1))
        return summed.reshape(-1)

    def traffic(self, spikes: Counts, source: Tiling) -> Counts:
        """Return the messages from each source core to each target core, int64 [source cores, target cores]."""
        moved = spikes.reshape(self.source)
        for axis, reached in enumerate(self.reached):  # appends (source tiles, target tiles) of the axis
            parts = [np.tensordot(moved[a:b], reached[:, a:b], axes=(0, 1)) for a, b in source.ranges(axis)]
            moved = np.stack(parts, axis=-2)
        ordered = moved.transpose(0, 2, 4, 1, 3, 5)
        return ordered.reshape(source.count, self.target.count)


class SparseFan:
    """The reach of sparse synapses, counted one by one."""

    def __init__(self, connection: Sparse, target: Tiling) -> None:
        self.connection, self.target = connection, target

    @cached_property
    def synapses(self) -> Counts:
        """How many synapses each source neuron has on each target core, int64 [target cores, sources]."""
        outputs, sources = self.connection.shape
        cells = np.unravel_index(np.arange(outputs), self.target.extents)
        tiles = tuple(axis // tile for axis, tile in zip(cells, self.target.tile, strict=True))
        core = np.ravel_multi_index(tiles, self.target.grid)
        places = core[self.connection.rows] * sources + self.connection.indices
        counted = np.bincount(places, minlength=self.target.count * sources).astype(np.int64)
        return counted.reshape(self.target.count, sources)

    @cached_property
    def _reached(self) -> Counts:
        return (self.synapses > 0).astype(np.int64)

    def destinations(self) -> Counts:
        """Return how many cores each source neuron reaches, int64 [sources]."""
        return np.asarray(self._reached.sum(axis=0), dtype=np.int64)

    def destinations_by_axis(self, extents: Shape) -> list[Counts]:
        """Return vectors along the source's axes whose outer product is nowhere below :meth:`destinations`."""
        along = self.destinations().reshape(extents[0], -1).max(axis=1, initial=0)
        return [along, *(np.ones(extent, dtype=np.int64) for extent in extents[1:])]

    def fan_out(self) -> Counts:
        """Return the synapses of each source neuron, int64 [sources]."""
        return np.asarray(self.synapses.sum(axis=0), dtype=np.int64)

    def synapses_into(self, spikes: Counts) -> Counts:
        """Return the synaptic operations of each target core for these spikes per source neuron."""
        return np.asarray(self.synapses @ spikes, dtype=np.int64)

    def messages_into(self, spikes: Counts) -> Counts:
        """Return the messages that reach each target core for these spikes per source neuron."""
        return np.asarray(self._reached @ spikes, dtype=np.int64)

    def traffic(self, spikes: Counts, source: Tiling) -> Counts:
        """Return the messages from each source core to each target core, int64 [source cores, target cores]."""
        return np.stack([source.sums(spikes * reached) for reached in self._reached], axis=1)


Fan = DenseFan | ConvolutionFan | SparseFan


def fan_of(projection: Projection, source: Shape, target: Tiling) -> Fan:
    """Return the reach of a projection from a source of this shape into a target cut like this."""
    if isinstance(projection.connection, Convolution):
        return ConvolutionFan(projection.connection, source, target)
    if isinstance(projection.connection, Sparse):
        return SparseFan(projection.connection, target)
    return DenseFan(math.prod(source), target)


def _bincount(cells: Counts, extent: int) -> Counts:
    return np.bincount(cells[cells >= 0].reshape(-1), minlength=extent).astype(np.int64)


def _outer(vectors: list[Counts]) -> Counts:
    product = vectors[0]
    for vector in vectors[1:]:
        product = np.multiply.outer(product, vector)
    return product.reshape(-1)
