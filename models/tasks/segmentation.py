"""One class a pixel: cross-entropy where a pixel counts, mean IoU at the size of the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from neurodeploy.models.convnet import as_input
from neurodeploy.models.data.ahead import ahead
from neurodeploy.models.data.mean_iou import confusion, mean_iou, pixel_accuracy
from neurodeploy.models.data.segmentation import SegmentationSet, Segmented, stacked
from neurodeploy.models.dataset import dataset_kind
from neurodeploy.models.metasdt.segmentation import pixel_loss
from neurodeploy.models.processes import Processes
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.stdl.learning import autocast
from neurodeploy.models.tasks.task import Update


class Segmentation:
    """For networks from [T, B, C, H, W] to a number for each class at every pixel, [T, B, classes, H, W]."""

    counted = False

    def __init__(self, recipe: Recipe, model: nn.Module, module: nn.Module, processes: Processes) -> None:
        self.auxiliary: nn.Module = nn.ModuleList()
        self._kind, self._steps, self._training = dataset_kind(recipe.data), recipe.data.steps, recipe.training
        self._model, self._module, self._processes = model, module, processes

    def backward(self, batch: Sequence[Segmented], weight: float, _update: Update) -> tuple[float, int]:
        """Add the gradient of crops of one size."""
        images, classes = stacked(batch)
        x = self._as_input(images)
        with autocast(x, self._training):
            answers = self._module(x)
        loss = pixel_loss(answers.float(), torch.from_numpy(classes).long().to(x.device))
        (loss * weight).backward()  # type: ignore[no-untyped-call]
        return loss.item(), 0

    def run(self, batch: Sequence[Segmented]) -> None:
        """Run the network on the batch's images."""
        self._model(self._as_input(stacked(batch)[0]))

    def figures(self, samples: SegmentationSet) -> Mapping[str, float]:
        """Return mean IoU, the score, and pixel accuracy over whole images, each at the size of its file."""
        rank, size, classes = self._processes.rank, self._processes.size, self._kind.classes
        matrix = np.zeros((classes, classes), np.int64)
        for (sample,) in ahead(samples.take(np.array([index])) for index in range(rank, len(samples), size)):
            matrix += confusion(self._answer(sample), sample.classes, classes)
        total = np.array(self._processes.total(matrix.ravel().tolist()), np.int64).reshape(matrix.shape)
        found = {"score": mean_iou(total), "pixel_accuracy": pixel_accuracy(total)}
        return {name: float(np.nan_to_num(value)) for name, value in found.items()}  # where no pixel counts, 0

    def _answer(self, sample: Segmented) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        answers = self._model(self._as_input(sample.image[np.newaxis])).float().mean(0)
        whole = nn.functional.interpolate(answers, size=sample.classes.shape, mode="bilinear", align_corners=False)
        return whole.argmax(1)[0].cpu().numpy()

    def _as_input(self, images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Tensor:
        """Return images [B, 3, H, W] as input, the same at every step."""
        x = as_input(np.ascontiguousarray(images)[:, np.newaxis], self._kind.scaling, self._processes.device)
        return x.expand(self._steps, *x.shape[1:])
