"""The event-driven kernel of networks beyond plain ones: sample after sample, all populations step by step.

It runs every neuron model, sparse synapses, payloads that populations send, and scheduled resets; plain networks run
faster in :mod:`neurodeploy.targets.emulator.kernel`.

Three habits let the compiler vectorise. Every intermediate is cast to int32, because numba widens integer arithmetic to
64 bits. Inner loops run over slices from 0 or unsigned indices, because an index that might be negative costs a branch.
Selections are masks. A decay needs no 64-bit product: for k <= 4096, ``|x| * k >> 12`` is
``(|x| >> 12) * k + ((|x| & 4095) * k >> 12)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.targets.emulator.jit import njit
from neurodeploy.targets.emulator.variants import add_sparse, list_graded, update_variant

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "boundscheck": False}

i32 = np.int32
_HIGH, _LOW, _TURN = i32(1 << 23), i32(-(1 << 23)), i32(24)
_V_MAX, _V_MIN = i32((1 << 23) - 1), i32(-((1 << 23) - 1))


@njit(inline="always")
def _decay(x, keep):  # type: ignore[no-untyped-def]
    """Return ``x * keep / 4096`` toward zero, all in int32; keep = 4096 - decay."""
    sign = i32(x >> i32(31))
    size = i32(i32(x ^ sign) - sign)
    high = i32(i32(size >> i32(12)) * keep)
    low = i32(i32(i32(size & i32(4095)) * keep) >> i32(12))
    return i32(i32(i32(high + low) ^ sign) - sign)


@njit(inline="always")
def _wrapped(raw):  # type: ignore[no-untyped-def]
    """Return by how many ranges of 2^24 the current has to move: -1, 0 or 1."""
    return i32(i32(raw <= _LOW) - i32(raw > _HIGH))


@njit(**_OPTIONS)
def update_uniform(a, u, v, s, shift, keep_u, keep_v, threshold, bias):  # type: ignore[no-untyped-def]
    """Update neurons that share all parameters; return how many u wrapped and how many v saturated."""
    wraps, clips = i32(0), i32(0)
    for i in range(a.size):
        raw = i32(_decay(u[i], keep_u) + i32(a[i] << shift))
        turns = _wrapped(raw)
        current = i32(raw + i32(turns << _TURN))
        free = i32(i32(_decay(v[i], keep_v) + current) + bias)
        held = i32(max(i32(min(free, _V_MAX)), _V_MIN))
        fired = i32(held > threshold)
        wraps = i32(wraps + i32(turns & i32(1)))
        clips = i32(clips + i32(held != free))
        u[i] = current
        v[i] = i32(held & i32(fired - i32(1)))
        s[i] = np.uint8(fired)
    return wraps, clips


@njit(**_OPTIONS)
def update_each(a, u, v, s, shift, keep_u, keep_v, threshold, bias):  # type: ignore[no-untyped-def]
    """Update neurons with parameters of their own; as :func:`update_uniform`."""
    wraps, clips = i32(0), i32(0)
    for i in range(a.size):
        raw = i32(_decay(u[i], keep_u[i]) + i32(a[i] << shift))
        turns = _wrapped(raw)
        current = i32(raw + i32(turns << _TURN))
        free = i32(i32(_decay(v[i], keep_v[i]) + current) + bias[i])
        held = i32(max(i32(min(free, _V_MAX)), _V_MIN))
        fired = i32(held > threshold[i])
        wraps = i32(wraps + i32(turns & i32(1)))
        clips = i32(clips + i32(held != free))
        u[i] = current
        v[i] = i32(held & i32(fired - i32(1)))
        s[i] = np.uint8(fired)
    return wraps, clips


@njit(**_OPTIONS)
def _add_row(goal, row, payload):  # type: ignore[no-untyped-def]
    """Add one weight row, payload times."""
    if payload == 1:
        for i in range(goal.size):
            goal[i] = i32(goal[i] + row[i])
    else:
        for i in range(goal.size):
            goal[i] = i32(goal[i] + i32(i32(row[i]) * payload))


@njit(**_OPTIONS)
def _add_rows(goal, events, payloads, weights, start):  # type: ignore[no-untyped-def]
    """Add the weight row of every event, four at a time while all payloads are 1."""
    length, number = goal.size, events.size
    e = 0
    while e + 4 <= number:
        if payloads[e] != 1 or payloads[e + 1] != 1 or payloads[e + 2] != 1 or payloads[e + 3] != 1:
            break
        at = start + np.int64(events[e]) * length
        one = weights[at : at + length]
        at = start + np.int64(events[e + 1]) * length
        two = weights[at : at + length]
        at = start + np.int64(events[e + 2]) * length
        three = weights[at : at + length]
        at = start + np.int64(events[e + 3]) * length
        four = weights[at : at + length]
        for i in range(length):
            goal[i] = i32(goal[i] + i32(i32(one[i] + two[i]) + i32(three[i] + four[i])))
        e += 4
    for rest in range(e, number):
        at = start + np.int64(events[rest]) * length
        _add_row(goal, weights[at : at + length], payloads[rest])


@njit(inline="always")
def _add_run(goal, at, weights, tap, length, payload):  # type: ignore[no-untyped-def]
    """Add ``length`` weights from ``tap`` on to the goal from ``at`` on; in line, for such runs are short."""
    to, since = np.uint64(at), np.uint64(tap)
    if payload == 1:
        for i in range(np.uint64(length)):
            goal[to + i] = i32(goal[to + i] + weights[since + i])
    else:
        for i in range(np.uint64(length)):
            goal[to + i] = i32(goal[to + i] + i32(i32(weights[since + i]) * payload))


@njit(**_OPTIONS)
def _add_taps(goal, events, payloads, weights, start, geometry, groups):  # type: ignore[no-untyped-def]
    """Add what every event sends through every kernel tap that lands inside the target."""
    cin, _, win, cout, hout, wout, kh, kw, sy, sx, py, px, dy, dx = geometry
    width, per_group = cout // groups, cin // groups
    for e in range(events.size):
        place, channel = np.divmod(np.int64(events[e]), cin)
        y, x = np.divmod(place, win)
        offset = (channel // per_group) * width
        for ky in range(kh):
            top = y + py - ky * dy
            if top < 0 or top % sy != 0 or top // sy >= hout:
                continue
            for kx in range(kw):
                left = x + px - kx * dx
                if left < 0 or left % sx != 0 or left // sx >= wout:
                    continue
                at = ((top // sy) * wout + left // sx) * cout + offset
                _add_run(goal, at, weights, start + ((ky * kw + kx) * cin + channel) * width, width, payloads[e])


@njit(**_OPTIONS)
def _add_merged_taps(goal, events, payloads, weights, start, geometry, phases):  # type: ignore[no-untyped-def]
    """As :func:`_add_taps`, where the taps of one kernel row that an event uses reach neighbouring positions.

    phases [stride, 3]: for each ``(x + padding) % stride`` where its weights begin, how many taps it uses, and the
    largest of them, which reaches the leftmost position.
    """
    cin, _, win, cout, hout, wout, kh, _, sy, sx, py, px, dy, dx = geometry
    for e in range(events.size):
        place, channel = np.divmod(np.int64(events[e]), cin)
        y, x = np.divmod(place, win)
        block, taps, last_tap = phases[(x + px) % sx]
        left = (x + px - last_tap * dx) // sx
        right, skipped = min(left + taps, wout), max(-left, 0)
        left = max(left, 0)
        if left >= right:
            continue
        length = (right - left) * cout
        for ky in range(kh):
            top = y + py - ky * dy
            if top < 0 or top % sy != 0 or top // sy >= hout:
                continue
            at = ((top // sy) * wout + left) * cout
            tap = start + block + ((ky * cin + channel) * taps + skipped) * cout
            _add_run(goal, at, weights, tap, length, payloads[e])


@njit(**_OPTIONS)
def _arrive(tables, p, earlier, acc, scratch, history):  # type: ignore[no-untyped-def]
    """Add what one projection delivers of the events sent in step ``earlier``."""
    counts, indices, payloads, starts = history
    row = tables.projections[p]
    source, exponent = row[1], row[3]
    slot = earlier % tables.parts[source, 2]
    number = counts[source, slot]
    if number == 0:
        return
    begin = starts[source] + slot * tables.parts[source, 0]
    events, values = indices[begin : begin + number], payloads[begin : begin + number]
    goal = acc
    if exponent != 0:
        goal = scratch[: acc.size]
        goal[:] = 0
    if row[0] == 0:
        _add_rows(goal, events, values, tables.weights, row[4])
    elif row[0] == 1:
        _add_taps(goal, events, values, tables.weights, row[4], row[6:20], tables.extra[p])
    elif row[0] == 3:
        pointers = tables.pointers[tables.extra[p] : tables.extra[p] + tables.parts[source, 0] + 1]
        add_sparse(goal, events, values, tables.weights, row[4], pointers, tables.targets)
    else:
        phases = tables.phases[tables.extra[p] : tables.extra[p] + row[15]]
        _add_merged_taps(goal, events, values, tables.weights, row[4], row[6:20], phases)
    if exponent > 0:
        for i in range(acc.size):
            acc[i] = i32(acc[i] + i32(goal[i] << i32(exponent)))
    elif exponent < 0:
        for i in range(acc.size):
            acc[i] = i32(acc[i] + i32(goal[i] >> i32(-exponent)))


@njit(**_OPTIONS)
def _list_events(s, indices):  # type: ignore[no-untyped-def]
    """Write the indices of the neurons that fired, eight neurons at a glance; return how many."""
    number, whole = 0, s.size // 8
    for block, word in enumerate(s[: whole * 8].view(np.uint64)):
        if word:
            for i in range(block * 8, block * 8 + 8):
                if s[i]:
                    indices[number] = i
                    number += 1
    for i in range(whole * 8, s.size):
        if s[i]:
            indices[number] = i
            number += 1
    return number


@njit(**_OPTIONS)
def _step_population(tables, p, t, state, s, sums, history):  # type: ignore[no-untyped-def]
    """Gather, update and list the events of one population; return wraps, clips and the largest graded payload."""
    counts, indices, payloads, starts = history
    u, v, third, fourth = state
    acc, scratch, second = sums
    part, at, size, uniform, first, last, shift = tables.populations[p]
    end, model = at + size, tables.models[p]
    if model[0] > 0 and t % model[0] == model[1]:
        for part_of_state in state:
            part_of_state[at:end] = 0
    acc = acc[:size]
    acc[:] = 0
    second = second[:size]
    second[:] = 0
    for projection in range(first, last):
        earlier = t - tables.projections[projection, 2]
        if earlier >= 0:
            goal = second if tables.imaginary[projection] == 1 else acc
            _arrive(tables, projection, earlier, goal, scratch, history)
    keep_u, keep_v = tables.keep_current[at:end], tables.keep_voltage[at:end]
    threshold, bias = tables.threshold[at:end], tables.bias[at:end]
    if uniform == 1:
        over, held = update_uniform(
            acc, u[at:end], v[at:end], s, i32(shift), keep_u[0], keep_v[0], threshold[0], bias[0]
        )  # fmt: skip
    elif uniform == 0:
        over, held = update_each(acc, u[at:end], v[at:end], s, i32(shift), keep_u, keep_v, threshold, bias)
    else:
        mine = (u[at:end], v[at:end], third[at:end], fourth[at:end])
        parameters = (threshold, keep_u, keep_v, bias, tables.lower[at:end])
        over, held = update_variant(acc, second, mine, s, shift, parameters, model[3:])
    slot = t % tables.parts[part, 2]
    begin = starts[part] + slot * size
    if model[2] == 1:
        number, largest = list_graded(s, indices[begin : begin + size], payloads[begin : begin + size])
    else:
        number, largest = _list_events(s, indices[begin : begin + size]), 1
        payloads[begin : begin + number] = 1
    counts[part, slot] = number
    return over, held, largest


@njit(**_OPTIONS)
def run_sample(tables, ports, events, sample, first_t, outputs, first_v, memory, counters):  # type: ignore[no-untyped-def]
    """Simulate steps of a sample, from cleared state where ``first_t``, the first of them, is 0.

    events: (first int64 [samples, steps, ports + 1], indices int32, payloads int32), the input cells that spike, in
    internal order; outputs: s uint8 or, with graded spikes, int32 [samples, steps, cells] in internal order, u and v
    int32 likewise, or with a last axis of 0 when not wanted, or v with the cells from ``first_v`` on; memory: what
    :func:`neurodeploy.targets.emulator.stepwise_program.stepwise_memory` returns; counters int64 [3, populations]:
    wraps and clips are added to, the largest payload is raised.
    """
    first, input_indices, input_payloads = events
    out_s, out_u, out_v = outputs
    history, state, sums = memory
    counts, indices, payloads, starts = history
    if first_t == 0:
        for part_of_state in state:
            part_of_state[:] = 0
    for row in range(out_s.shape[1]):
        t = first_t + row
        for port in range(ports):
            begin, end = first[sample, row, port], first[sample, row, port + 1]
            slot = t % tables.parts[port, 2]
            at = starts[port] + slot * tables.parts[port, 0]
            indices[at : at + end - begin] = input_indices[begin:end]
            payloads[at : at + end - begin] = input_payloads[begin:end]
            counts[port, slot] = end - begin
        for p in range(len(tables.populations)):
            at, size = tables.populations[p, 1], tables.populations[p, 2]
            s = out_s[sample, row, at : at + size]
            over, held, largest = _step_population(tables, p, t, state, s, sums, history)
            counters[0, p] += over
            counters[1, p] += held
            counters[2, p] = max(counters[2, p], largest)
        if out_u.shape[2]:
            out_u[sample, row, :] = state[0]
        if out_v.shape[2]:
            out_v[sample, row, :] = state[1][first_v : first_v + out_v.shape[2]]


@njit(**_OPTIONS)
def count_events(dense, first, ports, sizes):  # type: ignore[no-untyped-def]
    """Fill ``first`` int64 [samples, steps, ports + 1] with where each port's events begin; return how many."""
    total = 0
    for sample in range(dense.shape[0]):
        for t in range(dense.shape[1]):
            at = 0
            for port in range(ports):
                first[sample, t, port] = total
                total += np.count_nonzero(dense[sample, t, at : at + sizes[port]])
                at += sizes[port]
            first[sample, t, ports] = total
    return total


@njit(**_OPTIONS)
def list_input_events(dense, perm, indices, payloads):  # type: ignore[no-untyped-def]
    """Write internal index and payload of every nonzero input cell, in the order that :func:`count_events` counts."""
    number = 0
    for sample in range(dense.shape[0]):
        for t in range(dense.shape[1]):
            row = dense[sample, t]
            for i in range(row.size):
                if row[i]:
                    indices[number] = perm[i]
                    payloads[number] = row[i]
                    number += 1
