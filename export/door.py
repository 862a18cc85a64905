"""Open a checkpoint, whoever wrote it, as a live model with its Graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from neurodeploy.errors import UsageError
from neurodeploy.graph import Shape

if TYPE_CHECKING:
    from neurodeploy.export.live import LiveModel


@dataclass(frozen=True)
class Request:
    """What is known of a checkpoint.

    Attributes
    ----------
    factory : ``module:function`` or ``path.py:function`` that builds the user's module; it is imported and run.
    shape : one sample in one step; that of ``samples``, or of a first Linear, if None.
    steps : length of the input that is drawn for the proof; the model's own if None.
    samples : event file of the proof, which also tells the shape.
    dt : seconds of a step; the framework's own if None.
    """

    checkpoint: Path
    factory: str | None = None
    shape: Shape | None = None
    steps: int | None = None
    samples: Path | None = None
    dt: float | None = None


def open_model(request: Request, source: str | None = None) -> LiveModel:
    """Return the network of a checkpoint.

    Parameters
    ----------
    source : key of :data:`DOORS`; by default snnTorch where a factory is given, else neurodeploy's own.

    Raises
    ------
    UsageError : options that contradict the source.
    InputError : a file or a factory that cannot be used.
    BackendMissing : the framework is not installed.
    """
    return DOORS[source or ("snntorch" if request.factory else "ours")](request)


def _open_ours(request: Request) -> LiveModel:
    for option, value in (("--factory", request.factory), ("--input-shape", request.shape)):
        if value:
            raise UsageError(option, "a checkpoint of 'neurodeploy train' says it itself", f"leave {option} out")
    from neurodeploy.models.extras import require

    require("torch", "safetensors", extra="models")
    from neurodeploy.export.ours import open_checkpoint

    return open_checkpoint(request.checkpoint, dt=request.dt, steps=request.steps)


def _open_framework(framework: str, request: Request) -> LiveModel:
    if not request.factory:
        raise UsageError(f"--from {framework}", "weights alone say nothing of the network", "add --factory mynet:build")
    from neurodeploy.models.extras import require

    require("torch", "safetensors", extra="models")
    require(framework, extra=framework)
    from neurodeploy.export.factory import build
    from neurodeploy.export.framework import open_module
    from neurodeploy.export.weights import fill, load_weights
    from neurodeploy.npz import read_events

    tensors = load_weights(request.checkpoint)
    module = build(request.factory)
    fill(module, tensors, request.checkpoint)
    shape = request.shape
    if shape is None and request.samples is not None:
        shape = next(iter(read_events(request.samples).spikes.values())).shape[2:] or None  # events have none
    return open_module(module, framework=framework, shape=shape, dt=request.dt, steps=request.steps)


#: Source of a checkpoint -> how it is opened.
DOORS: Mapping[str, Callable[[Request], LiveModel]] = {
    "ours": _open_ours,
    "snntorch": partial(_open_framework, "snntorch"),
    "norse": partial(_open_framework, "norse"),
}
