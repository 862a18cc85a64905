"""The residual networks of the non-stateful family and of STSep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.spiking.layer import set_stateful
from neurodeploy.models.spiking.merged import channels_last, merged
from neurodeploy.models.stdl.units import Piece, Shape, Unit, Units, reduction
from neurodeploy.models.stsep.blocks import EXPANSION, PlainBlock, StsepBlock
from neurodeploy.models.stsep.branches import neuron
from neurodeploy.models.stsep.settings import DEPTHS, STEM, StsepSettings


class StsepNetwork(nn.Module):
    """Stem, stages of blocks, mean over places, one linear layer at every step.

    The parameters of the plain network are torchvision's ResNet's of that depth but for its input channels and classes.
    ``stages`` maps ``stem`` and ``1`` to ``4`` to their modules, for :func:`set_stateful`; with the membrane shortcut
    the neurons before the mean belong to the last stage. A mean over steps is what the recipe's readout makes of the
    output.
    """

    def __init__(self, settings: StsepSettings, context: ModelContext) -> None:
        super().__init__()
        settings.check()
        blocks, bottleneck = DEPTHS[settings.depth]
        self.settings = settings
        self.stem = Stem(settings, context.input_shape[0])
        channels, last = settings.channels, settings.stages
        self.body = nn.ModuleDict()
        for index, count in enumerate(blocks[:last], start=1):
            inner = settings.channels * 2 ** (index - 1)
            width = inner * (EXPANSION if bottleneck else 1)
            stsep = settings.block == "stsep" and str(index) in settings.separated
            stage = nn.Sequential()
            for block in range(count):
                stride = 2 if index > 1 and block == 0 else 1
                kind = StsepBlock if stsep else PlainBlock
                stage.append(kind(channels, inner, width, stride, settings, bottleneck=bottleneck))
                channels = width
            if index == last and settings.shortcut == "membrane":
                stage.append(neuron(settings.charge, stateful=settings.block == "plain"))
            self.body[str(index)] = stage
        self.head = nn.Linear(channels, context.classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        set_stateful(self, [name for name in settings.stateless if name in self.stages], flag=False)

    @property
    def stages(self) -> Mapping[str, nn.Module]:
        """The modules by stage."""
        return {STEM: self.stem, **dict(self.body.items())}

    def stage_outputs(self, x: Tensor) -> dict[str, Tensor]:
        """Return what each stage puts out, [T, B, C, H, W], for ``x`` [T, B, C, H, W]."""
        outputs, y = {}, channels_last(x)
        for name, stage in self.stages.items():
            outputs[name] = y = stage(y)
        return outputs

    def features(self, x: Tensor) -> Tensor:
        """Return the last stage's output averaged over places, [T, B, channels]."""
        y = channels_last(x)
        for stage in self.stages.values():
            y = stage(y)
        return y.mean((-2, -1))

    def forward(self, x: Tensor) -> Tensor:
        """Return a number for each class at every step, [T, B, classes], for ``x`` [T, B, C, H, W]."""
        answers: Tensor = self.head(self.features(x))
        return answers

    def local_units(self) -> Units:
        """Return the stem and the blocks as units; the neurons behind the last one belong to the head."""
        settings = self.settings
        bottleneck = DEPTHS[settings.depth][1]
        units, behind = [Unit("stem", self.stem)], []
        for stage, modules in self.body.items():
            for name, block in cast(nn.Sequential, modules).named_children():
                if not isinstance(block, PlainBlock | StsepBlock):
                    behind.append(block)
                    continue
                kind = type(block)

                def again(
                    source: Shape, target: Shape, kind: type[PlainBlock | StsepBlock] = kind, stage: str = stage
                ) -> nn.Module:
                    stride, before = reduction(source, target)
                    inner = target[0] // (EXPANSION if bottleneck else 1)
                    fresh = kind(source[0], inner, target[0], stride, settings, bottleneck=bottleneck)
                    if stage in settings.stateless:
                        set_stateful(fresh, None, flag=False)
                    return nn.Sequential(*before, fresh)

                units.append(Unit(f"body.{stage}.{name}", block, again))
        tail = nn.Sequential(*behind)
        head = Piece(lambda x: self.head(tail(x).mean((-2, -1))), tail, self.head)
        potentials = settings.shortcut == "membrane"
        stateful = settings.block == "plain"
        return Units(tuple(units), head, (lambda: neuron(settings.charge, stateful=stateful)) if potentials else None)


class Stem(nn.Module):
    """Convolution, norm, neurons and, for large frames, a maximum; spikes are its output.

    STSep's stem has no memory (a choice of this implementation).
    """

    def __init__(self, settings: StsepSettings, inputs: int) -> None:
        super().__init__()
        large = settings.stem == "imagenet"
        kernel, stride = (7, 2) if large else (3, 1)
        self.conv = nn.Conv2d(inputs, settings.channels, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(settings.channels)
        self.neuron = neuron(settings.charge, stateful=settings.block == "plain")
        self.pool = nn.MaxPool2d(3, 2, 1) if large else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the first spikes, [T, B, channels, H', W']."""
        spikes: Tensor = self.neuron(merged(self.norm, merged(self.conv, x)))
        return spikes if self.pool is None else merged(self.pool, spikes)
