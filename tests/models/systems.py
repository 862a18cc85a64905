"""The trained systems in small, every kind of their neurons and branches at least once."""

from __future__ import annotations

from typing import Any

from torch import nn

from neurodeploy.models.architectures import MODEL_KINDS, ModelContext, ModelSettings, ResNetSettings, kind_of
from neurodeploy.models.metasdt.settings import MetaSdtSettings, MetaSdtV2Settings
from neurodeploy.models.sma.settings import SmaResNetSettings, SmaVggSettings
from neurodeploy.models.stsep.settings import StsepSettings

_SIZES: dict[str, Any] = {"channels": (16, 16, 16, 16), "blocks": (1, 0, 1, 1, 0)}

SMALL: dict[str, ModelSettings] = {
    "stsep": StsepSettings(depth=10, channels=8, stages=1),
    "stsep, spikes": StsepSettings(depth=10, channels=8, stages=1, charge="sj", shortcut="spike", width="split"),
    "stsep, rectified": StsepSettings(depth=10, channels=8, stages=1, rectify=True),
    "non-stateful": StsepSettings(depth=10, channels=8, stages=1, block="plain", stateless=("1",)),
    "sma-vgg": SmaVggSettings(channels=8, blocks=3, hidden=16, time_reduction=1, time_ratio=2),
    "sma-resnet": SmaResNetSettings(
        channels=4, attended_blocks=1, branches="lif-ms", channel_reduction=2, time_steps_kept=1
    ),
    "meta-sdt": MetaSdtSettings(**_SIZES),
    "meta-sdt, pointwise": MetaSdtSettings(**_SIZES, mixer="srb", layout="pointwise"),
    "meta-sdt-v2": MetaSdtV2Settings(**_SIZES),
    "resnet": ResNetSettings(stages=1, blocks=1, channels=8),
}

#: Of one sample at one step, classes and steps.
CONTEXT = ModelContext((3, 32, 32), 5, 2)


def small(name: str) -> nn.Module:
    """Return one of them in training."""
    settings = SMALL[name]
    return MODEL_KINDS[kind_of(settings)].build(settings, CONTEXT).train()
