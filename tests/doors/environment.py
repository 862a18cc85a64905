"""The environment of frameworks that cannot share the development one: made by ``make doors``, beside ``.venv``.

A virtual environment that sees the packages of the interpreter that makes it, and holds ``requirements.txt`` besides.
``python -m tests.doors.environment`` makes it where it is missing or out of date and runs ``tests/doors`` in it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv-doors"
WANTED = Path(__file__).with_name("requirements.txt")

#: Written last: what the environment holds, and whose packages it sees.
MARK = "doors.txt"


def python() -> Path | None:
    """Return the environment's interpreter, or None where it is not made, or made of or for something else."""
    mark = HOME / MARK
    return HOME / "bin" / "python" if mark.is_file() and mark.read_text() == _contents() else None


def make() -> Path:
    """Make the environment unless it is there and return its interpreter."""
    found = python()
    if found is not None:
        return found
    shutil.rmtree(HOME, ignore_errors=True)
    venv.create(HOME, with_pip=True)
    interpreter = HOME / "bin" / "python"
    packages = subprocess.run(
        [interpreter, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    (Path(packages) / "zz_development.pth").write_text(sysconfig.get_path("purelib") + "\n")
    subprocess.run([interpreter, "-m", "pip", "install", "--quiet", "--no-deps", "-r", WANTED], check=True)
    (HOME / MARK).write_text(_contents())
    return interpreter


def run(interpreter: Path, *options: str) -> int:
    """Run the tests of this folder with an interpreter and return pytest's exit code."""
    command = [interpreter, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(Path(__file__).parent)]
    return subprocess.run(command, cwd=ROOT).returncode


def _contents() -> str:
    return f"{sys.version_info[:2]} {sysconfig.get_path('purelib')}\n{WANTED.read_text()}"


if __name__ == "__main__":
    sys.exit(run(make(), *sys.argv[1:]))
