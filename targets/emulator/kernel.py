"""The event-driven kernel: one sample after another, population by population, a few steps at a time.

A population that no loop reaches runs for a chunk of steps before the next one starts, a map that only convolutions
reach even line by line: state stays in the nearest cache for all of the chunk. Populations tied by a loop take turns
every step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from neurodeploy.targets.emulator.columns import (
    AT, BEFORE, BEYOND, CHANNELS, CHUNK, CIN, CONVOLUTION, COUT, EDGES, END, FIRST, GRAIN, HIN, HISTORY, KIND, LAG,
    LINE, LINE_CELLS, LINES, LOOPS, MARGIN, MASS, OFFSET, PART, PART_COLUMNS, PIECES, POPULATION_COLUMNS,
    PROJECTION_COLUMNS, SHIFT, SIZE, SOURCE, UNIFORM, UNTIL, WIDEST, WIDTH, WIN, WOUT,
)  # fmt: skip
from neurodeploy.targets.emulator.inputs import copy_events, list_fired, list_port, mark_edges
from neurodeploy.targets.emulator.memory import OVERHANG, SPARE, bare_inputs, bare_memory, bare_outputs, bare_tables
from neurodeploy.targets.emulator.pointers import beyond, pointer
from neurodeploy.targets.emulator.rows import OPTIONS
from neurodeploy.targets.emulator.synapses import (
    add_dense, add_scaled, gather_line, gathers, is_short, move_line, scatter_line, sweep_line, take_line,
)  # fmt: skip
from neurodeploy.targets.emulator.updates import update_each, update_inside, update_uniform

#: Beyond this |u| wraps and |v| saturates; one less than where u does upward.
_LIMIT = np.int64((1 << 23) - 1)


class Events(NamedTuple):
    """The events that reach a projection in a step: how many, how loud, and pointers to both lists and the edges."""

    number: int
    loud: int
    indices: Any
    payloads: Any
    edges: Any
    grain: int


class Sample(NamedTuple):
    """The part of the outputs that a sample has, pointers, and the numbers of cells and populations."""

    s: Any
    u: Any
    v: Any
    found: Any
    keeps_u: bool
    keeps_v: bool
    cells: int
    populations: int


@njit(**OPTIONS)
def _update(tables, row, at, size, inside, memory, s):  # type: ignore[no-untyped-def]
    """Update ``size`` neurons of a population from cell ``at`` on; return their extremes, wraps and clips."""
    a, u, v, shift = memory.sums, beyond(memory.u, at), beyond(memory.v, at), row[SHIFT]
    keep_u, keep_v = beyond(tables.keep_current, at), beyond(tables.keep_voltage, at)
    threshold, bias = beyond(tables.threshold, at), beyond(tables.bias, at)
    if row[UNIFORM] == 0:
        return update_each(a, u, v, s, size, shift, keep_u, keep_v, threshold, bias)
    kept_u, kept_v = keep_u[0] * (1 / 4096), keep_v[0] * (1 / 4096)
    if inside:
        return update_inside(a, u, v, s, size, shift, kept_u, kept_v, threshold[0], bias[0])
    return update_uniform(a, u, v, s, size, shift, kept_u, kept_v, threshold[0], bias[0])


@njit(**OPTIONS)
def _stays_inside(tables, row, extremes, arriving):  # type: ignore[no-untyped-def]
    """Return whether sums of at most ``arriving`` can neither wrap nor saturate a neuron of the population.

    Above, v is held by the threshold: what exceeds it is reset. Below, nothing holds it but its decay.
    """
    at = row[AT]
    if row[UNIFORM] == 0 or arriving > _LIMIT:
        return False
    keep_u, keep_v = np.int64(tables.keep_current[at]), np.int64(tables.keep_voltage[at])
    threshold, bias = np.int64(tables.threshold[at]), np.int64(tables.bias[at])
    u = (extremes[0] * keep_u >> 12) + (arriving << row[SHIFT])
    return u <= _LIMIT and threshold + u + bias <= _LIMIT and (extremes[1] * keep_v >> 12) + u - bias <= _LIMIT


@njit(**OPTIONS)
def _list(tables, part, t, memory):  # type: ignore[no-untyped-def]
    """Return which list holds what a part sends in step t, where it begins, and a pointer to its edges."""
    row = beyond(tables.parts, part * PART_COLUMNS)
    slot = t & (row[HISTORY] - 1)
    edges = beyond(memory.edges, memory.edge_starts[part] + slot * row[EDGES])
    return part * memory.slots + slot, memory.starts[part] + slot * (row[SIZE] + SPARE), edges


@njit(**OPTIONS)
def _waiting(tables, row, t, memory):  # type: ignore[no-untyped-def]
    """Return the events that reach a projection in step t."""
    earlier, source = t - row[LAG], row[SOURCE]
    at, begin, edges = _list(tables, source, max(earlier, 0), memory)
    number, grain = memory.counts[at] if earlier >= 0 else np.int64(0), tables.parts[source * PART_COLUMNS + GRAIN]
    return Events(number, memory.loud[at], beyond(memory.indices, begin), beyond(memory.payloads, begin), edges, grain)


@njit(**OPTIONS)
def _prepare(row, nth, step, events, memory):  # type: ignore[no-untyped-def]
    """Return a bound of what a projection's events add to a neuron; for a convolution choose the way.

    step : the place of this step within its chunk.
    """
    if events.number == 0:
        return np.int64(0)
    if row[KIND] == CONVOLUTION:
        gathered, at = gathers(row, events), nth * CHUNK + step
        memory.gathered[at] = np.uint8(gathered)
        if gathered and events.grain != row[CIN]:
            marks = beyond(memory.marks, at * memory.places)
            mark_edges(events.indices, events.number, row[CIN], marks, row[HIN] * row[WIN])
    bound = min(events.number * row[WIDEST], row[MASS]) * events.loud
    return bound << row[BEYOND] if row[BEYOND] >= 0 else (bound >> -row[BEYOND]) + 1


@njit(**OPTIONS)
def _clear(cells, number):  # type: ignore[no-untyped-def]
    for i in range(number):
        cells[i] = 0


@njit(**OPTIONS)
def _convolve(tables, row, at, events, y, goal, alone, memory):  # type: ignore[no-untyped-def]
    """Add what a convolution brings to line ``y`` of the target, whose sums are ``goal``; ``at`` as in _prepare.

    alone : nothing else reaches the target, so that the sums need not have been cleared.
    """
    cells, margin, size = row[LINE] * row[COUT], row[MARGIN] * row[COUT], row[WOUT] * row[COUT]
    even = events.grain == row[CIN]
    if not is_short(row, events):
        _clear(memory.own, cells + OVERHANG)
        sweep_line(tables, row, y, memory.own, events, row[WIN] if even else 1)
        if alone:
            _clear(goal, size)
        add_scaled(goal, beyond(memory.own, margin), size, row[BEYOND])
        return
    line = beyond(memory.line, margin)
    if memory.gathered[at] == 1:
        edges = events.edges if even else beyond(memory.marks, at * memory.places)
        gather_line(tables, row, y, line, events, edges)
    else:
        scatter_line(tables, row, y, memory.line, events, row[WIN] if even else 1)
        _clear(memory.line, margin)
        _clear(beyond(line, size), cells - margin - size + OVERHANG)
    if alone:
        move_line(goal, line, size)
    else:
        take_line(goal, line, size, row[BEYOND])


@njit(**OPTIONS)
def _deliver(tables, row, at, t, line, lines, size, alone, memory):  # type: ignore[no-untyped-def]
    """Add what a projection brings in step t to the sums of ``lines`` lines of the target, of ``size`` cells each."""
    events = _waiting(tables, row, t, memory)
    if events.number == 0:
        return
    if row[KIND] == CONVOLUTION:
        for y in range(lines):
            _convolve(tables, row, at, events, line + y, beyond(memory.sums, y * size), alone, memory)
    elif row[BEYOND] == 0:
        add_dense(tables, row, memory.sums, events)
    else:
        _clear(memory.own, size * lines + OVERHANG)
        add_dense(tables, row, memory.own, events)
        add_scaled(memory.sums, memory.own, size * lines, row[BEYOND])


@njit(**OPTIONS)
def _list_spikes(tables, row, nth, t, piece, s, memory):  # type: ignore[no-untyped-def]
    """Append the spikes of a piece of a population to its list of step t."""
    its = beyond(tables.parts, row[PART] * PART_COLUMNS)
    fine = its[GRAIN] == its[CHANNELS]
    at, begin, edges = _list(tables, row[PART], t, memory)
    number = memory.counts[at] if nth else np.int64(0)
    noted = beyond(edges, nth * row[LINES] * its[WIDTH] if fine else 0)
    listed = beyond(memory.indices, begin + number)
    number += list_fired(s, piece, nth * piece, listed, its[GRAIN] if fine else 0, noted, number)
    if nth + 1 == row[PIECES]:
        if fine:
            edges[its[EDGES] - 1] = number
        elif its[GRAIN]:
            mark_edges(beyond(memory.indices, begin), number, its[GRAIN], edges, its[EDGES] - 1)
    memory.counts[at], memory.loud[at] = number, 1


@njit(**OPTIONS)
def _step_piece(tables, p, nth, t, t0, out, memory):  # type: ignore[no-untyped-def]
    """Gather, update and list the events of one piece of a population in step t of the chunk from t0 on."""
    row = beyond(tables.populations, p * POPULATION_COLUMNS)
    lines, width = row[LINES], row[LINE_CELLS]
    piece = lines * width
    cell = row[AT] + nth * piece
    arriving, extremes = memory.arriving[t - t0], beyond(memory.extremes, 2 * (row[BEFORE] + nth))
    its = beyond(tables.projections, row[FIRST] * PROJECTION_COLUMNS)
    alone = arriving > 0 and row[END] - row[FIRST] == 1 and its[KIND] == CONVOLUTION and its[BEYOND] == 0
    if not alone:
        _clear(memory.sums, piece + OVERHANG)
    if arriving:
        for projection in range(row[FIRST], row[END]):
            its, at = beyond(tables.projections, projection * PROJECTION_COLUMNS), projection - row[FIRST]
            _deliver(tables, its, at * CHUNK + t - t0, t, nth * lines, lines, width, alone, memory)
    s, inside = beyond(out.s, t * out.cells + cell), _stays_inside(tables, row, extremes, arriving)
    peak, low, wraps, clips = _update(tables, row, cell, piece, inside, memory, s)
    extremes[0], extremes[1] = peak, low
    out.found[2 * p] += wraps
    out.found[2 * p + 1] += clips
    _list_spikes(tables, row, nth, t, piece, s, memory)
    if out.keeps_u:
        _copy(beyond(memory.u, cell), piece, beyond(out.u, t * out.cells + cell))
    if out.keeps_v:
        _copy(beyond(memory.v, cell), piece, beyond(out.v, t * out.cells + cell))


@njit(**OPTIONS)
def _copy(source, number, goal):  # type: ignore[no-untyped-def]
    for i in range(number):
        goal[i] = source[i]


@njit(**OPTIONS)
def _advance(tables, p, t0, t1, out, memory):  # type: ignore[no-untyped-def]
    """Run one population for the steps [t0, t1), for which everything that reaches it is known."""
    row = beyond(tables.populations, p * POPULATION_COLUMNS)
    for t in range(t0, t1):
        arriving = np.int64(0)
        for projection in range(row[FIRST], row[END]):
            its = beyond(tables.projections, projection * PROJECTION_COLUMNS)
            arriving += _prepare(its, projection - row[FIRST], t - t0, _waiting(tables, its, t, memory), memory)
        memory.arriving[t - t0] = arriving
    for nth in range(row[PIECES]):
        for t in range(t0, t1):
            _step_piece(tables, p, nth, t, t0, out, memory)


@njit(**OPTIONS)
def _advance_all(tables, t0, t1, out, memory):  # type: ignore[no-untyped-def]
    """Run all populations for the steps [t0, t1)."""
    p = 0
    while p < out.populations:
        row = beyond(tables.populations, p * POPULATION_COLUMNS)
        if row[LOOPS]:
            for t in range(t0, t1):
                for one in range(p, row[UNTIL]):
                    _advance(tables, one, t, t + 1, out, memory)
        else:
            _advance(tables, p, t0, t1, out, memory)
        p = row[UNTIL]


@njit(**OPTIONS)
def _enter(tables, port, step, t, inputs, memory):  # type: ignore[no-untyped-def]
    """List what enters a port in step t, which is ``step`` counted over all samples."""
    row = beyond(tables.parts, port * PART_COLUMNS)
    nth, begin, edges = _list(tables, port, t, memory)
    indices, payloads = beyond(memory.indices, begin), beyond(memory.payloads, begin)
    if inputs.cells:
        dense = beyond(inputs.dense, step * inputs.cells + row[OFFSET])
        number, loud = list_port(dense, row, indices, payloads)
    else:
        at = step * inputs.width + port
        first, number = inputs.first[at], inputs.first[at + 1] - inputs.first[at]
        given = beyond(inputs.indices, first), beyond(inputs.payloads, first)
        loud = copy_events(given[0], given[1], number, indices, payloads)
    if row[EDGES]:
        mark_edges(indices, number, row[GRAIN], edges, row[EDGES] - 1)
    memory.counts[nth], memory.loud[nth] = number, loud


@njit(**OPTIONS)
def run_samples(tables, memory, inputs, outputs):  # type: ignore[no-untyped-def]
    """Simulate samples from cleared state; all parameters are of arrays, which this function alone sees."""
    samples, steps, cells = outputs.s.shape
    ports, populations = len(tables.parts) - len(tables.populations), len(tables.populations)
    bare, state, given, out = bare_tables(tables), bare_memory(memory), bare_inputs(inputs), bare_outputs(outputs)
    for sample in range(samples):
        memory.u[:] = 0
        memory.v[:] = 0
        memory.extremes[:] = 0
        before = sample * steps * cells
        s, u, v = beyond(out.s, before), beyond(out.u, before), beyond(out.v, before)
        here = Sample(s, u, v, out.found, out.keeps_u, out.keeps_v, cells, populations)
        for t0 in range(0, steps, CHUNK):
            t1 = min(t0 + CHUNK, steps)
            for t in range(t0, t1):
                for port in range(ports):
                    _enter(bare, port, sample * steps + t, t, given, state)
            _advance_all(bare, t0, t1, here, state)
