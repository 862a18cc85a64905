"""Projections as integer matrix products: geometry, and weights as signed 8-bit digits.

Cells of a (C, H, W) part are laid out channel-last, as in :mod:`neurodeploy.targets.emulator.program`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.network import Connection, Convolution, Network, Projection, Shape, Sparse, largest_sum, stored_weights

Int8 = npt.NDArray[np.int8]
Int64 = npt.NDArray[np.int64]

#: Groups of a convolution are merged until each has so many output channels: a matrix tile has no fewer columns.
_TILE = 16
#: Sparse rows become a matrix, with zeros, as long as it has no more weights.
_FILLED = 1 << 26


@dataclass(frozen=True)
class Geometry:
    """A convolution's extents; ``channels`` and ``outs`` are those of one group. A dense matrix is one of 1 x 1."""

    channels: int
    height: int
    width: int
    outs: int
    out_height: int
    out_width: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def dense(self) -> bool:
        """Whether it is one matrix between two flat parts."""
        return (self.height, self.width, self.kernel, self.groups, self.padding) == (1, 1, (1, 1), 1, (0, 0))

    @property
    def fan_in(self) -> int:
        """How many weights reach one neuron, those outside the source included."""
        return self.channels * self.kernel[0] * self.kernel[1]


@dataclass(frozen=True, eq=False)
class Synapse:
    """A projection as matrix products.

    Attributes
    ----------
    lag : steps of input time after which it acts.
    part : which of the target's inputs it drives; 1 is the imaginary one of resonators.
    digits : int8 [digits, groups, outs, fan-in], the weights as ``sum digits[i] * 256^i``; the fan-in runs over kernel
        row, kernel column, channel. Without any weight where the rows are sparse.
    exponent : the sum of the digits' products is shifted by this, to the right where negative (floor).
    bound : the largest |sum| of spikes of payload 1, so shifted.
    sparse : int64 [3, synapses]: target and source cell, weight; None where the digits hold all.
    """

    source: str
    lag: int
    part: int
    geometry: Geometry
    digits: Int8
    exponent: int
    bound: int
    sparse: Int64 | None = None


def channel_last(values: npt.NDArray[Any], shape: Shape) -> npt.NDArray[Any]:
    """Return an array whose last axis runs over a part's cells, moved from torch to channel-last order."""
    if len(shape) != 3:
        return values
    split = values.reshape(*values.shape[:-1], *shape)
    return np.ascontiguousarray(np.moveaxis(split, -3, -1)).reshape(values.shape)


def synapse(network: Network, projection: Projection) -> Synapse:
    """Return a projection with the factors of two that all its weights share moved into its exponent."""
    connection = projection.connection
    source, target = (network.by_name[name].shape for name in (projection.source, projection.target))
    odd = int(np.bitwise_or.reduce(np.abs(stored_weights(connection).astype(np.int64)), axis=None))
    zeros = (odd & -odd).bit_length() - 1 if odd else 0
    exponent = projection.weight_exponent + zeros
    largest = largest_sum(connection) >> zeros
    # The floor of a negative sum may lie one further from zero.
    bound = largest << exponent if exponent >= 0 else (largest >> -exponent) + 1
    lag, part = network.lag(projection), int(projection.imaginary)
    if isinstance(connection, Sparse) and math.prod(connection.shape) > _FILLED:
        out, into = connection.shape
        rows = np.stack(
            [
                _places(target)[connection.rows],
                _places(source)[connection.indices],
                connection.data.astype(np.int64) >> zeros,
            ]
        )
        none = np.zeros((1, 1, out, 0), dtype=np.int8)
        return Synapse(projection.source, lag, part, Geometry(into, 1, 1, out, 1, 1), none, exponent, bound, rows)
    weight, geometry = _matrix(connection, source, target)
    return Synapse(projection.source, lag, part, geometry, digits(weight >> zeros), exponent, bound)


def _places(shape: Shape) -> Int64:
    """Return for each cell in torch order where it is in channel-last order, int64 [size]."""
    return np.argsort(channel_last(np.arange(math.prod(shape)), shape))


def _matrix(connection: Connection, source: Shape, target: Shape) -> tuple[Int64, Geometry]:
    """Return int64 weights [groups, outs, fan-in] and the geometry that says what they meet."""
    if not isinstance(connection, Convolution):
        flat = connection.to_dense() if isinstance(connection, Sparse) else connection.weight
        weight = flat.astype(np.int64)
        weight = channel_last(channel_last(weight, source).T, target).T
        return weight[None], Geometry(weight.shape[1], 1, 1, weight.shape[0], 1, 1)
    weight = connection.weight.astype(np.int64)
    groups, (outs, per_group) = connection.groups, weight.shape[:2]
    merged = _merged(groups, outs // groups)
    by_group = weight.reshape(groups // merged, merged, outs // groups, per_group, *weight.shape[2:])
    block = np.zeros((groups // merged, merged, outs // groups, *weight.shape[2:], merged, per_group), dtype=np.int64)
    for i in range(merged):
        block[:, i, ..., i, :] = np.moveaxis(by_group[:, i], 2, -1)
    geometry = Geometry(
        merged * per_group,
        source[1],
        source[2],
        merged * (outs // groups),
        target[1],
        target[2],
        (weight.shape[2], weight.shape[3]),
        connection.stride,
        connection.padding,
        connection.dilation,
        groups // merged,
    )
    return block.reshape(groups // merged, geometry.outs, geometry.fan_in), geometry


def _merged(groups: int, outs: int) -> int:
    """Return how many groups to compute as one, with zeros between them, so that its outputs fill a matrix tile."""
    return next(m for m in range(1, groups + 1) if groups % m == 0 and (m * outs >= _TILE or m == groups))


def digits(values: Int64) -> Int8:
    """Return int8 [digits, *shape], at least one, with ``sum digits[i] * 256^i`` the values."""
    rest, found = values, list[Int8]()
    while not found or rest.any():
        low = ((rest + 128) & 255) - 128
        found.append(low.astype(np.int8))
        rest = (rest - low) >> 8
    return np.stack(found)


def digits_of(largest: int) -> int:
    """Return how many digits integers of at most this magnitude need."""
    return next(n for n in range(1, 6) if largest <= math.floor(127 * (256**n - 1) / 255))
