"""Recipes: everything that decides a trained network, as one TOML file; no torch here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from neurodeploy.errors import UsageError
from neurodeploy.models.architectures import ModelSettings, read_model, write_model
from neurodeploy.models.augmentations import read_augmentations
from neurodeploy.models.layers import Layer, read_layers, write_layers
from neurodeploy.models.recipefiles import parse_toml, read_document
from neurodeploy.models.stdl.settings import BpttSettings, MethodSettings, read_method, write_method
from neurodeploy.models.tables import (
    bounded,
    one_of,
    read_table,
    require_table,
    unwritten,
    write_table,
    write_value,
)

LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class DataSettings:
    """Which samples a network sees, and how they become its input.

    What stands at its default from ``train_samples`` on is not written out.

    Attributes
    ----------
    test_samples : how many are tested; a test side of a dataset's own is tested whole,
        and so many of it are written.
    label : what of a moving digit is asked.
    train_samples : how many are trained on, each class in its share, drawn from ``split_seed``; 0 is all.
    folder : where the dataset's files lie; empty for one that needs none.
    size : height and width that a network is fed; 0 is the dataset's own. Of COCO the shorter side in tests.
    framing : whether a step holds an equal share of a recording's events or of its time.
    split : which of a dataset's official splits.
    stride : frames of a video from one step to the next; 0 takes one frame of each of ``steps`` equal parts of it.
    pixels : what a network is fed of pictures: ``normal`` has the mean and deviation of natural images taken out,
        ``unit`` is 0 to 1, which the first convolution of a chip takes in exactly, whatever its padding.
    damaged_files : files that may be skipped because they cannot be read; one more ends the loading.
    augment : what is changed at random in training samples, in this order: names of
        :mod:`neurodeploy.models.augmentations`, each with its number where it takes one, as ``"roll:5"``.
    """

    dataset: str = "digits"
    steps: int = bounded(1, 4096, 16)
    test_samples: int = bounded(1, 1_000_000, 360)
    calibration_samples: int = bounded(1, 1_000_000, 256)
    split_seed: int = bounded(0, LARGEST_SEED, 0)
    label: str = one_of(("digit", "direction", "both"), "digit")
    train_samples: int = unwritten(bounded(0, 100_000_000, 0))
    folder: str = unwritten(field(default=""))
    size: int = unwritten(bounded(0, 4096, 0))
    framing: str = unwritten(one_of(("count", "time"), "count"))
    split: int = unwritten(bounded(1, 3, 1))
    stride: int = unwritten(bounded(0, 256, 0))
    pixels: str = unwritten(one_of(("normal", "unit"), "normal"))
    damaged_files: int = unwritten(bounded(0, 1_000_000, 0))
    augment: tuple[str, ...] = unwritten(field(default=()))


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained.

    The logits are ``logit_scale`` times a class's output, summed or averaged over the steps by ``readout``.

    What stands at its default from ``warmup_epochs`` on is not written out, so that a file from before the key existed
    equals one from today.

    Attributes
    ----------
    batch_size : samples of one optimizer step, whatever the number of processes and of parts.
    warmup_epochs, warmup_steps : how long the rate rises linearly, the sum of both, from ``warmup_from`` times its full
        height; ``schedule`` rules the rest.
    schedule : half a cosine to 0; constant; ``step``: times ``gamma`` from each of ``milestones`` on, in epochs of the
        whole run; ``poly``: the share of the rest that is left, to the power ``power``.
    label_smoothing : share of each label that is spread over all classes.
    loss : see :mod:`neurodeploy.models.losses`.
    accumulate : parts of a batch (of a process's share of it) that run one after another to need less memory;
        batch normalisation sees one part at a time.
    ema : decay of the running average of the parameters that is tested and written as the network; 0 keeps none.
    precision : of the layers in training; parameters, neurons and losses stay float32, and so does testing.
    sync_batchnorm : let batch normalisation pool over the processes of a run.
    keep_last : states of whole epochs that are kept; ``last.safetensors`` is the youngest of them.
    checkpoint_every_steps : optimizer steps between states within an epoch; 0 writes none.
    optimizer : see :mod:`neurodeploy.models.optimizers`; ``momentum`` and ``nesterov`` are those of ``sgd``,
        ``momentum_decay`` is that of ``nadam``.
    clip_norm : the Euclidean norm of all gradients together that a step takes at most; 0 clips none.
    fused_norm : compute a batch norm and the lif layer behind it as one in training: less is kept for the backward
        pass, and on a CPU it takes less time. The results are others by rounding, so runs are not those without it.
    pretrained : checkpoint of a classifier whose backbone the network's begins with; empty for none.
    head_rate : times what rate the head of a network learns, where that names one: Semantic-FPN's, behind its pyramid.
    deterministic : let a GPU give equal bytes for equal training, at some cost; a CPU always does.
    """

    epochs: int = bounded(1, 100_000)
    learning_rate: float = bounded(0.0, 1e30)
    batch_size: int = bounded(1, 65_536, 64)
    weight_decay: float = bounded(0.0, 1e3, 0.01)
    logit_scale: float = bounded(1e-6, 1e6, 1.0)
    warmup_epochs: float = unwritten(bounded(0.0, 100_000, 0.0))
    warmup_steps: int = unwritten(bounded(0, 1_000_000_000, 0))
    warmup_from: float = unwritten(bounded(0.0, 1.0, 0.0))
    schedule: str = unwritten(one_of(("cosine", "constant", "step", "poly"), "cosine"))
    milestones: tuple[float, ...] = unwritten(bounded(0.0, 100_000, ()))
    gamma: float = unwritten(bounded(0.0, 1.0, 0.1))
    power: float = unwritten(bounded(1e-3, 100.0, 1.0))
    loss: str = unwritten(one_of(("cross-entropy", "tet", "mse"), "cross-entropy"))
    label_smoothing: float = unwritten(bounded(0.0, 1.0, 0.0))
    accumulate: int = unwritten(bounded(1, 65_536, 1))
    ema: float = unwritten(bounded(0.0, 0.999999, 0.0))
    precision: str = unwritten(one_of(("float32", "bf16"), "float32"))
    sync_batchnorm: bool = unwritten(field(default=False))
    keep_last: int = unwritten(bounded(1, 1000, 1))
    checkpoint_every_steps: int = unwritten(bounded(0, 1_000_000_000, 0))
    readout: str = unwritten(one_of(("sum", "mean"), "sum"))
    optimizer: str = unwritten(one_of(("adamw", "adam", "nadam", "sgd"), "adamw"))
    momentum: float = unwritten(bounded(0.0, 0.999999, 0.9))
    nesterov: bool = unwritten(field(default=False))
    momentum_decay: float = unwritten(bounded(0.0, 1.0, 0.004))
    clip_norm: float = unwritten(bounded(0.0, 1e30, 0.0))
    deterministic: bool = unwritten(field(default=False))
    fused_norm: bool = unwritten(field(default=False))
    pretrained: str = unwritten(field(default=""))
    head_rate: float = unwritten(bounded(0.0, 1e6, 1.0))


@dataclass(frozen=True)
class Recipe:
    """One training run: its name, its seed, its data, its network and how it is trained.

    The network is a chain of ``layers`` or, where ``model`` is there and ``layers`` is empty, an architecture of
    :mod:`neurodeploy.models.architectures`. ``method`` says where its gradients are cut; by default nowhere.
    """

    name: str
    seed: int
    data: DataSettings
    training: TrainingSettings
    layers: tuple[Layer, ...] = ()
    model: ModelSettings | None = None
    method: MethodSettings = BpttSettings()  # noqa: RUF009 (frozen)

    def to_toml(self) -> str:
        """Return the recipe as TOML text that :func:`parse_recipe` reads back equal."""
        head = f"name = {write_value(self.name)}\nseed = {self.seed}\n"
        tables = f"[data]\n{write_table(self.data)}\n[training]\n{write_table(self.training)}"
        network = write_layers(self.layers) if self.model is None else write_model(self.model)
        return f"{head}\n{tables}\n{write_method(self.method)}{network}"


_TABLES: dict[str, type[DataSettings] | type[TrainingSettings]] = {"data": DataSettings, "training": TrainingSettings}


@dataclass(frozen=True)
class _Head:
    name: str
    seed: int = bounded(0, LARGEST_SEED, 0)


def load_recipe(name: str | Path, overrides: Sequence[str] = (), seed: int | None = None) -> Recipe:
    """Return the recipe in the file ``name``, or the packaged one when ``name`` is bare (``digits``) and no such file.

    A file may be based on another recipe; see :mod:`neurodeploy.models.recipefiles`. ``overrides`` are ``key=value``
    texts (``training.epochs=2``, ``layers.0.channels=8``; a key that only one table has needs no table name); ``seed``
    replaces the recipe's. Raises :class:`InputError` for a file that cannot be read and :class:`UsageError` for a key
    or value that a recipe cannot have.
    """
    document, file = read_document(str(name))
    return _parsed(document, file, [*overrides, *([] if seed is None else [f"seed={seed}"])])


def parse_recipe(text: str, file: str, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe written as TOML ``text``, which stands alone; ``file`` is the name that errors give it."""
    return _parsed(parse_toml(text, file), file, overrides)


def _parsed(document: dict[str, Any], file: str, overrides: Sequence[str]) -> Recipe:
    for override in overrides:
        _override(document, override)
    inner = [f"{table}.{f.name}" for table, cls in _TABLES.items() for f in fields(cls)]
    document = require_table(document, [f.name for f in fields(Recipe)], "", file, inner)
    _require_parts(document, file)
    head = read_table(_Head, {k: v for k, v in document.items() if k in ("name", "seed")}, "", file)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", head.name):
        raise UsageError(
            f"{file}: name", f"{head.name!r} cannot name a folder", "use letters, digits, '.', '_' and '-'"
        )
    return Recipe(
        name=head.name,
        seed=head.seed,
        data=_read_data(document.get("data", {}), file),
        training=_read_training(document["training"], file),
        layers=read_layers(document["layers"], file) if "layers" in document else (),
        model=read_model(document["model"], file) if "model" in document else None,
        method=read_method(document.get("method", {}), file),
    )


def _require_parts(document: dict[str, Any], file: str) -> None:
    """Raise :class:`UsageError` unless there are a training table and just one description of a network."""
    see = "see the packaged recipe 'digits'"
    if "training" not in document:
        raise UsageError(f"{file}: training", "is missing", f"add a training table; {see}")
    if "layers" in document and "model" in document:
        raise UsageError(f"{file}: model", "stands beside layers: two networks", "keep [model] or [[layers]]")
    if "layers" not in document and "model" not in document:
        raise UsageError(f"{file}: layers", "is missing", f"add [[layers]] tables or a [model] table; {see}")


def _read_data(raw: object, file: str) -> DataSettings:
    settings = read_table(DataSettings, raw, "data", file)
    read_augmentations(settings.augment, file)
    return settings


def _read_training(raw: object, file: str) -> TrainingSettings:
    settings = read_table(TrainingSettings, raw, "training", file)
    if settings.warmup_epochs and settings.warmup_epochs >= settings.epochs:
        found = f"is {settings.warmup_epochs}, and training has {settings.epochs} epochs"
        raise UsageError(f"{file}: training.warmup_epochs", found, "leave epochs after the warm-up")
    if settings.nesterov and (settings.optimizer != "sgd" or not settings.momentum):
        found = f"is true beside optimizer {settings.optimizer!r} and momentum {settings.momentum:g}"
        raise UsageError(f"{file}: training.nesterov", found, 'it needs optimizer = "sgd" with a momentum')
    if (settings.schedule == "step") != bool(settings.milestones):
        found = f"has {len(settings.milestones)} epochs beside schedule {settings.schedule!r}"
        raise UsageError(f"{file}: training.milestones", found, 'schedule = "step" and milestones need each other')
    return settings


def _override(document: dict[str, Any], text: str) -> None:
    """Set one ``key=value`` in a parsed document, which is the parser's own copy."""
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not all(key.split(".")):
        raise UsageError(f"--set {text}", "is not of the form key=value", "write for example --set training.epochs=2")
    *parents, leaf = _full_key(key).split(".")
    place: Any = document
    for part in parents:
        place = place.setdefault(part, {}) if isinstance(place, dict) else _element(place, part, text)
    if isinstance(place, dict):
        place[leaf] = _toml_value(value.strip())
    else:
        _element(place, leaf, text)
        place[int(leaf)] = _toml_value(value.strip())


def _element(place: object, part: str, text: str) -> Any:
    if not isinstance(place, list) or not part.isdecimal() or int(part) >= len(place):
        found = f"a list of {len(place)}" if isinstance(place, list) else "a plain value"
        raise UsageError(f"--set {text}", f"there is no {part!r} in {found}", "count from 0, as in layers.0.channels")
    return place[int(part)]


def _full_key(key: str) -> str:
    """Return ``training.epochs`` for ``epochs``: a bare key that one table alone has."""
    owners = [table for table, cls in _TABLES.items() if key in (f.name for f in fields(cls))]
    return f"{owners[0]}.{key}" if len(owners) == 1 else key


def _toml_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
