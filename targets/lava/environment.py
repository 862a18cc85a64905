"""The environment Lava lives in: where it is, whether it is whole, and how it is made.

It stands under the user's cache directory, named after the versions in ``requirements.txt``, so that another release of
neurodeploy with other versions makes its own. It is built in place, because scripts and tracebacks of a virtual
environment hold its path; the file ``complete.json`` is written last, and what lacks it is no environment. A lock lets
one installation at a time work on it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurodeploy.errors import BackendError, BackendMissing, UsageError
from neurodeploy.files import replacing
from neurodeploy.network import Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif
from neurodeploy.targets.lava.child import WORKER, execute, job_folder
from neurodeploy.targets.lava.netlist import tape, write_netlist
from neurodeploy.targets.lava.pythons import Say, call, clean_environment, find_python, pip_install

LAVA_VERSION = "0.10.0"
CACHE_VARIABLE = "NEURODEPLOY_CACHE"

_REQUIREMENTS = Path(__file__).parent / "requirements.txt"
_MARKER = "complete.json"
_SMOKE_SECONDS = 120


@dataclass(frozen=True)
class Environment:
    """An environment that was complete when it was made.

    Attributes
    ----------
    path : its directory.
    versions : package -> version, "python" among them.
    """

    path: Path
    versions: dict[str, str]

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / "bin" / "python"


def cache_root() -> Path:
    """Return the directory that neurodeploy keeps environments in."""
    from platformdirs import user_cache_path

    return Path(os.environ.get(CACHE_VARIABLE) or user_cache_path("neurodeploy")).absolute()


def location() -> Path:
    """Return where the environment of this release stands, or would."""
    digest = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:12]
    return cache_root() / f"lava-{LAVA_VERSION}-{digest}"


def find() -> Environment | None:
    """Return the environment, or None when it is not installed; does not start it."""
    try:
        versions = json.loads((location() / _MARKER).read_text())
    except (OSError, ValueError):
        return None
    environment = Environment(location(), versions)
    return environment if environment.python.exists() else None


def packages() -> tuple[Path, ...]:
    """Return the folders of packages of the environment, none where it is not installed."""
    environment = find()
    return () if environment is None else tuple((environment.path / "lib").glob("python3*/site-packages"))


def require() -> Environment:
    """Return the environment, or raise :class:`BackendMissing` with the command that makes it."""
    environment = find()
    if environment is None:
        raise BackendMissing("Lava", f"is not installed at {location()}", "run `neurodeploy lava install`")
    return environment


def install(say: Say = lambda _: None, *, force: bool = False, python: Path | None = None) -> Environment:
    """Make the environment unless it is there, prove that it runs, and return it.

    Parameters
    ----------
    say : is told each step in a few words.
    force : make it anew.
    python : a Python 3.10; by default one is searched, see :mod:`neurodeploy.targets.lava.pythons`.

    Raises
    ------
    BackendMissing : no Python 3.10, a download that failed, or a system that Lava does not run on.
    BackendError : everything is installed and yet Lava does not run.
    """
    if sys.platform == "win32":
        raise BackendMissing("Lava", "runs on Linux and macOS", "use another backend, or WSL")
    found = None if force else find()
    if found:
        return found
    with _lock(location().with_name(f"{location().name}.lock"), say):
        found = None if force else find()  # another installation may have finished while we waited
        return found or _build(location(), say, python)


def _build(path: Path, say: Say, python: Path | None) -> Environment:
    base = find_python(cache_root(), say, python)
    before = path.with_name(f"{path.name}.before")
    if path.exists():
        shutil.rmtree(before, ignore_errors=True)
        path.rename(before)
    try:
        say(f"making {path} with {base}")
        call([str(base), "-m", "venv", str(path)], "the Lava environment")
        say("installing lava-nc, lava-dl and what they import")
        pip_install(path / "bin" / "python", _REQUIREMENTS, "the Lava environment")
        say("running a neuron")
        versions = prove(path / "bin" / "python")
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        if before.exists():
            before.rename(path)
        raise
    shutil.rmtree(before, ignore_errors=True)
    with replacing(path / _MARKER) as temporary:
        temporary.write_text(json.dumps(versions))
    return Environment(path, versions)


def prove(python: Path) -> dict[str, str]:
    """Import netx, run one neuron on Lava, check its answer, and return the versions of what ran.

    Raises
    ------
    BackendError : it does not run, or answers wrongly.
    """
    advice = "run `neurodeploy lava install --force`"
    try:
        command = [str(python), "-s", "-B", str(WORKER / "smoke.py")]
        done = subprocess.run(  # our interpreter and script
            command, capture_output=True, text=True, timeout=_SMOKE_SECONDS, env=clean_environment()
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError("Lava", f"{python} does not start ({error})", advice) from error
    if done.returncode:
        broken = BackendError("Lava", f"cannot be imported from {python.parent.parent}", advice)
        broken.add_note(done.stderr)
        raise broken
    fired = _fire(python)
    if fired != [0, 1, 0, 1]:
        raise BackendError("Lava", f"one neuron fired as {fired}, expected [0, 1, 0, 1]", advice)
    versions: dict[str, str] = json.loads(done.stdout)
    return versions


def _fire(python: Path) -> list[int]:
    """Return the spikes, in chip time after the first step, of a neuron that needs two inputs."""
    model = Lif(threshold=np.array(3), current_decay=np.array(4096), voltage_decay=np.array(0))
    neuron = Population("neuron", (1,), model, latency=1)
    synapse = Projection("synapse", "input", "neuron", Dense(np.array([[2]])))
    network = Network((Port("input", (1,)),), (neuron,), (synapse,), ("neuron",))
    netlist = write_netlist(network, {"input": np.ones((1, 4, 1), np.uint8)}, ())
    with tempfile.TemporaryDirectory(prefix="nd-lava-") as folder:
        execute(python, [netlist], Path(folder), _SMOKE_SECONDS)
        spikes: list[int] = np.load(tape(job_folder(Path(folder), 0), netlist.spec["runs"][0], 0, "s"))[1:, 0].tolist()
    return spikes


@contextlib.contextmanager
def _lock(path: Path, say: Say) -> Iterator[None]:
    import fcntl  # not on Windows

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("w")
    except OSError as error:
        advice = f"set {CACHE_VARIABLE} to a directory that can"
        raise UsageError(str(path.parent), f"cannot be written ({error.strerror})", advice) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another installation")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
