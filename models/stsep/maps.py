"""Where a network is active: spikes of a stage summed over time and channels, on the grid of the input."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from neurodeploy.models.spiking.layer import SpikingNeuron
from neurodeploy.models.stsep.network import StsepNetwork


@torch.no_grad()
def activation_map(model: StsepNetwork, stage: str, x: Tensor) -> Tensor:
    """Return the firing rate over steps and channels of the last neurons of ``stage``, [B, H, W] on the grid of ``x``.

    ``x`` is [T, B, C, H, W]; the model runs as it is, in training or evaluation. Bilinear between the stage's pixels.
    """
    last: nn.Module = [m for m in model.stages[stage].modules() if isinstance(m, SpikingNeuron)][-1]
    rates: list[Tensor] = []
    with last.register_forward_hook(lambda _module, _inputs, spikes: rates.append(spikes.mean((0, 2)))):
        model(x)
    return functional.interpolate(rates[0].unsqueeze(1), x.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
