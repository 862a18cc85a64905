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
    BEGIN, CIN, COUT, DY, GROUPS, HIN, HOUT, KH, KW, LENGTH, PACKED, PX, PY, REACH, ROWS, SPAN, SX, SY, TAP_LENGTH,
    TAP_ROWS, TAPS, WIN, WOUT,
)  # fmt: skip
from neurodeploy.targets.emulator.pointers import address, beyond
from neurodeploy.targets.emulator.rows import OPTIONS, add_row, add_row_times, add_rows

i32 = np.int32

#: From how many spikes a run on it is gathered: below, its own cost exceeds that of scattering them.
_GATHER = 4


@njit(**OPTIONS)
def gathers(row, events):  # type: ignore[no-untyped-def]
    """Return whether a convolution gathers these events."""
    if row[TAPS] < 0 or events.loud != 1:
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
            add_row_times(address(goal), weights, rows, length, index, payload)
        else:
            _add_wide(goal, beyond(tables.wide, row[BEGIN] + index * length), length, payload)


@njit(**OPTIONS)
def gather_line(tables, row, y, goal, events, edges):  # type: ignore[no-untyped-def]
    """Add what reaches line ``y`` of the target, whose sums begin at ``goal``; edges are those of positions."""
    cin, win, cout, kw, sx, px = row[CIN], row[WIN], row[COUT], row[KW], row[SX], row[PX]
    length, rows, wout = row[TAP_LENGTH], row[TAP_ROWS], row[WOUT]
    weights, first, listed = address(tables.packed) + 2 * row[TAPS], address(goal), address(events.indices)
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
def scatter_line(tables, row, y, goal, events, each):  # type: ignore[no-untyped-def]
    """As :func:`gather_line`, event by event and in any geometry; goal begins with the margin, lines ``each`` edges."""
    cin, win, sx, groups = row[CIN], row[WIN], row[SX], row[GROUPS]
    length, rows, reach, cout = row[LENGTH], row[ROWS], beyond(tables.reach, 2 * row[REACH]), row[COUT]
    weights, inverse = address(tables.packed) + 2 * row[BEGIN], 1.0 / cin
    plain, edges = row[PACKED] == 1 and groups == 1 and events.loud == 1, events.edges
    for ky in range(row[KH]):
        line = y * row[SY] + ky * row[DY] - row[PY]
        if line < 0 or line >= row[HIN]:
            continue
        for e in range(edges[line * each], edges[(line + 1) * each]):
            cell = np.int64(events.indices[e]) - line * win * cin
            x = np.int64((cell + 0.5) * inverse)  # cell // cin, which would take longer than the row
            channel, start = cell - x * cin, beyond(goal, reach[2 * x] * cout)
            place = ky * sx + reach[2 * x + 1]
            if plain:
                add_row(address(start), weights, rows, length, place * cin + channel)
            else:
                _sweep(tables, row, start, place, channel, events.payloads[e] if events.loud != 1 else i32(1))


@njit(**OPTIONS)
def _sweep(tables, row, start, place, channel, payload):  # type: ignore[no-untyped-def]
    """Add the rows of one event of any payload, groups or width; place is the kernel line and phase."""
    cin, cout, groups, length = row[CIN], row[COUT], row[GROUPS], row[LENGTH]
    weights, wide = address(tables.packed) + 2 * row[BEGIN], beyond(tables.wide, row[BEGIN])
    group = channel // (cin // groups) * (cout // groups)
    for position in range(row[SPAN] if groups > 1 else 1):
        to = beyond(start, position * cout + group)
        which = ((place * row[SPAN] + position) * cin if groups > 1 else place * cin) + channel
        if row[PACKED] == 1:
            add_row_times(address(to), weights, row[ROWS], length, which, payload)
        else:
            _add_wide(to, beyond(wide, which * length), length, payload)


@njit(**OPTIONS)
def add_scaled(goal, own, size, exponent):  # type: ignore[no-untyped-def]
    """Add sums times 2 to the power of ``exponent``, floored."""
    for i in range(size):
        goal[i] = i32(goal[i] + i32(own[i] << exponent if exponent > 0 else own[i] >> -exponent))
