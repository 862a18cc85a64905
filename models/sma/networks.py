"""SMA-VGG8 for event cameras and SMA-ResNet for images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.sma.attention import MultiscaleAttention
from neurodeploy.models.sma.settings import RESNET_BLOCKS, SmaResNetSettings, SmaVggSettings
from neurodeploy.models.sma.zoneout import ZoneOut
from neurodeploy.models.spiking.dynamics import membrane_shortcut_lif, spikingjelly_lif
from neurodeploy.models.spiking.layer import SpikingNeuron
from neurodeploy.models.spiking.merged import channels_last, merged
from neurodeploy.models.stdl.units import Piece, Resize, Shape, Unit, Units, reduction

Settings = SmaVggSettings | SmaResNetSettings

#: Blocks of the VGG, counted from 1, that have attention.
_ATTENDED = (2, 3)
#: Widths of the VGG's blocks, in times the first.
_WIDTHS = (1, 2, 4, 8, 8)
_POOLED = 3


def _lif_sj() -> SpikingNeuron:
    return SpikingNeuron(spikingjelly_lif())


def _lif_ms() -> SpikingNeuron:
    return SpikingNeuron(membrane_shortcut_lif())


def _attention(
    settings: Settings, channels: int, steps: int, kept: int, neuron: Callable[[], nn.Module]
) -> nn.Module | None:
    if settings.attention == "none":
        return None
    zoneout = None
    if settings.zoneout != "off":
        zoneout = ZoneOut(settings.zoneout, settings.channel_ratio, settings.time_ratio)
    kernels = range(1, settings.largest_kernel + 1, 2)
    inner = (channels // settings.channel_reduction, kept)
    light = settings.attention == "sma-l"
    return MultiscaleAttention(channels, steps, kernels, inner, neuron, light=light, zoneout=zoneout)


class SmaVgg(nn.Module):
    """The network of :class:`SmaVggSettings`; its output [T, B, classes] is one answer a step.

    ``stages`` maps ``1``, ``2``, ... and ``head`` to their modules.
    """

    def __init__(self, settings: SmaVggSettings, context: ModelContext) -> None:
        super().__init__()
        inputs, *sides = context.input_shape
        if min(sides) >> settings.blocks < 1:
            raise ValueError(f"{settings.blocks} poolings leave nothing of {sides[0]} x {sides[1]} pixels")
        if settings.hidden == 1:
            raise ValueError("hidden 1 leaves the second hidden layer, of half the size, nothing; 0 has neither")
        blocks: list[nn.Module] = []
        for number, times in enumerate(_WIDTHS[: settings.blocks], start=1):
            channels = settings.channels * times
            attended = number in _ATTENDED
            kept = context.steps // settings.time_reduction
            attention = _attention(settings, channels, context.steps, kept, _lif_sj) if attended else None
            blocks.append(_VggBlock(inputs, channels, attention))
            inputs = channels
        self.blocks = nn.ModuleList(blocks)
        self.head = _VggHead(inputs, settings, context.classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def stages(self) -> dict[str, nn.Module]:
        """The modules by stage."""
        return {**{str(n): block for n, block in enumerate(self.blocks, start=1)}, "head": self.head}

    def forward(self, x: Tensor) -> Tensor:
        """Return a number for each class at every step, [T, B, classes], for ``x`` [T, B, C, H, W]."""
        y = channels_last(x)
        for stage in self.stages.values():
            y = stage(y)
        return y

    def local_units(self) -> Units:
        """Return the blocks as units; raise :class:`ValueError` where attention looks at all steps at once."""
        _without_attention(self)

        def again(source: Shape, target: Shape) -> nn.Module:
            before = () if tuple(side // 2 for side in source[1:]) == target[1:] else (Resize(_doubled(target)),)
            return nn.Sequential(*before, _VggBlock(source[0], target[0], None))

        return Units(
            tuple(Unit(f"blocks.{name}", block, again) for name, block in self.blocks.named_children()), self.head
        )


def _doubled(shape: Shape) -> Shape:
    return tuple(2 * side for side in shape[1:])


def _without_attention(model: nn.Module) -> None:
    if any(isinstance(module, MultiscaleAttention) for module in model.modules()):
        raise ValueError("its attention looks at all steps of a sequence at once; set model.attention to 'none'")


class _VggBlock(nn.Module):
    def __init__(self, inputs: int, channels: int, attention: nn.Module | None) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, channels, 3, padding=1)
        self.attention = attention
        self.norm = nn.BatchNorm2d(channels)
        self.neurons = _lif_sj()
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's spikes, pooled by their maximum."""
        y = merged(self.conv, x)
        if self.attention is not None:
            y = self.attention(y)
        return merged(self.pool, self.neurons(merged(self.norm, y)))


class _VggHead(nn.Module):
    def __init__(self, channels: int, settings: SmaVggSettings, classes: int) -> None:
        super().__init__()
        hidden = self._hidden = settings.hidden
        self.pool = nn.AdaptiveAvgPool2d(_POOLED)
        features = channels * _POOLED**2
        if hidden:
            self.linear1, self.neurons1 = nn.Linear(features, hidden), _lif_sj()
            self.linear2, self.neurons2 = nn.Linear(hidden, hidden // 2), _lif_sj()
            features = hidden // 2
        self.linear3 = nn.Linear(features, classes)
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the classes' numbers at every step."""
        y = merged(self.pool, x).flatten(2)
        if self._hidden:
            y = self.neurons2(self.linear2(self.dropout(self.neurons1(self.linear1(y)))))
        answers: Tensor = self.linear3(self.dropout(y))
        return answers


class SmaResNet(nn.Module):
    """The network of :class:`SmaResNetSettings`; its output [T, B, classes] is one answer a step.

    A still image stands at every step. Every stage begins with a stride of 2, and there is no maximum pooling.
    ``stages`` maps ``stem`` and ``1`` to ``4`` to their modules.
    """

    def __init__(self, settings: SmaResNetSettings, context: ModelContext) -> None:
        super().__init__()
        if settings.depth not in RESNET_BLOCKS:
            raise ValueError(f"depth {settings.depth} is none of {', '.join(map(str, RESNET_BLOCKS))}")
        deep = self._averaged = settings.depth == max(RESNET_BLOCKS)
        self.stem = _stem(context.input_shape[0], settings.channels, deep=deep)
        channels = settings.channels
        self.body = nn.ModuleDict()
        for stage, count in enumerate(RESNET_BLOCKS[settings.depth], start=1):
            width = settings.channels * 2 ** (stage - 1)
            blocks = nn.Sequential()
            for block in range(count):
                stride = 2 if block == 0 else 1
                attention = self._branch(settings, width, context.steps) if block < settings.attended_blocks else None
                blocks.append(_MsBlock(channels, width, stride, attention, averaged=deep))
                channels = width
            self.body[str(stage)] = blocks
        self.neurons = _lif_ms()
        self.dropout = nn.Dropout(settings.dropout)
        self.head = nn.Linear(channels, context.classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @staticmethod
    def _branch(settings: SmaResNetSettings, width: int, steps: int) -> nn.Module | None:
        neuron: Callable[[], nn.Module] = nn.ReLU if settings.branches == "relu" else _lif_ms
        return _attention(settings, width, steps, settings.time_steps_kept, neuron)

    @property
    def stages(self) -> dict[str, nn.Module]:
        """The modules by stage."""
        return {"stem": self.stem, **dict(self.body.items())}

    def forward(self, x: Tensor) -> Tensor:
        """Return a number for each class at every step, [T, B, classes], for ``x`` [T, B, C, H, W]."""
        y = merged(self.stem, channels_last(x))
        for stage in self.body.values():
            y = stage(y)
        pooled = self.neurons(y).mean((-2, -1))
        if self.training and self.dropout.p:  # one draw for all steps, as the mean over them would get
            pooled = pooled * self.dropout(torch.ones_like(pooled[0]))
        answers: Tensor = self.head(pooled)
        return answers

    def local_units(self) -> Units:
        """Return the stem and the blocks as units, with potentials as outputs; raise as :class:`SmaVgg`'s does.

        Dropout before the last layer is drawn anew at every step, as nothing else can be drawn step by step.
        """
        _without_attention(self)

        def again(source: Shape, target: Shape) -> nn.Module:
            stride, before = reduction(source, target)
            return nn.Sequential(*before, _MsBlock(source[0], target[0], stride, None, averaged=self._averaged))

        units = [Unit("stem", Piece(lambda x: merged(self.stem, x), self.stem))]
        for name, stage in self.body.items():
            for number, block in stage.named_children():
                units.append(Unit(f"body.{name}.{number}", block, again))
        parts = (self.neurons, self.dropout, self.head)
        head = Piece(lambda x: self.head(self.dropout(self.neurons(x).mean((-2, -1)))), *parts)
        return Units(tuple(units), head, _lif_ms)


class _MsBlock(nn.Module):
    def __init__(self, inputs: int, channels: int, stride: int, attention: nn.Module | None, *, averaged: bool) -> None:
        super().__init__()
        self.neurons1 = _lif_ms()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.attention = attention
        self.norm1 = _norm(channels, self.neurons1.dynamics.threshold)
        self.neurons2 = _lif_ms()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = _norm(channels, 0.0)
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != channels:
            if averaged:
                self.shortcut.append(nn.AvgPool2d(stride, ceil_mode=True))
            self.shortcut.append(nn.Conv2d(inputs, channels, 1, 1 if averaged else stride, bias=False))
            self.shortcut.append(nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return potentials."""
        y = merged(self.conv1, self.neurons1(x))
        if self.attention is not None:
            y = self.attention(y)
        y = self.neurons2(merged(self.norm1, y))
        return merged(self.norm2, merged(self.conv2, y)) + merged(self.shortcut, x)


def _norm(channels: int, start: float) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels)
    nn.init.constant_(norm.weight, start)
    return norm


def _stem(inputs: int, channels: int, *, deep: bool) -> nn.Sequential:
    if not deep:
        return nn.Sequential(nn.Conv2d(inputs, channels, 7, 2, 3, bias=False), nn.BatchNorm2d(channels))
    # With biases: the published parameter count has them.
    layers: list[nn.Module] = [nn.Conv2d(inputs, channels, 3, 2, 1)]
    layers += [nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(2)]
    return nn.Sequential(*layers, nn.BatchNorm2d(channels))
