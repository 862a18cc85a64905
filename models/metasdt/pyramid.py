"""A feature pyramid over a backbone's sections: 1 x 1 convolutions, sums from coarse to fine, 3 x 3 behind.

Neurons stand before every convolution, so that all of them but none of the sums are fed by spikes.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from neurodeploy.models.metasdt.neurons import Neurons
from neurodeploy.models.spiking.merged import merged


class SpikeConv(nn.Module):
    """Neurons, a convolution without bias that keeps the grid, and a norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, neurons: Neurons) -> None:
        super().__init__()
        self.neuron = neurons.inner()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return potentials [T, B, outputs, H, W]."""
        return merged(self.norm, merged(self.conv, self.neuron(x)))


class Pyramid(nn.Module):
    """From maps [T, B, C, H, W] of ``widths`` channels, finest first, to as many of ``width`` channels."""

    def __init__(self, widths: Sequence[int], width: int, neurons: Neurons) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(SpikeConv(inputs, width, 1, neurons) for inputs in widths)
        self.outputs = nn.ModuleList(SpikeConv(width, width, 3, neurons) for _ in widths)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return the maps, finest first."""
        found = [lateral(x) for lateral, x in zip(self.laterals, maps, strict=True)]
        for index in range(len(found) - 2, -1, -1):
            found[index] = found[index] + resized(found[index + 1], found[index], "nearest")
        return [output(x) for output, x in zip(self.outputs, found, strict=True)]


def resized(x: Tensor, like: Tensor, mode: str = "bilinear") -> Tensor:
    """Return ``x`` [T, B, C, H, W] on the grid of ``like``."""
    size = like.shape[-2:]
    if x.shape[-2:] == size:
        return x
    corners = None if mode == "nearest" else False
    y = nn.functional.interpolate(x.flatten(0, 1), size=size, mode=mode, align_corners=corners)
    return y.reshape(*x.shape[:2], *y.shape[1:])
