"""Weight tables in the order in which the kernel reads them.

A table has one row per source cell (dense) or per source channel and place within the kernel (convolution); a row holds
what one spike adds to target cells that lie side by side. Where many rows are summed, those of int8 are packed as
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
Shape = tuple[int, ...]

#: As in :mod:`neurodeploy.targets.emulator.rows`, which would load numba.
BLOCKS = (128, 64, 32, 16)
#: Words of 16 bits in a cache line.
WORDS = 32
_CACHE_LINE = 64


def fits(rows: Int32, kind: type[np.signedinteger[Any]]) -> bool:
    """Return whether all weights are of an integer type."""
    limits = np.iinfo(kind)
    return rows.size == 0 or (int(rows.min()) >= limits.min and int(rows.max()) <= limits.max)


def padded(length: int, whole: int = BLOCKS[-1]) -> int:
    """Return the cells of a row of ``length`` weights: a multiple of ``whole``, by default that of packed ones."""
    return -(-length // whole) * whole


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


def shorten(rows: Int32, whole: int) -> Words:
    """Return int16 weights [rows, cells] with rows padded to a multiple of ``whole``, flat."""
    full = np.pad(rows, ((0, 0), (0, padded(rows.shape[1], whole) - rows.shape[1])))
    return full.astype(np.int16).ravel()


def aligned(size: int, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an array, not cleared, that begins with a cache line: vectors across two lines take twice as long."""
    length = size * np.dtype(kind).itemsize
    memory = np.empty(length + _CACHE_LINE, dtype=np.uint8)
    start = -memory.__array_interface__["data"][0] % _CACHE_LINE
    return memory[start : start + length].view(kind)


def joined(tables: list[npt.NDArray[Any]], kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return tables in one array; where each begins with a cache line if all but the last are :func:`filled`."""
    whole = aligned(sum(table.size for table in tables), kind)
    np.concatenate([*tables, np.zeros(0, kind)], out=whole)
    return whole


def filled(table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a flat table with zeros after it, up to the next cache line."""
    return np.pad(table, (0, -table.size % (_CACHE_LINE // table.itemsize)))


def dense_rows(weight: Int32, source: Shape, target: Shape) -> Int32:
    """Return weights [target, source] in torch order as [source cell, target cell] in internal order."""
    return np.ascontiguousarray(channel_last(channel_last(weight, source).T, target))


def tap_rows(weight: Int32) -> Int32:
    """Return a kernel of one group as [kernel y, kernel x and source channel, target channel]."""
    out = len(weight)
    return np.ascontiguousarray(weight.transpose(2, 3, 1, 0).reshape(-1, out))


@dataclass(frozen=True)
class Sweep:
    """How a spike sweeps over a line of the target, from the leftmost position that it can reach to the rightmost.

    span : positions that a spike sweeps over; taps that fall between two of them are 0.
    margin : positions that a sweep may begin left of the line.
    line : positions of a line with margins on both sides.
    """

    span: int
    margin: int
    line: int

    @staticmethod
    def along(source: int, target: int, kernel: int, stride: int, padding: int, dilation: int) -> Sweep:
        """Return the sweep along one axis."""
        span = (kernel - 1) * dilation // stride + 1
        margin = max(0, span - 1 - padding // stride)
        beyond = max(0, (source - 1 + padding) // stride - target + 1)
        return Sweep(span, margin, margin + target + beyond)


def sweep_rows(weight: Int32, sweep: Sweep, stride: int, dilation: int, groups: int) -> Int32:
    """Return a kernel as one row a kernel line, phase of the source column within a stride, and source channel.

    Without groups a row holds [position of the sweep, target channel]; with groups every position is a row of its own,
    of the target channels of the source channel's group.
    """
    out, per_group, kernel_y, kernel_x = weight.shape
    by_group = weight.reshape(groups, out // groups, per_group, kernel_y, kernel_x)
    rows = np.zeros((kernel_y, stride, sweep.span, groups, per_group, out // groups), dtype=np.int32)
    for phase in range(stride):
        for position in range(sweep.span):
            tap, rest = divmod(phase + stride * (sweep.span - 1 - position), dilation)
            if rest == 0 and tap < kernel_x:
                rows[:, phase, position] = by_group[..., tap].transpose(3, 0, 2, 1)
    rows = rows.reshape(kernel_y, stride, sweep.span, groups * per_group, out // groups)
    if groups > 1:
        return rows.reshape(-1, out // groups)
    return np.ascontiguousarray(rows.transpose(0, 1, 3, 2, 4)).reshape(-1, sweep.span * out)


def landings(shape: Shape, sweep: Sweep, stride: int, padding: int, groups: int, target: int, length: int) -> Int32:
    """Return for each cell of a source line where its sweep begins, int32 [cells, 2], in internal order.

    First the cell of a target line, margin included; then where its row begins within those of a kernel line.

    Parameters
    ----------
    shape : (C, H, W) of the source.
    target, length : channels of the target, and cells of a row.
    """
    channels, _, width = shape
    position, phase = np.divmod(np.arange(width) + padding, stride)
    position += sweep.margin - (sweep.span - 1)
    channel, parts = np.arange(channels), sweep.span if groups > 1 else 1
    group = channel // (channels // groups) * (target // groups)
    cells = position[:, None] * target + group
    rows = ((phase * parts * channels)[:, None] + channel) * length
    return np.stack([cells, rows], axis=-1).reshape(-1, 2).astype(np.int32)


def to_internal(shape: Shape) -> Int32:
    """Return for each cell in torch order its internal index, int32 [size]."""
    size = int(np.prod(shape))
    if len(shape) != 3:
        return np.arange(size, dtype=np.int32)
    channels, height, width = shape
    return np.arange(size, dtype=np.int32).reshape(height, width, channels).transpose(2, 0, 1).ravel()


def channel_last(values: npt.NDArray[Any], shape: Shape) -> npt.NDArray[Any]:
    """Return an array whose last axis runs over a part's cells, moved from torch to internal order."""
    if len(shape) != 3:
        return values
    split = values.reshape(*values.shape[:-1], *shape)
    return np.moveaxis(split, -3, -1).reshape(values.shape)
