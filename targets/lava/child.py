"""Executes a netlist in a child process, with a time limit, and leaves nothing behind.

::

    this process ── pipe ──> supervisor ── session of its own ──> engine (Python 3.10, Lava) ──> one process per Process
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from neurodeploy.errors import BackendError, InputError
from neurodeploy.targets.lava.pythons import clean_environment
from neurodeploy.targets.lava.supervisor import end_group, sweep

Progress = Callable[[int, int], None]

WORKER = Path(__file__).parent / "worker"
SUPERVISOR = Path(__file__).parent / "supervisor.py"
TIMEOUT_VARIABLE = "NEURODEPLOY_LAVA_TIMEOUT"

#: Seconds per operating-system process and step, and per multiplication of Lava's convolutions and of its delays:
#: measured on two shared cores, then taken ten times, with a minute for compilation.
_STEP_SECONDS, _MULTIPLY_SECONDS, _MARGIN, _START_SECONDS = 4e-4, 1e-8, 10, 60
_LOOK = 0.05
#: Seconds the supervisor gets to clean up before it is itself taken for dead.
_FAREWELL = 6


class Work(Protocol):
    """What a worker script is given: it can be saved, and says how much there is to do."""

    def save(self, path: Path) -> None:
        """Write it for ``numpy.load`` without pickle."""

    @property
    def runs(self) -> int:
        """How often Lava is started."""

    @property
    def steps(self) -> int:
        """How many chip steps there are in all runs."""

    @property
    def processes(self) -> int:
        """How many processes of the operating system a run has."""

    @property
    def multiplications(self) -> int:
        """How many multiplications Lava does in a step, roughly."""


def time_limit(netlist: Work, given: float | None = None) -> float:
    """Return the seconds a run may take: ``given``, else the environment variable, else an ample estimate."""
    if given is not None:
        return given
    text = os.environ.get(TIMEOUT_VARIABLE)
    if text is None:
        seconds = netlist.processes * _STEP_SECONDS + netlist.multiplications * _MULTIPLY_SECONDS
        return netlist.runs * _START_SECONDS + _MARGIN * netlist.steps * seconds
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not 0 < limit < float("inf"):
        raise InputError(TIMEOUT_VARIABLE, f"is {text!r}", "set it to a number of seconds above 0, or unset it")
    return limit


def execute(
    python: Path,
    netlist: Work,
    folder: Path,
    timeout: float | None = None,
    progress: Progress | None = None,
    script: str = "engine.py",
) -> dict[str, str]:
    """Run ``netlist`` on Lava, write its tapes into ``folder``, and return the versions of what ran.

    ``script`` is the worker's script that understands the netlist.

    Raises
    ------
    BackendError : Lava raised an exception (its traceback is attached as a note), ended abnormally or took too long.
    """
    limit = time_limit(netlist, timeout)
    netlist.save(folder / "netlist.npz")
    prefix = f"psm_nd{secrets.token_hex(4)}_"
    with _supervised(python, folder, prefix, script) as supervisor:
        late = not _wait(supervisor, folder, time.monotonic() + limit, progress)
        log = _read(folder / "log")
    if (folder / "done.json").exists():
        versions: dict[str, str] = json.loads((folder / "done.json").read_text())
        return versions
    if error := _read(folder / "error.txt").strip():
        raise _failure(error)
    if late:
        raise BackendError(
            "Lava",
            f"did not finish within {limit:g} s",
            f"its processes were ended; give it more time with {TIMEOUT_VARIABLE}=SECONDS, or fewer samples",
        )
    code = _read(folder / "exit") or "unknown"
    found = BackendError("Lava", f"its process ended with exit code {code}", "repeat it; --verbose shows what it wrote")
    found.add_note(log or "It wrote nothing.")
    raise found


@contextlib.contextmanager
def _supervised(python: Path, folder: Path, prefix: str, script: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start the supervisor; on the way out, however that is, see that nothing of the run is left."""
    command = [sys.executable, "-I", str(SUPERVISOR), str(folder), prefix]
    command += [str(python), "-s", str(WORKER / script), str(folder), prefix]
    supervisor = subprocess.Popen(  # our own interpreter and scripts
        command, stdin=subprocess.PIPE, env=_environment(folder), start_new_session=True
    )
    try:
        yield supervisor
    finally:
        assert supervisor.stdin is not None
        supervisor.stdin.close()  # the supervisor's sign to end the run
        try:
            supervisor.wait(_FAREWELL)
        except subprocess.TimeoutExpired:
            supervisor.kill()
            supervisor.wait()
        if group := _read(folder / "group"):
            end_group(int(group))
        sweep(prefix)


def _environment(folder: Path) -> dict[str, str]:
    """Return the child's environment: one thread each, none of our import paths, sockets inside ``folder``."""
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        **clean_environment(),
        **single,
        "PYTHONWARNINGS": "ignore",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(folder),
    }


def _wait(supervisor: subprocess.Popen[bytes], folder: Path, deadline: float, progress: Progress | None) -> bool:
    """Return whether the supervisor ended before the deadline; tell ``progress`` meanwhile."""
    told = ""
    while True:
        try:
            supervisor.wait(_LOOK)
            ended = True
        except subprocess.TimeoutExpired:
            ended = False
        if progress and (text := _read(folder / "progress")) not in ("", told):
            done, total = map(int, text.split())
            progress(done, total)
            told = text
        if ended or time.monotonic() > deadline:
            return ended


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def _failure(text: str) -> BackendError:
    """Return the error for what an error file says: its first line as the problem, all of it as a note."""
    advice = "--verbose shows Lava's traceback; compare with --backend emulator"
    failure = BackendError("Lava", f"an exception inside Lava: {text.splitlines()[0]}", advice)
    failure.add_note(text)
    return failure
