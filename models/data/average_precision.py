"""Average precision of detected objects on COCO, by pycocotools: the number that papers print."""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.models.data.coco import DetectionSet
from neurodeploy.models.extras import require

#: One object as pycocotools takes it.
Row = dict[str, Any]

#: What pycocotools' summary holds, in its order: precision, then recall, by overlap, size and detections an image.
FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


@dataclass(frozen=True, eq=False)
class Detections:
    """What a network found in one image, in pixels of the file.

    Attributes
    ----------
    image_id : the dataset's number of the image.
    boxes : float [objects, 4]: left, top, right, bottom.
    labels : int [objects], classes counted from 0.
    scores : float [objects].
    masks : bool [objects, height, width], or None where only boxes are found.
    """

    image_id: int
    boxes: npt.NDArray[np.floating[Any]]
    labels: npt.NDArray[np.integer[Any]]
    scores: npt.NDArray[np.floating[Any]]
    masks: npt.NDArray[np.bool_] | None = None


def average_precision(found: Iterable[Detections], dataset: DetectionSet, *, masks: bool = False) -> dict[str, float]:
    """Return :data:`FIGURES` of what was found in the images of ``dataset``, by boxes or by ``masks``, in 0..1.

    A figure that has nothing to be counted on, such as that of large objects where there are none, is -1. Every image
    of the dataset counts, whether anything was found in it or not.
    """
    return precision_of([row for each in found for row in rows_of(each, dataset, masks=masks)], dataset, masks=masks)


def precision_of(results: list[Row], dataset: DetectionSet, *, masks: bool = False) -> dict[str, float]:
    """Return :data:`FIGURES` of rows that :func:`rows_of` made; those with masks have figures of boxes too."""
    require("pycocotools", extra="video")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with redirect_stdout(io.StringIO()):  # it reports its progress there
        truth = COCO(str(dataset.annotations))
        answers = truth.loadRes([dict(row) for row in results]) if results else _none(truth)
        judge = COCOeval(truth, answers, "segm" if masks else "bbox")
        judge.params.imgIds = sorted(each.image_id for each in dataset.pictures)
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return {name: float(value) for name, value in zip(FIGURES, judge.stats, strict=True)}


def _none(truth: Any) -> Any:
    """Return answers without any object, which pycocotools does not load."""
    from pycocotools.coco import COCO

    answers = COCO()
    answers.dataset = {**truth.dataset, "annotations": []}
    answers.createIndex()
    return answers


def rows_of(found: Detections, dataset: DetectionSet, *, masks: bool = False) -> Iterable[Row]:
    """Yield what was found in one image as pycocotools has it, an object a row; masks become run lengths."""
    if masks and found.masks is None:
        raise ValueError(f"no masks for image {found.image_id}")
    for index, (left, top, right, bottom) in enumerate(found.boxes.tolist()):
        row = {
            "image_id": found.image_id,
            "category_id": dataset.categories[int(found.labels[index])],
            "bbox": [left, top, right - left, bottom - top],
            "score": float(found.scores[index]),
        }
        if masks and found.masks is not None:
            row["segmentation"] = _runs(found.masks[index])
        yield row


def _runs(mask: npt.NDArray[np.bool_]) -> dict[str, Any]:
    from pycocotools.mask import encode

    runs: dict[str, Any] = encode(np.asfortranarray(mask, np.uint8))
    return runs | {"counts": runs["counts"].decode("ascii")}
