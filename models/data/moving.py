"""Moving digits: scikit-learn's scanned digits before a simulated event camera, each moving in eight directions.

What is seen (which digit) and what happens (which direction) are labels of the same clips, so that a network's ability
in space and in time can be told apart. For this, every clip stands in the set twice: as it was, and with its steps in
reverse under the opposite direction, as if a dark digit moved before a bright wall. The frames of opposite directions
are therefore the same frames, equally often; a network without memory, whatever it has learned, is at chance between
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import UsageError
from neurodeploy.models.augmentations import refuse
from neurodeploy.models.data.cache import LabelledCounts, cached
from neurodeploy.models.data.camera import SUBPIXEL, events, render
from neurodeploy.models.data.clips import sparse
from neurodeploy.models.extras import require
from neurodeploy.models.recipe import DataSettings
from neurodeploy.models.spikes import SpikeDataset, stratified_pick

#: The sensor's channels (OFF, ON) and pixels.
INPUT_SHAPE = (2, 24, 24)

#: Counted from right, counter-clockwise as one looks at the image, in 45 degrees.
DIRECTIONS = 8
DIGITS = 10

#: Clips of one image: each direction as it was and, of the opposite one, in reverse.
CLIPS_PER_IMAGE = 2 * DIRECTIONS

#: How many classes each label of the recipe's [data] tells apart.
CLASSES = {"digit": DIGITS, "direction": DIRECTIONS, "both": DIGITS * DIRECTIONS}

_COSINES = np.array([32, 23, 0, -23, -32, -23, 0, 23])  # of the directions, in thirty-seconds
_SINES = np.roll(_COSINES, 2)
_DARK = 4096  # one grey level of sixteen, in the unit of brightness
_TRAVEL = (5 * SUBPIXEL, 7 * SUBPIXEL)  # the way of a digit over the whole clip
_OFFSET = SUBPIXEL // 2  # how far from the centre the middle of the way lies, at most


def load_moving_digits(settings: DataSettings) -> SpikeDataset:
    """Return the clips of all 1,797 digits over ``settings.steps`` steps under the label that ``settings`` name.

    Test images and training images are different ones; all 16 clips of an image are on the same side. ``test_samples``
    counts clips. Clips are simulated once and kept in the user's cache.

    Raises :class:`UsageError` where ``test_samples`` is no multiple of 16, or leaves nothing to train on, or where
    ``augment`` would change a label, and :class:`neurodeploy.errors.BackendMissing` without scikit-learn.
    """
    for name in ("flip", "rotate"):
        refuse(settings.augment, name, settings.dataset, "digits and directions would no longer be what labels say")
    require("sklearn", extra="digits")
    from sklearn import datasets

    bunch = datasets.load_digits()
    images, digits = bunch.images.astype(np.int64), bunch.target.astype(np.int64)
    test = _test_images(digits, settings)
    key = {"steps": settings.steps, "seed": settings.split_seed}
    clips = cached(
        "moving-digits",
        key,
        (settings.steps, *INPUT_SHAPE),
        lambda: simulated(images, digits, settings.steps, settings.split_seed),
        len(images) * CLIPS_PER_IMAGE,
    )
    clips = clips.relabelled(_labels(clips.labels, settings.label))
    train = clips.select(_clips_of(np.setdiff1d(np.arange(len(digits)), test)))
    calibration = train.select(stratified_pick(train.labels, settings.calibration_samples, settings.split_seed))
    return SpikeDataset(train, clips.select(_clips_of(test)), calibration)


def simulated(
    images: npt.NDArray[np.int64], digits: npt.NDArray[np.int64], steps: int, seed: int
) -> Iterator[LabelledCounts]:
    """Yield the 16 clips of every image, labelled ``8 * digit + direction``.

    Clip 2 d of an image is its motion in direction d, clip 2 d + 1 the motion in the opposite direction in reverse.
    Where an image starts and how far it goes is drawn from ``seed``, once for all of its clips.
    """
    draw = np.random.RandomState(seed)
    for image, digit in zip(images, digits, strict=True):
        travel = int(draw.randint(_TRAVEL[0], _TRAVEL[1] + 1))
        right, down = (int(value) for value in draw.randint(-_OFFSET, _OFFSET + 1, 2))
        seen = _seen(image, steps, travel, right, down)
        for direction in range(DIRECTIONS):
            opposite = seen[(direction + DIRECTIONS // 2) % DIRECTIONS]
            label = int(digit) * DIRECTIONS + direction
            yield LabelledCounts(sparse(seen[direction]), label)
            yield LabelledCounts(sparse(opposite[::-1]), label)


def _seen(image: npt.NDArray[np.int64], steps: int, travel: int, right: int, down: int) -> npt.NDArray[np.uint8]:
    """Return what the camera sends of the motions in all directions, [directions, steps, 2, height, width]."""
    way = travel * (2 * np.arange(steps + 1) - steps)[:, np.newaxis]  # from -travel to travel, times steps
    x = right + way * _COSINES // (64 * steps)
    y = down - way * _SINES // (64 * steps)  # rows count downwards
    return events(render(image, INPUT_SHAPE[1], x, y), _DARK).astype(np.uint8).swapaxes(0, 1)


def _labels(both: npt.NDArray[np.int64], label: str) -> npt.NDArray[np.int64]:
    tables: dict[str, npt.NDArray[Any]] = {"digit": both // DIRECTIONS, "direction": both % DIRECTIONS, "both": both}
    return tables[label]


def _test_images(digits: npt.NDArray[np.int64], settings: DataSettings) -> npt.NDArray[np.int64]:
    images, rest = divmod(settings.test_samples, CLIPS_PER_IMAGE)
    if rest:
        near = max(images, 1) * CLIPS_PER_IMAGE
        problem = f"{settings.test_samples} is no multiple of {CLIPS_PER_IMAGE}, the clips of one image"
        raise UsageError("data.test_samples", problem, f"a clip and its reverse stay together: give for example {near}")
    if images >= len(digits):
        most = (len(digits) - 1) * CLIPS_PER_IMAGE
        raise UsageError(
            "data.test_samples", f"{settings.test_samples} leave none for training", f"give at most {most}"
        )
    return stratified_pick(digits, images, settings.split_seed)


def _clips_of(images: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return (images[:, np.newaxis] * CLIPS_PER_IMAGE + np.arange(CLIPS_PER_IMAGE)).ravel()
