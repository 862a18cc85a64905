"""The event-driven kernel of plain networks: sample after sample, population by population, a few steps at a time.

A population that no loop reaches runs for a chunk of steps before the next one starts, a map that only convolutions
reach even line by line: state stays in the nearest cache for all of the chunk. Populations tied by a loop take turns
every step. Networks beyond plain ones run in :mod:`neurodeploy.targets.emulator.stepwise_kernel`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from neurodeploy.targets.emulator import columns as c
from neurodeploy.targets.emulator.bare import bare_inputs, bare_memory, bare_outputs, bare_tables
from neurodeploy.targets.emulator.jit import njit
from neurodeploy.targets.emulator.listing import copy_events, list_fired, list_port, mark_edges
from neurodeploy.targets.emulator.memory import BYTES, INTS, OVERHANG, SPARE
from neurodeploy.targets.emulator.pointers import address, beyond, settle, stream_line
from neurodeploy.targets.emulator.rows import OPTIONS
from neurodeploy.targets.emulator.synapses import (
    add_dense,
    add_scaled,
    gather_line,
    gathers,
    is_short,
    move_line,
    scatter_line,
    sweep_line,
    take_line,
)
from neurodeploy.targets.emulator.updates import update_each, update_lines, update_shared
from neurodeploy.targets.emulator.vectors import DECAYED

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
    """The part of the outputs that a sample has, pointers, and the number of cells.

    v has the ``cells_v`` cells from ``first_v`` on, whole populations.
    """

    s: Any
    u: Any
    v: Any
    found: Any
    keeps_u: bool
    first_v: int
    cells_v: int
    cells: int
    streams: bool


@njit(inline="always")
def _update(tables, row, at, size, inside, peak, memory, s):
    """Update ``size`` neurons of a population from cell ``at`` on; leave extremes, wraps and clips in ``ends``.

    peak : the largest |u| before.
    """
    a, u, v, shift = memory.sums, beyond(memory.u, at), beyond(memory.v, at), row[c.SHIFT]
    keep_u, keep_v = beyond(tables.keep_current, at), beyond(tables.keep_voltage, at)
    threshold, bias, ends = beyond(tables.threshold, at), beyond(tables.bias, at), memory.ends
    if row[c.UNIFORM]:
        update_shared(a, u, v, s, size, shift, keep_u[0], keep_v[0], threshold[0], bias[0], inside, peak, ends)
    else:
        found = update_each(a, u, v, s, size, shift, keep_u, keep_v, threshold, bias)
        ends[0], ends[1], ends[2], ends[3] = found


@njit(inline="always")
def _stays_inside(tables, row, extremes, arriving):
    """Return whether sums of at most ``arriving`` can neither wrap nor saturate a neuron of the population.

    Above, v is held by the threshold: what exceeds it is reset. Below, nothing holds it but its decay.
    """
    at = row[c.AT]
    if row[c.UNIFORM] == 0 or arriving > _LIMIT:
        return False
    keep_u, keep_v = np.int64(tables.keep_current[at]), np.int64(tables.keep_voltage[at])
    threshold, bias = np.int64(tables.threshold[at]), np.int64(tables.bias[at])
    u = (extremes[0] * keep_u >> 12) + (arriving << row[c.SHIFT])
    return u <= _LIMIT and threshold + u + bias <= _LIMIT and (extremes[1] * keep_v >> 12) + u - bias <= _LIMIT


@njit(inline="always")
def _list(tables, part, t, memory):
    """Return which list holds what a part sends in step t, where it begins, and a pointer to its edges."""
    row = beyond(tables.parts, part * c.PART_COLUMNS)
    slot = t & (row[c.HISTORY] - 1)
    edges = beyond(memory.edges, memory.edge_starts[part] + slot * row[c.EDGES])
    return part * memory.slots + slot, memory.starts[part] + slot * (row[c.SIZE] + SPARE), edges


@njit(inline="always")
def _waiting(tables, row, t, memory):
    """Return the events that reach a projection in step t."""
    earlier, source = t - row[c.LAG], row[c.SOURCE]
    at, begin, edges = _list(tables, source, max(earlier, 0), memory)
    number, grain = memory.counts[at] if earlier >= 0 else np.int64(0), tables.parts[source * c.PART_COLUMNS + c.GRAIN]
    return Events(number, memory.loud[at], beyond(memory.indices, begin), beyond(memory.payloads, begin), edges, grain)


@njit(inline="always")
def _prepare(row, nth, step, events, memory):
    """Return a bound of what a projection's events add to a neuron; for a convolution choose the way.

    step : the place of this step within its chunk.
    """
    if events.number == 0:
        return np.int64(0)
    if row[c.KIND] == c.CONVOLUTION:
        gathered, at = gathers(row, events), nth * c.CHUNK + step
        memory.gathered[at] = np.uint8(gathered)
        if gathered and events.grain != row[c.CIN]:
            marks = beyond(memory.marks, at * memory.places)
            mark_edges(events.indices, events.number, row[c.CIN], marks, row[c.HIN] * row[c.WIN])
    bound = min(events.number * row[c.WIDEST], row[c.MASS]) * events.loud
    return bound << row[c.BEYOND] if row[c.BEYOND] >= 0 else (bound >> -row[c.BEYOND]) + 1


@njit(inline="always")
def _clear(cells, number):
    for i in range(number):
        cells[i] = 0


@njit(inline="always")
def _gather_wide(tables, row, events, y, edges, goal, alone, memory):
    """Gather what a convolution brings to line ``y`` in 32 bits; parameters as of _convolve."""
    size = row[c.WOUT] * row[c.COUT]
    if row[c.BEYOND] == 0:
        if alone:
            _clear(goal, size)
        gather_line(tables, row, y, address(goal), False, events, edges)
    else:
        _clear(memory.own, size + OVERHANG)
        gather_line(tables, row, y, address(memory.own), False, events, edges)
        add_scaled(goal, memory.own, size, row[c.BEYOND])


@njit(**OPTIONS)
def _bring(tables, row, at, events, y, line, memory):
    """Add what short events bring to line ``y`` to 16-bit sums, a line with margins; ``at`` as in _prepare."""
    margin, even, gathered = row[c.MARGIN] * row[c.COUT], events.grain == row[c.CIN], memory.gathered[at] == 1
    edges = events.edges if even else beyond(memory.marks, at * memory.places)
    if gathered:
        gather_line(tables, row, y, address(line) + 2 * margin, True, events, edges)
    else:
        end = margin + row[c.WOUT] * row[c.COUT]
        scatter_line(tables, row, y, line, events, row[c.WIN] if even else 1)
        _clear(line, margin)
        _clear(beyond(line, end), row[c.LINE] * row[c.COUT] - end)


@njit(inline="always")
def _convolve(tables, row, at, events, y, goal, alone, memory):
    """Add what a convolution brings to line ``y`` of the target, whose sums are ``goal``; ``at`` as in _prepare.

    alone : nothing else reaches the target, so that the sums need not have been cleared.
    """
    cells, margin, size = row[c.LINE] * row[c.COUT], row[c.MARGIN] * row[c.COUT], row[c.WOUT] * row[c.COUT]
    if not is_short(row, events):
        even = events.grain == row[c.CIN]
        edges = events.edges if even else beyond(memory.marks, at * memory.places)
        if memory.gathered[at] == 1:
            _gather_wide(tables, row, events, y, edges, goal, alone, memory)
            return
        _clear(memory.own, cells + OVERHANG)
        sweep_line(tables, row, y, memory.own, events, row[c.WIN] if even else 1)
        if alone:
            _clear(goal, size)
        add_scaled(goal, beyond(memory.own, margin), size, row[c.BEYOND])
        return
    line = beyond(memory.line, margin)
    _bring(tables, row, at, events, y, memory.line, memory)
    if alone:
        move_line(goal, line, size)
    else:
        take_line(goal, line, size, row[c.BEYOND])


@njit(inline="always")
def _deliver(tables, row, at, t, line, lines, size, alone, memory):
    """Add what a projection brings in step t to the sums of ``lines`` lines of the target, of ``size`` cells each."""
    events = _waiting(tables, row, t, memory)
    if events.number == 0:
        return
    if row[c.KIND] == c.CONVOLUTION:
        for y in range(lines):
            _convolve(tables, row, at, events, line + y, beyond(memory.sums, y * size), alone, memory)
    elif row[c.BEYOND] == 0:
        add_dense(tables, row, memory.sums, events)
    else:
        _clear(memory.own, size * lines + OVERHANG)
        add_dense(tables, row, memory.own, events)
        add_scaled(memory.sums, memory.own, size * lines, row[c.BEYOND])


@njit(inline="always")
def _list_spikes(tables, row, nth, t, piece, s, memory):
    """Append the spikes of a piece of a population to its list of step t."""
    its = beyond(tables.parts, row[c.PART] * c.PART_COLUMNS)
    fine = its[c.GRAIN] == its[c.CHANNELS]
    at, begin, edges = _list(tables, row[c.PART], t, memory)
    number = memory.counts[at] if nth else np.int64(0)
    noted = beyond(edges, nth * row[c.LINES] * its[c.WIDTH] if fine else 0)
    listed = beyond(memory.indices, begin + number)
    number += list_fired(s, piece, nth * piece, listed, its[c.GRAIN] if fine else 0, noted, number)
    if nth + 1 == row[c.PIECES]:
        if fine:
            edges[its[c.EDGES] - 1] = number
        elif its[c.GRAIN]:
            mark_edges(beyond(memory.indices, begin), number, its[c.GRAIN], edges, its[c.EDGES] - 1)
    memory.counts[at], memory.loud[at] = number, 1


@njit(**OPTIONS)
def _gather_all(tables, row, nth, t, t0, memory):
    """Add what reaches a piece of a population in step t to the sums."""
    its, lines, width = beyond(tables.projections, row[c.FIRST] * c.PROJECTION_COLUMNS), row[c.LINES], row[c.LINE_CELLS]
    arriving = memory.arriving[t - t0] > 0
    alone = arriving and row[c.END] - row[c.FIRST] == 1 and its[c.KIND] == c.CONVOLUTION and its[c.BEYOND] == 0
    if not alone:
        _clear(memory.sums, lines * width + OVERHANG)
    if arriving:
        for projection in range(row[c.FIRST], row[c.END]):
            its, at = beyond(tables.projections, projection * c.PROJECTION_COLUMNS), projection - row[c.FIRST]
            _deliver(tables, its, at * c.CHUNK + t - t0, t, nth * lines, lines, width, alone, memory)


@njit(inline="always")
def _in_words(tables, row, nth, t, t0, inside, peak, s, memory):
    """Gather and update a piece that one convolution reaches from sums of 16 bits; return whether these suffice."""
    its, lines, pitch = beyond(tables.projections, row[c.FIRST] * c.PROJECTION_COLUMNS), row[c.LINES], row[c.PITCH]
    events = _waiting(tables, its, t, memory)
    if peak >= DECAYED or not is_short(its, events):
        return False
    if events.number:
        for y in range(lines):
            _bring(tables, its, t - t0, events, nth * lines + y, beyond(memory.line, y * pitch), memory)
    size, at = row[c.LINE_CELLS], row[c.AT] + nth * lines * row[c.LINE_CELLS]
    a, u, v = beyond(memory.line, its[c.MARGIN] * its[c.COUT]), beyond(memory.u, at), beyond(memory.v, at)
    keep_u, keep_v, shift = tables.keep_current[at], tables.keep_voltage[at], row[c.SHIFT]
    threshold, bias = tables.threshold[at], tables.bias[at]
    update_lines(a, u, v, s, lines, size, pitch, shift, keep_u, keep_v, threshold, bias, inside, memory.ends)
    return True


@njit(**OPTIONS)
def _step_piece(tables, p, nth, t, t0, out, memory):
    """Gather, update and list the events of one piece of a population in step t of the chunk from t0 on."""
    row = beyond(tables.populations, p * c.POPULATION_COLUMNS)
    lines, width = row[c.LINES], row[c.LINE_CELLS]
    piece = lines * width
    cell = row[c.AT] + nth * piece
    arriving, extremes = memory.arriving[t - t0], beyond(memory.extremes, 2 * (row[c.BEFORE] + nth))
    kept, inside = beyond(out.s, t * out.cells + cell), _stays_inside(tables, row, extremes, arriving)
    s = memory.flags if out.streams else kept
    if not (row[c.PITCH] and _in_words(tables, row, nth, t, t0, inside, extremes[0], s, memory)):
        _gather_all(tables, row, nth, t, t0, memory)
        _update(tables, row, cell, piece, inside, extremes[0], memory, s)
    extremes[0], extremes[1] = memory.ends[0], memory.ends[1]
    found = beyond(out.found, 3 * row[c.PART])
    found[0] += memory.ends[2]
    found[1] += memory.ends[3]
    _list_spikes(tables, row, nth, t, piece, s, memory)
    if out.streams:
        _stream(s, piece, kept, 64)
    if out.keeps_u:
        _keep(beyond(memory.u, cell), piece, beyond(out.u, t * out.cells + cell), out.streams)
    if out.first_v <= cell < out.first_v + out.cells_v:
        _keep(beyond(memory.v, cell), piece, beyond(out.v, t * out.cells_v + cell - out.first_v), out.streams)


@njit(inline="always")
def _keep(source, number, goal, streams):
    if streams:
        _stream(source, number, goal, 16)
    else:
        _copy(source, number, goal)


@njit(inline="always")
def _copy(source, number, goal):
    for i in range(number):
        goal[i] = source[i]


@njit(inline="always")
def _stream(source, number, goal, lanes):
    """Copy past the caches; ``lanes`` cells fill a cache line. What does not fill one is copied as ever."""
    lines = number // lanes if address(goal) & 63 == 0 else 0
    for i in range(lines):
        stream_line(beyond(source, i * lanes), beyond(goal, i * lanes))
    whole = lines * lanes
    _copy(beyond(source, whole), number - whole, beyond(goal, whole))


@njit(inline="always")
def _advance(tables, p, t0, t1, out, memory):
    """Run one population for the steps [t0, t1), for which everything that reaches it is known."""
    row = beyond(tables.populations, p * c.POPULATION_COLUMNS)
    for t in range(t0, t1):
        arriving = np.int64(0)
        for projection in range(row[c.FIRST], row[c.END]):
            its = beyond(tables.projections, projection * c.PROJECTION_COLUMNS)
            arriving += _prepare(its, projection - row[c.FIRST], t - t0, _waiting(tables, its, t, memory), memory)
        memory.arriving[t - t0] = arriving
    for nth in range(row[c.PIECES]):
        for t in range(t0, t1):
            _step_piece(tables, p, nth, t, t0, out, memory)


@njit(inline="always")
def _advance_all(tables, first, end, t0, t1, out, memory):
    """Run the populations [first, end), which no loop leaves, for the steps [t0, t1)."""
    p = first
    while p < end:
        row = beyond(tables.populations, p * c.POPULATION_COLUMNS)
        if row[c.LOOPS]:
            for t in range(t0, t1):
                for one in range(p, row[c.UNTIL]):
                    _advance(tables, one, t, t + 1, out, memory)
        else:
            _advance(tables, p, t0, t1, out, memory)
        p = row[c.UNTIL]


@njit(inline="always")
def _enter(tables, port, step, t, inputs, out, memory):
    """List what enters a port in step t, which is ``step`` counted over all samples."""
    row = beyond(tables.parts, port * c.PART_COLUMNS)
    nth, begin, edges = _list(tables, port, t, memory)
    indices, payloads = beyond(memory.indices, begin), beyond(memory.payloads, begin)
    cell = step * inputs.cells + row[c.OFFSET]
    if inputs.form == BYTES:
        number, loud = list_port(beyond(inputs.dense, cell), row, indices, payloads)
    elif inputs.form == INTS:
        number, loud = list_port(beyond(inputs.wide, cell), row, indices, payloads)
    else:
        at = step * inputs.width + port
        first, number = inputs.first[at], inputs.first[at + 1] - inputs.first[at]
        given = beyond(inputs.indices, first), beyond(inputs.payloads, first)
        loud = copy_events(given[0], given[1], number, indices, payloads)
    if row[c.EDGES]:
        mark_edges(indices, number, row[c.GRAIN], edges, row[c.EDGES] - 1)
    memory.counts[nth], memory.loud[nth] = number, loud
    out.found[3 * port + 2] = max(out.found[3 * port + 2], loud)


@njit(cache=True, **OPTIONS)
def run(tables, memory, inputs, outputs, samples, steps, stage):
    """Run the samples, steps and populations [first, end); all other parameters are of arrays.

    State is cleared before a sample's first step, which is step 0; the arrays begin with its step ``outputs.first_t``.
    The first stage, which begins with the first population, lists what enters; others find everything that reaches them
    in memory.
    """
    extent, cells = outputs.s.shape[1:]
    ports = len(tables.parts) - len(tables.populations)
    bare, state, given, out = bare_tables(tables), bare_memory(memory), bare_inputs(inputs), bare_outputs(outputs)
    for sample in range(samples[0], samples[1]):
        if steps[0] == 0 and stage[0] == 0:
            memory.u[:] = 0
            memory.v[:] = 0
            memory.extremes[:] = 0
        before = sample * extent - out.first_t
        s, u, v = beyond(out.s, before * cells), beyond(out.u, before * cells), beyond(out.v, before * out.cells_v)
        here = Sample(s, u, v, out.found, out.keeps_u, out.first_v, out.cells_v, cells, out.streams)
        for t0 in range(steps[0], steps[1], c.CHUNK):
            t1 = min(t0 + c.CHUNK, steps[1])
            if stage[0] == 0:
                for t in range(t0, t1):
                    for port in range(ports):
                        _enter(bare, port, before + t, t, given, here, state)
            _advance_all(bare, stage[0], stage[1], t0, t1, here, state)
    if out.streams:
        settle()
