"""Objects with boxes and masks: Mask R-CNN's losses, and average precision at the size of the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from neurodeploy.models.convnet import as_input
from neurodeploy.models.data.ahead import ahead
from neurodeploy.models.data.average_precision import Detections, Row, precision_of, rows_of
from neurodeploy.models.data.coco import DetectionSet
from neurodeploy.models.data.detection import Detected
from neurodeploy.models.dataset import dataset_kind
from neurodeploy.models.metasdt.detection import MaskRcnn
from neurodeploy.models.processes import Processes
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.stdl.learning import autocast
from neurodeploy.models.tasks.task import Update

#: A pixel is an object's where its mask is above this.
_MASKED = 0.5

#: What of pycocotools' figures is told, of boxes and of masks.
_TOLD = ("AP", "AP50", "AP75")


class Detection:
    """For networks that take a list of images and, in training, of targets; see :class:`MaskRcnn`."""

    counted = False

    def __init__(self, recipe: Recipe, model: nn.Module, module: nn.Module, processes: Processes) -> None:
        self.auxiliary: nn.Module = nn.ModuleList()
        self._kind, self._training = dataset_kind(recipe.data), recipe.training
        self._model, self._module, self._processes = model, module, processes

    def backward(self, batch: Sequence[Detected], weight: float, _update: Update) -> tuple[float, int]:
        """Add the gradient of the sum of the detector's losses."""
        images, targets = self._images(batch), [self._target(sample) for sample in batch]
        with autocast(images[0], self._training):
            losses = self._module(images, targets)
        loss = torch.stack([each.float() for each in losses.values()]).sum()
        (loss * weight).backward()  # type: ignore[no-untyped-call]
        return loss.item(), 0

    def run(self, batch: Sequence[Detected]) -> None:
        """Run the network on the batch's images and objects."""
        self._model(self._images(batch), [self._target(sample) for sample in batch])

    def figures(self, samples: DetectionSet) -> Mapping[str, float]:
        """Return average precision of boxes, the score, and of masks, by pycocotools; 0 where nothing counts."""
        rank, size, rows = self._processes.rank, self._processes.size, list[Row]()
        for (sample,) in ahead(samples.take(np.array([index])) for index in range(rank, len(samples), size)):
            rows += rows_of(self._found(sample), samples, masks=True)
        # Over images, not processes: what pycocotools makes of equal scores follows from their order.
        rows = sorted(self._processes.gathered(rows), key=lambda row: int(row["image_id"]))
        found: dict[str, float] = {}
        for kind, masks in (("box", False), ("mask", True)):
            figures = precision_of(rows, samples, masks=masks)
            found |= {f"{kind}_{name}": max(figures[name], 0.0) for name in _TOLD}
        return {"score": found.pop("box_AP"), **found}

    def _found(self, sample: Detected) -> Detections:
        """Return what is found in an image, in pixels of its file."""
        (found,) = self._model(self._images([sample]))
        _, height, width = sample.image.shape
        found = MaskRcnn.pasted(found, (height, width), sample.size)
        return Detections(
            sample.image_id,
            found["boxes"].cpu().numpy(),
            found["labels"].cpu().numpy() - 1,  # 0 is the background
            found["scores"].cpu().numpy(),
            (found["masks"][:, 0] > _MASKED).cpu().numpy(),
        )

    def _images(self, batch: Sequence[Detected]) -> list[Tensor]:
        """Return images float32 [3, H, W], each of its own size."""
        values = (np.ascontiguousarray(sample.image)[np.newaxis, np.newaxis] for sample in batch)
        return [as_input(value, self._kind.scaling, self._processes.device)[0, 0] for value in values]

    def _target(self, sample: Detected) -> dict[str, Tensor]:
        parts = {
            "boxes": torch.from_numpy(sample.boxes),
            "labels": torch.from_numpy(sample.labels) + 1,
            "masks": torch.from_numpy(np.ascontiguousarray(sample.masks)).to(torch.uint8),
        }
        return {name: value.to(self._processes.device) for name, value in parts.items()}
