"""Files are written whole or not at all, and never over another without being told."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from neurodeploy.errors import InputError, UsageError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` on success, remove it on any failure."""
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise UsageError(str(path), f"cannot be written ({error.strerror})", "choose another place with -o") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes files private; a result is an ordinary file
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def refuse_existing(path: str | Path, *, force: bool) -> None:
    """Raise :class:`UsageError` when ``path`` exists and ``force`` is not set."""
    if Path(path).exists() and not force:
        raise UsageError(str(path), "already exists", "give another name with -o, or --force to replace it")


def require_file(path: str | Path) -> Path:
    """Return ``path`` as a :class:`Path`, or raise :class:`InputError` when it is no readable file."""
    path = Path(path)
    if not path.exists():
        raise InputError(str(path), "no such file", "check the spelling and the working directory")
    if not path.is_file():
        raise InputError(str(path), "is not a file", "give the path of a file")
    return path
