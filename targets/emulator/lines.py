"""Lines of a map: what a convolution adds to one of them, in sums of 16 or of 32 bits.

In all routines ``row`` points to a projection's row of the tables, and ``at`` says where its events of this step noted
how they are added.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from neurodeploy.targets.emulator import columns as c
from neurodeploy.targets.emulator.jit import njit
from neurodeploy.targets.emulator.memory import OVERHANG
from neurodeploy.targets.emulator.pointers import address, beyond
from neurodeploy.targets.emulator.synapses import (
    add_scaled,
    gather_line,
    is_short,
    move_line,
    scatter_line,
    sweep_line,
    take_line,
)


class Events(NamedTuple):
    """The events that reach a projection in a step: how many, how loud, and pointers to both lists and the edges."""

    number: int
    loud: int
    indices: Any
    payloads: Any
    edges: Any
    grain: int


@njit(inline="always")
def clear(cells, number):
    """Set cells to 0."""
    for i in range(number):
        cells[i] = 0


@njit(inline="always")
def _gather_wide(tables, row, events, y, edges, goal, alone, memory):
    """Gather what a convolution brings to line ``y`` in 32 bits; parameters as of _convolve."""
    size = row[c.WOUT] * row[c.COUT]
    if row[c.BEYOND] == 0:
        if alone:
            clear(goal, size)
        gather_line(tables, row, y, address(goal), np.int64(4), events, edges)
    else:
        clear(memory.own, size + OVERHANG)
        gather_line(tables, row, y, address(memory.own), np.int64(4), events, edges)
        add_scaled(goal, memory.own, size, row[c.BEYOND])


@njit(inline="always")
def bring(tables, row, at, events, y, line, memory):
    """Add what short events bring to line ``y`` to 16-bit sums, a line with margins; ``at`` as in _prepare."""
    margin, even, gathered = row[c.MARGIN] * row[c.COUT], events.grain == row[c.CIN], memory.gathered[at] == 1
    edges = events.edges if even else beyond(memory.marks, at * memory.places)
    if gathered:
        gather_line(tables, row, y, address(line) + 2 * margin, np.int64(2), events, edges)
    else:
        end = margin + row[c.WOUT] * row[c.COUT]
        scatter_line(tables, row, y, line, events, row[c.WIN] if even else 1)
        clear(line, margin)
        clear(beyond(line, end), row[c.LINE] * row[c.COUT] - end)


@njit(inline="always")
def convolve(tables, row, at, events, y, goal, alone, words, stays, memory):
    """Add what a convolution brings to line ``y`` of the target, whose sums are ``goal``; ``at`` as in _prepare.

    alone : nothing else reaches the target, so that the sums need not have been cleared.
    words : sums of 16 bits for a line with its margins, which are cleared; they stay there where ``stays``.
    """
    cells, margin, size = row[c.LINE] * row[c.COUT], row[c.MARGIN] * row[c.COUT], row[c.WOUT] * row[c.COUT]
    if not is_short(row, events):
        even = events.grain == row[c.CIN]
        edges = events.edges if even else beyond(memory.marks, at * memory.places)
        if memory.gathered[at] == 1:
            _gather_wide(tables, row, events, y, edges, goal, alone, memory)
            return
        clear(memory.own, cells + OVERHANG)
        sweep_line(tables, row, y, memory.own, events, row[c.WIN] if even else 1)
        if alone:
            clear(goal, size)
        add_scaled(goal, beyond(memory.own, margin), size, row[c.BEYOND])
        return
    bring(tables, row, at, events, y, words, memory)
    if stays:
        return
    if alone:
        move_line(goal, beyond(words, margin), size)
    else:
        take_line(goal, beyond(words, margin), size, row[c.BEYOND])
