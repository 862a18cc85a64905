"""What recipes do to images and videos at random: pure functions over the frames of one sample.

Frames are uint8 [steps, channels, height, width]; what is drawn for a sample is done to all of its frames alike, as a
camera does not change between two of them. Where a function asks for colours there are three channels, red, green and
blue. :mod:`neurodeploy.models.data.crops` has the crops, :mod:`neurodeploy.models.data.policies` whole policies.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
Draw = np.random.Generator
_Values = npt.NDArray[np.float32]

#: Mean and deviation of the pixels of ImageNet, in 0..1: red, green, blue.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

#: The luma of ITU-R BT.601, as Pillow's conversion to grey has it.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def colour(frames: Frames, draw: Draw, strength: float) -> Frames:
    """Change brightness, contrast and saturation, in a drawn order, by factors within ``strength`` of 1."""
    values = frames.astype(np.float32)
    steps = (brightened, contrasted, saturated)
    for index in draw.permutation(len(steps)):
        factor = draw.uniform(max(0.0, 1.0 - strength), 1.0 + strength)
        values = _in_range(steps[index](values, factor))
    return as_pixels(values)


def brightened(values: _Values, factor: float) -> _Values:
    """Return ``factor`` times the values: 0 is black."""
    return np.asarray(values * np.float32(factor))


def contrasted(values: _Values, factor: float) -> _Values:
    """Return values moved from each frame's mean grey by ``factor``: 0 is that grey."""
    mean = grey(values).mean(axis=(1, 2, 3), keepdims=True)
    return np.asarray(mean + (values - mean) * np.float32(factor))


def saturated(values: _Values, factor: float) -> _Values:
    """Return values moved from each pixel's grey by ``factor``: 0 is a grey image."""
    level = grey(values)
    return np.asarray(level + (values - level) * np.float32(factor))


def grey(values: npt.NDArray[np.generic]) -> _Values:
    """Return the luma of frames [steps, 3, height, width], float32 [steps, 1, height, width]."""
    return np.asarray(np.einsum("tchw,c->thw", values.astype(np.float32), _LUMA)[:, np.newaxis])


def photometric(frames: Frames, draw: Draw, probability: float) -> Frames:
    """Distort brightness, contrast, saturation and hue, each with ``probability``, as recipes for segmentation do.

    Brightness moves by up to 32, contrast and saturation by factors of 0.5 to 1.5, hue turns by up to 36 degrees;
    contrast comes before or after the other two of colour. (Liu et al., "SSD", ECCV 2016, after Howard, 2013.)
    """
    values = frames.astype(np.float32)
    if draw.random() < probability:
        values = _in_range(values + np.float32(draw.uniform(-32.0, 32.0)))
    contrast_first = draw.random() < 0.5
    contrast = draw.uniform(0.5, 1.5) if draw.random() < probability else 1.0
    if contrast_first:
        values = _in_range(values * np.float32(contrast))
    saturation = draw.uniform(0.5, 1.5) if draw.random() < probability else 1.0
    turn = draw.uniform(-36.0, 36.0) if draw.random() < probability else 0.0
    if saturation != 1.0 or turn:
        values = _turned(values, saturation, turn)
    if not contrast_first:
        values = _in_range(values * np.float32(contrast))
    return as_pixels(values)


def _turned(values: _Values, saturation: float, turn: float) -> _Values:
    """Return values whose saturation in HSV is ``saturation`` times theirs, at most 1, and whose hue is turned."""
    top, low = values.max(axis=1), values.min(axis=1)
    chroma = top - low
    red, green, blue = np.moveaxis(values, 1, 0)
    safe = np.where(chroma > 0, chroma, 1.0)
    sixths = np.where(
        top == red,
        (green - blue) / safe,
        np.where(top == green, 2.0 + (blue - red) / safe, 4.0 + (red - green) / safe),
    )
    hue = sixths + np.float32(turn / 60.0)
    chroma = np.minimum(chroma * np.float32(saturation), top)
    # Each colour falls from the brightest by the chroma times a trapezium of the hue (A. R. Smith, SIGGRAPH 1978).
    places = [(np.float32(n) + hue) % 6.0 for n in (5, 3, 1)]
    return np.stack([top - chroma * np.clip(np.minimum(k, 4.0 - k), 0.0, 1.0) for k in places], axis=1)


def erase(frames: Frames, draw: Draw, probability: float) -> Frames:
    """Replace a rectangle by noise with ``probability``: Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.

    It covers 2 % to a third of the frame, and its sides are as 0.3 to 3.3; the noise is normal with the mean and the
    deviation of natural images, the same in all frames.
    """
    if draw.random() >= probability:
        return frames
    channels, height, width = frames.shape[1:]
    for _ in range(10):
        area = draw.uniform(0.02, 1.0 / 3.0) * height * width
        ratio = math.exp(draw.uniform(math.log(0.3), math.log(3.3)))
        tall, wide = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < tall < height and 0 < wide < width:
            top, left = draw.integers(height - tall + 1), draw.integers(width - wide + 1)
            noise = draw.standard_normal((channels, tall, wide), np.float32)
            mean, std = (np.resize(np.array(v, np.float32), channels) for v in (IMAGENET_MEAN, IMAGENET_STD))
            erased = frames.copy()
            erased[..., top : top + tall, left : left + wide] = as_pixels(
                255.0 * (mean[:, np.newaxis, np.newaxis] + std[:, np.newaxis, np.newaxis] * noise)
            )
            return erased
    return frames


def as_pixels(values: npt.NDArray[np.floating]) -> Frames:
    """Return values as bytes, rounded to the nearest and cut off at 0 and 255."""
    return np.rint(_in_range(values)).astype(np.uint8)


def _in_range(values: npt.NDArray[np.floating]) -> _Values:
    return np.asarray(np.clip(values, 0.0, 255.0), np.float32)
