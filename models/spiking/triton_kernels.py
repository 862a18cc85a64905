"""The fused time loop on a GPU: Triton kernels in which a program carries a block of neurons through all steps.

Potentials stay in registers. What is read and written may be float32, bfloat16 or float16; all arithmetic is float32.
Extents are run-time arguments: a kernel is compiled for a kind of neuron, types, and whether 16 divides the number of
neurons, never for a shape. For the backward pass a step keeps ``d = u - threshold``: near the threshold that difference
is exact, and rounding it to few bits keeps its sign, so that spikes are recovered from it whatever it is stored in.
Kernels have to run without fused multiplication and addition for the bits of the reference.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _charged(v, x, factor, inverse, CHARGE: tl.constexpr):
    if CHARGE == 0:
        h = v * factor + x
    elif CHARGE == 1:
        h = v + tl.div_rn(x - v, factor + tl.zeros_like(x))
    elif CHARGE == 2:
        h = factor * x
    else:
        h = v + (x - v) * inverse
    return h


@triton.jit
def _slope(d, width, height, steep, SURROGATE: tl.constexpr):
    if SURROGATE == 0:
        scaled = d * steep
        result = height / (1.0 + scaled * scaled)
    elif SURROGATE == 1:
        # Of |d|, for which the exponential is at most 1; the slope is even.
        decayed = tl.exp(-width * tl.abs(d))
        result = width * decayed / ((1.0 + decayed) * (1.0 + decayed))
    elif SURROGATE == 2:
        result = tl.where(tl.abs(d) < width, height + tl.zeros_like(d), tl.zeros_like(d))
    else:
        result = tl.exp(-width * tl.abs(d))
    return result


@triton.jit(do_not_specialize=["steps"])
def forward(
    x, v, kept, s, last, factor, inverse, threshold, steps, neurons,
    CHARGE: tl.constexpr, STRICT: tl.constexpr, RESET: tl.constexpr, KEEP: tl.constexpr, START: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Run neurons through all steps.

    x, s [steps, neurons] input and spikes; v, last [neurons] first and last potential, the first 0 and v unread unless
    START; kept [steps, neurons], d of every step, untouched unless KEEP. CHARGE and RESET are as in
    :mod:`neurodeploy.models.spiking.kinds`.
    """
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = place < neurons
    potential = tl.zeros([BLOCK], tl.float32)
    if START:
        potential = tl.load(v + place, mask=inside, other=0.0).to(tl.float32)
    for _ in range(steps):
        current = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
        h = _charged(potential, current, factor, inverse, CHARGE)
        fired = h > threshold if STRICT else h >= threshold
        tl.store(s + place, tl.where(fired, 1.0, 0.0).to(s.dtype.element_ty), mask=inside)
        if KEEP:
            tl.store(kept + place, (h - threshold).to(kept.dtype.element_ty), mask=inside)
            kept += neurons
        if RESET == 0:
            potential = tl.where(fired, 0.0, h)
        elif RESET == 1:
            potential = tl.where(fired, h - threshold, h)
        else:
            potential = h
        x += neurons
        s += neurons
    tl.store(last + place, potential.to(last.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["steps"])
def backward(
    kept, v, grad_s, grad_v, grad_x, into_v, totals,
    inverse, threshold, width, height, steep, to_x, to_v, steps, neurons,
    CHARGE: tl.constexpr, STRICT: tl.constexpr, RESET: tl.constexpr, SURROGATE: tl.constexpr,
    THROUGH: tl.constexpr, TRAINED: tl.constexpr, START: tl.constexpr, GIVEN: tl.constexpr, INTO: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Carry gradients back through all steps.

    kept as :func:`forward` left it; v [neurons] the first potential, read where START and TRAINED; grad_s [steps,
    neurons]; grad_v [neurons] of the last potential, 0 and unread unless GIVEN; grad_x, and where INTO into_v, written
    likewise; totals float32 [2, programs], the gradients of factor and threshold that each program's neurons add,
    unless not TRAINED. THROUGH: the reset passes the gradient.
    """
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = place < neurons
    g = tl.zeros([BLOCK], tl.float32)
    if GIVEN:
        g = tl.load(grad_v + place, mask=inside, other=0.0).to(tl.float32)
    to_factor, to_threshold = tl.zeros([BLOCK], tl.float32), tl.zeros([BLOCK], tl.float32)
    end = (steps - 1).to(tl.int64) * neurons
    kept += end
    grad_s += end
    grad_x += end
    for back in range(steps):
        d = tl.load(kept + place, mask=inside, other=-1.0).to(tl.float32)
        given = tl.load(grad_s + place, mask=inside, other=0.0).to(tl.float32)
        fired = d > 0.0 if STRICT else d >= 0.0
        u = d + threshold
        to_u = g
        if RESET == 0:
            if THROUGH:
                given = given - g * u
            to_u = tl.where(fired, 0.0, g)
        elif RESET == 1 and THROUGH:
            given = given - g * threshold
        through_spike = given * _slope(d, width, height, steep, SURROGATE)
        whole = to_u + through_spike
        if TRAINED:
            to_threshold -= through_spike
            if RESET == 1:
                to_threshold -= tl.where(fired, g, 0.0)
            first = tl.full([BLOCK], 0, tl.int32) + back == steps - 1
            start = tl.zeros([BLOCK], tl.float32)
            if START:
                start = tl.load(v + place, mask=inside & first, other=0.0).to(tl.float32)
            earlier = tl.load(kept - neurons + place, mask=inside & (first == 0), other=-1.0).to(tl.float32)
            fired_before = earlier > 0.0 if STRICT else earlier >= 0.0
            before = earlier + threshold
            if RESET == 0:
                before = tl.where(fired_before, 0.0, before)
            elif RESET == 1:
                before = tl.where(fired_before, earlier, before)
            before = tl.where(first, start, before)
            if CHARGE == 0:
                part = whole * before
            elif CHARGE == 2:
                part = whole * u * inverse
            else:
                part = -whole * (u - before) * inverse
            to_factor += tl.where(inside, part, 0.0)
        tl.store(grad_x + place, (whole * to_x).to(grad_x.dtype.element_ty), mask=inside)
        g = whole * to_v
        kept -= neurons
        grad_s -= neurons
        grad_x -= neurons
    if INTO:
        tl.store(into_v + place, g.to(into_v.dtype.element_ty), mask=inside)
    if TRAINED:
        lane = tl.program_id(0) + tl.arange(0, 1)
        tl.store(totals + lane, tl.reduce(to_factor, 0, _plus) + tl.zeros([1], tl.float32))
        total = tl.reduce(tl.where(inside, to_threshold, 0.0), 0, _plus)
        tl.store(totals + tl.num_programs(0) + lane, total + tl.zeros([1], tl.float32))


@triton.jit
def _plus(a, b):
    return a + b


@triton.jit
def round_forward(x, y, within, most, norm, size, KEEP: tl.constexpr, BLOCK: tl.constexpr):
    """Write ``round(clamp(x, 0, most)) / norm``, half to even, to y [size] and, where KEEP, whether 0 <= x <= most.

    ``most`` is below 2^22, so that adding 1.5 * 2^23 leaves no place for a fraction. What is no number stays none.
    """
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < size
    value = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    clamped = tl.where(value < 0.0, 0.0, value)
    clamped = tl.where(clamped > most, most + tl.zeros_like(value), clamped)
    whole = (clamped + 12582912.0) - 12582912.0
    tl.store(y + place, tl.div_rn(whole, norm + tl.zeros_like(value)).to(y.dtype.element_ty), mask=inside)
    if KEEP:
        tl.store(within + place, ((value >= 0.0) & (value <= most)).to(tl.uint8), mask=inside)


@triton.jit
def round_backward(within, grad_y, grad_x, norm, size, BLOCK: tl.constexpr):
    """Write ``grad_y / norm`` to grad_x [size] where the input was ``within`` its bounds, elsewhere 0."""
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = place < size
    passes = tl.load(within + place, mask=inside, other=0).to(tl.float32)
    given = tl.load(grad_y + place, mask=inside, other=0.0).to(tl.float32)
    passed = tl.div_rn(given * passes, norm + tl.zeros_like(given))
    tl.store(grad_x + place, passed.to(grad_x.dtype.element_ty), mask=inside)
