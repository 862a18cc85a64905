"""What the spikes of one step add to a population: the kernel's routines for dense and convolutional projections.

A convolution takes one of two ways to the same sums, by how many spikes there are in this very step. Few are scattered:
each adds its rows to the positions that it reaches. Many are gathered: what reaches one position through one kernel
row is a run of neighbouring source cells, hence a run in the sorted list of events, and is summed in registers.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from neurodeploy.targets.emulator.columns import (
    BEGIN, BEYOND, CIN, COUT, DX, DY, GROUPS, HIN, HOUT, KH, KW, LENGTH, PACKED, PX, PY, REACH, ROWS, SX, SY, WIN, WOUT,
)  # fmt: skip
from neurodeploy.targets.emulator.rows import OPTIONS, add_row, add_rows

i32 = np.int32

#: A gathered run costs as much beside its rows as scattering this many rows.
_GATHER = 2


@njit(**OPTIONS)
def mark_edges(events, number, width, edges):  # type: ignore[no-untyped-def]
    """Write where in a sorted list of events each stretch of ``width`` cells begins, and at last where all end."""
    e, last = 0, edges.size - 1
    for place in range(last):
        edges[place] = e
        limit = (place + 1) * width
        while e < number and events[e] < limit:
            e += 1
    edges[last] = number


@njit(**OPTIONS)
def gathers(row, number, loud):  # type: ignore[no-untyped-def]
    """Return whether a convolution gathers this many events."""
    if row[PACKED] == 0 or row[GROUPS] != 1 or row[DX] != 1 or loud != 1:
        return False
    return number * row[KW] >= _GATHER * row[SY] * row[SX] * row[HOUT] * row[WOUT]


@njit(**OPTIONS)
def _add_wide(goal, at, wide, begin, length, payload):  # type: ignore[no-untyped-def]
    """Add ``length`` 32-bit weights, payload times."""
    to, since = np.uint64(at), np.uint64(begin)
    for i in range(np.uint64(length)):
        goal[to + i] = i32(goal[to + i] + i32(wide[since + i] * i32(payload)))


@njit(**OPTIONS)
def add_dense(tables, p, goal, events, payloads, number, loud):  # type: ignore[no-untyped-def]
    """Add the rows of ``number`` events of a dense projection to the int32 goal."""
    row = tables.projections[p]
    length, rows = row[LENGTH], row[ROWS]
    if row[PACKED] == 0:
        for e in range(number):
            begin = row[BEGIN] + np.int64(events[e]) * length
            _add_wide(goal, 0, tables.wide, begin, length, payloads[e] if loud != 1 else i32(1))
        return
    weights = tables.packed.ctypes.data + 2 * row[BEGIN]
    if loud == 1:
        add_rows(goal.ctypes.data, weights, rows, length, events.ctypes.data, number, 0)
        return
    for e in range(number):
        add_row(goal.ctypes.data, weights, rows, length, np.int64(events[e]), payloads[e])


@njit(**OPTIONS)
def gather_line(tables, p, y, goal, at, events, edges):  # type: ignore[no-untyped-def]
    """Add what reaches line ``y`` of the target; its cells lie from ``goal[at]`` on, edges are those of positions."""
    row = tables.projections[p]
    cin, win, cout, kw, sx, px = row[CIN], row[WIN], row[COUT], row[KW], row[SX], row[PX]
    length, rows, wout = row[LENGTH], row[ROWS], row[WOUT]
    weights, first = tables.packed.ctypes.data + 2 * row[BEGIN], goal.ctypes.data + 4 * at
    listed = events.ctypes.data
    for ky in range(row[KH]):
        line = y * row[SY] + ky * row[DY] - row[PY]
        if line < 0 or line >= row[HIN] or edges[line * win] == edges[line * win + win]:
            continue
        for x in range(wout):
            left = x * sx - px
            begin = np.int64(edges[line * win + max(left, 0)])
            end = np.int64(edges[line * win + min(max(left + kw, 0), win)])
            if begin < end:
                base = (line * win + left - ky * kw) * cin
                add_rows(first + 4 * x * cout, weights, rows, length, listed + 4 * begin, end - begin, base)


@njit(**OPTIONS)
def scatter_line(tables, p, y, goal, at, events, payloads, loud, edges):  # type: ignore[no-untyped-def]
    """As :func:`gather_line`, event by event and any geometry; edges are those of source lines."""
    row = tables.projections[p]
    cin, win, cout, kw, groups = row[CIN], row[WIN], row[COUT], row[KW], row[GROUPS]
    length, rows, reach = row[LENGTH], row[ROWS], row[REACH]
    weights, first = tables.packed.ctypes.data + 2 * row[BEGIN], goal.ctypes.data
    width, inverse, per_group = cout // groups, 1.0 / cin, cin // groups
    for ky in range(row[KH]):
        line = y * row[SY] + ky * row[DY] - row[PY]
        if line < 0 or line >= row[HIN]:
            continue
        for e in range(edges[line], edges[line + 1]):
            cell = np.int64(events[e]) - line * win * cin
            x = np.int64((cell + 0.5) * inverse)  # cell // cin, which would take longer than the row
            channel = cell - x * cin
            start = at + (channel // per_group * width if groups > 1 else 0)
            payload = payloads[e] if loud != 1 else i32(1)
            for k in range(tables.reach_first[reach + x], tables.reach_first[reach + x + 1]):
                to = start + tables.reach_pairs[k, 0] * cout
                tap = (ky * kw + tables.reach_pairs[k, 1]) * cin + channel
                if row[PACKED] == 1:
                    add_row(first + 4 * to, weights, rows, length, tap, payload)
                else:
                    _add_wide(goal, to, tables.wide, row[BEGIN] + tap * length, length, payload)


@njit(**OPTIONS)
def add_scaled(acc, goal, size, exponent):  # type: ignore[no-untyped-def]
    """Add sums times 2 to the power of ``exponent``, floored, to the 32-bit sums of a population."""
    for i in range(size):
        acc[i] = i32(acc[i] + i32(goal[i] << exponent if exponent > 0 else goal[i] >> -exponent))
