"""Where slayer is imported from: this environment, or the packages of the one that Lava lives in.

lava-dl 0.6.0 asks for Python 3.10 and the torch of its day, but slayer itself is plain torch code that runs under
others. Importing it also imports matplotlib, OpenCV, Pillow and torchvision, for plots and object detection; where they
are not loaded already, empty packages stand in for them while it is imported, for an installed one may not load either:
torchvision does not beside another build of torch.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from neurodeploy.errors import BackendError, BackendMissing

_SLAYER = "lava.lib.dl.slayer"

#: What slayer imports and no network of blocks uses.
_ASIDE = ("matplotlib", "cv2", "PIL", "torchvision")


def require_slayer(packages: Sequence[Path]) -> None:
    """Make ``import lava.lib.dl.slayer`` work in this process.

    Parameters
    ----------
    packages : folders of packages to look in where it is not installed.

    Raises
    ------
    BackendMissing : it is in none of them.
    BackendError : it is there and cannot be imported.
    """
    if _SLAYER in sys.modules:
        return
    if not _installed():
        homes = [folder / "lava" for folder in packages if (folder / "lava" / "lib" / "dl" / "slayer").is_dir()]
        if not homes:
            raise BackendMissing("lava-dl", "is not installed here", "run: neurodeploy lava install")
        sys.meta_path.append(_Home(homes[0]))
    with _stand_ins(), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            importlib.import_module(_SLAYER)
        except ImportError as error:
            raise BackendError("lava-dl", f"cannot be imported ({error})", "install lava-dl 0.6.0") from error


def _installed() -> bool:
    try:
        return importlib.util.find_spec(_SLAYER) is not None
    except ModuleNotFoundError:
        return False


class _Home(MetaPathFinder):
    """Finds the package ``lava``, and nothing else, in a folder that is not on the path."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def find_spec(self, fullname: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        """Return the spec of ``lava``, a package without a file of its own; None for any other name."""
        if fullname != "lava":
            return None
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [str(self.home)]
        return spec


@contextlib.contextmanager
def _stand_ins() -> Iterator[None]:
    absent = frozenset(name for name in _ASIDE if name not in sys.modules)
    finder = _StandIns(absent)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] in absent]:
            del sys.modules[name]


class _StandIns(MetaPathFinder, Loader):
    """Makes empty packages of these names, with any submodule."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        """Return a spec for every name below one of ours."""
        return ModuleSpec(fullname, self, is_package=True) if fullname.partition(".")[0] in self.names else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return a module that has whatever is asked of it."""
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module as it is."""


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})
