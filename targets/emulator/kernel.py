"""The event-driven kernel: one sample after another, step by step, with all state in cache."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from neurodeploy.targets.emulator.columns import (
    AT, BEYOND, CELLS, CHANNELS, CIN, CONVOLUTION, COUT, END, FIRST, GRAIN, HEIGHT, HIN, HISTORY, KIND, LAG, LINE, MARGIN,
    MASS, OFFSET, PART, PART_COLUMNS, PIECES, POPULATION_COLUMNS, PROJECTION_COLUMNS, SHIFT, SIZE, SOURCE, UNIFORM,
    WIDEST, WIN, WOUT,
)  # fmt: skip
from neurodeploy.targets.emulator.inputs import copy_events, list_fired, list_port, mark_edges
from neurodeploy.targets.emulator.memory import OVERHANG, bare_inputs, bare_memory, bare_tables
from neurodeploy.targets.emulator.pointers import beyond, pointer
from neurodeploy.targets.emulator.rows import OPTIONS
from neurodeploy.targets.emulator.synapses import (
    add_dense, add_scaled, gather_line, gathers, is_short, scatter_line, sweep_line,
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
    slot, grain = t % row[HISTORY], row[GRAIN]
    edges = memory.edge_starts[part] + (slot * (row[SIZE] // grain + 1) if grain else 0)
    return part * memory.slots + slot, memory.starts[part] + slot * row[SIZE], beyond(memory.edges, edges)


@njit(**OPTIONS)
def _waiting(tables, row, t, memory):  # type: ignore[no-untyped-def]
    """Return the events that reach a projection in step t."""
    earlier, source = t - row[LAG], row[SOURCE]
    at, begin, edges = _list(tables, source, max(earlier, 0), memory)
    number, grain = memory.counts[at] if earlier >= 0 else np.int64(0), tables.parts[source * PART_COLUMNS + GRAIN]
    return Events(number, memory.loud[at], beyond(memory.indices, begin), beyond(memory.payloads, begin), edges, grain)


@njit(**OPTIONS)
def _prepare(row, nth, events, memory):  # type: ignore[no-untyped-def]
    """Return a bound of what a projection's events add to a neuron; for a convolution choose the way."""
    if events.number == 0:
        return np.int64(0)
    if row[KIND] == CONVOLUTION:
        gathered = gathers(row, events)
        memory.gathered[nth] = np.uint8(gathered)
        if gathered and events.grain != row[CIN]:
            marks = beyond(memory.marks, nth * memory.places)
            mark_edges(events.indices, events.number, row[CIN], marks, row[HIN] * row[WIN])
    bound = min(events.number * row[WIDEST], row[MASS]) * events.loud
    return bound << row[BEYOND] if row[BEYOND] >= 0 else (bound >> -row[BEYOND]) + 1


@njit(**OPTIONS)
def _clear(cells, number):  # type: ignore[no-untyped-def]
    for i in range(number):
        cells[i] = 0


@njit(**OPTIONS)
def _convolve(tables, row, nth, events, y, goal, memory):  # type: ignore[no-untyped-def]
    """Add what a convolution brings to line ``y`` of the target, whose sums are ``goal``."""
    cells, margin, size = row[LINE] * row[COUT], row[MARGIN] * row[COUT], row[WOUT] * row[COUT]
    even = events.grain == row[CIN]
    if not is_short(row, events):
        _clear(memory.own, cells + OVERHANG)
        sweep_line(tables, row, y, memory.own, events, row[WIN] if even else 1)
        add_scaled(goal, beyond(memory.own, margin), size, row[BEYOND])
        return
    _clear(memory.line, cells + OVERHANG)
    line = beyond(memory.line, margin)
    if memory.gathered[nth] == 1:
        edges = events.edges if even else beyond(memory.marks, nth * memory.places)
        gather_line(tables, row, y, line, events, edges)
    else:
        scatter_line(tables, row, y, memory.line, events, row[WIN] if even else 1)
    add_scaled(goal, line, size, row[BEYOND])


@njit(**OPTIONS)
def _deliver(tables, row, nth, t, line, lines, size, memory):  # type: ignore[no-untyped-def]
    """Add what a projection brings in step t to the sums of ``lines`` lines of the target, of ``size`` cells each."""
    events = _waiting(tables, row, t, memory)
    if events.number == 0:
        return
    if row[KIND] == CONVOLUTION:
        for y in range(lines):
            _convolve(tables, row, nth, events, line + y, beyond(memory.sums, y * size), memory)
    elif row[BEYOND] == 0:
        add_dense(tables, row, memory.sums, events)
    else:
        _clear(memory.own, size * lines + OVERHANG)
        add_dense(tables, row, memory.own, events)
        add_scaled(memory.sums, memory.own, size * lines, row[BEYOND])


@njit(**OPTIONS)
def _step_population(tables, p, t, s, memory):  # type: ignore[no-untyped-def]
    """Gather, update and list the events of one population; return wraps and clips.

    A map that only convolutions reach is taken line by line, so that its sums never leave the nearest cache.
    """
    row, extremes = beyond(tables.populations, p * POPULATION_COLUMNS), beyond(memory.extremes, 2 * p)
    part, pieces, size, arriving = row[PART], row[PIECES], row[CELLS], np.int64(0)
    for projection in range(row[FIRST], row[END]):
        its = beyond(tables.projections, projection * PROJECTION_COLUMNS)
        arriving += _prepare(its, projection - row[FIRST], _waiting(tables, its, t, memory), memory)
    inside = _stays_inside(tables, row, extremes, arriving)
    at, begin, edges = _list(tables, part, t, memory)
    its = beyond(tables.parts, part * PART_COLUMNS)
    height, grain = its[HEIGHT], its[GRAIN]
    noted = grain if grain == its[CHANNELS] else 0
    piece, lines, width = size // pieces, height // pieces, size // height
    number, peak, low, wraps, clips = np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for nth in range(pieces):
        place = nth * piece
        _clear(memory.sums, piece + OVERHANG)
        for projection in range(row[FIRST], row[END]):
            its = beyond(tables.projections, projection * PROJECTION_COLUMNS)
            _deliver(tables, its, projection - row[FIRST], t, nth * lines, lines, width, memory)
        found = _update(tables, row, row[AT] + place, piece, inside, memory, beyond(s, place))
        peak, low, wraps, clips = max(peak, found[0]), max(low, found[1]), wraps + found[2], clips + found[3]
        listed, marks = beyond(memory.indices, begin + number), beyond(edges, place // noted if noted else 0)
        number += list_fired(beyond(s, place), piece, place, listed, noted, marks, number)
    if noted:
        edges[size // noted] = number
    elif grain:
        mark_edges(beyond(memory.indices, begin), number, grain, edges, size // grain)
    extremes[0], extremes[1] = peak, low
    memory.counts[at], memory.loud[at] = number, 1
    return wraps, clips


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
    if row[GRAIN]:
        mark_edges(indices, number, row[GRAIN], edges, row[SIZE] // row[GRAIN])
    memory.counts[nth], memory.loud[nth] = number, loud


@njit(**OPTIONS)
def run_samples(tables, memory, inputs, out_s, out_u, out_v, found):  # type: ignore[no-untyped-def]
    """Simulate samples from cleared state.

    tables, memory, inputs : of arrays, which this function alone sees; all others get pointers.
    out_s : uint8 [samples, steps, cells] in internal order; out_u and out_v int32 likewise, or with a last axis of 0
        when not wanted; found int64 [populations, 2], to which how many u wrapped and v saturated is added.
    """
    samples, steps, cells = out_s.shape
    ports, populations = len(tables.parts) - len(tables.populations), len(tables.populations)
    bare, state, given, s = bare_tables(tables), bare_memory(memory), bare_inputs(inputs), pointer(out_s)
    for sample in range(samples):
        if sample:  # memory comes cleared
            memory.u[:] = 0
            memory.v[:] = 0
            memory.extremes[:] = 0
        for t in range(steps):
            step = sample * steps + t
            for port in range(ports):
                _enter(bare, port, step, t, given, state)
            for p in range(populations):
                at = step * cells + tables.populations[p, AT]
                wraps, clips = _step_population(bare, p, t, beyond(s, at), state)
                found[p, 0] += wraps
                found[p, 1] += clips
            if out_u.shape[2]:
                out_u[sample, t, :] = memory.u
            if out_v.shape[2]:
                out_v[sample, t, :] = memory.v
