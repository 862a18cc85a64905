"""Runs a Lava engine and sees to its end: ``python -I supervisor.py FOLDER PREFIX COMMAND...``.

A process of its own, because its duty begins where its parent's ends: when the parent closes the pipe on our standard
input, or is killed so that the kernel closes it, the engine's whole process group is ended and its shared memory, whose
names all start with PREFIX, is removed. The same happens when the engine reports an error or is done. Only the standard
library is used; the parent imports :func:`end_group` and :func:`sweep` for the case that this process was killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

#: Seconds between two looks at the engine, and those a group is given to end by itself.
_LOOK, _GRACE = 0.05, 2.0
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # the kernel's place for it, not a temporary file of ours
_PR_SET_CHILD_SUBREAPER = 36


def main(folder: Path, prefix: str, command: list[str]) -> None:
    """Run ``command`` in a session of its own until it ends, reports an error, or our parent lets go."""
    parent = os.getppid()
    _adopt_orphans()
    with (folder / "log").open("wb") as log:
        engine = subprocess.Popen(  # the interpreter and script that our parent named
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    (folder / "group").write_text(str(engine.pid))
    while not (folder / "error.txt").exists() and engine.poll() is None and not _abandoned(parent):
        pass
    code = engine.returncode
    end_group(engine.pid)
    sweep(prefix)
    if code is not None:
        (folder / "exit").write_text(str(code))
    # What killed the engine may be killing our parent, which takes its time to die: see whether it does.
    until = time.monotonic() + (_GRACE if code is not None and code < 0 else 0.0)
    while os.getppid() == parent and time.monotonic() < until:
        time.sleep(_LOOK)
    if os.getppid() != parent:
        shutil.rmtree(folder, ignore_errors=True)


def _abandoned(parent: int) -> bool:
    """Wait a little and return whether our parent let go or died."""
    readable, _, _ = select.select([sys.stdin], [], [], _LOOK)
    return os.getppid() != parent or (bool(readable) and not os.read(0, 1))


def end_group(group: int) -> None:
    """End every process of a group: ask, wait, then kill. Stopped ones are woken to hear the question."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        for number in (signal_number, signal.SIGCONT):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)
        deadline = time.monotonic() + _GRACE
        while _alive(group):
            if time.monotonic() > deadline:
                break
            time.sleep(0.01)
        else:
            return


def sweep(prefix: str) -> None:
    """Remove the shared memory whose name starts with ``prefix``; elsewhere than on Linux it has no place to look."""
    for path in _SHARED_MEMORY.glob(f"{prefix}*"):
        path.unlink(missing_ok=True)


def _alive(group: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:  # reap those we adopted, or they count as alive
            pass
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _adopt_orphans() -> None:
    """Become the parent of what the engine leaves behind, so that it can be reaped; Linux only."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
