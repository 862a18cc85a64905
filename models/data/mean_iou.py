"""Mean intersection over union of predicted maps of classes, from one table of counts that adds over images."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.models.data.segmentation import IGNORED

Matrix = npt.NDArray[np.int64]


def confusion(predicted: npt.NDArray[np.integer[Any]], truth: npt.NDArray[np.integer[Any]], classes: int) -> Matrix:
    """Return how many pixels of each class (rows) were predicted as each (columns), int64 [classes, classes].

    ``predicted`` and ``truth`` have one shape, the size of the files; pixels whose truth is 255 are left out. Tables of
    several images add. Raises :class:`ValueError` for shapes that differ and for a class that is none.
    """
    if predicted.shape != truth.shape:
        raise ValueError(f"a prediction of shape {predicted.shape} for a map of shape {truth.shape}")
    counted = truth != IGNORED
    rows, columns = truth[counted].astype(np.int64), predicted[counted].astype(np.int64)
    if rows.size and (min(rows.min(), columns.min()) < 0 or max(rows.max(), columns.max()) >= classes):
        raise ValueError(f"a class outside 0 to {classes - 1}")
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes)


def class_iou(matrix: Matrix) -> npt.NDArray[np.float64]:
    """Return intersection over union of each class; NaN for one that neither the truth nor a prediction has."""
    right = np.diag(matrix).astype(np.float64)
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - right
    values = np.full(len(matrix), np.nan)
    np.divide(right, union, out=values, where=union > 0)
    return values


def mean_iou(matrix: Matrix) -> float:
    """Return the mean over the classes that occur; NaN where none does."""
    values = class_iou(matrix)
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else float("nan")


def pixel_accuracy(matrix: Matrix) -> float:
    """Return the share of pixels whose class was predicted; NaN where there are none."""
    total = int(matrix.sum())
    return int(np.trace(matrix)) / total if total else float("nan")
