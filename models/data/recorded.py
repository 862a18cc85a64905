"""Published event datasets, from their files to frames in the cache."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.data.cache import LabelledCounts, cached
from neurodeploy.models.data.clips import Clips
from neurodeploy.models.data.framing import Events, frames
from neurodeploy.models.data.layouts import RECORDED, TEST, Clip, Recorded
from neurodeploy.models.recipe import DataSettings
from neurodeploy.models.spikes import SpikeDataset, stratified_pick

#: One sample in ten is a test sample where the authors gave no split.
TEST_SHARE = 10

_NAMED = 3  # damaged files named in a message


@dataclass
class _Damage:
    """The damaged files met so far, and how many may be skipped."""

    limit: int
    found: list[InputError] = field(default_factory=list)

    def add(self, error: InputError) -> None:
        self.found.append(error)
        if len(self.found) > self.limit:
            names = "; ".join(f"{each.subject}: {each.problem}" for each in self.found[:_NAMED])
            advice = f"take them from the archive again, or set data.damaged_files above {self.limit} to skip so many"
            raise InputError(f"{len(self.found)} damaged recordings", names, advice)


def load_recorded(settings: DataSettings) -> SpikeDataset:
    """Return the published dataset that ``settings`` name, from the folder ``settings.root``, in frames.

    Frames hold counts of events, OFF and ON apart, over ``settings.steps`` steps cut by ``settings.framing``. The
    split is the authors' where there is one; elsewhere one sample in ten of each class is for testing, drawn from
    ``split_seed``. ``test_samples`` is not used. Files are read once, and again when one of them changes. At most
    ``damaged_files`` recordings are skipped, with a warning that counts them.

    Raises
    ------
    UsageError : no folder is named, or too few samples are left for calibration.
    InputError : the folder is not laid out as the dataset is; more recordings are damaged than may be skipped.
    """
    kind = RECORDED[settings.dataset]
    clips = _listed(settings, kind)
    shape = (settings.steps, 2, *kind.sensor)
    damage = _Damage(settings.damaged_files)
    every = cached(
        settings.dataset, _key(settings, clips), shape, lambda: _framed(clips, kind, shape, settings, damage)
    )
    if skipped := len(clips) - len(every):
        text = f"{settings.dataset}: {skipped} of {len(clips)} samples are left out, their files are damaged"
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    labels, sides = every.labels % kind.classes, every.labels // kind.classes
    every = every.relabelled(labels)
    official = clips[0].side is not None
    test = np.flatnonzero(sides == TEST) if official else _drawn(every, settings.split_seed)
    train = every.select(np.setdiff1d(np.arange(len(every)), test))
    calibration = train.select(stratified_pick(train.labels, settings.calibration_samples, settings.split_seed))
    return SpikeDataset(train, every.select(test), calibration)


def _listed(settings: DataSettings, kind: Recorded) -> list[Clip]:
    """Return the clips of the dataset's folder, or say what it should look like and where it is had."""
    wanted = f"expected is {kind.layout}; unpack {kind.address} and name the folder with data.root"
    if not settings.root:
        raise UsageError(f"dataset {settings.dataset!r}", "comes as files, and no folder is named", wanted)
    root = Path(settings.root)
    if not root.is_dir():
        raise InputError(str(root), f"is no folder with {settings.dataset}", wanted)
    try:
        return list(kind.clips(root))
    except InputError as error:
        raise InputError(error.subject, error.problem, wanted) from error
    except OSError as error:
        raise InputError(str(root), f"cannot be read ({error.strerror})", wanted) from error


def _key(settings: DataSettings, clips: list[Clip]) -> dict[str, object]:
    """Return all that the frames follow from; sizes and times of files stand for what is in them."""
    root = Path(settings.root)
    files = {clip.path: clip.path.stat() for clip in clips}
    return {
        "dataset": settings.dataset,
        "framing": settings.framing,
        "damaged_files": settings.damaged_files,
        "files": [[str(path.relative_to(root)), stat.st_size, stat.st_mtime_ns] for path, stat in files.items()],
        "clips": [[clip.label, clip.side, clip.window] for clip in clips],
    }


def _framed(
    clips: list[Clip], kind: Recorded, shape: tuple[int, int, int, int], settings: DataSettings, damage: _Damage
) -> Iterator[LabelledCounts]:
    """Yield every clip that can be read, labelled ``classes * side + label``; a file is read once for its clips."""
    held: tuple[Path, Events] | None = None
    damaged: Path | None = None
    for clip in clips:
        if clip.path == damaged:
            continue
        try:
            if held is None or held[0] != clip.path:
                held = clip.path, kind.read(clip.path)
            part = held[1] if clip.window is None else held[1].between(*clip.window)
            framed = frames(part, shape, settings.framing)
        except InputError as error:
            damaged = clip.path
            damage.add(InputError(str(clip.path), error.problem, error.advice))
            continue
        yield LabelledCounts(framed, kind.classes * (clip.side or 0) + clip.label)


def _drawn(every: Clips, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return stratified_pick(every.labels, len(every) // TEST_SHARE, seed)
