"""A neuron model over a whole sequence, by whichever of the equal ways suits the device."""

from __future__ import annotations

from torch import Tensor

from neurodeploy.models.spiking import fused, reference
from neurodeploy.models.spiking.dynamics import Dynamics


def sequence(dynamics: Dynamics, x: Tensor, v: Tensor, factor: Tensor, threshold: Tensor) -> tuple[Tensor, Tensor]:
    """Return the spikes [T, ...] of input ``x`` [T, ...] from the potential ``v`` [...], and the last potential.

    On a CPU by the fused kernels, which equal :mod:`neurodeploy.models.spiking.reference` bit for bit; elsewhere by the
    reference itself.
    """
    if x.device.type == "cpu" and len(x):
        return fused.sequence(dynamics, x, v, factor, threshold)
    return reference.sequence(dynamics, x, v, factor, threshold)
