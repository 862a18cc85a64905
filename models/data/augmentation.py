"""What may be changed at random in frames of event counts, one sample at a time.

Each function takes frames uint8 [steps, channels, height, width], which it leaves as they are, a generator and the
number that a recipe gives it, and returns frames of the same shape, which may share the memory of the first. What moves
out of the picture is lost, and what comes in is empty, unless a function says otherwise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.models.data.clips import LARGEST_COUNT

Frames = npt.NDArray[np.uint8]
Draw = np.random.Generator

#: EventDrop empties areas of at most a third of the share that it drops otherwise, in height and in width.
_AREA = 1 / 3


def roll(frames: Frames, draw: Draw, most: float) -> Frames:
    """Move by up to ``most`` pixels down or up and left or right; what leaves on one side comes in on the other.

    (Deng et al., "Temporal Efficient Training of Spiking Neural Network via Gradient Re-weighting", ICLR 2022.)
    """
    down, right = _offset(draw, most)
    return np.roll(frames, (down, right), (-2, -1))


def translate(frames: Frames, draw: Draw, most: float) -> Frames:
    """Move by up to ``most`` pixels down or up and left or right."""
    down, right = _offset(draw, most)
    moved = np.zeros_like(frames)
    rows, from_rows = _overlap(down, frames.shape[-2])
    columns, from_columns = _overlap(right, frames.shape[-1])
    moved[..., rows, columns] = frames[..., from_rows, from_columns]
    return moved


def padded_crop(frames: Frames, draw: Draw, most: float) -> Frames:
    """Move by up to ``most`` pixels down or up and left or right; what comes in mirrors what lies at the edge.

    That is a picture padded by reflection and cut to its own size, as residual networks are trained on small pictures.
    """
    down, right = (int(most) - offset for offset in _offset(draw, most))
    width = [(0, 0)] * (frames.ndim - 2) + [(int(most), int(most))] * 2
    rows, columns = (slice(start, start + size) for start, size in zip((down, right), frames.shape[-2:], strict=True))
    return np.pad(frames, width, mode="reflect")[..., rows, columns]


def rotate(frames: Frames, draw: Draw, most: float) -> Frames:
    """Turn about the centre by up to ``most`` degrees either way; each pixel takes what is nearest to where it was."""
    angle = math.radians(draw.uniform(-most, most))
    cosine, sine = math.cos(angle), math.sin(angle)
    return _mapped(frames, np.array([[cosine, sine], [-sine, cosine]]))


def scale(frames: Frames, draw: Draw, most: float) -> Frames:
    """Enlarge about the centre by a factor from 1 - ``most`` to 1 + ``most``; each pixel takes what is nearest."""
    return _mapped(frames, np.eye(2) / draw.uniform(1 - most, 1 + most))


def cutout(frames: Frames, draw: Draw, side: float) -> Frames:
    """Empty a square of ``side`` pixels in all steps; its centre is any pixel, and what is outside is cut off.

    (DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017.)
    """
    cut = frames.copy()
    top, left = (int(draw.integers(size)) - int(side) // 2 for size in frames.shape[-2:])
    cut[..., max(top, 0) : max(top + int(side), 0), max(left, 0) : max(left + int(side), 0)] = 0
    return cut


def drop(frames: Frames, draw: Draw, most: float) -> Frames:
    """Drop events in one of four ways, each as likely: none; in some steps; in an area; each one by itself.

    The share dropped of the time, and of single events, is up to ``most``; an area's height and width are up to a third
    of that of the picture's. (Gu et al., "EventDrop: Data Augmentation for Event-based Learning", IJCAI 2021.)
    """
    way, share = int(draw.integers(4)), draw.uniform(0, most)
    if way == 0:
        return frames
    if way == 1:
        return draw.binomial(frames, 1 - share).astype(np.uint8)
    kept = frames.copy()
    if way == 2:
        kept[_span(draw, share, len(frames))] = 0
    else:
        rows, columns = (_span(draw, share * _AREA, size) for size in frames.shape[-2:])
        kept[..., rows, columns] = 0
    return kept


def jitter(frames: Frames, draw: Draw, most: float) -> Frames:
    """Move the events of each pixel and step by up to ``most`` steps earlier or later, but not out of the clip."""
    cells = np.flatnonzero(frames)
    size = frames[0].size
    step, place = np.divmod(cells, size)
    moved = np.clip(step + draw.integers(-int(most), int(most) + 1, len(cells)), 0, len(frames) - 1)
    counts = np.bincount(moved * size + place, frames.ravel()[cells], frames.size)  # whole numbers in float64
    return np.minimum(counts, LARGEST_COUNT).astype(np.uint8).reshape(frames.shape)


def _offset(draw: Draw, most: float) -> tuple[int, int]:
    down, right = draw.integers(-int(most), int(most) + 1, 2)
    return int(down), int(right)


def _overlap(offset: int, size: int) -> tuple[slice, slice]:
    """Return what of ``size`` pixels is seen again after a move by ``offset``, where it comes to and was."""
    start, end = min(max(offset, 0), size), max(min(size + offset, size), 0)
    return slice(start, end), slice(start - offset, end - offset) if start < end else slice(0, 0)


def _span(draw: Draw, share: float, size: int) -> slice:
    """Return a span of ``share`` of ``size``, to the nearest whole number, that lies anywhere inside."""
    length = round(share * size)
    start = int(draw.integers(size - length + 1))
    return slice(start, start + length)


def _mapped(frames: Frames, matrix: npt.NDArray[np.float64]) -> Frames:
    """Return frames whose pixel at q from the centre (row, column) takes the nearest to ``matrix`` q, or nothing."""
    height, width = frames.shape[-2:]
    middle = np.array([[(height - 1) / 2], [(width - 1) / 2]])
    to: npt.NDArray[Any] = np.indices((height, width)).reshape(2, -1)
    rows, columns = np.floor(matrix @ (to - middle) + middle + 0.5).astype(np.int64)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    taken = frames.reshape(-1, height * width)[:, np.where(inside, rows * width + columns, 0)]
    return np.where(inside, taken, np.uint8(0)).reshape(frames.shape)
