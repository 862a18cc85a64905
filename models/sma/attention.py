"""Multiscale attention over the maps of several kernel sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from neurodeploy.models.sma.zoneout import ZoneOut
from neurodeploy.models.spiking.merged import joined, merged


class MultiscaleAttention(nn.Module):
    """Branches F_i of kernels k_i, weighed against each other in every channel and at every step.

    With G = sum_i F_i averaged over places [T, B, C]::

        Wc_i = softmax over i of  expand_i(relu(squeeze(G)))         channels, at each step (SMA-L: of the mean over T)
        Wt_i = softmax over i of  expand_i(relu(squeeze(mean_C G)))  steps
        Y    = sum_i Wt_i Wc_i F_i

    The weights over steps come from the whole window: the module is not causal and takes exactly ``steps`` steps.
    ``zoneout`` acts on the weighed branches in training.
    """

    def __init__(
        self,
        channels: int,
        steps: int,
        kernels: Sequence[int],
        inner: tuple[int, int],
        neuron: Callable[[], nn.Module],
        *,
        light: bool = False,
        zoneout: ZoneOut | None = None,
    ) -> None:
        super().__init__()
        within, kept = inner
        if not within or not kept:
            raise ValueError(f"{channels} channels and {steps} steps are reduced to {within} and {kept}, not one each")
        self.steps, self.light = steps, light
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, k, padding=k // 2) for k in kernels)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in kernels)
        self.neurons = nn.ModuleList(neuron() for _ in kernels)
        self.channel_squeeze = nn.Linear(channels, within)
        self.channel_expand = nn.ModuleList(nn.Linear(within, channels) for _ in kernels)
        self.time_squeeze = nn.Linear(steps, kept)
        self.time_expand = nn.ModuleList(nn.Linear(kept, steps) for _ in kernels)
        self.zoneout = zoneout

    def branches(self, x: Tensor) -> Tensor:
        """Return the branches' maps [n, T, B, C, H, W] of ``x`` [T, B, C, H, W]."""
        layers = zip(self.convs, self.norms, self.neurons, strict=True)
        maps = [neuron(merged(norm, merged(conv, x))) for conv, norm, neuron in layers]
        return joined(maps, 0).view(len(maps), *x.shape)

    def weights(self, branches: Tensor) -> tuple[Tensor, Tensor]:
        """Return Wc [n, T, B, C] (SMA-L: [n, 1, B, C]) and Wt [n, T, B]; each sums to 1 over n."""
        pooled = _added(branches).mean((-2, -1))
        of_channels = pooled.mean(0, keepdim=True) if self.light else pooled
        m = self.channel_squeeze(of_channels).relu()
        p = self.time_squeeze(pooled.mean(-1).T).relu()
        over_channels = torch.stack([expand(m) for expand in self.channel_expand]).softmax(0)
        over_time = torch.stack([expand(p).T for expand in self.time_expand]).softmax(0)
        return over_channels, over_time

    def forward(self, x: Tensor) -> Tensor:
        """Return the attended maps [T, B, C, H, W], from 0 to below 1 where branches are spikes.

        Raises :class:`ValueError` where ``x`` has another number of steps than the module.
        """
        if len(x) != self.steps:
            raise ValueError(f"the attention has weights for {self.steps} steps, the input has {len(x)}")
        branches = self.branches(x)
        over_channels, over_time = self.weights(branches)
        attended = (over_time[..., None] * over_channels)[..., None, None] * branches
        if self.zoneout is not None:
            attended = self.zoneout(attended, over_time, over_channels)
        return _added(attended)

    def attention_macs(self, height: int, width: int) -> float:
        """Return the multiplications a step that the weights take, beside the branches' convolutions."""
        channels, n = self.channel_squeeze.in_features, len(self.convs)
        within, kept = self.channel_squeeze.out_features, self.time_squeeze.out_features
        return channels * within * (1 + n) + kept * (1 + n) + 2 * n * channels * height * width


def _added(maps: Tensor) -> Tensor:
    """Return the sum over the first axis of maps [n, T, B, C, H, W] with channels as the innermost, as sums are not."""
    total: Tensor = maps.movedim(3, -1).sum(0)
    return total.movedim(-1, 2)
