"""The file of a torch module and the state dict beside it, both whole or neither."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import UsageError
from neurodeploy.export.torchcode.code import Code, generate
from neurodeploy.export.torchcode.part import Writer
from neurodeploy.files import refuse_existing, replacing
from neurodeploy.graph import Graph

if TYPE_CHECKING:
    from torch import nn

#: Name of a framework -> the module that writes its layers. None of them imports the framework.
FRAMEWORKS: Mapping[str, str] = {
    "snntorch": "neurodeploy.export.torchcode.snntorch",
    "norse": "neurodeploy.export.torchcode.norse",
}

State = Mapping[str, npt.NDArray[Any]]


def module_files(graph: Graph, framework: str, name: str = "net") -> tuple[str, State]:
    """Return the code of a torch module that computes ``graph``, and its state dict.

    Parameters
    ----------
    framework : a key of :data:`FRAMEWORKS`.
    name : of the files, without suffix, as the code's own explanation gives it.

    Raises
    ------
    UsageError : an unknown framework.
    Unsupported : the framework has no layer that does what a node does; the message names both.
    """
    if framework not in FRAMEWORKS:
        raise UsageError("framework", f"{framework!r} is none", f"one of {', '.join(FRAMEWORKS)}")
    made: Code = generate(graph, cast(Writer, import_module(FRAMEWORKS[framework])), name)
    return made.text, made.state


def write_module(graph: Graph, path: str | Path, framework: str, *, force: bool = False) -> Path:
    """Write the module to ``path`` and its state dict to the ``.safetensors`` beside it, whose path is returned.

    Raises
    ------
    UsageError : one of them exists and not ``force``; or as :func:`module_files`, which raises Unsupported too.
    """
    path = Path(path)
    weights = path.with_suffix(".safetensors")
    for each in (path, weights):
        refuse_existing(each, force=force)
    text, state = module_files(graph, framework, path.stem)
    with replacing(path) as code, replacing(weights) as tensors:
        code.write_text(text, encoding="utf-8", newline="\n")
        _save(state, tensors)
    return weights


def to_torch(graph: Graph, framework: str) -> nn.Module:
    """Return a live torch module of a framework that computes ``graph``, in evaluation mode.

    It is the module that :func:`write_module` writes; the framework must be installed.

    Raises
    ------
    BackendMissing : the framework is not installed.
    UsageError, Unsupported : as :func:`module_files`.
    """
    text, state = module_files(graph, framework)
    from neurodeploy.models.extras import require

    require("torch", "safetensors", extra="models")
    require(framework, extra=framework)
    from neurodeploy.export.factory import build
    from neurodeploy.export.weights import fill, load_weights

    with tempfile.TemporaryDirectory() as folder:
        code, weights = Path(folder) / "net.py", Path(folder) / "net.safetensors"
        code.write_text(text, encoding="utf-8")
        _save(state, weights)
        module = build(f"{code}:build")
        if state:  # a network of nothing but uniform cells of Norse has none
            fill(module, load_weights(weights), weights)
    return module


def _save(state: State, path: Path) -> None:
    from neurodeploy.models.extras import require

    require("safetensors", extra="models")
    from safetensors.numpy import save_file

    save_file({name: np.array(values, order="C") for name, values in state.items()}, path)
