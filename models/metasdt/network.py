"""The backbones of both versions and their classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.metasdt.attention import v2_attention, v3_attention
from neurodeploy.models.metasdt.blocks import ConvBlock, Downsample, Mlp, SepConv, TransformerBlock
from neurodeploy.models.metasdt.mixers import MixerPlan, build_mixer
from neurodeploy.models.metasdt.neurons import Neurons, integer_neurons, leaky_neurons
from neurodeploy.models.metasdt.settings import SECTIONS, MetaSdtSettings, MetaSdtV2Settings
from neurodeploy.models.spiking.merged import channels_last
from neurodeploy.models.stdl.units import Shape, Unit, Units, reduction

#: Sections whose blocks mix channels; those behind them attend.
_MIXED = SECTIONS[:3]

Settings = MetaSdtSettings | MetaSdtV2Settings


def neurons_of(settings: Settings) -> Neurons:
    """Return what makes the neurons of a network with these settings."""
    if isinstance(settings, MetaSdtV2Settings):
        return leaky_neurons(settings.attention_threshold)
    return integer_neurons(settings.levels) if settings.neuron == "i-lif" else leaky_neurons(1.0)


def _v3_transformer(settings: Settings, channels: int, neurons: Neurons) -> TransformerBlock:
    mlp = Mlp(channels, channels * settings.expansion, neurons)
    return TransformerBlock(SepConv(channels, 3, neurons), v3_attention(channels, settings.heads, neurons), mlp)


def _v2_transformer(settings: Settings, channels: int, neurons: Neurons) -> TransformerBlock:
    mlp = Mlp(channels, channels * settings.expansion, neurons)
    return TransformerBlock(None, v2_attention(channels, settings.heads, neurons), mlp)


def _conv_block(settings: Settings, channels: int, neurons: Neurons) -> ConvBlock:
    hidden = channels * (settings.mixer_expansion or settings.expansion)
    plan = MixerPlan(channels, hidden, settings.layout, settings.order, settings.mixer_norm, settings.dropout)
    plain = isinstance(settings, MetaSdtV2Settings)
    return ConvBlock(SepConv(channels, 7, neurons, plain=plain), build_mixer(settings.mixer, plan, neurons))


def _block_of(section: str, settings: Settings) -> Callable[[Settings, int, Neurons], nn.Module]:
    """Return what makes a block of a section from the settings, its channels and neurons."""
    if section in _MIXED:
        return _conv_block
    return _v2_transformer if isinstance(settings, MetaSdtV2Settings) else _v3_transformer


class Backbone(nn.Module):
    """Five sections, each a :class:`Downsample` and blocks; ``widths`` are their channels."""

    def __init__(self, settings: Settings, inputs: int) -> None:
        super().__init__()
        settings.check()
        first, *rest = settings.channels
        self.widths = (first // 2, first, *rest)
        self.strides = settings.strides
        neurons = neurons_of(settings)
        self.sections = nn.ModuleDict()
        for index, (name, width) in enumerate(zip(SECTIONS, self.widths, strict=True)):
            block = _block_of(name, settings)
            down = Downsample(inputs, width, settings.strides[index], neurons, first=index == 0)
            blocks = [block(settings, width, neurons) for _ in range(settings.blocks[index])]
            self.sections[name] = nn.Sequential(down, *blocks)
            inputs = width
        self.apply(_initialise)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return every section's potentials [T, B, C, H, W], finest first, for ``x`` of that shape."""
        outputs, y = [], channels_last(x)
        for section in self.sections.values():
            y = section(y)
            outputs.append(y)
        return outputs


class MetaSdt(nn.Module):
    """A backbone, the mean over places, neurons and one linear layer at every step.

    ``stages`` maps ``1a``, ``1b``, ``2``, ``3``, ``4`` and ``head`` to their modules.
    """

    def __init__(self, settings: Settings, context: ModelContext) -> None:
        super().__init__()
        self.settings = settings
        inputs, *sides = context.input_shape
        self.backbone = Backbone(settings, inputs)
        self.head = Head(self.backbone.widths[-1], context.classes, neurons_of(settings))
        if min(sides) < 1:
            raise ValueError(f"frames of {sides[0]} x {sides[1]} pixels are empty")
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def stages(self) -> dict[str, nn.Module]:
        """The modules by stage."""
        return {**dict(self.backbone.sections.items()), "head": self.head}

    def forward(self, x: Tensor) -> Tensor:
        """Return a number for each class at every step, [T, B, classes], for ``x`` [T, B, C, H, W]."""
        answers: Tensor = self.head(self.backbone(x)[-1])
        return answers

    def local_units(self) -> Units:
        """Return every change of resolution and every block as a unit, with potentials as outputs.

        Made once more for an auxiliary network, a block stands behind a change of resolution where its input has not
        its shape.
        """
        settings, neurons = self.settings, neurons_of(self.settings)

        def down(source: Shape, target: Shape) -> nn.Module:
            stride, before = reduction(source, target)
            return nn.Sequential(*before, Downsample(source[0], target[0], stride, neurons, first=False))

        units = []
        for name, section in self.backbone.sections.items():
            for number, part in cast(nn.Sequential, section).named_children():

                def again(source: Shape, target: Shape, part: nn.Module = part, name: str = name) -> nn.Module:
                    parts = [] if source == target and not isinstance(part, Downsample) else [down(source, target)]
                    if not isinstance(part, Downsample):
                        parts.append(_block_of(name, settings)(settings, target[0], neurons))
                    return nn.Sequential(*parts).apply(_initialise)

                units.append(Unit(f"backbone.sections.{name}.{number}", part, again))
        return Units(tuple(units), self.head, neurons.inner)


class Head(nn.Module):
    """Mean over places, neurons, linear: integers up to D reach the weights where neurons are I-LIF."""

    def __init__(self, channels: int, classes: int, neurons: Neurons) -> None:
        super().__init__()
        self.neuron = neurons.last()
        self.linear = nn.Linear(channels, classes)
        _initialise(self.linear)

    def forward(self, x: Tensor) -> Tensor:
        """Return [T, B, classes] for potentials [T, B, C, H, W]."""
        answers: Tensor = self.linear(self.neuron(x.mean((-2, -1))))
        return answers


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
