"""Attention zone-out (AZO): where attention is weakest, a step's attended output is that of the step before.

In training only. With weights over steps and over channels, each scale by itself:

1. its ``n_t = T // time_ratio`` steps with the smallest weights, summed over the batch;
2. its ``n_c = C // channel_ratio`` channels with the smallest weights, summed over the batch and these steps;
3. at these channels, each of these steps but the first of all takes what the step before had.

Equal weights: the earlier step or channel. Nothing is rescaled, and gradients flow through the copies.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ZoneOut(nn.Module):
    """The replacement of ``kind``: ``attention``, ``in-place`` or ``random``.

    ``attention`` copies what stood there before any replacement, as the published training scripts do; ``in-place``
    goes through a scale's steps from the weakest on, so that a copy may be copied again; ``random`` draws as many
    steps and channels from torch's generator. A selection may be empty, which replaces nothing (the public code fails).
    """

    def __init__(self, kind: str, channel_ratio: int, time_ratio: int) -> None:
        super().__init__()
        self.kind, self.channel_ratio, self.time_ratio = kind, channel_ratio, time_ratio

    def forward(self, attended: Tensor, over_time: Tensor, over_channels: Tensor) -> Tensor:
        """Return ``attended`` [n, T, B, C, H, W] with its replacements, or itself in evaluation.

        ``over_time`` [n, T, B] and ``over_channels`` [n, T or 1, B, C] are the weights of each scale.
        """
        if not self.training:
            return attended
        with torch.no_grad():
            chosen = [self._chosen(*weights) for weights in zip(over_time, over_channels, strict=True)]
        times, places = (torch.stack(some).to(attended.device) for some in zip(*chosen, strict=True))
        if not times.numel() or not places.numel():
            return attended
        if self.kind == "in-place":
            return torch.stack([_one_by_one(*scale) for scale in zip(attended, times, places, strict=True)])
        # Indices of scales, steps and channels side by side; the batch axis between them stays whole. The first step
        # takes what it has: to leave it out would be to wait for the device to say where it is.
        scale, here, place = torch.arange(len(times), device=attended.device)[:, None, None], times[:, :, None], places
        result = attended.clone()
        result[scale, here, :, place[:, None]] = attended[scale, (here - 1).clamp_min(0), :, place[:, None]]
        return result

    def _chosen(self, over_time: Tensor, over_channels: Tensor) -> tuple[Tensor, Tensor]:
        """Return a scale's steps and channels, the weakest first."""
        steps, channels = len(over_time), over_channels.shape[-1]
        if self.kind == "random":
            times, places = torch.randperm(steps), torch.randperm(channels)
        else:
            times = over_time.sum(1).argsort(stable=True)
        times = times[: steps // self.time_ratio]
        if self.kind != "random":
            of_steps = over_channels[times.to(over_channels.device)] if len(over_channels) > 1 else over_channels
            places = of_steps.sum((0, 1)).argsort(stable=True)
        return times, places[: channels // self.channel_ratio]

    def extra_repr(self) -> str:
        """Return the options for ``repr``."""
        return f"{self.kind}, channel_ratio={self.channel_ratio}, time_ratio={self.time_ratio}"


def _one_by_one(attended: Tensor, times: Tensor, places: Tensor) -> Tensor:
    """Return a scale [T, B, C, H, W] whose steps ``times`` have been replaced in that order."""
    steps = list(attended.unbind(0))
    mask = torch.zeros(attended.shape[2], dtype=torch.bool, device=attended.device)
    mask[places] = True
    for t in times.tolist():
        steps[t] = torch.where(mask[:, None, None], steps[t - 1], steps[t]) if t else steps[0]
    return torch.stack(steps)
