"""Datasets whose samples are more than a class: which recipes name them, and what of a recipe is for others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import UsageError
from neurodeploy.models.data.coco import load_coco
from neurodeploy.models.data.detection import LONGEST, SHORTER
from neurodeploy.models.data.segmentation import SIDE, fitted, load_ade20k
from neurodeploy.models.recipe import DataSettings

#: What a recipe may say of images with a class each, and of nothing else.
_OF_CLASSES = ("train_samples", "split", "stride", "framing", "label", "augment", "damaged_files")

#: Height and width of most photographs of COCO.
_PHOTOGRAPH = (480, 640)


class DenseSamples(Protocol):
    """Samples with a class a pixel, or with objects, read from files when they are taken."""

    def __len__(self) -> int: ...

    def take(self, indices: npt.NDArray[np.integer[Any]]) -> Sequence[Any]:
        """Return samples as tests see them."""
        ...

    def draw(self, indices: npt.NDArray[np.integer[Any]], draws: Sequence[np.random.Generator]) -> Sequence[Any]:
        """Return samples as training sees them, each drawn from its own generator."""
        ...

    def fingerprint(self) -> bytes:
        """Return bytes that tell these samples from others."""
        ...


@dataclass(frozen=True, eq=False)
class DenseDataset:
    """Both sides of a dataset."""

    train: DenseSamples
    test: DenseSamples


def load_segmentation(settings: DataSettings) -> DenseDataset:
    """Return ADE20K from the folder that ``settings`` name."""
    _check(settings)
    return DenseDataset(*load_ade20k(settings.folder, settings.size or SIDE))


def load_detection(settings: DataSettings) -> DenseDataset:
    """Return COCO from the folder that ``settings`` name."""
    _check(settings)
    if settings.steps != 1:
        raise UsageError("data.steps", f"is {settings.steps}, and detectors see an image once", "give 1")
    return DenseDataset(*load_coco(settings.folder, settings.size or SHORTER))


def crop_shape(settings: DataSettings) -> tuple[int, int, int]:
    """Return channels, height and width of ADE20K's crops."""
    side = settings.size or SIDE
    return 3, side, side


def photograph_shape(settings: DataSettings) -> tuple[int, int, int]:
    """Return channels, height and width that most of COCO's images have in tests."""
    shorter = settings.size or SHORTER
    return 3, *fitted(*_PHOTOGRAPH, LONGEST * shorter / SHORTER, shorter)


def refuse_labels(settings: DataSettings) -> Any:
    """Raise :class:`UsageError`: the dataset of ``settings`` has no class for each of its samples."""
    problem = "has no one class a sample, which this asks for"
    raise UsageError(f"dataset {settings.dataset!r}", problem, "its networks are trained and tested, and not deployed")


def _check(settings: DataSettings) -> None:
    defaults = {field.name: field.default for field in fields(DataSettings)}
    for name in _OF_CLASSES:
        if (value := getattr(settings, name)) != defaults[name]:
            problem = f"is {value!r}, and {settings.dataset!r} is not a set of classes: its views and sides are fixed"
            raise UsageError(f"data.{name}", problem, "leave it out")
