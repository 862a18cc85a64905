"""Batch normalisation whose statistics pool over all processes of a run; on any device that can sum over processes.

torch's own refuses processors, where the tests run; one implementation for both is what is tested and what trains.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class _Sum(torch.autograd.Function):
    """The sum over processes; every process's part gets the sum of all processes' gradients."""

    @staticmethod
    def forward(_ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


class SyncBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation over axis 1 of an input of any rank; in evaluation an ordinary one."""

    def _check_input_dim(self, _input: Tensor) -> None:
        """Take every rank."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` normalised per channel over the samples and places of all processes, and scaled."""
        if not self.training:
            normalised: Tensor = super().forward(x)
            return normalised
        values = x.float()
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        count = values.new_tensor([x.numel() / x.shape[1]])
        first = _Sum.apply(torch.cat([values.sum(axes), count]))  # type: ignore[no-untyped-call]
        size = first[-1].detach()
        mean = first[:-1] / size
        centred = values - mean.view(shape)
        # The squares of what is already centred, in a second exchange: differences of squares would lose digits.
        variance = _Sum.apply(centred.square().sum(axes)) / size  # type: ignore[no-untyped-call]
        self._follow(mean.detach(), variance.detach(), size)
        scale = torch.rsqrt(variance + self.eps) * self.weight
        scaled: Tensor = centred * scale.view(shape) + self.bias.view(shape)
        return scaled.to(x.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, size: Tensor) -> None:
        """Let the running statistics, of which the variance is unbiased, follow."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        momentum = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * (size / (size - 1).clamp(min=1)), momentum)


def synchronise(model: nn.Module) -> None:
    """Exchange every batch normalisation inside ``model`` for a synchronised one with the same parameters."""
    for name, child in model.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            new = SyncBatchNorm(child.num_features, child.eps, child.momentum, child.affine, child.track_running_stats)
            new.weight, new.bias = child.weight, child.bias
            new.running_mean, new.running_var = child.running_mean, child.running_var
            new.num_batches_tracked = child.num_batches_tracked
            setattr(model, name, new.train(child.training))
        else:
            synchronise(child)
