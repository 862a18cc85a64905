"""Checkpoints: a network, and on the way also its optimizer, in one safetensors file that runs no code when read.

Model tensors stand under their names in ``state_dict``, the optimizer's under ``optimizer/<parameter>/<quantity>``,
averaged parameters under ``ema/<parameter>``, what only training needs under ``auxiliary/<name>``, torch's generator
under ``rng/torch``. One metadata entry, ``neurodeploy``, is JSON: ``format``, ``recipe`` (TOML text), ``seed``,
``epoch`` (epochs done), ``history`` (one object an epoch), ``versions`` and, within an epoch, ``partial`` (its
``step``, ``loss`` and ``correct`` so far). One entry, because safetensors writes several in no fixed order; no time,
because equal training must give equal bytes.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from neurodeploy.errors import InputError, NeurodeployError
from neurodeploy.files import replacing, require_file
from neurodeploy.models.convnet import build_model
from neurodeploy.models.recipe import Recipe, parse_recipe

FORMAT = 1
LARGEST_FILE = 8 << 30
_OPTIMIZER, _AVERAGE, _AUXILIARY, _RNG = "optimizer/", "ema/", "auxiliary/", "rng/torch"
_BESIDE = (_OPTIMIZER, _AVERAGE, _AUXILIARY, _RNG)
_ELSEWHERE = "give a .safetensors file that 'neurodeploy train' wrote"

#: What files that people mistake for a checkpoint begin with.
_FOREIGN = {
    b"PK\x03\x04": "is a zip archive, as torch.save writes it: a pickle, which could run code when read",
    b"\x80\x02": "is a pickle, which could run code when read",
    b"\x80\x04": "is a pickle, which could run code when read",
    b"\x80\x05": "is a pickle, which could run code when read",
    b"\x89HDF": "is an HDF5 file (a .nir or .net, perhaps)",
}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A network after ``epoch`` epochs, and after some steps of the next one where ``partial`` says so.

    ``model`` is its state_dict; ``optimizer``, ``average``, ``auxiliary`` and ``rng`` are there only where
    training can go on from it.
    """

    recipe: Recipe
    epoch: int
    model: Mapping[str, Tensor]
    history: Sequence[Mapping[str, Any]] = ()
    optimizer: Mapping[str, Tensor] = field(default_factory=dict)
    average: Mapping[str, Tensor] = field(default_factory=dict)
    auxiliary: Mapping[str, Tensor] = field(default_factory=dict)
    rng: Tensor | None = None
    partial: Mapping[str, Any] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write ``checkpoint`` whole or not at all; equal values give equal bytes."""
    head = {
        "format": FORMAT,
        "recipe": checkpoint.recipe.to_toml(),
        "seed": checkpoint.recipe.seed,
        "epoch": checkpoint.epoch,
        "history": [dict(line) for line in checkpoint.history],
        "versions": dict(checkpoint.versions) or current_versions(),
    }
    if checkpoint.partial is not None:
        head["partial"] = dict(checkpoint.partial)
    tensors = dict(checkpoint.model) | {_OPTIMIZER + name: value for name, value in checkpoint.optimizer.items()}
    tensors |= {_AVERAGE + name: value for name, value in checkpoint.average.items()}
    tensors |= {_AUXILIARY + name: value for name, value in checkpoint.auxiliary.items()}
    if checkpoint.rng is not None:
        tensors[_RNG] = checkpoint.rng
    plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    with replacing(path) as temporary:
        safetensors.torch.save_file(plain, temporary, metadata={"neurodeploy": json.dumps(head, sort_keys=True)})


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint and check every tensor of its model against its recipe.

    Raises :class:`InputError` for a file that is no checkpoint, is damaged, misses a tensor, or holds one of another
    shape or type, or NaN or infinity. Allocates no more than the file's own size.
    """
    path = require_file(path)
    head, tensors = _read(path)
    recipe = _recipe(head, path)
    history, epoch, partial = head.get("history"), head.get("epoch"), head.get("partial")
    if type(epoch) is not int or not isinstance(history, list) or not all(isinstance(line, dict) for line in history):
        raise InputError(str(path), "its metadata is damaged ('epoch' or 'history')", "take an earlier copy")
    if partial is not None and not isinstance(partial, dict):
        raise InputError(str(path), "its metadata is damaged ('partial')", "take an earlier copy")
    versions = head.get("versions")
    checkpoint = Checkpoint(
        recipe=recipe,
        epoch=epoch,
        model={name: value for name, value in tensors.items() if not name.startswith(_BESIDE)},
        history=tuple(history),
        optimizer=_under(_OPTIMIZER, tensors),
        average=_under(_AVERAGE, tensors),
        auxiliary=_under(_AUXILIARY, tensors),
        rng=tensors.get(_RNG),
        partial=partial,
        versions=versions if isinstance(versions, dict) else {},
    )
    check_tensors(checkpoint.model, _skeleton(recipe, path).state_dict(), str(path))
    return checkpoint


def load_model(path: str | Path) -> tuple[nn.Module, Recipe]:
    """Return the network in a checkpoint, in evaluation mode, and the recipe it was trained by.

    Raises as :func:`load_checkpoint` does. Torch's random generator is left as it was.
    """
    checkpoint = load_checkpoint(path)
    with torch.random.fork_rng(devices=[]):
        model = build_model(checkpoint.recipe)  # its tensors are those of the file, which was read
    model.load_state_dict(dict(checkpoint.model))
    return model.eval(), checkpoint.recipe


def check_tensors(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], file: str) -> None:
    """Raise :class:`InputError` unless ``found`` has just the names, shapes and types of ``expected``, all finite."""
    for name in expected:
        if name not in found:
            raise InputError(file, f"tensor {name!r} is missing", "the file does not belong to its recipe")
    for name, value in found.items():
        if name not in expected:
            raise InputError(file, f"tensor {name!r} is not in its recipe's network", _ELSEWHERE)
        if value.shape != expected[name].shape or value.dtype != expected[name].dtype:
            is_, should = (f"{tuple(t.shape)} {t.dtype}" for t in (value, expected[name]))
            raise InputError(file, f"tensor {name!r} is {is_}, its recipe makes it {should}", _ELSEWHERE)
        if not torch.isfinite(value).all():
            raise InputError(file, f"tensor {name!r} holds NaN or infinity", "train again with a lower learning rate")


def current_versions() -> dict[str, str]:
    """Return the versions of what computes: neurodeploy, NumPy, Python and torch."""
    try:
        own = metadata.version("neurodeploy")
    except metadata.PackageNotFoundError:
        own = "unknown"
    return {
        "neurodeploy": own,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the metadata and the tensors of a safetensors file, or raise :class:`InputError`."""
    with path.open("rb") as stream:
        start = stream.read(4)
    for magic, what in _FOREIGN.items():
        if start.startswith(magic):
            raise InputError(str(path), what, _ELSEWHERE)
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise InputError(str(path), f"has {size} bytes, {LARGEST_FILE} are allowed", _ELSEWHERE)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            head = _head(file.metadata(), path)
            return head, {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (no mapping)
    except safetensors.SafetensorError as error:
        problem = f"is no whole safetensors file ({error})"
        raise InputError(str(path), problem, "it may be cut short; take an earlier copy or train again") from error


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _head(entries: Mapping[str, str] | None, path: Path) -> dict[str, Any]:
    text = (entries or {}).get("neurodeploy")
    if text is None:
        raise InputError(str(path), "is a safetensors file without neurodeploy's metadata", _ELSEWHERE)
    try:
        head = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(str(path), f"its metadata is no JSON ({error})", "take an earlier copy") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        found = head.get("format") if isinstance(head, dict) else head
        raise InputError(str(path), f"has format {found!r}, this version reads {FORMAT}", "update neurodeploy")
    return head


def _recipe(head: Mapping[str, Any], path: Path) -> Recipe:
    text = head.get("recipe")
    if not isinstance(text, str):
        raise InputError(str(path), "holds no recipe", "take an earlier copy")
    try:
        return parse_recipe(text, "its recipe")
    except NeurodeployError as error:
        raise InputError(str(path), f"cannot be used ({error})", "take an earlier copy") from error


def _skeleton(recipe: Recipe, path: Path) -> nn.Module:
    """Return the network of ``recipe`` without memory behind it: a hostile recipe costs nothing."""
    try:
        with torch.device("meta"):
            return build_model(recipe)
    except NeurodeployError as error:
        raise InputError(str(path), f"its recipe makes no network ({error})", "take an earlier copy") from error
