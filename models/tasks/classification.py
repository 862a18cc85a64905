"""One class a sample: the task of networks that go to a chip."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.convnet import as_input
from neurodeploy.models.data.ahead import ahead
from neurodeploy.models.dataset import dataset_kind
from neurodeploy.models.processes import Processes
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.spikes import LabelledSpikes, Samples
from neurodeploy.models.stdl.building import build_method
from neurodeploy.models.tasks.task import Update

#: Samples that are tested at a time, and the values that all of them have at most: clips of videos are large.
_EVALUATION_BATCH, _EVALUATION_VALUES = 256, 1 << 26


class Classification:
    """Cross-entropy or another loss of outputs [T, B, classes], by the recipe's method; accuracy."""

    counted = True

    def __init__(self, recipe: Recipe, model: nn.Module, module: nn.Module, processes: Processes) -> None:
        self._kind, self._steps = dataset_kind(recipe.data), recipe.data.steps
        self._model, self._processes = model, processes
        context = ModelContext(self._kind.input_shape, self._kind.classes, self._steps)
        self.method = build_method(recipe, model, module, context)
        self.auxiliary = self.method.auxiliary

    def backward(self, batch: Samples, weight: float, update: Update) -> tuple[float, int]:
        """Add the gradient by the method, which may update in between."""
        labels = torch.from_numpy(batch.labels if batch.targets is None else batch.targets)
        x = self._as_input(batch.spikes)
        outputs, loss = self.method.backward(x, labels.to(self._processes.device), weight, update)
        return loss, _right(outputs, batch.labels)

    def run(self, batch: Samples) -> None:
        """Run the network on the batch's spikes."""
        self._model(self._as_input(batch.spikes))

    def figures(self, samples: LabelledSpikes) -> Mapping[str, float]:
        """Return the share of ``samples`` whose label is the class with the largest output, the first one on ties."""
        right, (rank, size) = 0, (self._processes.rank, self._processes.size)
        number = min(_EVALUATION_BATCH, max(1, _EVALUATION_VALUES // (self._steps * math.prod(self._kind.input_shape))))
        starts = range(rank * number, len(samples), size * number)
        parts = (np.arange(start, min(start + number, len(samples))) for start in starts)
        for part in ahead(samples.take(indices) for indices in parts):
            right += _right(self._model(self._as_input(part.spikes)), part.labels)
        return {"score": self._processes.total([right])[0] / len(samples)}

    def _as_input(self, values: Any) -> Tensor:
        return as_input(values, self._kind.scaling, self._processes.device)


def _right(outputs: Tensor, labels: Any) -> int:
    """Return for how many samples the class with the largest sum of ``outputs`` [T, B, classes] is the label."""
    sums = outputs.float().sum(dim=0).cpu().numpy()
    return int((sums.argmax(axis=1) == labels).sum())
