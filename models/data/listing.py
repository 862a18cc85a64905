"""The files of a dataset on disk, each with its class, before any of them is decoded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError, UsageError

Ints = npt.NDArray[np.int64]

#: Names of files from the dataset's folder, and their labels.
Side = tuple[list[str], list[int]]

#: The longest list or table of labels that is read; the longest real one, of COCO, has half a gibibyte.
LARGEST_TEXT = 1 << 30


@dataclass(frozen=True)
class Place:
    """Where a published dataset is had, and how it lies in its folder: one line for each kind of file."""

    name: str
    layout: tuple[str, ...]
    source: str

    def advice(self, folder: str | Path = "FOLDER") -> str:
        """Return the layout, below ``folder``, and the address, for an error."""
        lines = "".join(f"\n    {Path(folder) / line}" for line in self.layout)
        return f"data.folder has to hold {self.name} as{lines}\n  it is had from {self.source}"

    def root(self, folder: str) -> Path:
        """Return ``folder`` as a path, or raise :class:`UsageError` or :class:`InputError` where there is none."""
        if not folder:
            raise UsageError("data.folder", f"is empty, and {self.name} is read from files", self.advice())
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise InputError(str(path), "is no folder" if path.exists() else "does not exist", self.advice(folder))
        return path

    def missing(self, path: Path, folder: str | Path) -> InputError:
        """Return the error that says that ``path`` is not there."""
        return InputError(str(path), "is missing", self.advice(folder))

    def require(self, root: Path, *names: str) -> Path:
        """Return the first of ``names`` that is in ``root``, or raise :class:`InputError` naming the first."""
        found = next((root / name for name in names if (root / name).exists()), None)
        if found is None:
            raise self.missing(root / names[0], root)
        return found


@dataclass(frozen=True)
class Published:
    """A published dataset of pictures.

    Attributes
    ----------
    place : where it is had, and how it lies on disk.
    classes : how many it tells apart.
    sides : its folder and the number of a split -> the files for training, and those for testing.
    splits : how many official splits there are.
    may_flip : whether a mirrored sample keeps its label.
    moving : whether its files are videos.
    """

    place: Place
    classes: int
    sides: Callable[[Path, int], tuple[Side, Side]]
    splits: int = 1
    may_flip: bool = True
    moving: bool = False


@dataclass(frozen=True, eq=False)
class Listing:
    """Files below ``root``, one a sample.

    Attributes
    ----------
    names : paths from ``root``.
    labels : int64 [files].
    frames : int64 [files], how many each file has; 1 for images.
    sizes : int64 [files], in bytes.
    """

    root: Path
    names: Sequence[str]
    labels: Ints
    frames: Ints
    sizes: Ints

    def __len__(self) -> int:
        return len(self.names)

    def path(self, index: int) -> Path:
        """Return the path of one file."""
        return self.root / self.names[index]

    def select(self, indices: npt.NDArray[np.integer[Any]]) -> Listing:
        """Return the files at ``indices``, in that order."""
        names = [self.names[index] for index in indices.tolist()]
        return Listing(self.root, names, self.labels[indices], self.frames[indices], self.sizes[indices])

    def fingerprint(self) -> bytes:
        """Return the SHA-256 of names, sizes, frames and labels in their order; contents are not read."""
        digest = hashlib.sha256(json.dumps(list(self.names)).encode())
        for values in (self.labels, self.frames, self.sizes):
            digest.update(np.ascontiguousarray(values, "<i8").tobytes())
        return digest.digest()


def read_text(path: Path, place: Place, root: Path) -> str:
    """Return a text file of a dataset, or raise :class:`InputError` where it is missing, too long or no UTF-8."""
    if not path.is_file():
        raise place.missing(path, root)
    with path.open("rb") as stream:
        raw = stream.read(LARGEST_TEXT + 1)
    if len(raw) > LARGEST_TEXT:
        raise InputError(str(path), f"has more than {LARGEST_TEXT} bytes", "is it this dataset's?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(str(path), f"is not UTF-8 text ({error})", "take it from the archive again") from error


def read_json(path: Path, place: Place, root: Path) -> Any:
    """Return what a JSON file of a dataset holds, or raise :class:`InputError`."""
    try:
        return json.loads(read_text(path, place, root))
    except (ValueError, RecursionError) as error:
        raise InputError(str(path), f"is not valid JSON ({error})", "take it from the archive again") from error
