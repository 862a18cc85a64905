"""What the spikes of one step add to a population: the kernel's routines for dense and convolutional projections.

A convolution takes one of two ways to the same sums, by how many spikes there are in this very step. Few are scattered:
each adds its rows to the positions that it reaches. Many are gathered: what reaches one position through one kernel
row is a run of neighbouring source cells, hence a run in the sorted list of events, and is summed in registers.

Both sum in 16 bits, which must hold whatever the target's kernel can add up to. Where they do not, runs are summed in
32 bits; few spikes, and those whose payloads are not 1, sweep over a line in 32 bits.

In all routines ``row`` points to a projection's row of the tables and ``goal`` to sums; ``events`` are
:class:`neurodeploy.targets.emulator.kernel.Events`.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.targets.emulator import columns as c
from neurodeploy.targets.emulator.jit import njit
from neurodeploy.targets.emulator.pointers import address, beyond
from neurodeploy.targets.emulator.rows import (
    OPTIONS,
    add_lines,
    add_row_short,
    add_row_times,
    add_rows,
    add_rows_short,
)

i32 = np.int32

#: From how many spikes a run on it is gathered: below, its own cost exceeds that of scattering them.
_GATHER = 4


@njit(**OPTIONS)
def is_short(row, events):
    """Return whether 16 bits hold what these events add through a convolution."""
    return row[c.NARROW] == 1 and row[c.MASS] <= c.SHORT and events.loud == 1 and row[c.INVERSE] > 0


@njit(**OPTIONS)
def gathers(row, events):
    """Return whether a convolution gathers these events."""
    if row[c.TAPS] < 0 or events.loud != 1:
        return False
    return events.number * row[c.KW] >= _GATHER * row[c.SY] * row[c.SX] * row[c.HOUT] * row[c.WOUT]


@njit(**OPTIONS)
def _add_wide(goal, weights, length, payload):
    """Add ``length`` weights of any type, payload times."""
    for i in range(length):
        goal[i] = i32(goal[i] + i32(i32(weights[i]) * payload))


@njit(**OPTIONS)
def add_dense(tables, row, goal, events):
    """Add the rows of all events of a dense projection."""
    length, rows = row[c.LENGTH], row[c.ROWS]
    weights = address(tables.packed) + 2 * row[c.BEGIN]
    if row[c.NARROW] == 1 and events.loud == 1:
        add_rows(address(goal), weights, rows, length, address(events.indices), events.number, 0)
        return
    for e in range(events.number):
        payload, index = events.payloads[e] if events.loud != 1 else i32(1), np.int64(events.indices[e])
        if row[c.NARROW] == 1:
            add_row_times(address(goal), weights, rows, length, index, payload)
        else:
            _add_wide(goal, beyond(tables.wide, row[c.BEGIN] + index * length), length, payload)


@njit(**OPTIONS)
def gather_line(tables, row, y, first, width, events, edges):
    """Add what reaches line ``y`` of the target to the goal; edges are those of positions.

    first : address of the goal, whose cells have ``width`` bytes: 2 or 4.
    """
    cin, win, cout, kw, sx, px = row[c.CIN], row[c.WIN], row[c.COUT], row[c.KW], row[c.SX], row[c.PX]
    length, rows, wout = row[c.TAP_LENGTH], row[c.TAP_ROWS], row[c.WOUT]
    weights, listed = address(tables.packed) + 2 * row[c.TAPS], address(events.indices)
    for ky in range(row[c.KH]):
        line = y * row[c.SY] + ky * row[c.DY] - row[c.PY]
        if line < 0 or line >= row[c.HIN] or edges[line * win] == edges[line * win + win]:
            continue
        for x in range(wout):
            left = x * sx - px
            begin = np.int64(edges[line * win + min(max(left, 0), win)])
            end = np.int64(edges[line * win + min(max(left + kw, 0), win)])
            if begin < end:
                base = (line * win + left - ky * kw) * cin
                run, number = listed + 4 * begin, end - begin
                if width == 2:
                    add_rows_short(first + 2 * x * cout, weights, rows, length, run, number, base)
                else:
                    add_rows(first + 4 * x * cout, weights, rows, length, run, number, base)


@njit(inline="always")
def _place(reach, event, before, cin, inverse):
    """Return position of the line, phase and source channel of an event; ``before`` cells precede its line."""
    cell = np.int64(event) - before
    x = np.int64((cell + 0.5) * inverse)  # cell // cin, which would take longer than the row
    return reach[2 * x], reach[2 * x + 1], cell - x * cin


@njit(inline="always")
def _landing(reach, event, before, cin, inverse):
    """As :func:`_place`, by a product of integers, which is exact where short sums are taken."""
    cell = np.int64(event) - before
    x = cell * inverse >> c.INVERSE_BITS
    return reach[2 * x], reach[2 * x + 1], cell - x * cin


def _scatterer(add):
    """Return what scatters a list of events whose rows ``add`` adds: a loop of its own for every length of rows."""

    @njit(inline="always")
    def scatter(goal, weights, reach, listed, number, before, row):
        """Add the row of each event at the address that it reaches; ``weights`` is that of a kernel line's rows."""
        cin, inverse, wide, length = row[c.CIN], row[c.INVERSE], 2 * row[c.COUT], 2 * row[c.LENGTH]
        for e in range(number):
            position, phase, channel = _landing(reach, listed[e], before, cin, inverse)
            add(goal + position * wide, weights + (phase * cin + channel) * length)

    return scatter


_scatter_1, _scatter_2, _scatter_3, _scatter_4 = (_scatterer(add) for add in add_lines)


@njit(inline="always")
def _scatter_any(goal, weights, reach, listed, number, before, row):
    """As the others, of rows of any length; with groups a row each position."""
    cin, cout, length, groups = row[c.CIN], row[c.COUT], row[c.LENGTH], row[c.GROUPS]
    per_source, per_target, span = cin // groups, cout // groups, row[c.SPAN] if groups > 1 else 1
    for e in range(number):
        position, phase, channel = _landing(reach, listed[e], before, cin, row[c.INVERSE])
        to = goal + 2 * (position * cout + channel // per_source * per_target)
        for nth in range(span):
            tap = (phase * span + nth) * cin + channel
            add_row_short(to + 2 * nth * cout, weights + 2 * tap * length, length)


@njit(**OPTIONS)
def scatter_line(tables, row, y, goal, events, each):
    """As :func:`gather_line`, event by event; goal begins with the margin, and a source line is ``each`` edges."""
    reach, edges, first = beyond(tables.reach, 2 * row[c.REACH]), events.edges, address(goal)
    weights, before = address(tables.short) + 2 * row[c.BEGIN], row[c.WIN] * row[c.CIN]
    lines, parts = row[c.LENGTH] >> 5, row[c.SPAN] if row[c.GROUPS] > 1 else 1
    kernel_line = 2 * row[c.SX] * parts * row[c.CIN] * row[c.LENGTH]
    for ky in range(row[c.KH]):
        line = y * row[c.SY] + ky * row[c.DY] - row[c.PY]
        if line < 0 or line >= row[c.HIN]:
            continue
        begin, end = np.int64(edges[line * each]), np.int64(edges[(line + 1) * each])
        listed, rows = beyond(events.indices, begin), weights + ky * kernel_line
        if row[c.GROUPS] > 1 or lines > 4:
            _scatter_any(first, rows, reach, listed, end - begin, line * before, row)
        elif lines == 1:
            _scatter_1(first, rows, reach, listed, end - begin, line * before, row)
        elif lines == 2:
            _scatter_2(first, rows, reach, listed, end - begin, line * before, row)
        elif lines == 3:
            _scatter_3(first, rows, reach, listed, end - begin, line * before, row)
        else:
            _scatter_4(first, rows, reach, listed, end - begin, line * before, row)


@njit(**OPTIONS)
def sweep_line(tables, row, y, goal, events, each):
    """As :func:`scatter_line` for events of any payload, weights of any width, and an int32 goal."""
    cin, cout, length, groups = row[c.CIN], row[c.COUT], row[c.LENGTH], row[c.GROUPS]
    reach, inverse, edges = beyond(tables.reach, 2 * row[c.REACH]), 1.0 / row[c.CIN], events.edges
    before, parts = row[c.WIN] * row[c.CIN], row[c.SPAN] if groups > 1 else 1
    per_source, per_target, sx = cin // groups, cout // groups, row[c.SX]
    for ky in range(row[c.KH]):
        line = y * row[c.SY] + ky * row[c.DY] - row[c.PY]
        if line < 0 or line >= row[c.HIN]:
            continue
        for e in range(edges[line * each], edges[(line + 1) * each]):
            position, phase, channel = _place(reach, events.indices[e], line * before, cin, inverse)
            to = beyond(goal, position * cout + channel // per_source * per_target)
            payload = events.payloads[e] if events.loud != 1 else i32(1)
            for nth in range(parts):
                at = row[c.BEGIN] + (((ky * sx + phase) * parts + nth) * cin + channel) * length
                if row[c.NARROW] == 1:
                    _add_wide(beyond(to, nth * cout), beyond(tables.short, at), length, payload)
                else:
                    _add_wide(beyond(to, nth * cout), beyond(tables.wide, at), length, payload)


@njit(**OPTIONS)
def add_scaled(goal, own, size, exponent):
    """Add sums times 2 to the power of ``exponent``, floored."""
    for i in range(size):
        goal[i] = i32(goal[i] + i32(own[i] << exponent if exponent > 0 else own[i] >> -exponent))


@njit(**OPTIONS)
def take_line(goal, line, size, exponent):
    """Add a line of int16 sums, times 2 to the power of ``exponent`` and floored, and leave it cleared."""
    if exponent == 0:
        for i in range(size):
            goal[i] = i32(goal[i] + line[i])
            line[i] = np.int16(0)
    else:
        for i in range(size):
            goal[i] = i32(goal[i] + i32(i32(line[i]) << exponent if exponent > 0 else i32(line[i]) >> -exponent))
            line[i] = np.int16(0)


@njit(**OPTIONS)
def move_line(goal, line, size):
    """Store a line of int16 sums and leave it cleared."""
    for i in range(size):
        goal[i] = i32(line[i])
        line[i] = np.int16(0)
