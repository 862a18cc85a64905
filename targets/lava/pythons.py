"""Finds a Python 3.10 that really starts, the only one lava-nc 0.10.0 runs on, or has uv fetch one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from neurodeploy.errors import BackendMissing

VARIABLE = "NEURODEPLOY_LAVA_PYTHON"
WANTED = "3.10"
Say = Callable[[str], None]

_UV_REQUIREMENTS = Path(__file__).parent / "uv.txt"
_PROBE = "import sys; print('%d.%d' % sys.version_info[:2])"
_PROBE_SECONDS, _FETCH_SECONDS = 30, 900


def find_python(cache: Path, say: Say, given: Path | None = None) -> Path:
    """Return a Python 3.10: ``given``, or the first that starts of all usual places, or one fetched into ``cache``.

    Raises
    ------
    BackendMissing : none was found; the message lists what was tried.
    """
    demanded = given or (Path(text) if (text := os.environ.get(VARIABLE)) else None)
    if demanded:
        if problem := why_not(demanded):
            source = "--python" if given else VARIABLE
            raise BackendMissing(source, f"{demanded} {problem}", "name a Python 3.10 interpreter")
        return demanded
    tried: list[str] = []
    for python in candidates(cache):
        problem = why_not(python)
        if not problem:
            return python
        tried.append(f"{python} {problem}")
    try:
        return fetch(cache, say)
    except BackendMissing as error:
        tried.append(f"uv: {error.problem}")
    raise BackendMissing(
        "Python 3.10",
        f"Lava runs on no other, and none was found (tried {'; '.join(tried)})",
        f"install one (pyenv install 3.10, uv python install 3.10, a system package) or set {VARIABLE} to its path",
    )


def candidates(cache: Path) -> Iterator[Path]:
    """Yield interpreters that may be a Python 3.10, in the order of preference."""
    if found := shutil.which(f"python{WANTED}"):
        yield Path(found)
    for root in _distinct(os.environ.get("PYENV_ROOT"), "~/.pyenv"):
        yield from _installed(root / "versions", f"{WANTED}*")
    if (uv := shutil.which("uv")) and (found := _output([uv, "python", "find", WANTED])):
        yield Path(found)
    for root in _distinct(os.environ.get("UV_PYTHON_INSTALL_DIR"), "~/.local/share/uv/python", str(cache / "python")):
        yield from _installed(root, f"cpython-{WANTED}*")


def why_not(python: Path) -> str:
    """Return why ``python`` cannot be used, or "" when it is a Python 3.10 that starts. A pyenv shim often does not."""
    try:
        done = subprocess.run([python, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not start ({error.strerror if isinstance(error, OSError) else 'no answer'})"
    if done.returncode:
        return f"does not start ({_last_line(done.stderr)})"
    return "" if done.stdout.strip() == WANTED else f"is Python {done.stdout.strip()}"


def fetch(cache: Path, say: Say) -> Path:
    """Install uv into ``cache`` from the package index, have it fetch a Python 3.10 into ``cache``, and return that."""
    say("no Python 3.10 here: fetching one with uv")
    tools = cache / "uv"
    call([sys.executable, "-m", "venv", "--clear", str(tools)], "uv")
    pip_install(tools / "bin" / "python", _UV_REQUIREMENTS, "uv")
    uv = str(tools / "bin" / "uv")
    call([uv, "python", "install", WANTED, "--install-dir", str(cache / "python"), "--no-bin"], "uv python install")
    for python in _installed(cache / "python", f"cpython-{WANTED}*"):
        if not why_not(python):
            return python
    raise BackendMissing("uv", "what it fetched does not start", f"install Python 3.10 and set {VARIABLE}")


def pip_install(python: Path, requirements: Path, subject: str) -> None:
    """Install exactly the wheels whose hashes stand in ``requirements``, and none that they ask for."""
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-input", "--quiet"]
    call([str(python), "-m", "pip", "install", *options, "-r", str(requirements)], subject)


def call(command: list[str], subject: str) -> None:
    """Run a step of an installation; raise :class:`BackendMissing` with the end of its output when it fails."""
    advice = "check the network and the disk, then repeat"
    try:
        done = subprocess.run(  # commands composed here
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            timeout=_FETCH_SECONDS,
            env=clean_environment(),
        )
    except OSError as error:
        raise BackendMissing(subject, f"{command[0]} does not start ({error.strerror})", advice) from error
    except subprocess.TimeoutExpired as error:
        raise BackendMissing(subject, f"took longer than {_FETCH_SECONDS} s", advice) from error
    if done.returncode:
        error_lines = [line for line in done.stdout.splitlines() if line.lower().startswith("error")]
        found = BackendMissing(subject, f"failed: {' '.join(error_lines) or _last_line(done.stdout)}", advice)
        found.add_note(done.stdout)
        raise found


def clean_environment() -> dict[str, str]:
    """Return this process' environment without what would steer another Python: its paths, warnings and hooks."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def _distinct(*texts: str | None) -> list[Path]:
    return list(dict.fromkeys(Path(text).expanduser() for text in texts if text))


def _installed(root: Path, pattern: str) -> Iterator[Path]:
    yield from sorted(root.glob(f"{pattern}/bin/python{WANTED}"), reverse=True)


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_SECONDS).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
