"""Channel mixers: two convolutions, two linear layers (MLPixer), or one of each (SRB: splash and reconstruct)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neurodeploy.models.metasdt.neurons import Neurons
from neurodeploy.models.spiking.merged import merged


class MapLinear(nn.Module):
    """A linear layer without bias over a map [N, C, H, W]; its result is [N, outputs, H, W].

    ``pointwise`` applies it to the channels of every pixel. ``reference`` takes the numbers of the map in the order
    channel, row, column, and applies it to each C of them in turn: where C divides H W these are neighbouring pixels of
    one channel, and the result, taken apart in the same order, is spread over other pixels. What it means depends on
    the resolution; its weights do not.
    """

    def __init__(self, inputs: int, outputs: int, layout: str) -> None:
        super().__init__()
        self.layout = layout
        self.linear = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map of as many channels as the layer has outputs."""
        n, _, *sides = x.shape
        if self.layout == "pointwise":
            y: Tensor = self.linear(x.permute(0, 2, 3, 1))
            return y.permute(0, 3, 1, 2)
        rows = x.reshape(n, -1, self.linear.in_features)
        spread: Tensor = self.linear(rows)
        return spread.reshape(n, self.linear.out_features, *sides)

    def extra_repr(self) -> str:
        """Return the layout for ``repr``."""
        return f"layout={self.layout}"


@dataclass(frozen=True)
class MixerPlan:
    """What a mixer is built from; ``hidden`` are the channels between its halves."""

    channels: int
    hidden: int
    layout: str = "reference"
    order: str = "mlp-conv"
    norm: bool = False
    dropout: float = 0.2


class Mixer(nn.Module):
    """Neurons and a layer, twice: from [T, B, C, H, W] to as many channels again, without the residual sum."""

    def __init__(self, neurons: Neurons, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.neuron1, self.first = neurons.inner(), first
        self.neuron2, self.second = neurons.inner(), second

    def forward(self, x: Tensor) -> Tensor:
        """Return potentials [T, B, C, H, W]."""
        hidden = merged(self.first, self.neuron1(x))
        return merged(self.second, self.neuron2(hidden))


def _convolution(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs))


def _linear(plan: MixerPlan, inputs: int, outputs: int) -> nn.Module:
    norm = [nn.BatchNorm2d(outputs)] if plan.norm else []
    # The public code drops single numbers, which channel-wise dropout would not.
    return nn.Sequential(MapLinear(inputs, outputs, plan.layout), *norm, nn.Dropout(plan.dropout))


def _conv_mixer(plan: MixerPlan, neurons: Neurons) -> Mixer:
    return Mixer(neurons, _convolution(plan.channels, plan.hidden), _convolution(plan.hidden, plan.channels))


def _mlpixer(plan: MixerPlan, neurons: Neurons) -> Mixer:
    return Mixer(neurons, _linear(plan, plan.channels, plan.hidden), _linear(plan, plan.hidden, plan.channels))


def _srb(plan: MixerPlan, neurons: Neurons) -> Mixer:
    sizes = (plan.channels, plan.hidden), (plan.hidden, plan.channels)
    if plan.order == "mlp-conv":
        return Mixer(neurons, _linear(plan, *sizes[0]), _convolution(*sizes[1]))
    return Mixer(neurons, _convolution(*sizes[0]), _linear(plan, *sizes[1]))


_MIXERS: dict[str, Callable[[MixerPlan, Neurons], Mixer]] = {"conv": _conv_mixer, "mlpixer": _mlpixer, "srb": _srb}


def build_mixer(kind: str, plan: MixerPlan, neurons: Neurons) -> Mixer:
    """Return the mixer named ``conv``, ``mlpixer`` or ``srb``."""
    return _MIXERS[kind](plan, neurons)


@torch.no_grad()
def as_convolution(layer: MapLinear) -> nn.Conv2d:
    """Return the 1 x 1 convolution that equals a pointwise layer, which is what a graph can hold.

    Raises :class:`ValueError` for the reference layout, which is no convolution.
    """
    if layer.layout != "pointwise":
        raise ValueError(f"a linear layer in the layout {layer.layout!r} is no convolution")
    weight = layer.linear.weight
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=False, device=weight.device, dtype=weight.dtype)
    conv.weight.copy_(weight[:, :, None, None])
    return conv
