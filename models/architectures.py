"""The networks that a recipe's ``[model]`` table may name, each with its options and their limits; no torch here.

A network takes float32 [T, B, C, H, W] and returns [T, B, classes], one answer a step, unless its task is another than
classification. What builds it is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neurodeploy.errors import UsageError
from neurodeploy.models.metasdt.settings import (
    MaskRcnnSettings,
    MetaSdtSettings,
    MetaSdtV2Settings,
    SemanticFpnSettings,
)
from neurodeploy.models.sma.settings import SmaResNetSettings, SmaVggSettings
from neurodeploy.models.stsep.settings import StsepSettings
from neurodeploy.models.tables import bounded, describe, join, nearest, one_of, read_table, write_table
from neurodeploy.models.tasks.kinds import CLASSIFICATION, DETECTION, SEGMENTATION

if TYPE_CHECKING:
    from torch import nn

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class ModelContext:
    """What the data say of a network: one sample's shape at one step, how many classes, and how many steps."""

    input_shape: Shape
    classes: int
    steps: int


@dataclass(frozen=True)
class ResNetSettings:
    """A residual network whose shortcuts carry membrane potentials (MS-ResNet: Hu et al., 2021).

    ``channels`` are those of the stem and the first stage; every further stage has twice as many on half the side.
    """

    stages: int = bounded(1, 4, 2)
    blocks: int = bounded(1, 64, 2)
    channels: int = bounded(1, 1024, 32)
    stem_stride: int = bounded(1, 4, 1)
    neuron: str = one_of(("lif-ms", "lif-sj"), "lif-ms")


ModelSettings = (
    ResNetSettings
    | StsepSettings
    | SmaVggSettings
    | SmaResNetSettings
    | MetaSdtSettings
    | MetaSdtV2Settings
    | SemanticFpnSettings
    | MaskRcnnSettings
)


@dataclass(frozen=True)
class ModelKind:
    """One architecture: the dataclass of its options, what builds it, and the task that it is for.

    ``build`` takes the options and a :class:`ModelContext`. It raises :class:`ValueError` where they do not fit.
    """

    settings: type[Any]
    build: Callable[[Any, ModelContext], nn.Module]
    task: str = CLASSIFICATION


def _resnet(settings: ResNetSettings, context: ModelContext) -> nn.Module:
    from neurodeploy.models.residual import SpikingResNet

    return SpikingResNet(settings, context)


def _stsep(settings: StsepSettings, context: ModelContext) -> nn.Module:
    from neurodeploy.models.stsep.network import StsepNetwork

    return StsepNetwork(settings, context)


def _sma_vgg(settings: SmaVggSettings, context: ModelContext) -> nn.Module:
    from neurodeploy.models.sma.networks import SmaVgg

    return SmaVgg(settings, context)


def _sma_resnet(settings: SmaResNetSettings, context: ModelContext) -> nn.Module:
    from neurodeploy.models.sma.networks import SmaResNet

    return SmaResNet(settings, context)


def _metasdt(settings: MetaSdtSettings | MetaSdtV2Settings, context: ModelContext) -> nn.Module:
    from neurodeploy.models.metasdt.network import MetaSdt

    return MetaSdt(settings, context)


def _semantic_fpn(settings: SemanticFpnSettings, context: ModelContext) -> nn.Module:
    from neurodeploy.models.metasdt.segmentation import SemanticFpn

    return SemanticFpn(settings, context.classes, settings.width, context.input_shape[0], settings.head_dropout)


def _mask_rcnn(settings: MaskRcnnSettings, context: ModelContext) -> nn.Module:
    from neurodeploy.models.metasdt.detection import mask_rcnn

    limits = {f"rpn_post_nms_top_n_{when}": settings.proposals for when in ("train", "test")}
    options = {"features": settings.features, "box_batch_size_per_image": settings.regions, **limits}
    return mask_rcnn(settings, context.classes + 1, settings.width, **options)


MODEL_KINDS: dict[str, ModelKind] = {
    "resnet": ModelKind(ResNetSettings, _resnet),
    "stsep": ModelKind(StsepSettings, _stsep),
    "sma-vgg": ModelKind(SmaVggSettings, _sma_vgg),
    "sma-resnet": ModelKind(SmaResNetSettings, _sma_resnet),
    "meta-sdt": ModelKind(MetaSdtSettings, _metasdt),
    "meta-sdt-v2": ModelKind(MetaSdtV2Settings, _metasdt),
    "semantic-fpn": ModelKind(SemanticFpnSettings, _semantic_fpn, SEGMENTATION),
    "mask-rcnn": ModelKind(MaskRcnnSettings, _mask_rcnn, DETECTION),
}


def kind_of(settings: ModelSettings) -> str:
    """Return the name under which ``settings`` stand in :data:`MODEL_KINDS`."""
    return next(name for name, kind in MODEL_KINDS.items() if kind.settings is type(settings))


def read_model(raw: object, file: str) -> ModelSettings:
    """Return the options of a recipe's ``[model]`` table, or raise :class:`UsageError` naming the key."""
    if not isinstance(raw, dict):
        raise UsageError(f"{file}: model", f"is {describe(raw)}, not a table", "write it as a [model] table")
    options = dict(raw)
    kind = options.pop("kind", None)
    if not isinstance(kind, str) or kind not in MODEL_KINDS:
        found = "is missing" if kind is None else f"{kind!r} is no kind of model"
        raise UsageError(f"{file}: {join('model', 'kind')}", found, nearest(str(kind), MODEL_KINDS))
    settings: ModelSettings = read_table(MODEL_KINDS[kind].settings, options, "model", file)
    return settings


def write_model(settings: ModelSettings) -> str:
    """Return the ``[model]`` table that :func:`read_model` reads back."""
    return f'[model]\nkind = "{kind_of(settings)}"\n{write_table(settings)}'
