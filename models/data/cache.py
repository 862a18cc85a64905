"""Datasets as frames on disk: made once, whole or not at all, then mapped into memory."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.data.clips import Clips, Counts, Shape
from neurodeploy.models.data.making import told
from neurodeploy.npz import read_npz, write_npz

#: Names another folder for datasets than the user's cache.
CACHE_VARIABLE = "NEURODEPLOY_DATA_CACHE"

#: Part of every key: a change of the form or of what fills it makes new files.
_FORM = 1

_CELLS, _COUNTS, _INDEX = "cells.i4", "counts.u1", "index.npz"
_FREE = "set NEURODEPLOY_DATA_CACHE to a folder with room"


@dataclass(frozen=True, eq=False)
class LabelledCounts:
    """One clip on its way into a cache, with the class it belongs to."""

    clip: Counts
    label: int


def cache_folder() -> Path:
    """Return the folder that datasets are kept in; ``NEURODEPLOY_DATA_CACHE`` names another than the user's cache."""
    from platformdirs import user_cache_path

    return Path(os.environ.get(CACHE_VARIABLE) or user_cache_path("neurodeploy") / "datasets").absolute()


def cached(
    name: str, key: Mapping[str, object], shape: Shape, make: Callable[[], Iterable[LabelledCounts]], number: int = 0
) -> Clips:
    """Return the clips of ``make``, from the cache where they have been made before.

    Parameters
    ----------
    name : of the dataset, the beginning of the folder's name.
    key : all that the clips follow from, as JSON can write it; another key is another folder.
    shape : of every clip.
    make : yields the clips in order. What it raises leaves nothing behind. Two processes may make the same clips at
        once; the first one's stay.
    number : of the clips that ``make`` is expected to yield, for telling how far it is.

    Raises
    ------
    UsageError : the cache cannot be written.
    """
    text = json.dumps({"form": _FORM, "shape": shape, **key}, sort_keys=True)
    folder = cache_folder() / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    found = _open(folder, shape)
    if found is not None:
        return found
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        try:
            _write(temporary, told(name, make(), number))
            _settle(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise UsageError(str(folder), f"cannot be written ({error.strerror or error})", _FREE) from error
    made = _open(folder, shape)
    if made is None:
        raise InputError(str(folder), "is damaged although it was just made", "check the disk")
    return made


def _settle(temporary: Path, folder: Path) -> None:
    """Give a finished folder its name, unless another process was faster; a damaged one gives way."""
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
    try:
        temporary.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _write(folder: Path, clips: Iterable[LabelledCounts]) -> None:
    ends, labels = [0], []
    with (folder / _CELLS).open("wb") as cells, (folder / _COUNTS).open("wb") as counts:
        for each in clips:
            cells.write(each.clip.cells.astype("<i4").tobytes())
            counts.write(each.clip.counts.tobytes())
            ends.append(ends[-1] + len(each.clip.cells))
            labels.append(each.label)
        for stream in (cells, counts):
            stream.flush()
            os.fsync(stream.fileno())
    write_npz(folder / _INDEX, {"ends": np.array(ends, np.int64), "labels": np.array(labels, np.int64)})


def _open(folder: Path, shape: Shape) -> Clips | None:
    """Return the clips in ``folder``; None where there are none, or not as many bytes as there should be."""
    try:
        index = read_npz(folder / _INDEX)
        ends, labels = index["ends"], index["labels"]
        total = int(ends[-1])
        sizes = [(folder / _CELLS).stat().st_size // 4, (folder / _COUNTS).stat().st_size]
    except (InputError, OSError, KeyError, IndexError):
        return None
    if sizes != [total, total] or len(ends) != len(labels) + 1:
        return None
    if not total:
        empty = np.zeros(0, np.int32), np.zeros(0, np.uint8)
        return Clips(shape, ends[:-1], ends[1:], *empty, labels)
    # As plain arrays over the mapped files: slicing a memmap takes longer than reading what a slice holds.
    cells = np.asarray(np.memmap(folder / _CELLS, np.dtype("<i4"), mode="r"))
    counts = np.asarray(np.memmap(folder / _COUNTS, np.uint8, mode="r"))
    return Clips(shape, ends[:-1], ends[1:], cells, counts, labels)
