"""The golden model of sigma-delta neurons: ``sigma += a``, then send by how much the activation has changed.

The equations stand at :class:`neurodeploy.neurons.SigmaDelta`. Every register has 32 bits and wraps, as Lava's int32
arrays do; a wrap is counted. Source: ``PyDeltaModelFixed``, ``PySigmaModelFixed`` and ``PySigmaDeltaModelFixed`` of
lava-nc 0.10.0, which compare with ``>=`` although their text says ``>``.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.neurons import SigmaDelta
from neurodeploy.state import Flags, State, Step, Sums

_TURN = 1 << 32


class _Registers:
    """Brings values into 32-bit registers and remembers where they did not fit."""

    def __init__(self, like: Sums) -> None:
        self.wrapped: Flags = np.zeros(like.shape, dtype=np.bool_)

    def hold(self, values: Sums) -> Sums:
        held: Sums = (values + _TURN // 2) % _TURN - _TURN // 2
        self.wrapped |= held != values
        return held


def step(neuron: SigmaDelta, state: State, a: Sums) -> Step:
    """Advance neurons by one step; parameters as in :func:`neurodeploy.neuron.step`.

    State sigma, act, residue and error; ``a`` int64 [1, ..., *shape].
    """
    registers = _Registers(a[0])
    clipped = np.zeros(a[0].shape, dtype=np.bool_)
    decodes = neuron.stage != "delta"
    sigma = registers.hold(state["sigma"] + a[0]) if decodes else state["sigma"]
    if neuron.stage == "sigma":
        return Step({**state, "sigma": sigma}, sigma, registers.wrapped, clipped)
    act = _activation(neuron, registers, sigma if decodes else a[0])
    delta = registers.hold(registers.hold(act - state["act"]) + state["residue"])
    error = registers.hold(state["error"] + delta) if neuron.cumulative_error else state["error"]
    least = neuron.threshold.astype(np.int64) << (neuron.spike_exponent + neuron.state_exponent)
    size = registers.hold(np.abs(error if neuron.cumulative_error else delta))
    sent = np.where(size >= least, delta, 0)
    left = registers.hold(delta - sent)
    error = np.where(registers.hold(np.abs(sent)) > 0, 0, error)
    after = {"sigma": sigma, "act": act, "residue": left, "error": error}
    return Step(after, sent >> neuron.state_exponent, registers.wrapped, clipped)


def _activation(neuron: SigmaDelta, registers: _Registers, value: Sums) -> Sums:
    """Return what the neuron encodes, in state units."""
    exponent = neuron.spike_exponent + neuron.state_exponent
    if neuron.stage == "delta":
        return registers.hold(value << exponent)
    raised = registers.hold(value + (neuron.bias.astype(np.int64) << exponent))
    return np.maximum(raised, 0) if neuron.activation == "relu" else raised
