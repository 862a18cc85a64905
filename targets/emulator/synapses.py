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
    return row[c.NARROW] == 1 and row[c.MASS] <= c.SHORT and events.loud == 1


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


def _scatterer(add):
    """Return what scatters a list of events whose rows ``add`` adds: a loop of its own for every length of rows."""

    @njit(inline="always")
    def scatter(goal, weights, landings, listed, number):
        """Add the row of each event where it lands; goal and ``weights``, those of a kernel line, are addresses.

        Events from both halves of the list take turns: neighbours add to the same cells, and wait for each other.
        """
        half = number >> 1
        for e in range(half):
            near, far = 2 * np.int64(listed[e]), 2 * np.int64(listed[half + e])
            add(goal + 2 * np.int64(landings[near]), weights + 2 * np.int64(landings[near + 1]))
            add(goal + 2 * np.int64(landings[far]), weights + 2 * np.int64(landings[far + 1]))
        if number & 1:
            last = 2 * np.int64(listed[number - 1])
            add(goal + 2 * np.int64(landings[last]), weights + 2 * np.int64(landings[last + 1]))

    return scatter


_scatter_1, _scatter_2, _scatter_3, _scatter_4 = (_scatterer(add) for add in add_lines)


@njit(inline="always")
def _scatter_any(goal, weights, landings, listed, number, row):
    """As the others, of rows of any length; with groups a row each position."""
    wide, length, span = 2 * row[c.COUT], row[c.LENGTH], row[c.SPAN] if row[c.GROUPS] > 1 else 1
    for e in range(number):
        at = 2 * np.int64(listed[e])
        to, taps = goal + 2 * np.int64(landings[at]), weights + 2 * np.int64(landings[at + 1])
        for nth in range(span):
            add_row_short(to + nth * wide, taps + nth * 2 * row[c.CIN] * length, length)


@njit(inline="always")
def _reaching(row, events, y, ky, each):
    """Return the first and last of the events that reach line ``y`` through a kernel line, and the cell it begins with.

    A source line is ``each`` edges.
    """
    line = y * row[c.SY] + ky * row[c.DY] - row[c.PY]
    if line < 0 or line >= row[c.HIN]:
        return np.int64(0), np.int64(0), np.int64(0)
    begin, end = np.int64(events.edges[line * each]), np.int64(events.edges[(line + 1) * each])
    return begin, end, line * row[c.WIN] * row[c.CIN]


@njit(**OPTIONS)
def scatter_line(tables, row, y, goal, events, each):
    """As :func:`gather_line`, event by event; goal begins with the margin, and a source line is ``each`` edges."""
    landings, first = beyond(tables.landings, 2 * row[c.LANDING]), address(goal)
    weights = address(tables.short) + 2 * row[c.BEGIN]
    lines, parts = row[c.LENGTH] >> 5, row[c.SPAN] if row[c.GROUPS] > 1 else 1
    kernel_line = 2 * row[c.SX] * parts * row[c.CIN] * row[c.LENGTH]
    for ky in range(row[c.KH]):
        begin, end, before = _reaching(row, events, y, ky, each)
        listed, number = beyond(events.indices, begin), end - begin
        rows, here = weights + ky * kernel_line, beyond(landings, -2 * before)
        if row[c.GROUPS] > 1 or lines > 4:
            _scatter_any(first, rows, here, listed, number, row)
        elif lines == 1:
            _scatter_1(first, rows, here, listed, number)
        elif lines == 2:
            _scatter_2(first, rows, here, listed, number)
        elif lines == 3:
            _scatter_3(first, rows, here, listed, number)
        else:
            _scatter_4(first, rows, here, listed, number)


@njit(**OPTIONS)
def sweep_line(tables, row, y, goal, events, each):
    """As :func:`scatter_line` for events of any payload, weights of any width, and an int32 goal."""
    length, parts = row[c.LENGTH], row[c.SPAN] if row[c.GROUPS] > 1 else 1
    landings, kernel_line = beyond(tables.landings, 2 * row[c.LANDING]), row[c.SX] * parts * row[c.CIN] * length
    for ky in range(row[c.KH]):
        begin, end, before = _reaching(row, events, y, ky, each)
        for e in range(begin, end):
            place = 2 * (np.int64(events.indices[e]) - before)
            to, at = beyond(goal, landings[place]), row[c.BEGIN] + ky * kernel_line + landings[place + 1]
            payload = events.payloads[e] if events.loud != 1 else i32(1)
            for nth in range(parts):
                tap = at + nth * row[c.CIN] * length
                if row[c.NARROW] == 1:
                    _add_wide(beyond(to, nth * row[c.COUT]), beyond(tables.short, tap), length, payload)
                else:
                    _add_wide(beyond(to, nth * row[c.COUT]), beyond(tables.wide, tap), length, payload)


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
