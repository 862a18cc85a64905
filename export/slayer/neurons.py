"""The CUBA neuron of a block as the chip's leaky integrate-and-fire neuron; every number is an integer already.

With ``w = w_scale`` slayer keeps states as ``state / (64 w)`` and weights as ``weight / w``: its current is our ``u``,
its voltage our ``v``, and the threshold, a multiple of ``1 / w``, our mantissa; a decayed state is shifted right
by 12 bits towards zero, as on the chip. A mean that it subtracts from the current behind its filter is a bias of the
membrane. Behaviour as in the sources of lava-dl 0.6.0 (``neuron/cuba.py``, ``neuron/norm.py``,
``neuron/dynamics/leaky_integrator.py``). Slayer's states are wider than the chip's: the proof finds what overflows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.netx.schema import Numbers
from neurodeploy.fixedpoint import DECAY_ONE, THRESHOLD_MAX
from neurodeploy.network import Shape
from neurodeploy.neurons import Lif

#: Biases are in weight units, which are this many bits above the units of state.
_BIAS_EXPONENT = 6


def read_neuron(neuron: Any, name: str, shape: Shape, *, spiking: bool = True, recurrent: bool = False) -> Lif:
    """Return the neurons of a block.

    Parameters
    ----------
    spiking : False for those of an Affine block, whose voltage is the answer.
    recurrent : whether the block feeds itself, in which case slayer keeps the current as its mean has left it.

    Raises
    ------
    Unsupported : graded spikes, dropout that stays on, or a normalisation that a bias cannot express.
    """
    if spiking and neuron.graded_spike:
        raise Unsupported(name, "sends its voltage (graded_spike=True)", "train it with binary spikes")
    if neuron.drop is not None and not isinstance(neuron.drop, nn.modules.dropout._DropoutNd):
        raise Unsupported(name, "drops spikes by a function of its own", "use slayer.neuron.Dropout, which rests here")
    current = _decay(neuron.current_decay, name, "current_decay", shape)
    bias = _bias(neuron, name, shape)
    if recurrent and bias.any() and not (current == DECAY_ONE).all():
        problem = "normalises a recurrent current, which keeps a part of every mean that was taken off"
        raise Unsupported(name, problem, "train it without norm, or with a current_decay of 1")
    return Lif(
        threshold=np.array(_threshold(neuron, name) if spiking else THRESHOLD_MAX),
        current_decay=current,
        voltage_decay=_decay(neuron.voltage_decay, name, "voltage_decay", shape),
        bias=bias,
        bias_exponent=_BIAS_EXPONENT if bias.any() else 0,
        spiking=spiking,
    )


def whole(tensor: torch.Tensor, scale: int, name: str, what: str) -> Numbers:
    """Return ``tensor * scale`` as int64 where these are whole numbers.

    Raises
    ------
    Unsupported : they are not, for nothing quantizes them.
    """
    values = tensor.detach().cpu().numpy().astype(np.float64) * scale
    if (values != np.rint(values)).any():
        problem = f"{what} are no multiples of 1/{scale}, nothing quantizes them"
        raise Unsupported(name, problem, "leave pre_hook_fx to the block, or use quantize_hook_fx")
    return values.astype(np.int64)


def _threshold(neuron: Any, name: str) -> int:
    threshold = round(float(neuron.threshold) * int(neuron.w_scale))
    if not 0 <= threshold <= THRESHOLD_MAX:
        most = THRESHOLD_MAX / neuron.w_scale
        raise Unsupported(name, f"has the threshold {float(neuron.threshold):g}", f"0 to {most:g} are possible")
    return threshold


def _decay(parameter: torch.Tensor, name: str, what: str, shape: Shape) -> Numbers:
    values = torch.round(parameter.detach()).cpu().numpy().astype(np.int64)
    if values.min() < 0 or values.max() > DECAY_ONE:
        raise Unsupported(
            name, f"has a {what} of {values.min()} to {values.max()}", f"0 to {DECAY_ONE}: clamp it as slayer does"
        )
    return _spread(values, name, what, shape)


def _bias(neuron: Any, name: str, shape: Shape) -> Numbers:
    norm = neuron.norm
    if norm is None:
        return np.zeros((), np.int64)
    if hasattr(norm, "running_var") and float(norm.std(norm.running_var).reshape(-1)[0]) != 1:
        factor = float(norm.std(norm.running_var).reshape(-1)[0])
        raise Unsupported(name, f"divides its current by {factor:g} behind the filter", "use MeanOnlyBatchNorm")
    if not hasattr(norm, "running_mean"):
        raise Unsupported(name, f"normalises its current by {type(norm).__name__}", "use MeanOnlyBatchNorm")
    mean = norm.pre_hook_fx(norm.running_mean)
    return _spread(-whole(mean, neuron.w_scale, name, "its running means"), name, "running_mean", shape)


def _spread(values: Numbers, name: str, what: str, shape: Shape) -> Numbers:
    """Return one number, or one a channel, so that it broadcasts to the population."""
    if values.size == 1:
        return values.reshape(())
    if values.shape != shape[:1]:
        raise Unsupported(name, f"{what} has the shape {values.shape} for neurons {shape}", "one, or one a channel")
    return values.reshape(-1, *(1,) * (len(shape) - 1))
