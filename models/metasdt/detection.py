"""Mask R-CNN on a Meta-SDT backbone, for COCO; torchvision, of the extra ``detection``, is imported here alone.

A re-implementation: sections ``1b``, ``2``, ``3`` and ``4`` and a coarser map enter a spiking pyramid of 256 channels,
as published. Proposals, regions, boxes and masks are torchvision's, with ReLU in their heads where the published ones
spike; they run on the host in any deployment. Of V3 with 81 classes there are 24.9 million parameters of T and 38.7 of
B, published as 25 and 39.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from neurodeploy.models.extras import require
from neurodeploy.models.metasdt.network import Backbone, Settings, neurons_of
from neurodeploy.models.metasdt.pyramid import Pyramid
from neurodeploy.models.metasdt.settings import SECTIONS

#: COCO's 80 classes and the background.
COCO_CLASSES = 81
#: Sections whose maps enter the pyramid: strides 4, 8, 16 and 16.
TAPS = ("1b", "2", "3", "4")
_WIDTH = 256
_ANCHOR_SCALE = 8
_RATIOS = (0.5, 1.0, 2.0)


class DetectionBackbone(nn.Module):
    """Backbone and pyramid for images [B, C, H, W], shown for one step: five maps named ``0`` to ``pool``."""

    def __init__(self, settings: Settings, inputs: int = 3, width: int = _WIDTH) -> None:
        super().__init__()
        self.backbone = Backbone(settings, inputs)
        self._taps = [SECTIONS.index(name) for name in TAPS]
        widths = [self.backbone.widths[index] for index in self._taps]
        self.pyramid = Pyramid(widths, width, neurons_of(settings))
        self.out_channels = width
        self.strides = tuple(math.prod(settings.strides[: index + 1]) for index in self._taps)

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        """Return [B, width, H / s, W / s] for each stride s."""
        maps = self.backbone(images.unsqueeze(0))
        levels = [level.squeeze(0) for level in self.pyramid([maps[index] for index in self._taps])]
        found = OrderedDict((str(index), level) for index, level in enumerate(levels))
        found["pool"] = nn.functional.max_pool2d(levels[-1], 1, 2)
        return found


def mask_rcnn(settings: Settings, classes: int = COCO_CLASSES, width: int = _WIDTH, **options: Any) -> nn.Module:
    """Return torchvision's Mask R-CNN on the backbone; ``options`` are those of its class.

    It takes and returns what torchvision's detectors do: a list of images [C, H, W] and, in training, a list of targets
    with ``boxes``, ``labels`` and ``masks``. Anchors have eight times a level's stride as side, and the ratios 0.5, 1
    and 2; regions are read from grids of 7 and, for masks, 14. Raises
    :class:`neurodeploy.errors.BackendMissing` without torchvision.
    """
    require("torchvision", extra="detection")
    from torchvision.models.detection import MaskRCNN
    from torchvision.models.detection.anchor_utils import AnchorGenerator
    from torchvision.ops import MultiScaleRoIAlign

    backbone = DetectionBackbone(settings, width=width)
    strides = (*backbone.strides, 2 * backbone.strides[-1])
    anchors = AnchorGenerator(tuple((_ANCHOR_SCALE * stride,) for stride in strides), (_RATIOS,) * len(strides))
    levels = [str(index) for index in range(len(TAPS) - 1)]  # the last has the grid of the one before
    detector: nn.Module = MaskRCNN(
        backbone,
        classes,
        rpn_anchor_generator=anchors,
        box_roi_pool=MultiScaleRoIAlign(levels, output_size=7, sampling_ratio=2),
        mask_roi_pool=MultiScaleRoIAlign(levels, output_size=14, sampling_ratio=2),
        **options,
    )
    return detector
