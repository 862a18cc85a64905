"""Published event datasets, from their files to frames in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.augmentations import refuse
from neurodeploy.models.data.cache import LabelledCounts, cached
from neurodeploy.models.data.clips import Shape
from neurodeploy.models.data.damage import Damage
from neurodeploy.models.data.decoding import mapped
from neurodeploy.models.data.framing import frames
from neurodeploy.models.data.layouts import RECORDED, TEST, Clip, Recorded
from neurodeploy.models.recipe import DataSettings
from neurodeploy.models.spikes import Labels, SpikeDataset, stratified_pick

#: One sample in ten is a test sample where the authors gave no split.
TEST_SHARE = 10


def input_shape(settings: DataSettings) -> tuple[int, int, int]:
    """Return channels, height and width of the frames: the sensor's, or ``settings.size`` where it is not 0.

    Raises :class:`UsageError` where that is larger than the sensor.
    """
    height, width = RECORDED[settings.dataset].sensor
    if settings.size > min(height, width):
        found = f"is {settings.size}, and the sensor of {settings.dataset} has {width} x {height} pixels"
        raise UsageError("data.size", found, f"give at most {min(height, width)}, or 0 for the sensor's own")
    return (2, settings.size, settings.size) if settings.size else (2, height, width)


def load_recorded(settings: DataSettings) -> SpikeDataset:
    """Return the published dataset that ``settings`` name, from ``settings.folder``, in frames.

    Frames hold counts of events, OFF and ON apart, over ``settings.steps`` steps cut by ``settings.framing``. The
    split is the authors' where there is one; elsewhere one sample in ten of each class is for testing, drawn from
    ``split_seed``. All test samples are tested; ``test_samples`` says how many of them are written, each class in its
    share. Files are read once, and again when one of them changes. At most ``damaged_files`` files, or parts of them,
    are skipped, with a warning that counts them.

    Raises
    ------
    UsageError : no folder is named, too few samples are left for calibration, or left and right would be exchanged
        where they must not be.
    InputError : the folder is not laid out as the dataset is; more files are damaged than may be skipped.
    """
    kind = RECORDED[settings.dataset]
    if kind.sided:
        refuse(settings.augment, "flip", settings.dataset, kind.sided)
    clips = _listed(settings, kind)
    shape = (settings.steps, *input_shape(settings))
    damage = Damage(settings.damaged_files)
    every = cached(
        settings.dataset,
        _key(settings, clips),
        shape,
        lambda: _framed(clips, kind, shape, settings.framing, damage),
        len(clips),
    )
    damage.warn(settings.dataset, len(clips) - len(every), len(clips))
    sides, labels = np.divmod(every.labels, kind.classes)
    every = every.relabelled(labels)
    official = clips[0].side is not None
    tested = np.flatnonzero(sides == TEST) if official else _drawn(labels, settings.split_seed)
    train = every.select(np.setdiff1d(np.arange(len(every)), tested))
    test = every.select(tested)
    written = stratified_pick(test.labels, min(settings.test_samples, len(test)), settings.split_seed)
    calibration = train.select(stratified_pick(train.labels, settings.calibration_samples, settings.split_seed))
    return SpikeDataset(train, replace(test, saved=written), calibration)


def _listed(settings: DataSettings, kind: Recorded) -> list[Clip]:
    """Return the clips of the dataset's folder, or say what it should look like and where it is had."""
    root = kind.place.root(settings.folder)
    wanted = kind.place.advice(root)
    inner = root / kind.folder
    try:
        clips = list(kind.clips(inner if inner.is_dir() else root))
    except InputError as error:
        raise InputError(error.subject, error.problem, wanted) from error
    except OSError as error:
        raise InputError(str(root), f"cannot be read ({error.strerror})", wanted) from error
    if not clips:
        raise InputError(str(root), f"holds no sample of {kind.place.name}", wanted)
    return clips


def _key(settings: DataSettings, clips: Sequence[Clip]) -> dict[str, object]:
    """Return all that the frames follow from; sizes and times of files stand for what is in them."""
    root = Path(settings.folder).expanduser()
    files = {clip.path: clip.path.stat() for clip in clips}
    return {
        "dataset": settings.dataset,
        "framing": settings.framing,
        "damaged_files": settings.damaged_files,
        "files": [[str(path.relative_to(root)), stat.st_size, stat.st_mtime_ns] for path, stat in files.items()],
        "clips": [[clip.label, clip.side, clip.window] for clip in clips],
    }


def _framed(
    clips: Sequence[Clip], kind: Recorded, shape: Shape, framing: str, damage: Damage
) -> Iterator[LabelledCounts]:
    """Yield every clip that can be read, labelled ``classes * side + label``; a file is read once for its clips."""
    files = (list(of_file) for _, of_file in groupby(clips, key=lambda clip: clip.path))
    for made in mapped(partial(_file_framed, kind=kind, shape=shape, framing=framing), files):
        for each in made:
            if isinstance(each, InputError):
                damage.add(each)
            else:
                yield each


def _file_framed(
    clips: Sequence[Clip], kind: Recorded, shape: Shape, framing: str
) -> list[LabelledCounts | InputError]:
    """Return the frames of all clips of one file, an error in the place of each that cannot be had."""
    path = clips[0].path
    try:
        events = kind.read(path)
    except InputError as error:
        return [error]
    made: list[LabelledCounts | InputError] = []
    for clip in clips:
        part = events if clip.window is None else events.between(*clip.window)
        try:
            if not len(part):
                raise InputError("a recording", f"holds no event from {clip.window} us", "")
            label = kind.classes * (clip.side or 0) + clip.label
            made.append(LabelledCounts(frames(part, kind.sensor, shape, framing), label))
        except InputError as error:
            made.append(InputError(str(path), error.problem, error.advice))
    return made


def _drawn(labels: Labels, seed: int) -> npt.NDArray[np.int64]:
    return stratified_pick(labels, len(labels) // TEST_SHARE, seed)
