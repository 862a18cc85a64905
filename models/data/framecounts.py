"""How many frames each video of a dataset has: counted once, and again where a file changes; kept in the user's cache.

Counting reads a file from end to end without decoding it, which is when a damaged one is found: before training.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.files import replacing
from neurodeploy.models.data.cache import cache_folder
from neurodeploy.models.data.decoding import in_threads
from neurodeploy.models.data.listing import Listing
from neurodeploy.models.data.videofile import count_frames

_FORM = 1

#: Damaged files that a message names; it counts the others.
_NAMED = 5


@dataclass(frozen=True)
class Counted:
    """One file: bytes, time of its last change in nanoseconds, frames; no frames and a reason where it is damaged."""

    bytes: int
    changed: int
    frames: int
    damage: str = ""


def counted(root: Path, names: Sequence[str]) -> list[Counted]:
    """Return what is known of each of ``names`` below ``root``, reading those files that were not read before."""
    key = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    file = cache_folder() / f"frames-{key}.json"
    known = _read(file)

    def look(name: str) -> Counted:
        path = root / name
        stat = path.stat()
        before = known.get(name)
        if before is not None and (before.bytes, before.changed) == (stat.st_size, stat.st_mtime_ns):
            return before
        try:
            return Counted(stat.st_size, stat.st_mtime_ns, count_frames(path))
        except InputError as error:
            return Counted(stat.st_size, stat.st_mtime_ns, 0, error.problem)

    found = in_threads(look, names)
    if known != (now := known | dict(zip(names, found, strict=True))):
        _write(file, now)
    return found


def whole(
    root: Path, names: Sequence[str], labels: npt.NDArray[np.int64], damaged_files: int
) -> tuple[Listing, npt.NDArray[np.int64]]:
    """Return those of ``names`` that are no damaged files, and their indices; of what is left out the user is warned.

    Raises :class:`InputError` where more than ``damaged_files`` are damaged, naming the first of them.
    """
    found = counted(root, names)
    damaged = [index for index, each in enumerate(found) if each.damage]
    named = ", ".join(f"{names[index]} {found[index].damage}" for index in damaged[:_NAMED])
    more = f", and {len(damaged) - _NAMED} more" if len(damaged) > _NAMED else ""
    if len(damaged) > damaged_files:
        problem = f"{len(damaged)} of {len(names)} files are damaged, {damaged_files} may be: {named}{more}"
        advice = f"take them from the archive again, or leave them out with data.damaged_files = {len(damaged)}"
        raise InputError(str(root), problem, advice)
    if damaged:
        text = f"{root}: {len(damaged)} of {len(names)} files are left out, they are damaged: {named}{more}"
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    kept = np.array([index for index, each in enumerate(found) if not each.damage], np.int64)
    frames, sizes = ([getattr(each, key) for each in found] for key in ("frames", "bytes"))
    files = Listing(root, names, labels, np.array(frames, np.int64), np.array(sizes, np.int64))
    return files.select(kept), kept


def _read(file: Path) -> dict[str, Counted]:
    """Return what a cache holds; nothing where there is none, or none of this form."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["form"] != _FORM:
            return {}
        return {str(name): Counted(int(b), int(c), int(n), str(d)) for name, (b, c, n, d) in document["files"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _write(file: Path, known: dict[str, Counted]) -> None:
    rows = {name: [each.bytes, each.changed, each.frames, each.damage] for name, each in sorted(known.items())}
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as temporary:
        temporary.write_text(json.dumps({"form": _FORM, "files": rows}), encoding="utf-8")
