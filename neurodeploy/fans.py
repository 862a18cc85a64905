"""Which tiles a spike of each source neuron reaches, and by how many synapses.

Everything a convolution's synapses do is a product over the axes, so counts stay exact and cheap: ``paths`` holds per
axis, for each target tile and source cell, by how many (target, tap) pairs the one reaches the other.

Spikes are given as whole numbers [..., sources], with any axes before the last, such as samples and steps, or none.
Sums run in float64, which holds whole numbers up to 2^53 exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.network import Convolution, Projection, Shape, Sparse
from neurodeploy.tiling import Counts, Tiling, spatial_axes

#: Whole numbers or flags, [..., sources].
Spikes = npt.NDArray[Any]


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

    def synapses_into(self, spikes: Spikes) -> Counts:
        """Return the synaptic operations of each target core for these spikes, int64 [..., tiles]."""
        return times(spikes.sum(axis=-1, dtype=np.int64), self.target.sizes())

    def messages_into(self, spikes: Spikes) -> Counts:
        """Return the messages that reach each target core for these spikes, int64 [..., tiles]."""
        return times(spikes.sum(axis=-1, dtype=np.int64), np.ones(self.target.count, dtype=np.int64))

    def traffic(self, spikes: Spikes, source: Tiling) -> Counts:
        """Return the messages from each source core to each target core, int64 [..., source cores, target cores]."""
        return np.repeat(source.sums(spikes)[..., None], self.target.count, axis=-1)


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

    def synapses_into(self, spikes: Spikes) -> Counts:
        """Return the synaptic operations of each target core for these spikes, int64 [..., tiles]."""
        return self.contract(spikes, self.paths)

    def messages_into(self, spikes: Spikes) -> Counts:
        """Return the messages that reach each target core for these spikes, int64 [..., tiles]."""
        return self.contract(spikes, self.reached)

    def contract(self, spikes: Spikes, matrices: Sequence[Counts]) -> Counts:
        """Return per tile the sum of spikes times the product of the three matrices' entries, int64 [..., tiles]."""
        channels, height, width = (matrix.astype(np.float64) for matrix in matrices)
        inputs, rows, columns = self.source
        summed = channels @ np.asarray(spikes, dtype=np.float64).reshape(-1, inputs, rows * columns)
        summed = height @ summed.reshape(-1, rows, columns)
        summed = summed.reshape(-1, columns) @ width.T
        return np.rint(summed).astype(np.int64).reshape(*spikes.shape[:-1], self.target.count)

    def traffic(self, spikes: Spikes, source: Tiling) -> Counts:
        """Return the messages from each source core to each target core, int64 [..., source cores, target cores]."""
        moved = np.asarray(spikes, dtype=np.float64).reshape(-1, *self.source)
        for axis, reached in enumerate(self.reached):  # appends (source tiles, target tiles) of the axis
            matrix = reached.astype(np.float64)
            parts = [np.tensordot(moved[:, a:b], matrix[:, a:b], axes=(1, 1)) for a, b in source.ranges(axis)]
            moved = np.stack(parts, axis=-2)
        ordered = np.rint(moved.transpose(0, 1, 3, 5, 2, 4, 6)).astype(np.int64)
        return ordered.reshape(*spikes.shape[:-1], source.count, self.target.count)


class SparseFan:
    """The reach of sparse synapses, counted one by one."""

    def __init__(self, connection: Sparse, target: Tiling) -> None:
        self.connection, self.target = connection, target

    @cached_property
    def synapses(self) -> Counts:
        """How many synapses each source neuron has on each target core, int64 [target cores, sources]."""
        outputs, sources = self.connection.shape
        places = self.target.tile_of(np.arange(outputs))[self.connection.rows] * sources + self.connection.indices
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

    def synapses_into(self, spikes: Spikes) -> Counts:
        """Return the synaptic operations of each target core for these spikes, int64 [..., tiles]."""
        return weighted(spikes, self.synapses)

    def messages_into(self, spikes: Spikes) -> Counts:
        """Return the messages that reach each target core for these spikes, int64 [..., tiles]."""
        return weighted(spikes, self._reached)

    def traffic(self, spikes: Spikes, source: Tiling) -> Counts:
        """Return the messages from each source core to each target core, int64 [..., source cores, target cores]."""
        return np.stack([source.sums(spikes * reached) for reached in self._reached], axis=-1)


Fan = DenseFan | ConvolutionFan | SparseFan


def fan_of(projection: Projection, source: Shape, target: Tiling) -> Fan:
    """Return the reach of a projection from a source of this shape into a target cut like this."""
    if isinstance(projection.connection, Convolution):
        return ConvolutionFan(projection.connection, source, target)
    if isinstance(projection.connection, Sparse):
        return SparseFan(projection.connection, target)
    return DenseFan(math.prod(source), target)


def weighted(spikes: Spikes, weights: Counts) -> Counts:
    """Return per tile the sum of spikes times whole weights [tiles, sources], int64 [..., tiles]."""
    return np.rint(np.asarray(spikes, dtype=np.float64) @ weights.T.astype(np.float64)).astype(np.int64)


def times(counts: Counts, tiles: Counts) -> Counts:
    """Return counts [...] times a number of each tile, int64 [..., tiles]."""
    return np.asarray(np.multiply.outer(counts, tiles), dtype=np.int64)


def _bincount(cells: Counts, extent: int) -> Counts:
    return np.bincount(cells[cells >= 0].reshape(-1), minlength=extent).astype(np.int64)


def _outer(vectors: list[Counts]) -> Counts:
    product = vectors[0]
    for vector in vectors[1:]:
        product = np.multiply.outer(product, vector)
    return product.reshape(-1)
