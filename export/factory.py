"""Build the user's own module: ``module:function`` from the current directory, or ``path.py:function``.

The code runs because the user names it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from torch import nn

from neurodeploy.errors import InputError, UsageError


def build(factory: str) -> nn.Module:
    """Import ``module:function`` with the current directory first on the path and return what the function returns.

    With ``path.py:function`` the file is run under a name of its own, with its folder first on the path: two files
    called ``model.py`` do not take each other's place.

    Raises
    ------
    UsageError : not of that form, or there is no such module or function.
    InputError : the user's code fails, or returns no torch module; the message repeats its error.
    """
    module_name, _, function_name = factory.rpartition(":")
    if not module_name or not function_name:
        raise UsageError("--factory", f"{factory!r} is not of the form module:function", "such as mynet:build")
    is_file = module_name.endswith(".py")
    here = str(Path(module_name).resolve().parent if is_file else Path.cwd())
    sys.path.insert(0, here)
    try:
        return _call(factory, module_name, function_name, _run_file if is_file else importlib.import_module)
    finally:
        if here in sys.path:
            sys.path.remove(here)


def _run_file(path: str) -> ModuleType:
    if not Path(path).is_file():
        raise UsageError("--factory", f"there is no file {path!r}", "name the file that builds the network")
    spec = importlib.util.spec_from_file_location("neurodeploy_factory", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _call(factory: str, module_name: str, function_name: str, load: Callable[[str], ModuleType]) -> nn.Module:
    try:
        module = load(module_name)
    except UsageError:
        raise
    except ModuleNotFoundError as error:
        if error.name not in (module_name, module_name.partition(".")[0]):
            raise InputError(factory, f"imports {error.name!r}, which is not installed", "install it") from error
        raise UsageError(
            "--factory", f"there is no module {module_name!r} in {Path.cwd()}", "run where it lies"
        ) from error
    except Exception as error:
        raise InputError(factory, f"fails while it is imported ({_said(error)})", "correct it") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise UsageError("--factory", f"{module_name!r} has no function {function_name!r}", "name the one that builds")
    try:
        built = function()
    except Exception as error:
        raise InputError(factory, f"fails ({_said(error)})", "it must work without arguments") from error
    if not isinstance(built, nn.Module):
        raise InputError(factory, f"returns a {type(built).__name__}", "return the torch module")
    return built.eval()


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
