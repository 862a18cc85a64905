"""Images with boxes and masks of objects, and what recipes for COCO do to an image and its objects alike.

Steps of training are pure functions ``(sample, draw) -> sample``. Boxes are left, top, right, bottom in pixels of the
image that they come with. (Recipe: Mask R-CNN 1x with the scales and crops of Carion et al., "DETR", ECCV 2020.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from neurodeploy.models.data.crops import resized
from neurodeploy.models.data.segmentation import fitted, nearest

Draw = np.random.Generator

#: The longest side in training and testing, and the shorter one in testing.
LONGEST, SHORTER = 1333, 800

#: The shorter sides that training draws from.
SCALES = tuple(range(480, SHORTER + 1, 32))

_BEFORE_CROP, _LONGEST_BEFORE_CROP = (400, 500, 600), 4200
_CROP = (384, 600)


@dataclass(frozen=True, eq=False)
class Detected:
    """An image and its objects.

    Attributes
    ----------
    image : uint8 [3, height, width].
    boxes : float32 [objects, 4]: left, top, right, bottom.
    labels : int64 [objects], classes counted from 0.
    masks : bool [objects, height, width].
    image_id : the dataset's number of the image, which its evaluation asks for.
    size : height and width of the file, to which predictions are scaled back.
    """

    image: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    masks: npt.NDArray[np.bool_]
    image_id: int
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.labels)


def for_testing(sample: Detected, shorter: int = SHORTER) -> Detected:
    """Return the sample with a shorter side of 800, or a longer one of 1333 where that is less.

    Another ``shorter`` than 800 scales all sizes of this module in proportion, here and in :func:`for_training`.
    """
    return resized_to(sample, shorter, _scaled(LONGEST, shorter))


def for_training(sample: Detected, draw: Draw, shorter: int = SHORTER) -> Detected:
    """Return a drawn view: mirrored or not, at one of several scales, in half of the cases a crop of another scale."""
    sample = mirrored(sample, draw)
    if draw.random() < 0.5:
        side = _scaled(int(draw.choice(_BEFORE_CROP)), shorter)
        before = resized_to(sample, side, _scaled(_LONGEST_BEFORE_CROP, shorter))
        low, high = (_scaled(side, shorter) for side in _CROP)
        sample = drawn_crop(before, draw, (low, high))
    return resized_to(sample, _scaled(int(draw.choice(SCALES)), shorter), _scaled(LONGEST, shorter))


def _scaled(side: int, shorter: int) -> int:
    return max(1, round(side * shorter / SHORTER))


def mirrored(sample: Detected, draw: Draw, probability: float = 0.5) -> Detected:
    """Mirror an image and its objects left and right with ``probability``."""
    if draw.random() >= probability:
        return sample
    width = sample.image.shape[2]
    left, top, right, bottom = sample.boxes.T
    boxes = np.stack([width - right, top, width - left, bottom], axis=1).astype(np.float32)
    return replace(sample, image=sample.image[..., ::-1], boxes=boxes, masks=sample.masks[..., ::-1])


def resized_to(sample: Detected, shorter: int, longest: int = LONGEST) -> Detected:
    """Resize an image and its objects to a shorter side of ``shorter``; the longer one passes ``longest`` nowhere."""
    old_height, old_width = sample.image.shape[1:]
    height, width = fitted(old_height, old_width, longest, shorter)
    factors = np.array([width / old_width, height / old_height] * 2, np.float32)
    masks = [nearest(mask.astype(np.uint8), height, width).astype(np.bool_) for mask in sample.masks]
    return replace(
        sample,
        image=resized(np.moveaxis(sample.image, 0, -1), height, width),
        boxes=sample.boxes * factors,
        masks=np.stack(masks) if masks else np.zeros((0, height, width), np.bool_),
    )


def drawn_crop(sample: Detected, draw: Draw, between: tuple[int, int] = _CROP) -> Detected:
    """Cut a drawn part with sides of 384 to 600, or all of a shorter side; parts without objects are allowed."""
    extents = sample.image.shape[1:]
    sides = [int(draw.integers(min(extent, between[0]), min(extent, between[1]) + 1)) for extent in extents]
    top, left = (int(draw.integers(extent - side + 1)) for extent, side in zip(extents, sides, strict=True))
    return cut(sample, top, left, *sides)


def cut(sample: Detected, top: int, left: int, height: int, width: int) -> Detected:
    """Return a part of an image with what lies in it of its objects; those of which nothing does are left out."""
    boxes = sample.boxes - np.array([left, top, left, top], np.float32)
    boxes = np.clip(boxes, 0, np.array([width, height, width, height], np.float32))
    kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    rows, columns = slice(top, top + height), slice(left, left + width)
    return replace(
        sample,
        image=sample.image[:, rows, columns],
        boxes=boxes[kept],
        labels=sample.labels[kept],
        masks=sample.masks[kept][:, rows, columns],
    )
