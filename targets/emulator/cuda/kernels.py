"""The two Triton kernels. Extents and step counts are run-time arguments: only types, tiles and flags compile anew.

All offsets are 32-bit: :mod:`neurodeploy.targets.emulator.cuda.session` cuts samples and steps so that no buffer has
2^29 cells. Of Triton's library only what is built in is called: its jitted functions (``sum``, ``cdiv``) stay compiled
ones where Triton was imported before its interpreter was asked for.
"""

from __future__ import annotations

import triton
import triton.language as tl

#: How a tile of sums meets what is there: written over it, added to it, or added by several programs at once.
STORE, ADD, ATOMIC = 0, 1, 2


#: Extents of which it matters neither that they are 1 nor that 16 divides them; ``channels`` and ``outs`` are not among
#: them, for where 16 divides those, 16 cells are read and written at a time.
_ANY = ["rows", "rounds", "splits", "left", "right", "height", "width", "out_height", "out_width", "groups"]
_ANY += ["stride_y", "stride_x", "pad_y", "pad_x"]


@triton.jit(do_not_specialize=_ANY)
def sums(
    x, w, table, out, rows, rounds, splits, left, right,
    channels, height, width, outs, out_height, out_width, groups, stride_y, stride_x, pad_y, pad_x,
    FLAT: tl.constexpr, MODE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    """Write ``(x * w) << left >> right`` of a convolution, as an implicit product of int8 matrices.

    x int8 [frames, height, width, groups * channels]; w int8 [groups, outs, rounds * DEPTH]; out int16 or int32
    [rows = frames * out_height * out_width, groups * outs]. A tile has ROWS x COLUMNS sums; program axis 0 runs over
    rows, 1 over groups and columns, 2 over ``splits`` shares of the rounds. In each round DEPTH of the fan-in are
    multiplied. The table int32 [3, ...] says which, as row and column of the kernel and channel: FLAT [rounds * DEPTH],
    each for itself (few channels); else [rounds], the first of DEPTH channels side by side, the channel in units of
    DEPTH. What exceeds the fan-in has weight 0.
    """
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    inside = row < rows
    place = row // out_width
    top = (place % out_height) * stride_y - pad_y
    first = (row % out_width) * stride_x - pad_x
    total = groups * channels
    blocks = (outs + COLUMNS - 1) // COLUMNS
    group = tl.program_id(1) // blocks
    corner = ((place // out_height) * height + top) * width + first
    column = (tl.program_id(1) % blocks) * COLUMNS + tl.arange(0, COLUMNS)
    wanted = column < outs
    deep = tl.arange(0, DEPTH)
    weights = w + ((group * outs + column) * (rounds * DEPTH))[None, :] + deep[:, None]
    length = rounds * DEPTH if FLAT else rounds
    acc = tl.full((ROWS, COLUMNS), 0, dtype=tl.int32)
    for i in range(tl.program_id(2), rounds, splits):
        at = table + (i * DEPTH + deep if FLAT else i)
        down, across, channel = tl.load(at), tl.load(at + length), tl.load(at + 2 * length)
        beyond = down * width + across
        if FLAT:
            y, z = top[:, None] + down[None, :], first[:, None] + across[None, :]
            cell = (corner * total)[:, None] + (beyond * total + group * channels + channel)[None, :]
            # As unsigned numbers, those below 0 are too large.
            there = (y.to(tl.uint32) < height) & (z.to(tl.uint32) < width) & inside[:, None]
        else:
            y, z = top + down, first + across
            inner = channel * DEPTH + deep
            cell = ((corner + beyond) * total)[:, None] + (group * channels + inner)[None, :]
            there = (y.to(tl.uint32) < height) & (z.to(tl.uint32) < width) & inside
            there = there[:, None] & (inner < channels)[None, :]
        a = tl.load(x + cell, mask=there, other=0)
        b = tl.load(weights + i * DEPTH, mask=wanted[None, :], other=0)
        acc = tl.dot(a, b, acc, out_dtype=tl.int32)
    value = (acc << left) >> right
    goal = out + row[:, None] * (groups * outs) + (group * outs + column)[None, :]
    mask = inside[:, None] & wanted[None, :]
    if MODE == 2:
        tl.atomic_add(goal, value, mask=mask, sem="relaxed")
    else:
        if MODE == 1:
            value += tl.load(goal, mask=mask, other=0).to(tl.int32)
        tl.store(goal, value.to(out.dtype.element_ty), mask=mask)


@triton.jit
def _decayed(x, keep):
    """Return ``x * keep / 4096`` toward zero; in 32 bits |x| is at most 2^23, and keep 2^12."""
    if x.dtype == tl.int64:
        # 4095 more before the floor lifts a negative product to its ceiling.
        return (x * keep + tl.where(x < 0, 4095, 0)) >> 12
    # The upper 32 of the product's 64 bits, once it is moved 20 to the left.
    size = tl.umulhi(tl.abs(x) << 7, keep << 13)
    return tl.where(x < 0, -size, size)


@triton.jit
def _advanced(a, u, v, wraps, clips, shift, keep_u, keep_v, threshold, bias):
    """Return the neurons after one step and whether they fire; :mod:`neurodeploy.neuron` has the equations."""
    raw = _decayed(u, keep_u) + (a.to(u.dtype) << shift)
    if u.dtype == tl.int64:
        u = tl.where(raw > 8388608, raw - 16777216, tl.where(raw <= -8388608, raw + 16777216, raw))
    else:
        # In 32 bits raw is never more than one range of 2^24 away: a wrap is the remainder, in (-2^23, 2^23].
        u = ((raw + 8388607) & 16777215) - 8388607
    free = _decayed(v, keep_v) + u + bias
    held = tl.minimum(tl.maximum(free, -8388607), 8388607)
    fired = held > threshold
    wraps += (u != raw).to(wraps.dtype)
    clips += (held != free).to(clips.dtype)
    return u, tl.where(fired, 0, held), fired, wraps, clips


@triton.jit(do_not_specialize=["steps", "shift", "period"])
def neurons(
    a, s, states, kept_u, kept_v, thresholds, keeps_u, keeps_v, biases,
    steps, cells, period, shift,
    DRIVEN: tl.constexpr, UNIFORM: tl.constexpr, KEEP_U: tl.constexpr, KEEP_V: tl.constexpr, CELLS: tl.constexpr,
):  # fmt: skip
    """Run leaky integrate-and-fire neurons through ``steps`` steps, their u and v in registers.

    a int16 or int32 [steps, cells], sums that ``shift`` turns into state units (unread unless DRIVEN); s int8
    [steps, cells]; states [4, cells], before and after: u, v, wraps and clips so far, int32, or int64 where 32 bits
    could overflow; kept_u and kept_v int32 [steps, cells]; the four tables [period], indexed by cell modulo period, or
    [1] where UNIFORM. One program has CELLS neurons.
    """
    cell = tl.program_id(0) * CELLS + tl.arange(0, CELLS)
    mask = cell < cells
    own = 0 if UNIFORM else cell % period
    threshold, bias = tl.load(thresholds + own), tl.load(biases + own)
    keep_u, keep_v = tl.load(keeps_u + own), tl.load(keeps_v + own)
    mine = states + cell
    u, v = tl.load(mine, mask=mask, other=0), tl.load(mine + cells, mask=mask, other=0)
    wraps, clips = tl.load(mine + 2 * cells, mask=mask, other=0), tl.load(mine + 3 * cells, mask=mask, other=0)
    zero = tl.full((CELLS,), 0, dtype=tl.int32)
    # Four steps' sums are read before the first of them is used, so that their latencies overlap.
    for t in range(0, steps // 4 * 4, 4):
        at = t * cells + cell
        a0, a1, a2, a3 = zero, zero, zero, zero
        if DRIVEN:
            a0, a1 = tl.load(a + at, mask=mask, other=0), tl.load(a + at + cells, mask=mask, other=0)
            a2, a3 = tl.load(a + at + 2 * cells, mask=mask, other=0), tl.load(a + at + 3 * cells, mask=mask, other=0)
        for i in tl.static_range(4):
            now = a0 if i == 0 else (a1 if i == 1 else (a2 if i == 2 else a3))
            u, v, fired, wraps, clips = _advanced(now, u, v, wraps, clips, shift, keep_u, keep_v, threshold, bias)
            tl.store(s + at + i * cells, fired.to(tl.int8), mask=mask)
            if KEEP_U:
                tl.store(kept_u + at + i * cells, u.to(tl.int32), mask=mask)
            if KEEP_V:
                tl.store(kept_v + at + i * cells, v.to(tl.int32), mask=mask)
    for t in range(steps // 4 * 4, steps):
        at = t * cells + cell
        now = zero
        if DRIVEN:
            now = tl.load(a + at, mask=mask, other=0)
        u, v, fired, wraps, clips = _advanced(now, u, v, wraps, clips, shift, keep_u, keep_v, threshold, bias)
        tl.store(s + at, fired.to(tl.int8), mask=mask)
        if KEEP_U:
            tl.store(kept_u + at, u.to(tl.int32), mask=mask)
        if KEEP_V:
            tl.store(kept_v + at, v.to(tl.int32), mask=mask)
    tl.store(mine, u, mask=mask)
    tl.store(mine + cells, v, mask=mask)
    tl.store(mine + 2 * cells, wraps, mask=mask)
    tl.store(mine + 3 * cells, clips, mask=mask)
