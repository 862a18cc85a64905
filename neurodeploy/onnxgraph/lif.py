"""Leaky integrate-and-fire neurons in ONNX operations: :mod:`neurodeploy.neuron`, line by line."""

from __future__ import annotations

from functools import partial

import numpy as np

from neurodeploy.fixedpoint import DECAY_ONE, REGISTER_MAX, STATE_SHIFT
from neurodeploy.fixedpoint import shift as shifted
from neurodeploy.network import Network, Population, largest_sum
from neurodeploy.neurons import Lif
from neurodeploy.onnxgraph.arithmetic import (
    Width,
    at_least_zero,
    decay,
    differ,
    plus,
    saturate,
    scale,
    total,
    wrap,
    zero_like,
)
from neurodeploy.onnxgraph.emitter import Emitter, Value
from neurodeploy.onnxgraph.signals import PAYLOADS, burst_type, sent_type
from neurodeploy.onnxgraph.step import State, Step


def carried(neuron: Lif) -> tuple[str, ...]:
    """Return the states that a step reads: the count of refractory steps only where there are any."""
    return ("u", "v", "frozen") if neuron.refractory else ("u", "v")


def width(network: Network, population: Population, ports: str) -> Width:
    """Return int32 where no sum can leave 32 bits, whatever the input: then divisions are fast."""
    neuron = population.neuron
    assert isinstance(neuron, Lif)
    arriving = sum(
        (largest_sum(p.connection) * PAYLOADS[sent_type(network, p.source, ports).name]) << max(p.weight_exponent, 0)
        for p in network.into(population.name)
    )
    a = arriving << STATE_SHIFT
    forgets, limit = int(neuron.current_decay.min()), neuron.state_limit
    if a <= 2 * limit:
        u = limit  # one wrap always brings it back
    elif forgets:
        u = max(limit, (a - 2 * limit) * DECAY_ONE // forgets + 1)
    else:
        return np.int64
    bias = int(np.abs(shifted(neuron.bias.astype(np.int64), neuron.bias_exponent)).max())
    return np.int32 if u + a <= REGISTER_MAX and 2 * limit + u + bias <= REGISTER_MAX else np.int64


def step(emit: Emitter, neuron: Lif, state: State, sums: list[Value | None], width: Width) -> Step:
    """Emit one step; parameters as in :class:`neurodeploy.onnxgraph.models.Model`."""
    a = None if sums[0] is None else scale(emit, sums[0], 1 << STATE_SHIFT, width)
    raw_u = total(emit, decay(emit, state["u"], neuron.current_decay, width), a)
    u = zero_like(emit, state["u"], width) if raw_u is None else wrap(emit, raw_u, width, neuron.state_limit)
    bias = shifted(neuron.bias.astype(np.int64), neuron.bias_exponent)
    raw_v = plus(emit, u, decay(emit, state["v"], neuron.voltage_decay, width))
    raw_v = plus(emit, raw_v, emit.constant(bias, width) if bias.any() else None)
    awake = None
    if neuron.refractory:
        awake = emit.op("Equal", state["frozen"], emit.constant(0, width))
        raw_v = emit.op("Where", awake, raw_v, state["v"])
    v = saturate(emit, raw_v, width, neuron.state_limit)
    over = (None if raw_u is None else partial(differ, emit, (u, raw_u)), partial(differ, emit, (v, raw_v)))
    if not neuron.spiking:
        return Step(_frozen(emit, neuron, state, {"u": u, "v": v}, None, width), emit.op("Less", v, v), *over)
    upper = emit.constant(neuron.threshold.astype(np.int64) << STATE_SHIFT, width)
    if neuron.bursts:
        fired, sent, after = _burst(emit, neuron, v, upper, awake, width)
        return Step(_frozen(emit, neuron, state, {"u": u, "v": after}, fired, width), sent, *over)
    fired, sent, after = _compare(emit, neuron, v, upper, awake, width)
    return Step(_frozen(emit, neuron, state, {"u": u, "v": after}, fired, width), sent, *over)


def _compare(
    emit: Emitter, neuron: Lif, v: Value, upper: Value, awake: Value | None, width: Width
) -> tuple[Value, Value, Value]:
    """Return where a neuron fires, what it sends, and its membrane after the reset."""

    def if_awake(flag: Value) -> Value:
        return flag if awake is None else emit.op("And", flag, awake)

    def reset(flag: Value, threshold: Value, otherwise: Value) -> Value:
        zero = neuron.reset == "zero"
        low = emit.constant(0, width) if zero else emit.op("Sub", v, threshold)
        return emit.op("Where", flag, low, otherwise)

    above = if_awake(emit.op("Greater", v, upper))
    after = reset(above, upper, v)
    if neuron.lower_threshold is None:
        return above, above, after
    lower = emit.constant(neuron.lower_threshold.astype(np.int64) << STATE_SHIFT, width)
    below = if_awake(emit.op("Less", v, lower))
    # Not in bytes from the start: onnxruntime up to 1.20 has no difference of them.
    sent = emit.cast(emit.op("Sub", emit.cast(above, width), emit.cast(below, width)), np.int8)
    return emit.op("Or", above, below), sent, reset(below, lower, after)


def _burst(
    emit: Emitter, neuron: Lif, v: Value, threshold: Value, awake: Value | None, width: Width
) -> tuple[Value, Value, Value]:
    """Return what :func:`_compare` does for neurons that send as many spikes as their membrane holds thresholds."""
    held = v if awake is None else emit.op("Where", awake, v, zero_like(emit, v, width))
    number = emit.op("Div", at_least_zero(emit, held, width), threshold)
    after = emit.op("Sub", v, emit.op("Mul", number, threshold))
    if neuron.lowest is not None:
        lowest = emit.constant(neuron.lowest.astype(np.int64) << STATE_SHIFT, width)
        below = emit.op("Less", after, lowest)
        after = emit.op("Where", below if awake is None else emit.op("And", below, awake), lowest, after)
    fired = emit.op("Greater", number, emit.constant(0, width))
    return fired, emit.cast(number, burst_type(neuron)), after


def _frozen(
    emit: Emitter, neuron: Lif, state: State, after: dict[str, Value], fired: Value | None, width: Width
) -> dict[str, Value]:
    """Add the count of refractory steps where there are any."""
    if not neuron.refractory:
        return after
    left = at_least_zero(emit, emit.op("Sub", state["frozen"], emit.constant(1, width)), width)
    if fired is not None:
        left = emit.op("Where", fired, emit.constant(neuron.refractory, width), left)
    return {**after, "frozen": left}
