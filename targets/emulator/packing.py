"""Weight tables in the order in which the kernel reads them.

A table has one row per source cell (dense) or per kernel tap and source channel (convolution); a row holds what one
spike adds to the target cells that it reaches, which lie side by side. Rows of int8 are packed as
:mod:`neurodeploy.targets.emulator.rows` describes and stored block by block, so that the rows of one block stand close.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Words = npt.NDArray[np.int16]

#: As in :mod:`neurodeploy.targets.emulator.rows`, which would load numba.
BLOCKS = (128, 64, 32, 16)


def fits(rows: Int32) -> bool:
    """Return whether all weights are int8, so that the rows can be packed."""
    return rows.size == 0 or (int(rows.min()) >= -128 and int(rows.max()) <= 127)


def padded(length: int) -> int:
    """Return the cells of a packed row of ``length`` weights."""
    return -(-length // BLOCKS[-1]) * BLOCKS[-1]


def pack(rows: Int32) -> Words:
    """Return int8 weights [rows, cells] as 16-bit words, block by block, flat."""
    cells = padded(rows.shape[1])
    full = np.pad(rows, ((0, 0), (0, cells - rows.shape[1])))
    blocks, at = [], 0
    while at < cells:
        width = next(block for block in BLOCKS if at + block <= cells)
        low, high = full[:, at : at + width // 2], full[:, at + width // 2 : at + width]
        blocks.append((256 * high + low + 128).astype(np.int16).ravel())
        at += width
    return np.concatenate([*blocks, np.zeros(0, np.int16)])


@dataclass(frozen=True, eq=False)
class Reach:
    """Which target columns a source column reaches through which kernel column.

    first : int64 [source width + 1], where each source column's pairs begin.
    pairs : int64 [pairs, 2], target column and kernel column.
    """

    first: Int64
    pairs: Int64


def reach(source: int, target: int, kernel: int, stride: int, padding: int, dilation: int) -> Reach:
    """Return the reach of a convolution along one axis."""
    first, pairs = [0], []
    for x in range(source):
        for k in range(kernel):
            column, rest = divmod(x + padding - k * dilation, stride)
            if rest == 0 and 0 <= column < target:
                pairs.append((column, k))
        first.append(len(pairs))
    return Reach(np.array(first, dtype=np.int64), np.array(pairs, dtype=np.int64).reshape(-1, 2))


def to_internal(shape: tuple[int, ...]) -> Int32:
    """Return for each cell in torch order its internal index, int32 [size]."""
    size = int(np.prod(shape))
    if len(shape) != 3:
        return np.arange(size, dtype=np.int32)
    channels, height, width = shape
    return np.arange(size, dtype=np.int32).reshape(height, width, channels).transpose(2, 0, 1).ravel()


def channel_last(values: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return an array whose last axis runs over a part's cells, moved from torch to internal order."""
    if len(shape) != 3:
        return values
    split = values.reshape(*values.shape[:-1], *shape)
    return np.moveaxis(split, -3, -1).reshape(values.shape)
