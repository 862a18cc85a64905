"""Imports lava-dl's netx without torch: its package pulls torch in for parts that loading a .net never uses."""

import importlib
import importlib.util
import sys
import types
import warnings
from pathlib import Path

import numpy as np


def load():
    """Return the module ``lava.lib.dl.netx.hdf5``."""
    root = Path(next(iter(importlib.util.find_spec("lava.lib.dl").submodule_search_locations)))
    _stub("lava.lib.dl.netx", __path__=[str(root / "netx")])
    _stub("lava.lib.dl.slayer", __path__=[])
    _stub("lava.lib.dl.slayer.neuron", __path__=[])
    _stub("lava.lib.dl.slayer.neuron.rf", neuron_params=_rotation)
    # Lava's compiler imports the siblings of a process' file by their own __file__.
    _stub("lava.lib.dl.netx.sequential_modules", __file__=str(root / "netx" / "sequential_modules.py"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("lava.lib.dl.netx.hdf5")


def _stub(name, **attributes):
    module = types.ModuleType(name)
    module.__dict__.update(attributes)
    sys.modules[name] = module


def _rotation(device_params, one=1 << 12):
    """Stand in for the function of slayer that turns a resonator's integers into its period and loss."""
    sine, cosine = device_params["sinDecay"] / one, device_params["cosDecay"] / one
    return {
        "period": 1 / (np.arctan2(sine, cosine) / 2 / np.pi),
        "decay": 1 - np.sqrt(sine**2 + cosine**2),
    }
