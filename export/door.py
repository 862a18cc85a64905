"""Open a checkpoint, whoever wrote it, as a live model with its Graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from neurodeploy.errors import UsageError

if TYPE_CHECKING:
    from neurodeploy.export.live import LiveModel, LiveNetwork
    from neurodeploy.graph import Shape


@dataclass(frozen=True)
class Request:
    """What is known of a checkpoint.

    Attributes
    ----------
    factory : ``module:function`` or ``path.py:function`` that builds the user's module; it is imported and run.
    shape : one sample in one step; that of ``samples``, or of a first Linear, if None. By name where there are several.
    steps : length of the input that is drawn for the proof; the model's own if None.
    samples : event file of the proof, which also tells the shape.
    dt : seconds of a step; the framework's own if None.
    packages : folders in which a framework is looked for that is not installed here.
    """

    checkpoint: Path
    factory: str | None = None
    shape: Shape | Mapping[str, Shape] | None = None
    steps: int | None = None
    samples: Path | None = None
    dt: float | None = None
    packages: tuple[Path, ...] = ()

    def sample_shape(self) -> Shape | Mapping[str, Shape] | None:
        """Return the shape that was given, or that of ``samples``, or None; by name where there are several inputs."""
        if self.shape is None and self.samples is not None:
            from neurodeploy.npz import read_events

            sizes = {port: spikes.shape[2:] for port, spikes in read_events(self.samples).spikes.items()}
            if not all(sizes.values()):
                return None  # events have no shape of their own
            return sizes if len(sizes) > 1 else next(iter(sizes.values()))
        return self.shape


def open_model(request: Request, source: str | None = None) -> LiveModel | LiveNetwork:
    """Return the network of a checkpoint; one that computes in the chip's integers as a LiveNetwork.

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

    tensors = load_weights(request.checkpoint)
    module = build(request.factory)
    fill(module, tensors, request.checkpoint)
    shape = request.sample_shape()
    return open_module(module, framework=framework, shape=shape, dt=request.dt, steps=request.steps)


def _open_slayer(request: Request) -> LiveNetwork:
    from neurodeploy.models.extras import require

    require("torch", "safetensors", extra="models")
    from neurodeploy.export.slayer import open_slayer

    return open_slayer(request)


#: Source of a checkpoint -> how it is opened.
DOORS: Mapping[str, Callable[[Request], LiveModel | LiveNetwork]] = {
    "ours": _open_ours,
    "snntorch": partial(_open_framework, "snntorch"),
    "norse": partial(_open_framework, "norse"),
    "spikingjelly": partial(_open_framework, "spikingjelly"),
    "sinabs": partial(_open_framework, "sinabs"),
    "rockpool": partial(_open_framework, "rockpool"),
    "slayer": _open_slayer,
}
