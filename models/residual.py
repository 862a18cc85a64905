"""A spiking residual network whose shortcuts carry membrane potentials, after MS-ResNet (Hu et al., 2021).

A block adds to its input what a chain of neurons, convolution and batch norm, twice, makes of it. The second norm of a
block starts at 0, so that an untrained block passes its input on; every other one starts at the neurons' threshold, so
that what they get is of its size. Statistics pool over steps and samples.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from neurodeploy.models.architectures import ModelContext, ResNetSettings
from neurodeploy.models.spiking.dynamics import Dynamics, membrane_shortcut_lif, spikingjelly_lif
from neurodeploy.models.spiking.layer import SpikingNeuron
from neurodeploy.models.spiking.merged import channels_last, merged
from neurodeploy.models.spiking.normalized import NormalizedNeuron
from neurodeploy.models.stdl.units import Piece, Shape, Unit, Units, reduction

NEURONS: dict[str, Callable[[], Dynamics]] = {"lif-ms": membrane_shortcut_lif, "lif-sj": spikingjelly_lif}


class SpikingResNet(nn.Module):
    """The network of :class:`ResNetSettings`: stem, stages of blocks, neurons, mean over places, one linear layer.

    Its output [T, B, classes] are the linear layer's numbers, a float at every step, and no spikes.
    """

    def __init__(self, settings: ResNetSettings, context: ModelContext) -> None:
        super().__init__()
        dynamics = NEURONS[settings.neuron]()
        inputs, *sides = context.input_shape
        if min(sides) < settings.stem_stride * 2 ** (settings.stages - 1):
            raise ValueError(f"{settings.stages} stages leave nothing of {sides[0]} x {sides[1]} pixels")
        channels = settings.channels
        self.stem = nn.Sequential(_conv(inputs, channels, 3, settings.stem_stride), _norm(channels, dynamics.threshold))
        blocks: list[nn.Module] = []
        for stage in range(settings.stages):
            width = settings.channels * 2**stage
            for block in range(settings.blocks):
                blocks.append(_Block(channels, width, 2 if stage and not block else 1, dynamics))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.neurons = SpikingNeuron(dynamics)
        self.head = nn.Linear(channels, context.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return a number for each class at every step, [T, B, classes], for ``x`` [T, B, C, H, W]."""
        y: Tensor = self.neurons(self.blocks(merged(self.stem, channels_last(x))))
        answers: Tensor = self.head(y.mean((-2, -1)))
        return answers

    def local_units(self) -> Units:
        """Return the stem and the blocks as units; their outputs are potentials."""
        dynamics = self.neurons.dynamics

        def again(source: Shape, target: Shape) -> nn.Module:
            stride, before = reduction(source, target)
            return nn.Sequential(*before, _Block(source[0], target[0], stride, dynamics))

        stem = Piece(lambda x: merged(self.stem, x), self.stem)
        head = Piece(lambda x: self.head(self.neurons(x).mean((-2, -1))), self.neurons, self.head)
        blocks = [Unit(f"blocks.{name}", block, again) for name, block in self.blocks.named_children()]
        return Units((Unit("stem", stem), *blocks), head, lambda: SpikingNeuron(dynamics))


class _Block(nn.Module):
    def __init__(self, inputs: int, channels: int, stride: int, dynamics: Dynamics) -> None:
        super().__init__()
        self.neurons = SpikingNeuron(dynamics)
        self.conv1 = _conv(inputs, channels, 3, stride)
        self.neurons1 = NormalizedNeuron(_norm(channels, dynamics.threshold), dynamics)
        self.conv2 = _conv(channels, channels, 3, 1)
        self.norm2 = _norm(channels, 0.0)
        same = stride == 1 and inputs == channels
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(_conv(inputs, channels, 1, stride), _norm(channels, 1.0))
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.neurons1(merged(self.conv1, self.neurons(x)))
        return merged(self.norm2, merged(self.conv2, y)) + merged(self.shortcut, x)


def _conv(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


def _norm(channels: int, start: float) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels)
    nn.init.constant_(norm.weight, start)
    return norm
