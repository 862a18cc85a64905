"""One step of a task on noise, for who measures what it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from neurodeploy.models.dataset import dataset_kind
from neurodeploy.models.losses import loss_of
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.tasks.kinds import CLASSIFICATION, DETECTION, SEGMENTATION


@dataclass(frozen=True)
class Rehearsal:
    """``forward`` runs a network in training on input [T, B, C, H, W]; ``loss`` is that of what it returns."""

    forward: Callable[[nn.Module, Tensor], Any]
    loss: Callable[[Any], Tensor]


def rehearsal_of(recipe: Recipe) -> Rehearsal:
    """Return the rehearsal of the recipe's task."""
    return _REHEARSALS[dataset_kind(recipe.data).task](recipe)


def _classification(recipe: Recipe) -> Rehearsal:
    def loss(output: Tensor) -> Tensor:
        return loss_of(output, torch.zeros(output.shape[1], dtype=torch.int64), recipe.training)

    return Rehearsal(lambda model, x: model(x), loss)


def _segmentation(_recipe: Recipe) -> Rehearsal:
    from neurodeploy.models.metasdt.segmentation import pixel_loss

    def loss(output: Tensor) -> Tensor:
        return pixel_loss(output, torch.zeros(output.shape[1], *output.shape[3:], dtype=torch.int64))

    return Rehearsal(lambda model, x: model(x), loss)


def _detection(_recipe: Recipe) -> Rehearsal:
    """One object in the middle of each image."""

    def forward(model: nn.Module, x: Tensor) -> Any:
        height, width = x.shape[-2:]
        top, left = height // 4, width // 4
        masks = torch.zeros(1, height, width, dtype=torch.uint8)
        masks[:, top : height - top, left : width - left] = 1
        box = torch.tensor([[left, top, width - left, height - top]], dtype=torch.float32)
        target = {"boxes": box, "labels": torch.ones(1, dtype=torch.int64), "masks": masks}
        return model(list(x[0]), [target] * x.shape[1])

    return Rehearsal(forward, lambda losses: torch.stack(list(losses.values())).sum())


_REHEARSALS: dict[str, Callable[[Recipe], Rehearsal]] = {
    CLASSIFICATION: _classification,
    SEGMENTATION: _segmentation,
    DETECTION: _detection,
}
