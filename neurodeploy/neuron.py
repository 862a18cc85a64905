"""The golden model: one step of integer leaky integrate-and-fire neurons, in NumPy int64.

::

    u = wrap(decay(u, current_decay) + 64 a)              a: summed synaptic input of this step
    v = saturate(decay(v, voltage_decay) + u + bias)      the NEW u enters v in the same step
    s = v > 64 threshold                                  strict
    v = 0 where s

Every faster kernel, and Lava itself, is tested equal to this file in ``u``, ``v`` and ``s``. Source: the process model
``PyLifModelBitAcc`` of lava-nc 0.10.0; there ``du = current_decay - 1`` and ``dv = voltage_decay``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neurodeploy.fixedpoint import STATE_LIMIT, STATE_SHIFT, decay, saturate, shift, wrap
from neurodeploy.neurons import Lif

State = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Step(NamedTuple):
    """State and spikes after a step, and where arithmetic left its range."""

    u: State
    v: State
    s: Flags
    wrapped: Flags
    clipped: Flags


def step(neuron: Lif, u: State, v: State, a: State) -> Step:
    """Advance neurons by one step.

    Parameters
    ----------
    neuron : their parameters, broadcast against the state.
    u, v : int64 [..., *shape], synaptic current and membrane potential after the previous step.
    a : int64 [..., *shape], the sum of weighted spikes that arrive in this step, in weight units.
    """
    bias = shift(neuron.bias.astype(np.int64), neuron.bias_exponent)
    raw_u = decay(u, neuron.current_decay) + (a << STATE_SHIFT)
    u = wrap(raw_u)
    raw_v = decay(v, neuron.voltage_decay) + u + bias
    v = saturate(raw_v)
    s = v > (neuron.threshold.astype(np.int64) << STATE_SHIFT)
    return Step(u, np.where(s, 0, v), s, (raw_u > STATE_LIMIT) | (raw_u <= -STATE_LIMIT), v != raw_v)
