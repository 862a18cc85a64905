"""The folder a deployment is written into: whole or not at all, and never in the place of anything else."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from neurodeploy.errors import UsageError

REPORT = "report.json"

#: What a deployment writes; a folder that holds anything else is not its own to replace.
_OUTPUTS = re.compile(r"net\.nir|net\.[^/]+\.nir|placement\.json|report\.json|report\.html")


def refuse_folder(folder: str | Path, *, force: bool) -> None:
    """Raise :class:`UsageError` unless ``folder`` is absent, empty, or with ``force`` an earlier output."""
    folder = Path(folder)
    if not os.path.lexists(folder):
        return
    if not folder.is_dir() or folder.is_symlink():
        raise UsageError(str(folder), "exists and is no folder", "give another name with -o")
    names = sorted(entry.name for entry in folder.iterdir())
    if not names:
        return
    foreign = [name for name in names if not _OUTPUTS.fullmatch(name)]
    if foreign or REPORT not in names:
        problem = f"holds {foreign[0]!r}, which deploy did not write" if foreign else f"holds no {REPORT}"
        raise UsageError(str(folder), problem, "only an earlier output is ever replaced; give another name with -o")
    if not force:
        raise UsageError(str(folder), "already exists", "give another name with -o, or --force to replace it")


@contextlib.contextmanager
def replacing_folder(folder: str | Path, *, force: bool) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder``; rename it to ``folder`` on success, remove it on any failure.

    Raises
    ------
    UsageError : as :func:`refuse_folder`, or no folder can be made there.
    """
    folder = Path(folder)
    refuse_folder(folder, force=force)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    except OSError as error:
        raise UsageError(
            str(folder), f"cannot be written ({error.strerror})", "choose another place with -o"
        ) from error
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)  # mkdtemp makes folders private; a result is an ordinary folder
        refuse_folder(folder, force=force)  # the work may have taken long enough for something to appear
        _exchange(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _exchange(new: Path, folder: Path) -> None:
    """Put ``new`` in the place of ``folder``, and the old one back if that fails."""
    if not folder.exists():
        new.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".old", dir=folder.parent))
    folder.rename(old)  # an empty folder gives way to the one renamed to its name
    try:
        new.rename(folder)
    except OSError:
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
