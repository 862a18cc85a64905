"""Published datasets of images and videos as what training takes: read from their folders, decoded sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.augmentations import AUGMENTATIONS, augment_of, check_augmentations, read_augmentations
from neurodeploy.models.data.crops import CROPS
from neurodeploy.models.data.decoding import in_threads
from neurodeploy.models.data.framecounts import whole
from neurodeploy.models.data.imagesets import IMAGE_SETS
from neurodeploy.models.data.listing import Listing, Published, Side
from neurodeploy.models.data.ondisk import OnDisk
from neurodeploy.models.data.videosets import VIDEO_SETS
from neurodeploy.models.data.views import JITTER, ImageView, VideoView, View
from neurodeploy.models.data.vision import IMAGENET_MEAN, IMAGENET_STD
from neurodeploy.models.recipe import DataSettings
from neurodeploy.models.spikes import Augment, Samples, Scaling, SpikeDataset, stratified_pick

#: Every dataset of pictures that a recipe may name.
PICTURES: dict[str, Published] = {**VIDEO_SETS, **IMAGE_SETS}

#: How pixels become input, by the name that a recipe gives it.
SCALINGS = {"normal": Scaling(IMAGENET_MEAN, IMAGENET_STD), "unit": Scaling((0.0,) * 3, (1.0,) * 3)}

#: Height and width where a recipe asks for none.
_SIDE = 224


def input_shape(settings: DataSettings) -> tuple[int, int, int]:
    """Return channels, height and width of one step."""
    side = settings.size or _SIDE
    return 3, side, side


def load_pictures(settings: DataSettings) -> SpikeDataset:
    """Return the official split of the images or videos that ``settings`` name, to be decoded when they are taken.

    Tests see the centre of the middle frame of each segment, or of the middle clip. All of the test side is tested, and
    ``settings.test_samples`` of it are written where a file of it is.

    Raises :class:`InputError` for a folder that does not hold the dataset or too many damaged files, and
    :class:`UsageError` for settings that this dataset cannot have.
    """
    published = PICTURES[settings.dataset]
    check_augmentations(settings.augment, 3, from_files=True)
    _check(settings, published)
    root = published.place.root(settings.folder)
    train, test = _files(root, published.sides(root, settings.split), published, settings.damaged_files)
    for side, files in (("train", train), ("test", test)):
        if not len(files):
            raise InputError(str(root), f"has no {side} files of {published.place.name}", published.place.advice(root))
    training, testing = (_on_disk(files, published, settings) for files in (train, test))
    saved = stratified_pick(test.labels, min(settings.test_samples, len(test)), settings.split_seed)
    picked = stratified_pick(train.labels, settings.calibration_samples, settings.split_seed)
    return SpikeDataset(training, replace(testing, saved=saved), training.select(picked), _mixing(settings, published))


def _files(root: Path, sides: tuple[Side, Side], published: Published, damaged_files: int) -> tuple[Listing, Listing]:
    """Return the files of both sides that can be read."""
    names = [name for side in sides for name in side[0]]
    labels = np.array([label for side in sides for label in side[1]], np.int64)
    wrong = np.flatnonzero((labels < 0) | (labels >= published.classes))
    if len(wrong):
        found = f"is of class {labels[wrong[0]]}, and {published.place.name} has {published.classes}"
        raise InputError(str(root / names[wrong[0]]), found, published.place.advice(root))
    if published.moving:
        files, kept = whole(root, names, labels, damaged_files)
    else:
        sizes = in_threads(lambda name: (root / name).stat().st_size, names)
        files = Listing(root, names, labels, np.ones(len(names), np.int64), np.array(sizes, np.int64))
        kept = np.arange(len(names))
    trained = kept < len(sides[0][0])
    return files.select(np.flatnonzero(trained)), files.select(np.flatnonzero(~trained))


def _on_disk(files: Listing, published: Published, settings: DataSettings) -> OnDisk:
    shape, entries = input_shape(settings), read_augmentations(settings.augment, "recipe")
    crop = next((entry for entry in entries if entry[0] in CROPS), None)
    singles = [(AUGMENTATIONS[name].single, number) for name, number in entries]
    view = View(shape[1], crop, tuple((single, number) for single, number in singles if single is not None))
    way = f"centre, {f'stride {settings.stride}' if settings.stride else 'segments'}"
    jitter = any(name == JITTER for name, _ in entries)
    read = (
        VideoView(view, settings.steps, settings.stride, jitter)
        if published.moving
        else ImageView(view, settings.steps)
    )
    return OnDisk(files, (settings.steps, *shape), read, way)


def _mixing(settings: DataSettings, published: Published) -> Augment:
    """Return what is done to samples beside each other; what is done to single ones belongs to decoding them."""
    mixes = [entry for entry in settings.augment if AUGMENTATIONS[entry.partition(":")[0]].mix is not None]
    return augment_of(mixes, published.classes) or _unchanged


def _unchanged(samples: Samples, _draws: Sequence[np.random.Generator]) -> Samples:
    return samples


def _check(settings: DataSettings, published: Published) -> None:
    name = published.place.name
    if settings.split > published.splits:
        found = f"{settings.split} of {name}, which has {published.splits} official split" + "s" * (
            published.splits > 1
        )
        raise UsageError("data.split", found, f"give 1 to {published.splits}")
    names = [entry for entry, _ in read_augmentations(settings.augment, "recipe")]
    if "flip" in names and not published.may_flip:
        raise UsageError("data.augment", f"'flip' makes another class of {name}: left is right", "leave it out")
    if not published.moving and (JITTER in names or settings.stride):
        key = "data.stride" if settings.stride else "data.augment"
        raise UsageError(key, f"chooses frames of a video, and {name} has images", "leave it out")
    if len(crops := [entry for entry in names if entry in CROPS]) > 1:
        raise UsageError("data.augment", f"names two crops, {crops[0]!r} and {crops[1]!r}", "keep one of them")
