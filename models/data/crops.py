"""Which part of an image or video a network sees, and that part in its size.

A crop is drawn on frames as their file holds them, before anything is made smaller, so that nothing is resized twice;
all frames of a video get the same one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurodeploy.models.extras import require

Frames = npt.NDArray[np.uint8]
Draw = np.random.Generator

#: Of the shorter side, what a test sees of it: 224 of 256 pixels.
CENTRE = 0.875


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels: where its first row and column are, and how many it has; fractions are allowed."""

    top: float
    left: float
    height: float
    width: float


def centre(height: int, width: int) -> Box:
    """Return the square in the middle with seven eighths of the shorter side, the view of tests."""
    side = CENTRE * min(height, width)
    return Box((height - side) / 2, (width - side) / 2, side, side)


def resized_crop(height: int, width: int, draw: Draw, least: float) -> Box:
    """Return a rectangle of ``least`` to all of the area, its sides as 3:4 to 4:3 (Szegedy et al., CVPR 2015).

    Where ten of them do not fit, the largest centred one whose sides are within these ratios.
    """
    for _ in range(10):
        area = draw.uniform(least, 1.0) * height * width
        ratio = math.exp(draw.uniform(math.log(3 / 4), math.log(4 / 3)))
        wide, tall = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < tall <= height:
            return Box(int(draw.integers(height - tall + 1)), int(draw.integers(width - wide + 1)), tall, wide)
    tall, wide = min(height, round(width * 4 / 3)), min(width, round(height * 4 / 3))
    return Box((height - tall) // 2, (width - wide) // 2, tall, wide)


_SHARES = (1.0, 0.875, 0.75, 0.66)
#: Quarters of the room that is left: corners, centre, middles of the sides, and halfway from the centre to the corners.
_PLACES = ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2), (2, 0), (2, 4), (4, 2), (0, 2), (1, 1), (1, 3), (3, 1), (3, 3))


def scaled_crop(height: int, width: int, draw: Draw, _number: float) -> Box:
    """Return one of the rectangles of temporal segment networks (Wang et al., ECCV 2016), drawn among fixed ones.

    Sides are 1, 7/8, 3/4 or 0.66 of the shorter side, of neighbouring sizes, in one of thirteen places.
    """
    sides = [int(min(height, width) * share) for share in _SHARES]
    pairs = [(tall, wide) for i, tall in enumerate(sides) for j, wide in enumerate(sides) if abs(i - j) <= 1]
    tall, wide = pairs[draw.integers(len(pairs))]
    down, right = _PLACES[draw.integers(len(_PLACES))]
    return Box(down * ((height - tall) // 4), right * ((width - wide) // 4), tall, wide)


#: What a recipe's ``augment`` may name, with one number: height, width, generator and number -> the box.
CROPS: dict[str, Callable[[int, int, Draw, float], Box]] = {"resized-crop": resized_crop, "scaled-crop": scaled_crop}


def cropped(images: Frames, box: Box, size: int) -> Frames:
    """Return the part ``box`` of images [steps, height, width, 3] as frames [steps, 3, size, size].

    Bilinear, over as many pixels as one of the result stands for where it gets smaller.
    """
    return np.stack([resized(image, size, size, box) for image in images])


def resized(image: Frames, height: int, width: int, box: Box | None = None) -> Frames:
    """Return an image [height, width, 3], or its part ``box``, as [3, height, width] of another size."""
    require("PIL", extra="video")
    from PIL import Image

    part = None if box is None else (box.left, box.top, box.left + box.width, box.top + box.height)
    made = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, part)
    return np.ascontiguousarray(np.moveaxis(np.asarray(made), -1, 0))
