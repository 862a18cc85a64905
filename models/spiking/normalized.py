"""A batch norm and the neurons behind it as one autograd node: the only tensor kept is the norm's input.

The norm's output is neither written nor read, and potentials are computed again for the backward pass. Spikes and
gradients equal those of the two modules one after the other to the rounding of the norm's statistics.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from neurodeploy.models.spiking import sequence as plain
from neurodeploy.models.spiking.dynamics import Dynamics
from neurodeploy.models.spiking.fused import as_laid_out, dense, in_pieces, row, rows, step_like
from neurodeploy.models.spiking.merged import merged
from neurodeploy.models.spiking.streaming import Carrying

#: Norms whose statistics are those of one process' batch.
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class NormalizedNeuron(Carrying):
    """A batch norm and neurons of one model behind it, in training as one node where :func:`normalized_sequence` can.

    The norm is a module of its own, ``norm``: its parameters and statistics stand in the state dict as ever. Outside
    training the two run one after the other, so that a sequence and its steps have the same bits.
    """

    def __init__(self, norm: nn.Module, dynamics: Dynamics) -> None:
        super().__init__()
        self.norm, self.dynamics = norm, dynamics

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes [T, B, C, ...] of the input ``x`` [T, B, C, ...], from potential 0."""
        if self.norm.training and not self._carries:
            return normalized_sequence(self.norm, self.dynamics, x)
        spikes, last = _apart(self.norm, self.dynamics, x, self.carried)
        self.carry(last)
        return spikes

    def extra_repr(self) -> str:
        """Return the model for ``repr``."""
        return repr(self.dynamics)


def normalized_sequence(norm: nn.Module, dynamics: Dynamics, x: Tensor) -> Tensor:
    """Return the spikes [T, B, C, ...] of what ``norm`` makes of ``x`` [T, B, C, ...], from potential 0.

    Time counts as part of the batch for the norm, whose running statistics are updated as by a call of its own. It is
    one node on a CPU in float32 and float64; elsewhere, and for norms of other kinds, the two run one after the other.
    """
    if joins(norm, x):
        assert isinstance(norm, _NORMS)
        return _fused(norm, dynamics, x)
    return _apart(norm, dynamics, x, None)[0]


def _apart(norm: nn.Module, dynamics: Dynamics, x: Tensor, v: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the spikes and the last potential of neurons behind ``norm``, from potential 0 or ``v`` [B, C, ...]."""
    y = merged(norm, x)
    dtype = torch.promote_types(y.dtype, torch.float32)  # half precision is that of storage alone
    constants = (torch.tensor(value, dtype=dtype) for value in (dynamics.factor, dynamics.threshold))
    return plain.sequence(dynamics, y, v, *constants)


def joins(norm: nn.Module, x: Tensor) -> bool:
    """Return whether ``norm`` and neurons behind it can be one node on the input ``x``."""
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and type(norm) in _NORMS
        and bool(x.numel())
    )


def _fused(norm: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d, dynamics: Dynamics, x: Tensor) -> Tensor:
    x = dense(x)
    channels = x.shape[2]
    if channels != norm.num_features:
        raise ValueError(f"the input has {channels} channels, the batch norm {norm.num_features}")
    batch = norm.training or norm.running_mean is None
    if batch:
        mean, var = _statistics(x)
    else:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        mean, var = norm.running_mean, norm.running_var
    if norm.training and norm.running_mean is not None:
        _track(norm, mean, var, x.numel() // channels)
    weight = x.new_ones(channels) if norm.weight is None else norm.weight
    bias = x.new_zeros(channels) if norm.bias is None else norm.bias
    inverse = torch.rsqrt(var + norm.eps).clone()
    spikes: Tensor = _Normalized.apply(x, weight, bias, mean.clone(), inverse, batch, dynamics)  # type: ignore[no-untyped-call]
    return spikes


@torch.no_grad()
def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and biased variance of each channel."""
    from neurodeploy.models.spiking.normalized_kernels import moments

    mean, spread, values = step_like(x), step_like(x), rows(x)
    arrays = (values, row(mean, x), row(spread, x))
    in_pieces(values.size, values.shape[1], lambda first, last: moments(*arrays, first, last))
    others = _others(mean)
    centre = mean.mean(others)
    distance = (mean - _spread(centre, x)).square_().sum(others) * len(x)
    return centre, (spread.sum(others) + distance) / (x.numel() // x.shape[2])


@torch.no_grad()
def _track(norm: Any, mean: Tensor, var: Tensor, count: int) -> None:
    """Update the running statistics as the norm itself does."""
    if count <= 1:
        raise ValueError("a batch norm in training needs more than one value per channel")
    norm.num_batches_tracked.add_(1)
    share = 1.0 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
    norm.running_var.lerp_((var * (count / (count - 1))).to(norm.running_var.dtype), share)


class _Normalized(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        inverse: Tensor,
        batch: bool,
        dynamics: Dynamics,
    ) -> Tensor:
        run, c, values = _compiled(dynamics, x)
        spikes = torch.empty_like(x)
        scale = weight * inverse
        spread = [row(_spread(one, x), x) for one in (scale, bias - mean * scale)]
        out = rows(spikes)
        in_pieces(values.size, values.shape[1], lambda first, last: run.forward(c, values, *spread, out, first, last))
        ctx.save_for_backward(x, weight, bias, mean, inverse)
        ctx.batch, ctx.dynamics = batch, dynamics
        return spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        from neurodeploy.models.spiking.normalized_kernels import combine

        x, weight, bias, mean, inverse = ctx.saved_tensors
        run, c, values = _compiled(ctx.dynamics, x)
        scale = weight * inverse
        spread = [row(_spread(one, x), x) for one in (scale, bias - mean * scale)]
        gradient, total, along = torch.empty_like(x), step_like(x), step_like(x)
        given, centre, out = rows(as_laid_out(grad, x)), row(_spread(mean, x), x), rows(gradient)
        arrays = (values, *spread, given, centre, out, row(total, x), row(along, x))
        in_pieces(values.size, values.shape[1], lambda first, last: run.backward(c, *arrays, first, last))
        sums, products = total.sum(_others(total)), along.sum(_others(along))
        if ctx.needs_input_grad[0]:
            share = len(sums) / x.numel() if ctx.batch else 0.0
            slope = -scale * inverse.square() * products * share
            offset = -scale * sums * share - slope * mean
            rest = [row(_spread(one, x), x) for one in (scale, slope, offset)]
            in_pieces(values.size, values.shape[1], lambda first, last: combine(out, values, *rest, first, last))
        return gradient if ctx.needs_input_grad[0] else None, products * inverse, sums, None, None, None, None


def _compiled(dynamics: Dynamics, x: Tensor) -> tuple[Any, Any, Any]:
    """Return the loops, their constants, and the memory of ``x``."""
    from neurodeploy.models.spiking.kernels import constants
    from neurodeploy.models.spiking.normalized_kernels import normalized_kernels

    values = rows(x)
    run = normalized_kernels(dynamics, dynamics.factor)
    return run, constants(dynamics, dynamics.factor, dynamics.threshold, values.dtype), values


def _others(step: Tensor) -> list[int]:
    return [axis for axis in range(step.ndim) if axis != 1]


def _spread(channels: Tensor, x: Tensor) -> Tensor:
    """Return values [C] as a step [B, C, ...], laid out as those of ``x``."""
    return step_like(x).copy_(channels.detach().reshape(1, -1, *(1,) * (x.ndim - 3)))
