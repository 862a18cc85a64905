"""Environments for peers that cannot share ours: made once, of pinned versions, under the user's cache directory.

sinabs and SpikingJelly pin versions of nir or ask for much that the neurons do not need; they get their own wheels and
see our torch and NumPy behind them, so that all float peers compute with one torch. nengo-loihi needs Python 3.10 and
NumPy before 1.24.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neurodeploy.errors import BackendMissing
from neurodeploy.targets.lava.environment import cache_root
from neurodeploy.targets.lava.pythons import WANTED, call, candidates, why_not

_MARKER = "complete.json"


@dataclass(frozen=True)
class Recipe:
    """What an environment consists of.

    Attributes
    ----------
    requirements : everything that is installed; nothing that these ask for is.
    proof : a statement that works where the environment is whole.
    shares : whether what this interpreter has installed is seen behind it; else it is of a Python 3.10 of its own.
    """

    name: str
    requirements: tuple[str, ...]
    proof: str
    shares: bool = True


_MATPLOTLIB = (
    *("matplotlib==3.10.3", "contourpy==1.3.2", "cycler==0.12.1", "fonttools==4.58.0", "kiwisolver==1.4.8"),
    *("packaging==25.0", "pillow==11.2.1", "pyparsing==3.2.3", "python-dateutil==2.9.0.post0", "six==1.17.0"),
)

SINABS = Recipe("sinabs", ("sinabs==3.1.3", "pbr==6.1.1", *_MATPLOTLIB), "import sinabs.layers")
SPIKINGJELLY = Recipe(
    "spikingjelly",
    ("spikingjelly==2.0.0", "loguru==0.7.3"),
    "import spikingjelly.activation_based.functional, spikingjelly.activation_based.neuron",
)
_UNDER_NENGO = ("numpy==1.23.5", "scipy==1.10.1", "jinja2==3.1.6", "markupsafe==3.0.2", "packaging==25.0")
NENGO = Recipe(
    "nengo-loihi", ("nengo-loihi==1.1.0", "nengo==3.2.0", *_UNDER_NENGO), "import nengo_loihi.emulator", shares=False
)


def location(recipe: Recipe) -> Path:
    """Return where the environment stands, or would."""
    described = json.dumps([recipe.requirements, sys.executable if recipe.shares else WANTED])
    return cache_root() / f"bench-{recipe.name}-{hashlib.sha256(described.encode()).hexdigest()[:12]}"


def prepare(recipe: Recipe, say: Callable[[str], None]) -> Path:
    """Make the environment unless it is there; return its interpreter.

    Raises
    ------
    BackendMissing : no Python 3.10, a download that failed, or a library that does not start.
    """
    path = location(recipe)
    python = path / "bin" / "python"
    if (path / _MARKER).is_file():
        return python
    base = Path(sys.executable) if recipe.shares else find_python()
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    try:
        say(f"{recipe.name}: making {path}")
        call([str(base), "-m", "venv", str(path)], recipe.name)
        if recipe.shares:
            (packages,) = path.glob("lib/python*/site-packages")
            (packages / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")
        options = ["--no-deps", "--only-binary", ":all:", "--no-input", "--quiet", "--disable-pip-version-check"]
        call([str(python), "-m", "pip", "install", *options, *recipe.requirements], recipe.name)
        call([str(python), "-s", "-c", recipe.proof], recipe.name)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    (path / _MARKER).write_text(json.dumps(recipe.requirements))
    return python


def find_python() -> Path:
    """Return a Python 3.10 that starts: on the path, or one of pyenv's or uv's.

    Raises
    ------
    BackendMissing : there is none.
    """
    for python in candidates(cache_root()):
        if not why_not(python):
            return python
    raise BackendMissing(f"Python {WANTED}", "was not found", f"install one: pyenv install {WANTED}")
