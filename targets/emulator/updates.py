"""One step of leaky integrate-and-fire neurons: of those that share their parameters, and of others.

Habits that let the compiler vectorise: every intermediate is cast to int32, because numba widens integer arithmetic to
64 bits, a shift is masked, so that it need not be widened either, and selections are masks. A decay is one product of
doubles, exact (24 and 13 bits fit in 53) and cut toward zero by the conversion back; processors do that in half the
time of the integer products it replaces.

In all of them a, u and v point to int32 and s to uint8; ``shift`` is that from sums of weights to state units. They
return the largest |u|, the opposite of the lowest v, and how many u wrapped and v saturated.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.targets.emulator.jit import njit
from neurodeploy.targets.emulator.pointers import beyond
from neurodeploy.targets.emulator.rows import OPTIONS
from neurodeploy.targets.emulator.vectors import (
    DECAYED,
    LANES,
    update_blocks_inside,
    update_blocks_uniform,
    update_words_inside,
    update_words_uniform,
)

i32, f64 = np.int32, np.float64
_HIGH, _LOW, _TURN = i32(1 << 23), i32(-(1 << 23)), i32(24)
_V_MAX, _V_MIN = i32((1 << 23) - 1), i32(-((1 << 23) - 1))


@njit(inline="always")
def _decay(x, keep):
    """Return ``x * keep`` cut toward zero; keep is a multiple of 2^-12 from 0 to 1."""
    return i32(f64(x) * keep)


@njit(inline="always")
def _wrapped(raw):
    """Return by how many ranges of 2^24 the current has to move: -1, 0 or 1."""
    return i32(i32(raw <= _LOW) - i32(raw > _HIGH))


@njit(**OPTIONS)
def update_uniform(a, u, v, s, size, shift, keep_u, keep_v, threshold, bias):
    """Update neurons that share all parameters; ``keep_u`` and ``keep_v`` are shares of 1."""
    wraps, clips, peak, low = i32(0), i32(0), i32(0), i32(0)
    for i in range(size):
        raw = i32(_decay(u[i], keep_u) + i32(a[i] << (shift & 31)))
        turns = _wrapped(raw)
        current = i32(raw + i32(turns << _TURN))
        free = i32(i32(_decay(v[i], keep_v) + current) + bias)
        held = i32(max(i32(min(free, _V_MAX)), _V_MIN))
        fired = i32(held > threshold)
        wraps = i32(wraps + i32(turns & i32(1)))
        clips = i32(clips + i32(held != free))
        peak, low = i32(max(peak, i32(abs(current)))), i32(min(low, held))
        u[i] = current
        v[i] = i32(held & i32(fired - i32(1)))
        s[i] = np.uint8(fired)
    return np.int64(peak), -np.int64(low), np.int64(wraps), np.int64(clips)


@njit(**OPTIONS)
def update_shared(a, u, v, s, size, shift, keep_u, keep_v, threshold, bias, inside, peak, found):
    """As :func:`update_uniform`, whole blocks as vectors; ``inside`` where nothing can wrap or saturate.

    keep_u, keep_v : what is kept of 4096; peak : the largest |u| so far. What the others return is stored from
    ``found`` on. A wrap brings u back by one range only, so that very strong input may leave more than vectors take.
    """
    blocks = size // LANES if peak < DECAYED else 0
    done, keeps = blocks * LANES, (i32(keep_u), i32(keep_v))
    if inside:
        update_blocks_inside(a, u, v, s, 1, blocks, 0, i32(shift), keeps[0], keeps[1], threshold, bias, found)
    else:
        update_blocks_uniform(a, u, v, s, 1, blocks, 0, i32(shift), keeps[0], keeps[1], threshold, bias, found)
    if done < size:
        goal, rest = (beyond(a, done), beyond(u, done), beyond(v, done), beyond(s, done)), size - done
        share_u, share_v = keep_u * (1 / 4096), keep_v * (1 / 4096)
        ends = update_uniform(goal[0], goal[1], goal[2], goal[3], rest, shift, share_u, share_v, threshold, bias)
        found[0], found[1] = max(found[0], ends[0]), max(found[1], ends[1])
        found[2] += ends[2]
        found[3] += ends[3]


@njit(**OPTIONS)
def update_lines(a, u, v, s, lines, size, pitch, shift, keep_u, keep_v, threshold, bias, inside, found):
    """As :func:`update_shared` of lines of ``size`` neurons, whole blocks, where every |u| is less than ``DECAYED``.

    a points to int16, the lines ``pitch`` cells apart, and is cleared.
    """
    blocks, keeps = size // LANES, (i32(keep_u), i32(keep_v))
    if inside:
        update_words_inside(a, u, v, s, lines, blocks, pitch, i32(shift), keeps[0], keeps[1], threshold, bias, found)
    else:
        update_words_uniform(a, u, v, s, lines, blocks, pitch, i32(shift), keeps[0], keeps[1], threshold, bias, found)


@njit(**OPTIONS)
def update_each(a, u, v, s, size, shift, keep_u, keep_v, threshold, bias):
    """As :func:`update_uniform` for neurons with parameters of their own, pointers to int32; extremes are not known."""
    wraps, clips = i32(0), i32(0)
    for i in range(size):
        raw = i32(_decay(u[i], f64(keep_u[i]) * (1 / 4096)) + i32(a[i] << (shift & 31)))
        turns = _wrapped(raw)
        current = i32(raw + i32(turns << _TURN))
        free = i32(i32(_decay(v[i], f64(keep_v[i]) * (1 / 4096)) + current) + bias[i])
        held = i32(max(i32(min(free, _V_MAX)), _V_MIN))
        fired = i32(held > threshold[i])
        wraps = i32(wraps + i32(turns & i32(1)))
        clips = i32(clips + i32(held != free))
        u[i] = current
        v[i] = i32(held & i32(fired - i32(1)))
        s[i] = np.uint8(fired)
    return np.int64(0), np.int64(0), np.int64(wraps), np.int64(clips)
