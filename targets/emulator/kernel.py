"""The event-driven kernel of plain networks: sample after sample, population by population, a few steps at a time.

A population that no loop reaches runs for a chunk of steps before the next one starts, a map that only convolutions
reach even line by line: state stays in the nearest cache for all of the chunk. Populations tied by a loop take turns
every step. Networks beyond plain ones run in :mod:`neurodeploy.targets.emulator.stepwise_kernel`.

Functions that do much are given the ``job`` (:mod:`neurodeploy.targets.emulator.job`) and compiled by themselves: with
all in one the compiler takes twice as long, and dozens of pointers would be handed on.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.targets.emulator import columns as c
from neurodeploy.targets.emulator.bare import (
    bare_call,
    bare_inputs,
    bare_memory,
    bare_outputs,
    bare_tables,
    bare_turns,
)
from neurodeploy.targets.emulator.claiming import FINISHED, claim, give_back
from neurodeploy.targets.emulator.jit import njit
from neurodeploy.targets.emulator.keeping import keep, stream
from neurodeploy.targets.emulator.lines import Events, clear, convolve
from neurodeploy.targets.emulator.listing import copy_events, list_bytes, list_fired, list_port, mark_edges
from neurodeploy.targets.emulator.memory import BYTES, INTS, OVERHANG, SPARE
from neurodeploy.targets.emulator.pointers import beyond, pointer, settle
from neurodeploy.targets.emulator.rows import OPTIONS
from neurodeploy.targets.emulator.synapses import add_dense, add_scaled, gathers, is_short
from neurodeploy.targets.emulator.updates import update_each, update_lines, update_shared
from neurodeploy.targets.emulator.vectors import DECAYED

#: Beyond this |u| wraps and |v| saturates; one less than where u does upward.
_LIMIT = np.int64((1 << 23) - 1)
#: How often a thread looks for something to do before it says so.
_PATIENCE = 1000


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
def _deliver(tables, row, at, t, line, lines, size, alone, pitch, memory):
    """Add what a projection brings in step t to the sums of ``lines`` lines of the target, of ``size`` cells each.

    pitch : how far apart lines stay in sums of 16 bits, or 0.
    """
    events = _waiting(tables, row, t, memory)
    if events.number == 0:
        return
    if row[c.KIND] == c.CONVOLUTION:
        for y in range(lines):
            goal, words = beyond(memory.sums, y * size), beyond(memory.line, y * pitch)
            convolve(tables, row, at, events, line + y, goal, alone, words, pitch > 0, memory)
    elif row[c.BEYOND] == 0:
        add_dense(tables, row, memory.sums, events)
    else:
        clear(memory.own, size * lines + OVERHANG)
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


@njit(inline="always")
def _gather_all(tables, row, nth, t, t0, pitch, memory):
    """Add what reaches a piece of a population in step t to the sums; ``pitch`` as in :func:`_deliver`."""
    its, lines, width = beyond(tables.projections, row[c.FIRST] * c.PROJECTION_COLUMNS), row[c.LINES], row[c.LINE_CELLS]
    arriving = memory.arriving[t - t0] > 0
    alone = arriving and row[c.END] - row[c.FIRST] == 1 and its[c.KIND] == c.CONVOLUTION and its[c.BEYOND] == 0
    if not alone and pitch == 0:
        clear(memory.sums, lines * width + OVERHANG)
    if arriving:
        for projection in range(row[c.FIRST], row[c.END]):
            its, at = beyond(tables.projections, projection * c.PROJECTION_COLUMNS), projection - row[c.FIRST]
            _deliver(tables, its, at * c.CHUNK + t - t0, t, nth * lines, lines, width, alone, pitch, memory)


@njit(inline="always")
def _in_words(tables, row, t, peak, memory):
    """Return how far apart the lines of a piece stay in sums of 16 bits in step t; 0 where these do not suffice."""
    if row[c.PITCH] == 0 or peak >= DECAYED:
        return np.int64(0)
    its = beyond(tables.projections, row[c.FIRST] * c.PROJECTION_COLUMNS)
    return row[c.PITCH] if is_short(its, _waiting(tables, its, t, memory)) else np.int64(0)


@njit(inline="always")
def _update_lines(tables, row, at, inside, pitch, memory, s):
    """As :func:`_update`, of lines whose sums are ``pitch`` words apart."""
    its = beyond(tables.projections, row[c.FIRST] * c.PROJECTION_COLUMNS)
    a, u, v = beyond(memory.line, its[c.MARGIN] * its[c.COUT]), beyond(memory.u, at), beyond(memory.v, at)
    keeps, shift = (tables.keep_current[at], tables.keep_voltage[at]), row[c.SHIFT]
    threshold, bias, lines, size = tables.threshold[at], tables.bias[at], row[c.LINES], row[c.LINE_CELLS]
    update_lines(a, u, v, s, lines, size, pitch, shift, keeps[0], keeps[1], threshold, bias, inside, memory.ends)


@njit(**OPTIONS)
def _step_piece(job, p, nth, t, t0, before):
    """Gather, update and list the events of one piece of a population in step t of the chunk from t0 on.

    In all routines ``before`` steps of the arrays precede step 0 of the sample.
    """
    tables, memory, out = bare_tables(job), bare_memory(job), bare_outputs(job)
    cells, at = bare_call(job).cells, before + t
    row = beyond(tables.populations, p * c.POPULATION_COLUMNS)
    lines, width = row[c.LINES], row[c.LINE_CELLS]
    piece = lines * width
    cell = row[c.AT] + nth * piece
    arriving, extremes = memory.arriving[t - t0], beyond(memory.extremes, 2 * (row[c.BEFORE] + nth))
    kept, inside = beyond(out.s, at * cells + cell), _stays_inside(tables, row, extremes, arriving)
    s = memory.flags if out.streams else kept
    pitch = _in_words(tables, row, t, extremes[0], memory)
    _gather_all(tables, row, nth, t, t0, pitch, memory)
    if pitch:
        _update_lines(tables, row, cell, inside, pitch, memory, s)
    else:
        _update(tables, row, cell, piece, inside, extremes[0], memory, s)
    extremes[0], extremes[1] = memory.ends[0], memory.ends[1]
    found = beyond(memory.found, 3 * row[c.PART])
    if memory.ends[2] | memory.ends[3]:  # the counts of populations that other threads run are near
        found[0] += memory.ends[2]
        found[1] += memory.ends[3]
    _list_spikes(tables, row, nth, t, piece, s, memory)
    if out.streams:
        stream(s, piece, kept, 64)
    if out.keeps_u:
        keep(beyond(memory.u, cell), piece, beyond(out.u, at * cells + cell), out.streams)
    if out.first_v <= cell < out.first_v + out.cells_v:
        keep(beyond(memory.v, cell), piece, beyond(out.v, at * out.cells_v + cell - out.first_v), out.streams)


@njit(**OPTIONS)
def _advance(job, p, t0, t1, before):
    """Run one population for the steps [t0, t1), for which everything that reaches it is known."""
    tables, memory = bare_tables(job), bare_memory(job)
    row = beyond(tables.populations, p * c.POPULATION_COLUMNS)
    for t in range(t0, t1):
        arriving = np.int64(0)
        for projection in range(row[c.FIRST], row[c.END]):
            its = beyond(tables.projections, projection * c.PROJECTION_COLUMNS)
            arriving += _prepare(its, projection - row[c.FIRST], t - t0, _waiting(tables, its, t, memory), memory)
        memory.arriving[t - t0] = arriving
    for nth in range(row[c.PIECES]):
        for t in range(t0, t1):
            _step_piece(job, p, nth, t, t0, before)


@njit(inline="always")
def _advance_all(job, first, end, t0, t1, before):
    """Run the populations [first, end), which no loop leaves, for the steps [t0, t1)."""
    p, populations = first, bare_tables(job).populations
    while p < end:
        row = beyond(populations, p * c.POPULATION_COLUMNS)
        each = np.int64(1) if row[c.LOOPS] else t1 - t0
        for t in range(t0, t1, each):
            for one in range(p, row[c.UNTIL]):
                _advance(job, one, t, t + each, before)
        p = row[c.UNTIL]


@njit(**OPTIONS)
def _enter(job, port, t, before):
    """List what enters a port in step t."""
    tables, memory, inputs, step = bare_tables(job), bare_memory(job), bare_inputs(job), before + t
    row = beyond(tables.parts, port * c.PART_COLUMNS)
    nth, begin, edges = _list(tables, port, t, memory)
    indices, payloads = beyond(memory.indices, begin), beyond(memory.payloads, begin)
    cell = step * inputs.cells + row[c.OFFSET]
    if inputs.form == BYTES:
        number, loud = list_bytes(beyond(inputs.dense, cell), row, indices, payloads)
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
    memory.found[3 * port + 2] = max(memory.found[3 * port + 2], loud)


@njit(inline="always")
def _next_turn(turns, groups, chunks, turn):
    """Return the group that is next and its chunk; for one thread the ports and all populations take turns."""
    if groups:
        return claim(turns, groups, chunks)
    return (turn & 1 if turn < 2 * chunks else FINISHED), np.int64(turn >> 1)


@njit(inline="always")
def _take_turns(job, call, steps, before):
    """Run what waits for nothing, until all is done; return False where there was nothing to do for a while."""
    turns, groups = bare_turns(job), call.groups
    chunks, turn, tries = (steps[1] - steps[0] + c.CHUNK - 1) // c.CHUNK, np.int64(0), 0
    while tries < _PATIENCE:
        group, chunk = _next_turn(turns, groups, chunks, turn)
        if group == FINISHED:
            return True
        tries += 1
        if group >= 0:
            tries, t0 = 0, steps[0] + chunk * c.CHUNK
            t1 = min(t0 + c.CHUNK, steps[1])
            if group == 0:
                for t in range(t0, t1):
                    for port in range(call.ports):
                        _enter(job, port, t, before)
            else:
                first = turns.groups[2 * group] if groups else np.int64(0)
                end = turns.groups[2 * group + 1] if groups else call.populations
                _advance_all(job, first, end, t0, t1, before)
            if groups:
                give_back(turns, group, chunk)
            turn += 1
    return False


@njit(cache=True, **OPTIONS)
def run(numbers):
    """Run what a :class:`~neurodeploy.targets.emulator.job.Call` says, told as in that file, int64.

    State is cleared before a sample's first step, which is step 0; the arrays begin with its step ``outputs.first_t``.
    Where threads share a sample, each of them runs it, and whoever starts them clears its state before.

    Returns
    -------
    Whether all is done: a thread that has waited for others for a while says no.
    """
    job = pointer(numbers)
    memory, out, call, finished = bare_memory(job), bare_outputs(job), bare_call(job), True
    steps, alone = (out.first_t, out.first_t + call.steps), call.groups == 0
    if alone:
        clear(memory.found, 3 * memory.parts)
    for sample in range(call.first, call.end):
        if steps[0] == 0 and alone:
            clear(memory.u, memory.cells)
            clear(memory.v, memory.cells)
            clear(memory.extremes, 2 * memory.pieces)
        finished = _take_turns(job, call, steps, sample * call.steps - out.first_t)
    if out.streams:
        settle()
    return finished
