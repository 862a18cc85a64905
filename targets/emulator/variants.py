"""Kernel routines for neuron models beyond the plain one, sparse rows and graded spikes.

Equal to :mod:`neurodeploy.neuron`, :mod:`neurodeploy.sigma_delta` and :mod:`neurodeploy.resonator`, whose equations
they carry out. Sigma-delta and resonator steps need 64-bit products and are written for clearness, not for vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurodeploy.targets.emulator.jit import njit

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "boundscheck": False}

i32, i64 = np.int32, np.int64
_HIGH, _LOW = i64(1 << 23), i64(-(1 << 23))


@njit(inline="always")
def _scaled(x, factor, bits):  # type: ignore[no-untyped-def]
    """Return ``x * factor / 2^bits`` toward zero, in int64."""
    product = i64(x) * i64(factor)
    return -((-product) >> bits) if product < 0 else product >> bits


@njit(inline="always")
def _saturated(x):  # type: ignore[no-untyped-def]
    return max(min(x, _HIGH - i64(1)), _LOW + i64(1))


@njit(**_OPTIONS)
def update_lif(a, state, s, shift, parameters, reset, refractory):  # type: ignore[no-untyped-def]
    """Update ternary, subtracting, bursting and refractory neurons; return how many u wrapped and v saturated.

    reset: 0 to zero, 1 by subtraction, 2 burst, for which ``lower`` bounds the membrane.
    """
    u, v, frozen, _ = state
    threshold, keep_u, keep_v, bias, lower = parameters
    wraps, clips = 0, 0
    for i in range(a.size):
        raw = _scaled(u[i], keep_u[i], 12) + (i64(a[i]) << shift)
        current = raw
        if raw > _HIGH:
            current = raw - 2 * _HIGH
        elif raw <= _LOW:
            current = raw + 2 * _HIGH
        wraps += current != raw
        u[i] = current
        if frozen[i] > 0:
            frozen[i] -= 1
            s[i] = 0
            continue
        free = _scaled(v[i], keep_v[i], 12) + current + bias[i]
        held = _saturated(free)
        clips += held != free
        if reset == 2:
            burst = max(held, i64(0)) // i64(threshold[i])
            s[i] = burst
            if burst != 0:
                frozen[i] = refractory
            v[i] = max(held - burst * i64(threshold[i]), i64(lower[i]))
            continue
        fired = i64(held > threshold[i]) - i64(held < lower[i])
        s[i] = fired
        if fired != 0:
            frozen[i] = refractory
            crossed = i64(threshold[i]) if fired > 0 else i64(lower[i])
            held = held - crossed if reset == 1 else i64(0)
        v[i] = held
    return wraps, clips


@njit(inline="always")
def _raised(value, bias, stage, exponent):  # type: ignore[no-untyped-def]
    """Return what a sigma-delta neuron encodes, before its register and the activation."""
    return i64(value) << exponent if stage == 0 else i64(value) + bias


@njit(**_OPTIONS)
def update_sigma_delta(a, state, s, shift, parameters, options):  # type: ignore[no-untyped-def]
    """Update sigma-delta neurons; return how many had a register wrap, and 0.

    options: stage (0 encodes, 1 decodes, 2 both), relu, cumulative error, both exponents together, the state's own.
    """
    u, v, act, error = state
    threshold, bias = parameters[0], parameters[3]
    stage, relu, cumulative, exponent, below = options
    wraps = 0
    for i in range(a.size):
        value = i64(a[i]) << shift
        over = False
        if stage != 0:
            raw = u[i] + value
            u[i] = raw
            over = raw != i64(i32(raw))
        if stage == 1:
            v[i] = u[i]
            s[i] = u[i]
            wraps += over
            continue
        raw = _raised(u[i] if stage == 2 else value, bias[i], stage, exponent)
        new = i64(i32(raw))
        over |= new != raw
        new = max(new, i64(0)) if stage == 2 and relu == 1 else new
        before = i64(u[i]) if stage == 0 else i64(act[i])
        raw = new - before
        part = i64(i32(raw))
        over |= part != raw
        raw = part + v[i]
        delta = i64(i32(raw))
        over |= delta != raw
        pending = delta
        if cumulative == 1:
            raw = error[i] + delta
            pending = i64(i32(raw))
            over |= pending != raw
            error[i] = pending
        size = i64(i32(abs(pending)))
        over |= size != abs(pending)
        sent = delta if size >= threshold[i] else i64(0)
        raw = delta - sent
        v[i] = raw
        size = i64(i32(abs(sent)))
        over |= size != abs(sent)
        if size > 0:
            error[i] = 0
        if stage == 0:
            u[i] = new
        else:
            act[i] = new
        s[i] = sent >> below
        wraps += over
    return wraps, 0


@njit(**_OPTIONS)
def update_resonator(a, b, state, s, shift, parameters, options):  # type: ignore[no-untyped-def]
    """Update resonators from what reaches their real and imaginary parts; return 0 and how many parts saturated.

    options: izhikevich, binary places of the factors, of the state.
    """
    real, imaginary = state[0], state[1]
    threshold, sine, cosine = parameters[0], parameters[1], parameters[2]
    reset, bits, exponent = options[0], options[1], options[2] + shift
    clips = 0
    for i in range(a.size):
        x, y = real[i], imaginary[i]
        raw_x = _scaled(x, cosine[i], bits) - _scaled(y, sine[i], bits) + (i64(a[i]) << exponent)
        raw_y = _scaled(x, sine[i], bits) + _scaled(y, cosine[i], bits) + (i64(b[i]) << exponent)
        new_x, new_y = _saturated(raw_x), _saturated(raw_y)
        clips += (new_x != raw_x) | (new_y != raw_y)
        if reset == 1:
            fired = new_y >= threshold[i]
            if fired:
                new_x, new_y = i64(0), i64(threshold[i]) - i64(1)
        else:
            fired = (new_x >= threshold[i]) & (new_y >= 0) & (y < 0)
        real[i] = new_x
        imaginary[i] = new_y
        s[i] = fired
    return 0, clips


@njit(**_OPTIONS)
def update_variant(a, b, state, s, shift, parameters, options):  # type: ignore[no-untyped-def]
    """Update a population of any of these models; ``options[0]`` says which, the rest are its own."""
    if options[0] == 0:
        return update_lif(a, state, s, shift, parameters, options[1], options[2])
    if options[0] == 1:
        return update_sigma_delta(a, state, s, shift, parameters, options[1:])
    return update_resonator(a, b, state, s, shift, parameters, options[1:])


@njit(**_OPTIONS)
def list_graded(s, indices, payloads):  # type: ignore[no-untyped-def]
    """Write index and payload of every cell that sends something; return how many and the largest |payload|."""
    number, largest = 0, i64(0)
    for i in range(s.size):
        if s[i]:
            indices[number] = i
            payloads[number] = s[i]
            largest = max(largest, abs(i64(s[i])))
            number += 1
    return number, largest


@njit(**_OPTIONS)
def add_sparse(goal, events, payloads, weights, start, pointers, targets):  # type: ignore[no-untyped-def]
    """Add the synapses of every event; those of source i are ``pointers[i]`` to ``pointers[i + 1]`` in ``targets``."""
    offset = start - pointers[0]
    for e in range(events.size):
        source, payload = events[e], i32(payloads[e])
        for k in range(pointers[source], pointers[source + 1]):
            goal[targets[k]] = i32(goal[targets[k]] + i32(i32(weights[offset + k]) * payload))
