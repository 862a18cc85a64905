"""Imports lava-dl's netx without torch: its package pulls torch in for parts that loading a .net never uses."""

import importlib
import importlib.util
import sys
import types
import warnings
from pathlib import Path


def load():
    """Return the module ``lava.lib.dl.netx.hdf5``."""
    root = Path(next(iter(importlib.util.find_spec("lava.lib.dl").submodule_search_locations)))
    _stub("lava.lib.dl.netx", __path__=[str(root / "netx")])
    _stub("lava.lib.dl.slayer", __path__=[])
    _stub("lava.lib.dl.slayer.neuron", __path__=[])
    _stub("lava.lib.dl.slayer.neuron.rf", neuron_params=_no_resonators)
    # Lava's compiler imports the siblings of a process' file by their own __file__.
    _stub("lava.lib.dl.netx.sequential_modules", __file__=str(root / "netx" / "sequential_modules.py"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("lava.lib.dl.netx.hdf5")


def _stub(name, **attributes):
    module = types.ModuleType(name)
    module.__dict__.update(attributes)
    sys.modules[name] = module


def _no_resonators(*_):
    raise ValueError("resonate-and-fire layers of a .net need torch, which this environment does not have")
