"""Semantic-FPN on a Meta-SDT backbone, for ADE20K.

A re-implementation in plain torch of the network that the study trains with another library: pyramid and head follow
Kirillov et al., 2019 (one 3 x 3 convolution for every halving down to the finest grid, then a sum), with neurons before
every convolution. The published totals of T and B, 6.5 and 20.4 million, are met within 0.1
million with 128 channels throughout.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from neurodeploy.models.data.segmentation import IGNORED
from neurodeploy.models.metasdt.network import Backbone, Settings, neurons_of
from neurodeploy.models.metasdt.neurons import Neurons
from neurodeploy.models.metasdt.pyramid import Pyramid, SpikeConv, resized
from neurodeploy.models.metasdt.settings import SECTIONS
from neurodeploy.models.spiking.merged import merged

ADE20K_CLASSES = 150
#: Sections whose maps enter the pyramid: strides 2, 4, 8 and 16.
TAPS = ("1a", "1b", "2", "4")


class SemanticFpn(nn.Module):
    """Backbone, pyramid and head: a number for each class at every pixel and step.

    ``heads`` are how the names of the head's parameters begin.
    """

    heads = ("scales.", "classify.")

    def __init__(
        self, settings: Settings, classes: int = ADE20K_CLASSES, width: int = 128, inputs: int = 3, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.backbone = Backbone(settings, inputs)
        neurons = neurons_of(settings)
        self._taps = [SECTIONS.index(name) for name in TAPS]
        self.pyramid = Pyramid([self.backbone.widths[index] for index in self._taps], width, neurons)
        strides = [math.prod(settings.strides[: index + 1]) for index in self._taps]
        halvings = [max(1, round(math.log2(stride / strides[0]))) for stride in strides]
        self.scales = nn.ModuleList(_Scale(width, count, neurons) for count in halvings)
        self.neuron = neurons.inner()
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(width, classes, 1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def stages(self) -> dict[str, nn.Module]:
        """The modules by stage; ``neuron`` is fed the sum of the pyramid's maps, each by its own scale."""
        return {**dict(self.backbone.sections.items()), "neuron": self.neuron}

    def forward(self, x: Tensor) -> Tensor:
        """Return [T, B, classes, H, W] for ``x`` [T, B, C, H, W]."""
        maps = self.backbone(x)
        levels = self.pyramid([maps[index] for index in self._taps])
        finest = levels[0]
        summed = torch.stack([scale(y, finest) for scale, y in zip(self.scales, levels, strict=True)]).sum(0)
        answers = merged(self.classify, merged(self.dropout, self.neuron(summed)))
        return resized(answers, x)


class _Scale(nn.Module):
    """Convolutions, each followed by a doubling of the grid as long as that is coarser than the finest."""

    def __init__(self, width: int, count: int, neurons: Neurons) -> None:
        super().__init__()
        self.convs = nn.ModuleList(SpikeConv(width, width, 3, neurons) for _ in range(count))

    def forward(self, x: Tensor, finest: Tensor) -> Tensor:
        """Return the map on the grid of ``finest``."""
        for conv in self.convs:
            x = conv(x)
            if x.shape[-1] < finest.shape[-1]:
                doubled = nn.functional.interpolate(x.flatten(0, 1), scale_factor=2, mode="bilinear")
                x = doubled.reshape(*x.shape[:2], *doubled.shape[1:])
        return resized(x, finest)


def pixel_loss(answers: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of answers [T, B, classes, H, W], averaged over steps, at the pixels that count.

    ``labels`` is int64 [B, H, W] as :mod:`neurodeploy.models.data.segmentation` makes them, 255 where there is none; a
    batch without a pixel that counts has the loss 0.
    """
    total = nn.functional.cross_entropy(answers.mean(0), labels, ignore_index=IGNORED, reduction="sum")
    return total / (labels != IGNORED).sum().clamp(min=1)
