"""The event-driven kernel: one sample after another, step by step, with all state in cache.

Habits that let the compiler vectorise: every intermediate is cast to int32, because numba widens integer arithmetic to
64 bits; indices are unsigned, because one that might be negative costs a branch; selections are masks. A decay is one
product of doubles, exact (24 and 13 bits fit in 53) and cut toward zero by the conversion back; processors do that in
half the time of the integer products it replaces.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from neurodeploy.targets.emulator.columns import (
    AT, BEYOND, CELLS, CONVOLUTION, END, FIRST, HISTORY, KIND, LAG, MASS, OFFSET, PART, PIECES, SHIFT, SIZE, SOURCE,
    UNIFORM, WIDEST, CIN, HEIGHT, HIN, WIN,
)  # fmt: skip
from neurodeploy.targets.emulator.inputs import copy_events, list_fired, list_port
from neurodeploy.targets.emulator.rows import OPTIONS
from neurodeploy.targets.emulator.synapses import (
    add_dense, add_scaled, gather_line, gathers, mark_edges, scatter_line,
)  # fmt: skip

i32, f64 = np.int32, np.float64
_HIGH, _LOW, _TURN = i32(1 << 23), i32(-(1 << 23)), i32(24)
_V_MAX, _V_MIN = i32((1 << 23) - 1), i32(-((1 << 23) - 1))
_LIMIT = np.int64((1 << 23) - 1)
#: Entries by which a list of events is longer than its part, and a row of sums than its cells: see the routines.
_SPARE, _OVERHANG = 8, 128


class History(NamedTuple):
    """The events of every part in its last steps.

    counts, loud : int64 [parts, slots], events in the step and how loud the loudest is (1: all payloads are 1).
    indices, payloads : int32, sorted by index within a step; payloads are not kept where loud is 1.
    starts : int64 [parts], where a part's first slot begins; slots are the part's size and 8 apart.
    """

    counts: np.ndarray
    loud: np.ndarray
    indices: np.ndarray
    payloads: np.ndarray
    starts: np.ndarray


class State(NamedTuple):
    """The neurons, and for every population [peak |u|, -(lowest v)] as they were after its last step."""

    u: np.ndarray
    v: np.ndarray
    extremes: np.ndarray


class Scratch(NamedTuple):
    """Sums of a population (int32), those of one projection, and a row of edges for each of its projections."""

    sums: np.ndarray
    own: np.ndarray
    edges: np.ndarray
    gathered: np.ndarray


@njit(inline="always")
def _decay(x, keep):  # type: ignore[no-untyped-def]
    """Return ``x * keep`` cut toward zero; keep is a multiple of 2^-12 from 0 to 1."""
    return i32(f64(x) * keep)


@njit(inline="always")
def _wrapped(raw):  # type: ignore[no-untyped-def]
    """Return by how many ranges of 2^24 the current has to move: -1, 0 or 1."""
    return i32(i32(raw <= _LOW) - i32(raw > _HIGH))


@njit(**OPTIONS)
def update_inside(a, u, v, s, places, shift, keep_u, keep_v, threshold, bias):  # type: ignore[no-untyped-def]
    """Update neurons that share all parameters where nothing can wrap or saturate; return the extremes.

    places : size, and where the neurons begin in u and v, and in s.
    """
    size, at, out = np.uint64(places[0]), np.uint64(places[1]), np.uint64(places[2])
    peak, low = i32(0), i32(0)
    for i in range(size):
        current = i32(_decay(u[at + i], keep_u) + i32(a[i] << (shift & 31)))
        held = i32(i32(_decay(v[at + i], keep_v) + current) + bias)
        fired = i32(held > threshold)
        peak, low = i32(max(peak, i32(abs(current)))), i32(min(low, held))
        u[at + i] = current
        v[at + i] = i32(held & i32(fired - i32(1)))
        s[out + i] = np.uint8(fired)
    return np.int64(peak), -np.int64(low), np.int64(0), np.int64(0)


@njit(**OPTIONS)
def update_uniform(a, u, v, s, places, shift, keep_u, keep_v, threshold, bias):  # type: ignore[no-untyped-def]
    """As :func:`update_inside` without that condition; return also how many u wrapped and how many v saturated."""
    size, at, out = np.uint64(places[0]), np.uint64(places[1]), np.uint64(places[2])
    wraps, clips, peak, low = i32(0), i32(0), i32(0), i32(0)
    for i in range(size):
        raw = i32(_decay(u[at + i], keep_u) + i32(a[i] << (shift & 31)))
        turns = _wrapped(raw)
        current = i32(raw + i32(turns << _TURN))
        free = i32(i32(_decay(v[at + i], keep_v) + current) + bias)
        held = i32(max(i32(min(free, _V_MAX)), _V_MIN))
        fired = i32(held > threshold)
        wraps = i32(wraps + i32(turns & i32(1)))
        clips = i32(clips + i32(held != free))
        peak, low = i32(max(peak, i32(abs(current)))), i32(min(low, held))
        u[at + i] = current
        v[at + i] = i32(held & i32(fired - i32(1)))
        s[out + i] = np.uint8(fired)
    return np.int64(peak), -np.int64(low), np.int64(wraps), np.int64(clips)


@njit(**OPTIONS)
def update_each(a, u, v, s, places, shift, keep_u, keep_v, threshold, bias):  # type: ignore[no-untyped-def]
    """Update neurons with parameters of their own, arrays that begin like u; as :func:`update_uniform`."""
    size, at, out = np.uint64(places[0]), np.uint64(places[1]), np.uint64(places[2])
    wraps, clips = i32(0), i32(0)
    for i in range(size):
        raw = i32(_decay(u[at + i], f64(keep_u[at + i]) * (1 / 4096)) + i32(a[i] << (shift & 31)))
        turns = _wrapped(raw)
        current = i32(raw + i32(turns << _TURN))
        free = i32(i32(_decay(v[at + i], f64(keep_v[at + i]) * (1 / 4096)) + current) + bias[at + i])
        held = i32(max(i32(min(free, _V_MAX)), _V_MIN))
        fired = i32(held > threshold[at + i])
        wraps = i32(wraps + i32(turns & i32(1)))
        clips = i32(clips + i32(held != free))
        u[at + i] = current
        v[at + i] = i32(held & i32(fired - i32(1)))
        s[out + i] = np.uint8(fired)
    return np.int64(0), np.int64(0), np.int64(wraps), np.int64(clips)


@njit(**OPTIONS)
def _stays_inside(tables, p, state, arriving):  # type: ignore[no-untyped-def]
    """Return whether sums of at most ``arriving`` can neither wrap nor saturate a neuron of the population.

    Above, v is held by the threshold: what exceeds it is reset. Below, nothing holds it but its decay.
    """
    at, shift = tables.populations[p, AT], tables.populations[p, SHIFT]
    if tables.populations[p, UNIFORM] == 0 or arriving > _LIMIT:
        return False
    keep_u, keep_v = np.int64(tables.keep_current[at]), np.int64(tables.keep_voltage[at])
    threshold, bias = np.int64(tables.threshold[at]), np.int64(tables.bias[at])
    u = (state.extremes[p, 0] * keep_u >> 12) + (arriving << shift)
    return u <= _LIMIT and threshold + u + bias <= _LIMIT and (state.extremes[p, 1] * keep_v >> 12) + u - bias <= _LIMIT


@njit(**OPTIONS)
def _prepare(tables, projection, nth, t, history, scratch):  # type: ignore[no-untyped-def]
    """Return a bound of what one projection adds to a neuron in step t; for a convolution choose the way and mark."""
    row = tables.projections[projection]
    source, earlier = row[SOURCE], t - row[LAG]
    slot = earlier % tables.parts[source, HISTORY]
    number = history.counts[source, slot] if earlier >= 0 else 0
    if number == 0:
        return np.int64(0)
    loud = history.loud[source, slot]
    if row[KIND] == CONVOLUTION:
        begin = history.starts[source] + slot * (tables.parts[source, SIZE] + _SPARE)
        gathered = gathers(row, number, loud)
        lines, width = (row[HIN] * row[WIN], row[CIN]) if gathered else (row[HIN], row[WIN] * row[CIN])
        scratch.gathered[nth] = gathered
        mark_edges(history.indices[begin : begin + number], number, width, scratch.edges[nth, : lines + 1])
    bound = min(number * row[WIDEST], row[MASS]) * loud
    return bound << row[BEYOND] if row[BEYOND] >= 0 else (bound >> -row[BEYOND]) + 1


@njit(**OPTIONS)
def _deliver(tables, projection, nth, t, lines, history, scratch):  # type: ignore[no-untyped-def]
    """Add what one projection brings in step t to the sums of the target's lines [first, end), or of all its cells."""
    row = tables.projections[projection]
    source, earlier = row[SOURCE], t - row[LAG]
    slot = earlier % tables.parts[source, HISTORY]
    number = history.counts[source, slot] if earlier >= 0 else 0
    if number == 0:
        return
    begin, loud = history.starts[source] + slot * (tables.parts[source, SIZE] + _SPARE), history.loud[source, slot]
    events, payloads = history.indices[begin : begin + number], history.payloads[begin : begin + number]
    goal, first, end, size = scratch.sums, lines[0], lines[1], lines[2]
    if row[BEYOND] != 0:
        goal = scratch.own
        goal[: size * (end - first) + _OVERHANG] = 0
    if row[KIND] != CONVOLUTION:
        add_dense(tables, projection, goal, events, payloads, number, loud)
    else:
        edges = scratch.edges[nth]
        for y in range(first, end):
            if scratch.gathered[nth]:
                gather_line(tables, projection, y, goal, (y - first) * size, events, edges)
            else:
                scatter_line(tables, projection, y, goal, (y - first) * size, events, payloads, loud, edges)
    if row[BEYOND] != 0:
        add_scaled(scratch.sums, goal, size * (end - first), row[BEYOND])


@njit(**OPTIONS)
def _update(tables, p, inside, state, s, places, sums):  # type: ignore[no-untyped-def]
    """Update some neurons of a population; return their extremes, wraps and clips."""
    at, shift = tables.populations[p, AT], tables.populations[p, SHIFT]
    if tables.populations[p, UNIFORM] == 0:
        keeps, rest = (tables.keep_current, tables.keep_voltage), (tables.threshold, tables.bias)
        return update_each(sums, state.u, state.v, s, places, shift, keeps[0], keeps[1], rest[0], rest[1])
    keep_u, keep_v = tables.keep_current[at] * (1 / 4096), tables.keep_voltage[at] * (1 / 4096)
    threshold, bias = tables.threshold[at], tables.bias[at]
    if inside:
        return update_inside(sums, state.u, state.v, s, places, shift, keep_u, keep_v, threshold, bias)
    return update_uniform(sums, state.u, state.v, s, places, shift, keep_u, keep_v, threshold, bias)


@njit(**OPTIONS)
def _step_population(tables, p, t, state, s, s_at, history, scratch):  # type: ignore[no-untyped-def]
    """Gather, update and list the events of one population; return wraps and clips."""
    row = tables.populations[p]
    part, pieces, size = row[PART], row[PIECES], row[CELLS]
    arriving = np.int64(0)
    for projection in range(row[FIRST], row[END]):
        arriving += _prepare(tables, projection, projection - row[FIRST], t, history, scratch)
    inside = _stays_inside(tables, p, state, arriving)
    slot = t % tables.parts[part, HISTORY]
    begin = history.starts[part] + slot * (size + _SPARE)
    piece, height = size // pieces, tables.parts[part, HEIGHT]
    to, peak, low, wraps, clips = begin, np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for number in range(pieces):
        lines = (number, number + 1, piece) if pieces > 1 else (0, height, size // height)
        scratch.sums[: piece + _OVERHANG] = 0
        if arriving:
            for projection in range(row[FIRST], row[END]):
                _deliver(tables, projection, projection - row[FIRST], t, lines, history, scratch)
        places = (piece, row[AT] + number * piece, s_at + number * piece)
        found = _update(tables, p, inside, state, s, places, scratch.sums)
        peak, low, wraps, clips = max(peak, found[0]), max(low, found[1]), wraps + found[2], clips + found[3]
        to = list_fired(s, places[2], piece, number * piece, history.indices, to)
    state.extremes[p, 0], state.extremes[p, 1] = peak, low
    history.counts[part, slot], history.loud[part, slot] = to - begin, 1
    return wraps, clips


@njit(**OPTIONS)
def _memory(tables, cells):  # type: ignore[no-untyped-def]
    """Return state, history and scratch for a network."""
    parts, populations = len(tables.parts), len(tables.populations)
    starts = np.zeros(parts + 1, dtype=np.int64)
    for part in range(parts):
        starts[part + 1] = starts[part] + (tables.parts[part, SIZE] + _SPARE) * tables.parts[part, HISTORY]
    slots = (parts, tables.parts[:, HISTORY].max())
    counts, loud = np.zeros(slots, dtype=np.int64), np.ones(slots, dtype=np.int64)
    indices, payloads = np.zeros(starts[parts], dtype=np.int32), np.ones(starts[parts], dtype=np.int32)
    u, v = np.zeros(cells, dtype=np.int32), np.zeros(cells, dtype=np.int32)
    largest, fan, places = np.int64(0), np.int64(0), np.int64(0)
    for p in range(populations):
        largest = max(largest, tables.populations[p, CELLS])
        fan = max(fan, tables.populations[p, END] - tables.populations[p, FIRST])
    for projection in range(len(tables.projections)):
        places = max(places, tables.projections[projection, HIN] * tables.projections[projection, WIN])
    sums, own = np.zeros(largest + _OVERHANG, dtype=np.int32), np.zeros(largest + _OVERHANG, dtype=np.int32)
    edges, gathered = np.zeros((fan, places + 1), dtype=np.int32), np.zeros(fan, dtype=np.bool_)
    state = State(u, v, np.zeros((populations, 2), dtype=np.int64))
    return state, History(counts, loud, indices, payloads, starts), Scratch(sums, own, edges, gathered)


@njit(**OPTIONS)
def _enter(tables, port, sample, t, inputs, history):  # type: ignore[no-untyped-def]
    """List what enters a port in step t."""
    slot = t % tables.parts[port, HISTORY]
    begin = history.starts[port] + slot * (tables.parts[port, SIZE] + _SPARE)
    if inputs.dense.size:
        steps, cells = inputs.dense.shape[1:]
        at = (sample * steps + t) * cells + tables.parts[port, OFFSET]
        flat = inputs.dense.reshape(-1)
        found = list_port(flat, at, tables.parts[port], history.indices, history.payloads, begin)
    else:
        first, end = inputs.first[sample, t, port], inputs.first[sample, t, port + 1]
        found = copy_events(inputs, first, end, history.indices, history.payloads, begin)
    history.counts[port, slot], history.loud[port, slot] = found


@njit(**OPTIONS)
def run_samples(tables, inputs, out_s, out_u, out_v, wraps, clips):  # type: ignore[no-untyped-def]
    """Simulate samples from cleared state.

    inputs : :class:`~neurodeploy.targets.emulator.run.Inputs` of these samples.
    out_s : uint8 [samples, steps, cells] in internal order; out_u and out_v int32 likewise, or with a last axis of 0
        when not wanted; wraps and clips int64 [populations] are added to.
    """
    samples, steps, cells = out_s.shape
    state, history, scratch = _memory(tables, cells)
    s, ports = out_s.reshape(-1), len(tables.parts) - len(tables.populations)
    for sample in range(samples):
        state.u[:] = 0
        state.v[:] = 0
        state.extremes[:] = 0
        for t in range(steps):
            for port in range(ports):
                _enter(tables, port, sample, t, inputs, history)
            for p in range(len(tables.populations)):
                s_at = (sample * steps + t) * cells + tables.populations[p, AT]
                over, held = _step_population(tables, p, t, state, s, s_at, history, scratch)
                wraps[p] += over
                clips[p] += held
            if out_u.shape[2]:
                out_u[sample, t, :] = state.u
            if out_v.shape[2]:
                out_v[sample, t, :] = state.v
