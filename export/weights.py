"""Weights from a file into a module: never a pickle that runs code, and every key accounted for."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from neurodeploy.errors import InputError
from neurodeploy.files import require_file

#: Under these keys training scripts commonly keep the weights beside an optimizer and an epoch.
_WRAPPERS = ("state_dict", "model_state_dict", "model")

_RESAVE = "save the weights alone: torch.save(net.state_dict(), PATH), or as .safetensors"


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """Return the tensors of a ``.safetensors`` or ``.pt`` file by name, without running anything in it.

    Raises
    ------
    InputError : no such file, damaged, objects other than tensors, or NaN and infinity among the numbers.
    """
    path = require_file(path)
    loaded = _LOADERS.get(path.suffix, _load_torch)(path)
    found = _unwrapped(loaded, str(path))
    for name, tensor in found.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InputError(str(path), f"tensor {name!r} holds NaN or infinity", "train again with a lower rate")
    return found


def _load_safetensors(path: Path) -> Any:
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise InputError(str(path), f"is no readable safetensors file ({error})", "write it again") from error


def _load_torch(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on pickle protocols; what comes out is checked here
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        found = f"holds the Python object {named[1]}" if named else "is a pickle of more than tensors"
        raise InputError(
            str(path), f"{found}; loading such objects can run code, so it was not loaded", _RESAVE
        ) from error
    except Exception as error:  # torch's reader lets through whatever a damaged file makes it trip over
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(str(path), f"is no readable torch file ({first})", _RESAVE) from error


_LOADERS: Mapping[str, Callable[[Path], Any]] = {".safetensors": _load_safetensors}


def _unwrapped(loaded: Any, path: str) -> dict[str, Tensor]:
    """Return the mapping of names to tensors, looking into the usual wrappers."""
    if isinstance(loaded, Mapping):
        if loaded and all(isinstance(value, Tensor) for value in loaded.values()):
            return {str(name): tensor for name, tensor in loaded.items()}
        for key in _WRAPPERS:
            if isinstance(loaded.get(key), Mapping):
                return _unwrapped(loaded[key], path)
    found = f"a {type(loaded).__name__}" if not isinstance(loaded, Mapping) else f"the keys {list(loaded)[:5]}"
    raise InputError(path, f"holds {found}, not tensors by name", _RESAVE)


def fill(module: nn.Module, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Load tensors into a module whose names and shapes must all agree.

    An empty tensor of the module is state that takes its shape once the network runs. What a checkpoint holds of it is
    left over from the last run of a training, and is not loaded.

    Raises
    ------
    InputError : names what is missing, unexpected or of another shape.
    """
    state = {name for name, tensor in module.state_dict().items() if not tensor.numel()}
    expected = {name: tensor for name, tensor in module.state_dict().items() if name not in state}
    tensors = {name: tensor for name, tensor in tensors.items() if name not in state}
    missing, unexpected = ([n for n in a if n not in b] for a, b in ((expected, tensors), (tensors, expected)))
    if missing or unexpected:
        parts = [f"{word} {_listed(names)}" for word, names in (("lacks", missing), ("has also", unexpected)) if names]
        raise InputError(
            str(path), f"does not belong to the factory's module: it {' and '.join(parts)}", "build the trained network"
        )
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise InputError(
                str(path),
                f"{name!r} has the shape {list(tensor.shape)}, the factory's module {list(expected[name].shape)}",
                "build the network with the sizes it was trained with",
            )
    module.load_state_dict(dict(tensors), strict=not state)


def _listed(names: list[str], most: int = 6) -> str:
    shown = ", ".join(map(repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
