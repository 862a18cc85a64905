"""Sigma-delta neurons in ONNX operations: :mod:`neurodeploy.sigma_delta`, line by line."""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons import SigmaDelta
from neurodeploy.onnxgraph.arithmetic import Registers, Width, at_least_zero, plus, shift, zero_like
from neurodeploy.onnxgraph.emitter import Emitter, Value
from neurodeploy.onnxgraph.step import State, Step


def step(emit: Emitter, neuron: SigmaDelta, state: State, sums: list[Value | None], width: Width) -> Step:
    """Emit one step; parameters as in :class:`neurodeploy.onnxgraph.models.Model`."""
    exponent, registers = neuron.spike_exponent + neuron.state_exponent, Registers(emit)
    sigma = None if neuron.stage == "delta" else registers.hold(plus(emit, state["sigma"], sums[0]))
    if sigma is not None and neuron.stage == "sigma":
        return Step({"sigma": sigma}, emit.cast(sigma, np.int32), registers.wrapped)
    arrived = zero_like(emit, state["act"], width) if sums[0] is None else sums[0]
    act = _activation(emit, neuron, registers, arrived if sigma is None else sigma, width)
    change = registers.hold(emit.op("Sub", act, state["act"]))
    delta = registers.hold(emit.op("Add", change, state["residue"]))
    compared, error = delta, None
    if neuron.cumulative_error:
        compared = error = registers.hold(emit.op("Add", state["error"], delta))
    least = emit.constant(neuron.threshold.astype(np.int64) << exponent, width)
    reached = emit.op("GreaterOrEqual", registers.hold(emit.op("Abs", compared)), least)
    zero = emit.constant(0, width)
    sent = emit.op("Where", reached, delta, zero)
    after = {"act": act, "residue": registers.hold(emit.op("Sub", delta, sent))}
    if sigma is not None:
        after["sigma"] = sigma
    if error is not None:
        clears = emit.op("Greater", registers.hold(emit.op("Abs", sent)), zero)
        after["error"] = emit.op("Where", clears, zero, error)
    return Step(after, emit.cast(shift(emit, sent, -neuron.state_exponent, width), np.int32), registers.wrapped)


def _activation(emit: Emitter, neuron: SigmaDelta, registers: Registers, value: Value, width: Width) -> Value:
    """Return what the neuron encodes, in state units."""
    exponent = neuron.spike_exponent + neuron.state_exponent
    if neuron.stage == "delta":
        return registers.hold(shift(emit, value, exponent, width))
    bias = emit.constant(neuron.bias.astype(np.int64) << exponent, width)
    raised = registers.hold(emit.op("Add", value, bias))
    return at_least_zero(emit, raised, width) if neuron.activation == "relu" else raised


def carried(neuron: SigmaDelta) -> tuple[str, ...]:
    """Return the states that the stage has."""
    if neuron.stage == "sigma":
        return ("sigma",)
    encoder = ("act", "residue", "error") if neuron.cumulative_error else ("act", "residue")
    return encoder if neuron.stage == "delta" else ("sigma", *encoder)
