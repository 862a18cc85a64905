"""The Triton kernel of all neuron models but the plain one, in 64 bits: written for clearness, one step at a time.

It carries out the equations of :mod:`neurodeploy.neuron`, :mod:`neurodeploy.sigma_delta` and
:mod:`neurodeploy.resonator`.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _scaled(x, factor, bits):
    """Return ``x * factor / 2^bits`` toward zero."""
    product = x * factor
    size = tl.abs(product) >> bits
    return tl.where(product < 0, -size, size)


@triton.jit
def _saturated(x):
    return tl.minimum(tl.maximum(x, -8388607), 8388607)


@triton.jit
def _held(x):
    """Return what a 32-bit register keeps."""
    return ((x + 2147483648) & 4294967295) - 2147483648


@triton.jit
def _lif(a, u, v, frozen, threshold, keep_u, keep_v, bias, lower, refractory, SUBTRACT: tl.constexpr):
    """Return u, v, frozen, what is sent, and whether u wrapped and v saturated."""
    raw = _scaled(u, keep_u, 12) + a
    u = tl.where(raw > 8388608, raw - 16777216, tl.where(raw <= -8388608, raw + 16777216, raw))
    awake = frozen == 0
    free = tl.where(awake, _scaled(v, keep_v, 12) + u + bias, v)
    held = _saturated(free)
    s = ((held > threshold).to(tl.int64) - (held < lower).to(tl.int64)) * awake.to(tl.int64)
    after = tl.where(s > 0, held - threshold, held - lower) if SUBTRACT else tl.full(held.shape, 0, tl.int64)
    left = tl.maximum(frozen - 1, 0)
    return u, tl.where(s == 0, held, after), tl.where(s == 0, left, refractory), s, u != raw, held != free


@triton.jit
def _burst(a, u, v, frozen, threshold, keep_u, keep_v, bias, lowest, refractory):
    """Return what :func:`_lif` does for neurons that send as many spikes as their membrane holds thresholds."""
    raw = _scaled(u, keep_u, 12) + a
    u = tl.where(raw > 8388608, raw - 16777216, tl.where(raw <= -8388608, raw + 16777216, raw))
    awake = frozen == 0
    free = tl.where(awake, _scaled(v, keep_v, 12) + u + bias, v)
    held = _saturated(free)
    s = tl.where(awake, tl.maximum(held, 0) // threshold, 0)
    after = tl.where(awake, tl.maximum(held - s * threshold, lowest), held)
    left = tl.maximum(frozen - 1, 0)
    return u, after, tl.where(s == 0, left, refractory), s, u != raw, held != free


@triton.jit
def _sigma_delta(
    a, sigma, act, residue, error, threshold, bias, exponent, below,
    STAGE: tl.constexpr, RELU: tl.constexpr, CUMULATIVE: tl.constexpr,
):  # fmt: skip
    """Return sigma, act, residue, error, what is sent, and whether a register wrapped."""
    raw = sigma + a if STAGE != 0 else sigma
    sigma = _held(raw)
    over = sigma != raw
    s = sigma
    if STAGE != 1:
        raw = a << exponent if STAGE == 0 else sigma + bias
        new = _held(raw)
        over |= new != raw
        if STAGE == 2 and RELU:
            new = tl.maximum(new, 0)
        raw = new - act
        part = _held(raw)
        over |= part != raw
        raw = part + residue
        delta = _held(raw)
        over |= delta != raw
        pending = delta
        if CUMULATIVE:
            raw = error + delta
            error = _held(raw)
            over |= error != raw
            pending = error
        raw = tl.abs(pending)
        size = _held(raw)
        over |= size != raw
        sent = tl.where(size >= threshold, delta, 0)
        raw = delta - sent
        residue = _held(raw)
        over |= residue != raw
        raw = tl.abs(sent)
        size = _held(raw)
        over |= size != raw
        error = tl.where(size > 0, 0, error)
        act = new
        s = sent >> below
    return sigma, act, residue, error, s, over


@triton.jit
def _resonator(a, b, real, imaginary, threshold, sine, cosine, bits, RESET: tl.constexpr):
    """Return real and imaginary part, what is sent, and whether a part saturated."""
    raw_x = _scaled(real, cosine, bits) - _scaled(imaginary, sine, bits) + a
    raw_y = _scaled(real, sine, bits) + _scaled(imaginary, cosine, bits) + b
    x, y = _saturated(raw_x), _saturated(raw_y)
    clipped = (x != raw_x) | (y != raw_y)
    if RESET:
        fired = y >= threshold
        x, y = tl.where(fired, 0, x), tl.where(fired, threshold - 1, y)
    else:
        fired = (x >= threshold) & (y >= 0) & (imaginary < 0)
    return x, y, fired.to(tl.int64), clipped


@triton.jit(
    do_not_specialize=["steps", "period", "shift", "offset", "interval", "phase", "refractory", "exponent", "below"]
)
def variants(
    a, b, s, states, kept_u, kept_v, clock, thresholds, firsts, seconds, biases, lowers,
    steps, cells, period, shift, offset, interval, phase, refractory, exponent, below,
    MODEL: tl.constexpr, STAGE: tl.constexpr, RELU: tl.constexpr, CUMULATIVE: tl.constexpr, SUBTRACT: tl.constexpr,
    DRIVEN: tl.constexpr, DRIVEN_B: tl.constexpr, KEEP_U: tl.constexpr, KEEP_V: tl.constexpr,
    U: tl.constexpr, V: tl.constexpr, RESETS: tl.constexpr, CELLS: tl.constexpr,
):  # fmt: skip
    """Run neurons of a model through ``steps`` steps.

    As :func:`kernels.neurons`, but: b are the sums at a resonator's imaginary part; s is int8 or int32; states int64
    [6, cells] are the model's four, wraps and clips; of which U and V are kept; all tables int64 [period], the
    parameters of :class:`models.Model`.
    """
    cell = tl.program_id(0) * CELLS + tl.arange(0, CELLS)
    mask = cell < cells
    own = cell % period
    threshold, bias, lower = tl.load(thresholds + own), tl.load(biases + own), tl.load(lowers + own)
    first, second = tl.load(firsts + own), tl.load(seconds + own)
    mine = states + cell
    p, q = tl.load(mine, mask=mask, other=0), tl.load(mine + cells, mask=mask, other=0)
    r, e = tl.load(mine + 2 * cells, mask=mask, other=0), tl.load(mine + 3 * cells, mask=mask, other=0)
    wraps, clips = tl.load(mine + 4 * cells, mask=mask, other=0), tl.load(mine + 5 * cells, mask=mask, other=0)
    zero = tl.full((CELLS,), 0, dtype=tl.int64)
    now_is = offset - phase
    if RESETS:
        now_is += tl.load(clock)
    for t in range(0, steps):
        at = t * cells + cell
        here, there, sent = zero, zero, zero
        if DRIVEN:
            here = tl.load(a + at, mask=mask, other=0).to(tl.int64) << shift
        if DRIVEN_B:
            there = tl.load(b + at, mask=mask, other=0).to(tl.int64) << shift
        if RESETS:
            stays = (now_is + t) % interval != 0
            p, q, r, e = tl.where(stays, p, 0), tl.where(stays, q, 0), tl.where(stays, r, 0), tl.where(stays, e, 0)
        if MODEL == 0:
            p, q, r, sent, wrapped, clipped = _lif(
                here, p, q, r, threshold, first, second, bias, lower, refractory, SUBTRACT
            )  # fmt: skip
            wraps += wrapped.to(tl.int64)
            clips += clipped.to(tl.int64)
        elif MODEL == 3:
            p, q, r, sent, wrapped, clipped = _burst(here, p, q, r, threshold, first, second, bias, lower, refractory)
            wraps += wrapped.to(tl.int64)
            clips += clipped.to(tl.int64)
        elif MODEL == 1:
            p, q, r, e, sent, wrapped = _sigma_delta(
                here, p, q, r, e, threshold, bias, exponent, below, STAGE, RELU, CUMULATIVE
            )  # fmt: skip
            wraps += wrapped.to(tl.int64)
        else:
            p, q, sent, clipped = _resonator(here, there, p, q, threshold, first, second, exponent, SUBTRACT)
            clips += clipped.to(tl.int64)
        tl.store(s + at, sent.to(s.dtype.element_ty), mask=mask)
        if KEEP_U:
            tl.store(kept_u + at, (p if U == 0 else q).to(tl.int32), mask=mask)
        if KEEP_V:
            tl.store(kept_v + at, (p if V == 0 else (q if V == 1 else r)).to(tl.int32), mask=mask)
    tl.store(mine, p, mask=mask)
    tl.store(mine + cells, q, mask=mask)
    tl.store(mine + 2 * cells, r, mask=mask)
    tl.store(mine + 3 * cells, e, mask=mask)
    tl.store(mine + 4 * cells, wraps, mask=mask)
    tl.store(mine + 5 * cells, clips, mask=mask)
