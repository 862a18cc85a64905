"""Executes netlists in a child process, with a time limit, and leaves nothing behind.

::

    this process ── pipe ──> supervisor ── session of its own ──> engine (Python 3.10, Lava) ──> one process per Process

Two engines run the same process models of Lava. "runtime" is Lava's own, which forks a process of the operating system
for each of Lava's: the witness. "threads" keeps all in the one process, starts in milliseconds and takes many networks
in turn: for holding thousands of small networks against Lava. Tests hold the two against each other.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol

from neurodeploy.errors import BackendError, InputError
from neurodeploy.targets.lava.pythons import clean_environment
from neurodeploy.targets.lava.supervisor import end_group, sweep

Progress = Callable[[int, int], None]
Engine = Literal["runtime", "threads"]

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


def time_limit(netlists: Sequence[Work], given: float | None = None) -> float:
    """Return the seconds all may take together: ``given``, else the environment variable, else an ample estimate."""
    if given is not None:
        return given
    text = os.environ.get(TIMEOUT_VARIABLE)
    if text is None:
        return sum(map(_estimate, netlists))
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not 0 < limit < float("inf"):
        raise InputError(TIMEOUT_VARIABLE, f"is {text!r}", "set it to a number of seconds above 0, or unset it")
    return limit


def _estimate(netlist: Work) -> float:
    seconds = netlist.processes * _STEP_SECONDS + netlist.multiplications * _MULTIPLY_SECONDS
    return netlist.runs * _START_SECONDS + _MARGIN * netlist.steps * seconds


def execute(
    python: Path,
    netlists: Sequence[Work],
    folder: Path,
    timeout: float | None = None,
    progress: Progress | None = None,
    engine: Engine = "runtime",
    script: str = "engine.py",
) -> dict[str, str]:
    """Run the netlists on Lava, write the tapes of each into its :func:`job_folder`, and return what ran, by version.

    ``script`` is the worker's script that understands them.

    Raises
    ------
    BackendError : Lava raised an exception (its traceback is attached as a note), ended abnormally or took too long.
    """
    limit = time_limit(netlists, timeout)
    for index, netlist in enumerate(netlists):
        submit(folder, index, netlist)
    with supervised(python, folder, [engine, str(len(netlists))], script) as supervisor:
        late = not _wait(supervisor, folder, time.monotonic() + limit, progress)
    if (folder / "done.json").exists():
        versions: dict[str, str] = json.loads((folder / "done.json").read_text())
        return versions
    raise explain(folder, limit if late else None)


def submit(folder: Path, index: int, netlist: Work) -> None:
    """Put a netlist where the engine looks for it, whole or not at all."""
    unfinished = folder / f"{index}.part"
    unfinished.mkdir()
    netlist.save(unfinished / "netlist.npz")
    unfinished.rename(job_folder(folder, index))


def explain(folder: Path, late: float | None) -> BackendError:
    """Return the error for a run that did not finish; ``late`` is the limit in seconds that it did not keep, if so."""
    if error := _read(folder / "error.txt").strip():
        return _failure(error)
    if late is not None:
        return BackendError(
            "Lava",
            f"did not finish within {late:g} s",
            f"its processes were ended; give it more time with {TIMEOUT_VARIABLE}=SECONDS, or fewer samples",
        )
    code = _read(folder / "exit") or "unknown"
    found = BackendError("Lava", f"its process ended with exit code {code}", "repeat it; --verbose shows what it wrote")
    found.add_note(_read(folder / "log") or "It wrote nothing.")
    return found


def job_folder(folder: Path, index: int) -> Path:
    """Return where the netlist and the tapes of one of several jobs stand."""
    return folder / str(index)


@contextlib.contextmanager
def supervised(
    python: Path, folder: Path, arguments: list[str], script: str = "engine.py"
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the supervisor and under it the engine; on the way out, however that is, see that nothing is left."""
    prefix = f"psm_nd{secrets.token_hex(4)}_"
    command = [sys.executable, "-I", str(SUPERVISOR), str(folder), prefix]
    command += [str(python), "-s", str(WORKER / script), str(folder), prefix, *arguments]
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
