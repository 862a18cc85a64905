"""The golden model: one step of integer leaky integrate-and-fire neurons, in NumPy int64.

::

    u = wrap(decay(u, current_decay) + 64 a)              a: summed synaptic input of this step
    v = saturate(decay(v, voltage_decay) + u + bias)      the NEW u enters v in the same step
    s = v > 64 threshold                                  strict
    v = 0 where s

and for the kinds beyond the plain neuron::

    s = (v > 64 threshold) - (v < 64 lower)               ternary, both strict
    v = v - 64 threshold, v - 64 lower where s            reset by subtraction, once a step
    frozen = refractory where s, else max(frozen - 1, 0)  while frozen > 0 before the step: v stays, s = 0
    s = floor(max(v, 0) / (64 threshold))                 reset "burst": so many spikes at once, sent as their number
    v = max(v - 64 threshold s, 64 lowest)                reset "burst"; the bound only where there is one
    s = 0                                                 not spiking

Every faster kernel, and Lava itself, is tested equal to this file in ``u``, ``v`` and ``s``. Source: the process models
``PyLifModelBitAcc`` and ``PyTernLifModelFixed`` of lava-nc 0.10.0; there ``du = current_decay - 1`` and
``dv = voltage_decay``. Refractory steps count as in its floating-point ``LIFRefractory``; registers of
fewer than 24 bits wrap and saturate by the same rules, where their own range ends.
"""

from __future__ import annotations

import numpy as np

from neurodeploy.fixedpoint import STATE_SHIFT, decay, saturate, shift, wrap
from neurodeploy.neurons import Lif
from neurodeploy.state import Flags, State, Step, Sums


def step(neuron: Lif, state: State, a: Sums) -> Step:
    """Advance neurons by one step.

    Parameters
    ----------
    neuron : their parameters, broadcast against the state.
    state : u, v and frozen after the previous step, int64 [..., *shape].
    a : int64 [1, ..., *shape], the sum of weighted spikes that arrive in this step, in weight units.
    """
    bias = shift(neuron.bias.astype(np.int64), neuron.bias_exponent)
    raw_u = decay(state["u"], neuron.current_decay) + (a[0] << STATE_SHIFT)
    limit = neuron.state_limit
    u = wrap(raw_u, limit)
    awake = state["frozen"] == 0
    raw_v = np.where(awake, decay(state["v"], neuron.voltage_decay) + u + bias, state["v"])
    v = saturate(raw_v, limit)
    s = _fires(neuron, v, awake)
    after = np.where(s == 0, v, _reset(neuron, v, s))
    if neuron.lowest is not None:
        after = np.where(awake, np.maximum(after, neuron.lowest.astype(np.int64) << STATE_SHIFT), after)
    frozen = np.where(s == 0, np.maximum(state["frozen"] - 1, 0), neuron.refractory)
    wrapped = (raw_u > limit) | (raw_u <= -limit)
    return Step({"u": u, "v": after, "frozen": frozen}, s, wrapped, v != raw_v)


def _fires(neuron: Lif, v: Sums, awake: Flags) -> Sums:
    """Return 1 above the threshold and -1 below a lower one; of a bursting neuron, how often the threshold fits."""
    if not neuron.spiking:
        return np.zeros_like(v)
    if neuron.bursts:
        fitting: Sums = np.maximum(v, 0) // (neuron.threshold.astype(np.int64) << STATE_SHIFT)
        return fitting * awake
    s = (v > (neuron.threshold.astype(np.int64) << STATE_SHIFT)).astype(np.int64)
    if neuron.lower_threshold is not None:
        s -= v < (neuron.lower_threshold.astype(np.int64) << STATE_SHIFT)
    return s * awake


def _reset(neuron: Lif, v: Sums, s: Sums) -> Sums:
    """Return the membrane after a spike."""
    if neuron.reset == "zero":
        return np.zeros_like(v)
    if neuron.bursts:
        return v - s * (neuron.threshold.astype(np.int64) << STATE_SHIFT)
    lower = neuron.threshold if neuron.lower_threshold is None else neuron.lower_threshold
    crossed: Sums = np.where(s > 0, neuron.threshold, lower).astype(np.int64)
    return v - (crossed << STATE_SHIFT)
