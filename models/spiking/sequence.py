"""A neuron model over a whole sequence, by whichever of the equal ways suits the device."""

from __future__ import annotations

import torch
from torch import Tensor

from neurodeploy.models.spiking import device, fused, reference
from neurodeploy.models.spiking.dynamics import Dynamics


def sequence(
    dynamics: Dynamics, x: Tensor, v: Tensor | None, factor: Tensor, threshold: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the spikes [T, ...] of input ``x`` [T, ...] from potential 0 or ``v`` [...], and the last potential.

    On a CPU by the fused kernels, which equal :mod:`neurodeploy.models.spiking.reference` bit for bit; on CUDA, where
    Triton is installed, by its kernels; else by the reference itself. Half precision is that of input and output: it is
    computed in float32.
    """
    if device.takes(x):
        return device.sequence(dynamics, x, v, factor, threshold)
    if v is None:
        v = torch.zeros_like(x[0])
    if x.dtype.itemsize < 4:
        s, last = sequence(dynamics, x.float(), v.float(), factor.float(), threshold.float())
        return s.to(x.dtype), last.to(x.dtype)
    if x.device.type == "cpu" and len(x):
        return fused.sequence(dynamics, x, v, factor, threshold)
    return reference.sequence(dynamics, x, v, factor, threshold)
