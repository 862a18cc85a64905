"""Mask R-CNN on a Meta-SDT backbone, for COCO, with torchvision's code for regions (extra ``detection``).

A re-implementation: sections ``1b``, ``2``, ``3`` and ``4`` and a coarser map enter a spiking pyramid of 256 channels,
and the heads of boxes and masks spike, as published. Proposals, their sampling, losses and what is kept of the answers
are torchvision's; they, and RoIAlign, run on the host in any deployment. Of V3 with 81 classes there are 24.9 million
parameters of T and 38.7 of B, published as 25 and 39. Not published, and chosen here: ReLU in the proposals' head, the
heads' first weights, pixels of regions read at two samples a side.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from neurodeploy.models.metasdt.heads import BOX_FEATURES, BoxHead, mask_head, mask_predictor
from neurodeploy.models.metasdt.network import Backbone, Settings, neurons_of
from neurodeploy.models.metasdt.operators import torchvision
from neurodeploy.models.metasdt.pyramid import Pyramid
from neurodeploy.models.metasdt.settings import SECTIONS

#: COCO's 80 classes and the background.
COCO_CLASSES = 81
#: Sections whose maps enter the pyramid: strides 4, 8, 16 and 16.
TAPS = ("1b", "2", "3", "4")
_WIDTH = 256
_ANCHOR_SCALE = 8
_RATIOS = (0.5, 1.0, 2.0)
#: Pixels along a region's side that the heads of boxes and masks see.
_BOX_SIDE, _MASK_SIDE = 7, 14
#: Images of a batch are filled up to sides that this divides.
_DIVISIBLE = 32

Target = dict[str, Tensor]


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


class MaskRcnn(nn.Module):
    """A detector for images [C, H, W] of any sizes, scaled as its backbone wants them.

    ``backbone``, ``rpn`` and ``roi_heads`` are torchvision's, or such as it takes.
    """

    def __init__(self, backbone: nn.Module, rpn: nn.Module, roi_heads: nn.Module) -> None:
        super().__init__()
        self.backbone, self.rpn, self.roi_heads = backbone, rpn, roi_heads

    def forward(self, images: Sequence[Tensor], targets: list[Target] | None = None) -> Any:
        """Return in training the losses by name, else for each image ``boxes``, ``labels``, ``scores`` and ``masks``.

        ``targets`` have boxes [N, 4], labels int64 [N] from 1 on and masks uint8 [N, H, W]. Masks found are of their
        boxes alone, [N, 1, 28, 28] in 0..1; :meth:`pasted` puts them on an image.
        """
        batch = torchvision("torchvision.models.detection.image_list").ImageList(
            _filled(images), [(image.shape[-2], image.shape[-1]) for image in images]
        )
        maps = OrderedDict((name, level.float()) for name, level in self.backbone(batch.tensors).items())
        with torch.autocast(batch.tensors.device.type, enabled=False):  # boxes want more digits than bfloat16 has
            proposals, losses = self.rpn(batch, maps, targets)
            found, more = self.roi_heads(maps, proposals, batch.image_sizes, targets)
        return {**losses, **more} if self.training else found

    @staticmethod
    def pasted(found: Target, seen: tuple[int, int], size: tuple[int, int]) -> Target:
        """Return what was found in an image of height and width ``seen`` for one of ``size``; masks [N, 1, H, W]."""
        factors = found["boxes"].new_tensor([size[1] / seen[1], size[0] / seen[0]] * 2)
        boxes = found["boxes"] * factors
        paste = torchvision("torchvision.models.detection.roi_heads").paste_masks_in_image
        return {**found, "boxes": boxes, "masks": paste(found["masks"], boxes, size)}


def _filled(images: Sequence[Tensor]) -> Tensor:
    """Return images as one batch, zeros below and to the right of each."""
    sides = [max(image.shape[axis] for image in images) for axis in (1, 2)]
    height, width = (-(-side // _DIVISIBLE) * _DIVISIBLE for side in sides)
    batch = images[0].new_zeros(len(images), images[0].shape[0], height, width)
    for index, image in enumerate(images):
        batch[index, :, : image.shape[1], : image.shape[2]] = image
    return batch


def mask_rcnn(settings: Settings, classes: int = COCO_CLASSES, width: int = _WIDTH, **options: Any) -> MaskRcnn:
    """Return Mask R-CNN on the backbone of ``settings``; ``options`` are those of torchvision's class of that name.

    ``classes`` count the background. Anchors have eight times a level's stride as side, and the ratios 0.5, 1 and 2;
    regions are read from grids of 7 and, for masks, 14. Raises :class:`neurodeploy.errors.BackendMissing` without
    torchvision.
    """
    detection, ops = torchvision("torchvision.models.detection"), torchvision("torchvision.ops")
    anchors = torchvision("torchvision.models.detection.anchor_utils").AnchorGenerator
    neurons, backbone = neurons_of(settings), DetectionBackbone(settings, width=width)
    strides = (*backbone.strides, 2 * backbone.strides[-1])
    levels = [str(index) for index in range(len(TAPS) - 1)]  # the last has the grid of the one before
    features = options.pop("features", BOX_FEATURES)
    parts = detection.MaskRCNN(
        backbone,
        rpn_anchor_generator=anchors(tuple((_ANCHOR_SCALE * stride,) for stride in strides), (_RATIOS,) * len(strides)),
        box_roi_pool=ops.MultiScaleRoIAlign(levels, output_size=_BOX_SIDE, sampling_ratio=2),
        box_head=BoxHead(width * _BOX_SIDE**2, features, neurons),
        box_predictor=detection.faster_rcnn.FastRCNNPredictor(features, classes),
        mask_roi_pool=ops.MultiScaleRoIAlign(levels, output_size=_MASK_SIDE, sampling_ratio=2),
        mask_head=mask_head(width, neurons),
        mask_predictor=mask_predictor(width, classes, neurons),
        **options,
    )
    return MaskRcnn(parts.backbone, parts.rpn, parts.roi_heads)
