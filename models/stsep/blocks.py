"""Residual blocks: one chain, or STSep's two.

With the membrane shortcut a block takes and gives potentials: its neurons stand before its convolutions. With the spike
shortcut (SEW-ResNet, Fang et al., 2021) it takes and gives spikes, whose sums may exceed 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from neurodeploy.models.spiking.merged import joined, merged
from neurodeploy.models.stsep.branches import Chain, Link, neuron
from neurodeploy.models.stsep.difference import Difference
from neurodeploy.models.stsep.settings import StsepSettings

#: How many times the inner channels a bottleneck puts out.
EXPANSION = 4


def links(inputs: int, inner: int, outputs: int, stride: int, *, bottleneck: bool) -> list[Link]:
    """Return the convolutions of a block."""
    if bottleneck:  # the stride at the 3 x 3, as torchvision has it
        return [Link(inputs, inner, 1), Link(inner, inner, 3, stride), Link(inner, outputs, 1)]
    return [Link(inputs, inner, 3, stride), Link(inner, outputs, 3)]


class Shortcut(nn.Module):
    """What passes by: the input itself where shapes agree, else a normalised 1 x 1 convolution of it."""

    def __init__(self, inputs: int, outputs: int, stride: int, settings: StsepSettings, *, stateful: bool) -> None:
        super().__init__()
        same = stride == 1 and inputs == outputs
        self.conv = None if same else Link(inputs, outputs, 1, stride).build()
        self.norm = None if same else nn.BatchNorm2d(outputs)
        fires = not same and settings.shortcut == "spike"
        self.neuron = neuron(settings.charge, stateful=stateful) if fires else None

    def forward(self, x: Tensor) -> Tensor:
        """Return what is added to the chains' output, [T, B, outputs, H', W']."""
        if self.conv is None or self.norm is None:
            return x
        x = merged(self.norm, merged(self.conv, x))
        spikes: Tensor = x if self.neuron is None else self.neuron(x)
        return spikes


class PlainBlock(nn.Module):
    """Shortcut and one chain; ``stateful`` neurons can be switched by :func:`set_stateful`."""

    def __init__(
        self, inputs: int, inner: int, outputs: int, stride: int, settings: StsepSettings, *, bottleneck: bool
    ) -> None:
        super().__init__()
        spikes = settings.shortcut == "spike"
        stateful = settings.block == "plain"
        self.shortcut = Shortcut(inputs, outputs, stride, settings, stateful=stateful)
        self.enter = None if spikes else neuron(settings.charge, stateful=stateful)
        chain = links(inputs, inner, outputs, stride, bottleneck=bottleneck)
        self.spatial = Chain(chain, settings.charge, stateful=stateful, fires=spikes)

    def forward(self, x: Tensor) -> Tensor:
        """Return potentials, or with the spike shortcut sums of spikes, [T, B, outputs, H', W']."""
        y: Tensor = self.shortcut(x) + self.spatial(x if self.enter is None else self.enter(x))
        return y


class StsepBlock(nn.Module):
    """Shortcut, a spatial chain without memory, and a temporal one that sees only changes."""

    def __init__(
        self, inputs: int, inner: int, outputs: int, stride: int, settings: StsepSettings, *, bottleneck: bool
    ) -> None:
        super().__init__()
        spikes, split = settings.shortcut == "spike", settings.width == "split"
        self.shortcut = Shortcut(inputs, outputs, stride, settings, stateful=False)
        self.enter = None if spikes else neuron(settings.charge, stateful=False)
        seen = round(settings.split * outputs) if split else outputs
        inner_seen = round(settings.split * inner) if split else inner
        if split and not (0 < seen < outputs and 0 < inner_seen < inner):
            raise ValueError(f"split {settings.split} leaves a branch of {outputs} channels nothing")
        moved, inner_moved = (outputs - seen, inner - inner_seen) if split else (outputs, inner)
        spatial = links(inputs, inner_seen, seen, stride, bottleneck=bottleneck)
        temporal = links(inputs, inner_moved, moved, stride, bottleneck=bottleneck)
        self.spatial = Chain(spatial, settings.charge, stateful=False, fires=spikes)
        self.temporal = Chain(
            temporal,
            settings.charge,
            stateful=settings.temporal_state,
            fires=spikes,
            difference=Difference(history=settings.boundary == "history", rectify=settings.rectify),
            late=settings.difference == "post-conv",
        )
        if settings.width == "shared":
            self.temporal.share(self.spatial)
        self.fusion = Fusion(settings, joined=split)

    def forward(self, x: Tensor) -> Tensor:
        """Return potentials, or with the spike shortcut weighted sums of spikes, [T, B, outputs, H', W']."""
        seen = x if self.enter is None else self.enter(x)
        y: Tensor = self.shortcut(x) + self.fusion(self.spatial(seen), self.temporal(seen))
        return y


class Fusion(nn.Module):
    """``(1 - balance) a + balance b`` of the branches, or, where each has channels of its own, these side by side."""

    def __init__(self, settings: StsepSettings, *, joined: bool) -> None:
        super().__init__()
        self.fixed, self.joined = settings.balance, joined
        learned = settings.fusion == "learned"
        if learned and not 0 < settings.balance < 1:
            raise ValueError(f"a learned balance cannot begin at {settings.balance}")
        logit = math.log(settings.balance / (1 - settings.balance)) if learned else 0.0
        self.logit = nn.Parameter(torch.tensor(logit)) if learned else None

    @property
    def balance(self) -> Tensor | float:
        """The share of the temporal branch."""
        return self.fixed if self.logit is None else torch.sigmoid(self.logit)

    def forward(self, spatial: Tensor, temporal: Tensor) -> Tensor:
        """Return the branches' common output, which is one branch alone at the ends of the balance."""
        balance = self.balance
        a, b = (1 - balance) * spatial, balance * temporal
        return joined([a, b], 2) if self.joined else a + b
