"""What the spikes of one step add to a population: the kernel's routines for dense and convolutional projections.

A convolution takes one of two ways to the same sums, by how many spikes there are in this very step. Few are scattered:
each adds its rows to the positions that it reaches. Many are gathered: what reaches one position through one kernel
row is a run of neighbouring source cells, hence a run in the sorted list of events, and is summed in registers.

In all routines ``row`` points to a projection's row of the tables and ``goal`` to int32 sums; ``events`` is what
:func:`neurodeploy.targets.emulator.kernel.waiting` returns.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from neurodeploy.targets.emulator.columns import (
    BEGIN, CIN, COUT, DX, DY, GROUPS, HIN, HOUT, KH, KW, LENGTH, PACKED, PX, PY, REACH, ROWS, SX, SY, WIN, WOUT,
)  # fmt: skip
from neurodeploy.targets.emulator.pointers import address, beyond
from neurodeploy.targets.emulator.rows import OPTIONS, add_row, add_rows

i32 = np.int32

#: A gathered run costs as much beside its rows as scattering this many rows.
_GATHER = 2


@njit(**OPTIONS)
def mark_edges(indices, number, width, edges, last):  # type: ignore[no-untyped-def]
    """Write where in a sorted list each of ``last`` stretches of ``width`` cells begins, and where the last ends."""
    e, limit = np.int64(0), np.int64(0)
    for place in range(last):
        edges[place] = e
        limit += width
        while e < number and indices[e] < limit:
            e += 1
    edges[last] = number


@njit(**OPTIONS)
def gathers(row, events):  # type: ignore[no-untyped-def]
    """Return whether a convolution gathers these events."""
    if row[PACKED] == 0 or row[GROUPS] != 1 or row[DX] != 1 or events.loud != 1:
        return False
    return events.number * row[KW] >= _GATHER * row[SY] * row[SX] * row[HOUT] * row[WOUT]


@njit(**OPTIONS)
def _add_wide(goal, weights, length, payload):  # type: ignore[no-untyped-def]
    """Add ``length`` 32-bit weights, payload times."""
    for i in range(length):
        goal[i] = i32(goal[i] + i32(weights[i] * payload))


@njit(**OPTIONS)
def add_dense(tables, row, goal, events):  # type: ignore[no-untyped-def]
    """Add the rows of all events of a dense projection."""
    length, rows = row[LENGTH], row[ROWS]
    weights = address(tables.packed) + 2 * row[BEGIN]
    if row[PACKED] == 1 and events.loud == 1:
        add_rows(address(goal), weights, rows, length, address(events.indices), events.number, 0)
        return
    for e in range(events.number):
        payload, index = events.payloads[e] if events.loud != 1 else i32(1), np.int64(events.indices[e])
        if row[PACKED] == 1:
            add_row(address(goal), weights, rows, length, index, payload)
        else:
            _add_wide(goal, beyond(tables.wide, row[BEGIN] + index * length), length, payload)


@njit(**OPTIONS)
def gather_line(tables, row, y, goal, events, edges):  # type: ignore[no-untyped-def]
    """Add what reaches line ``y`` of the target, whose sums begin at ``goal``; edges are those of positions."""
    cin, win, cout, kw, sx, px = row[CIN], row[WIN], row[COUT], row[KW], row[SX], row[PX]
    length, rows, wout = row[LENGTH], row[ROWS], row[WOUT]
    weights, first, listed = address(tables.packed) + 2 * row[BEGIN], address(goal), address(events.indices)
    for ky in range(row[KH]):
        line = y * row[SY] + ky * row[DY] - row[PY]
        if line < 0 or line >= row[HIN] or edges[line * win] == edges[line * win + win]:
            continue
        for x in range(wout):
            left = x * sx - px
            begin = np.int64(edges[line * win + min(max(left, 0), win)])
            end = np.int64(edges[line * win + min(max(left + kw, 0), win)])
            if begin < end:
                base = (line * win + left - ky * kw) * cin
                add_rows(first + 4 * x * cout, weights, rows, length, listed + 4 * begin, end - begin, base)


@njit(**OPTIONS)
def scatter_line(tables, row, y, goal, events, edges):  # type: ignore[no-untyped-def]
    """As :func:`gather_line`, event by event and in any geometry; edges are those of source lines."""
    cin, win, cout, kw, groups = row[CIN], row[WIN], row[COUT], row[KW], row[GROUPS]
    length, rows, packed, reach = row[LENGTH], row[ROWS], row[PACKED], beyond(tables.reach_first, row[REACH])
    weights, wide = address(tables.packed) + 2 * row[BEGIN], beyond(tables.wide, row[BEGIN])
    width, inverse, per_group = cout // groups, 1.0 / cin, cin // groups
    for ky in range(row[KH]):
        line = y * row[SY] + ky * row[DY] - row[PY]
        if line < 0 or line >= row[HIN]:
            continue
        for e in range(edges[line], edges[line + 1]):
            cell = np.int64(events.indices[e]) - line * win * cin
            x = np.int64((cell + 0.5) * inverse)  # cell // cin, which would take longer than the row
            channel = cell - x * cin
            start = beyond(goal, channel // per_group * width if groups > 1 else 0)
            payload = events.payloads[e] if events.loud != 1 else i32(1)
            for k in range(reach[x], reach[x + 1]):
                to = beyond(start, tables.reach_pairs[2 * k] * cout)
                tap = (ky * kw + tables.reach_pairs[2 * k + 1]) * cin + channel
                if packed == 1:
                    add_row(address(to), weights, rows, length, tap, payload)
                else:
                    _add_wide(to, beyond(wide, tap * length), length, payload)


@njit(**OPTIONS)
def add_scaled(goal, own, size, exponent):  # type: ignore[no-untyped-def]
    """Add sums times 2 to the power of ``exponent``, floored."""
    for i in range(size):
        goal[i] = i32(goal[i] + i32(own[i] << exponent if exponent > 0 else own[i] >> -exponent))
