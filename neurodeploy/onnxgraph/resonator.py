"""Resonate-and-fire neurons in ONNX operations: :mod:`neurodeploy.resonator`, line by line."""

from __future__ import annotations

from functools import partial

import numpy as np

from neurodeploy.neurons import Resonator
from neurodeploy.onnxgraph.arithmetic import Width, differ, plus, saturate, shift
from neurodeploy.onnxgraph.emitter import Emitter, Value
from neurodeploy.onnxgraph.step import State, Step


def step(emit: Emitter, neuron: Resonator, state: State, sums: list[Value | None], width: Width) -> Step:
    """Emit one step; parameters as in :class:`neurodeploy.onnxgraph.models.Model`."""
    one = emit.constant(1 << neuron.decay_bits, width)
    sine, cosine = (emit.constant(values, width) for values in (neuron.sine, neuron.cosine))

    def turned(factor: Value, part: str) -> Value:
        return emit.op("Div", emit.op("Mul", factor, state[part]), one)

    driven = [None if a is None else shift(emit, a, neuron.state_exponent, width) for a in sums]
    turned_real = emit.op("Sub", turned(cosine, "real"), turned(sine, "imaginary"))
    turned_imaginary = emit.op("Add", turned(sine, "real"), turned(cosine, "imaginary"))
    raw = [plus(emit, part, drive) for part, drive in zip((turned_real, turned_imaginary), driven, strict=True)]
    real, imaginary = (saturate(emit, part, width) for part in raw)
    clipped = partial(differ, emit, (real, raw[0]), (imaginary, raw[1]))
    threshold, zero = emit.constant(neuron.threshold, width), emit.constant(0, width)
    if neuron.kind == "phase":
        turns = emit.op("And", emit.op("GreaterOrEqual", imaginary, zero), emit.op("Less", state["imaginary"], zero))
        sent = emit.op("And", emit.op("GreaterOrEqual", real, threshold), turns)
        return Step({"real": real, "imaginary": imaginary}, sent, clipped=clipped)
    sent = emit.op("GreaterOrEqual", imaginary, threshold)
    below = emit.constant(neuron.threshold.astype(np.int64) - 1, width)
    after = {"real": emit.op("Where", sent, zero, real), "imaginary": emit.op("Where", sent, below, imaginary)}
    return Step(after, sent, clipped=clipped)
