"""A live module of a framework with hidden or explicit state as a LiveModel."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import nn

from neurodeploy.errors import BackendMissing, UsageError
from neurodeploy.export.fragment import Reader
from neurodeploy.export.live import Answers, Inputs, LiveModel
from neurodeploy.export.sequence import Run
from neurodeploy.export.step_norms import refuse_step_norms
from neurodeploy.export.stepping import clear_states, record, require_kept_state
from neurodeploy.export.torch_layers import LAYERS
from neurodeploy.export.tracer import trace
from neurodeploy.graph import Neuron, Shape

#: Steps and density of the random input of a proof where nobody gives samples.
DEFAULT_STEPS = 50
DENSITY = 0.3


class Framework(Protocol):
    """What a module such as :mod:`neurodeploy.export.snntorch` says of its framework.

    Attributes
    ----------
    NEURONS : class of a neuron layer -> its reader.
    BASES : modules of these classes are refused by name unless ``NEURONS`` reads them.
    DEFAULT_DT : seconds of a step that the framework assumes where its layers do not say.

    A module may also say, where it differs from the rest, ``LEADING_AXES``: axes of a tensor before those of a sample,
    1 for the batch, 2 where modules take whole sequences [batch, steps, ...]; ``record``: how a whole input is run,
    instead of :func:`neurodeploy.export.stepping.record`; ``over_time``: what runs the user's own module on whole
    sequences, or None where its forward computes one step; and ``input_shape``: the shape of a sample by its module.
    """

    NEURONS: Mapping[type, Reader]
    BASES: tuple[type, ...]
    DEFAULT_DT: float

    def refuse_options(self, module: Any, name: str) -> None:
        """Raise Unsupported for an option of a layer that a Graph cannot say."""

    def with_state(self, module: nn.Module) -> nn.Module:
        """Return a module that computes one step and keeps the state of its neurons, which is the first one now."""


#: Name of a framework -> the module that describes it; loaded when asked for.
FRAMEWORKS: Mapping[str, str] = {
    "snntorch": "neurodeploy.export.snntorch",
    "norse": "neurodeploy.export.norse",
    "spikingjelly": "neurodeploy.export.spikingjelly",
    "sinabs": "neurodeploy.export.sinabs",
    "rockpool": "neurodeploy.export.rockpool",
}


def load_framework(name: str) -> Framework:
    """Return the description of a framework, which imports it.

    Raises
    ------
    BackendMissing : the framework itself misses a package.
    """
    try:
        return cast(Framework, import_module(FRAMEWORKS[name]))
    except ModuleNotFoundError as error:
        raise BackendMissing(name, f"needs the package {error.name!r}", f"run: pip install {error.name}") from error


def open_module(
    module: nn.Module,
    *,
    framework: str = "snntorch",
    shape: Shape | Mapping[str, Shape] | None = None,
    dt: float | None = None,
    steps: int | None = None,
) -> LiveModel:
    """Return the network that a module computes in one step.

    Parameters
    ----------
    module : takes ``x`` of one step [batch, *shape], with hidden states or with states given and returned; or whole
        sequences, where its framework does.
    framework : key of :data:`FRAMEWORKS`: whose neurons it holds.
    shape : shape of one sample in one step; that of the first layer if it is a Linear and None is given. Of a network
        with several inputs, the name of each argument of forward -> its shape.
    dt : seconds of a step; what its neurons were built with, or else the framework's own, if None.

    Raises
    ------
    UsageError : the shape cannot be inferred.
    Unsupported : the module computes something a Graph cannot hold.
    """
    known = load_framework(framework)
    for name, part in module.named_modules():
        if isinstance(part, known.BASES):
            known.refuse_options(part, name)  # before a step is tried: some of them make the framework fail
    module.eval()
    stepped = known.with_state(module)
    sizes = _inputs(stepped, shape or getattr(known, "input_shape", _first_linear)(stepped))
    leading = getattr(known, "LEADING_AXES", 1)
    samples = {name: torch.zeros(2, *(1,) * (leading - 1), *size) for name, size in sizes.items()}
    refuse_step_norms(stepped, tuple(samples.values()))
    clear_states(stepped)
    traced = trace(
        stepped,
        samples,
        dt=dt or _step_seconds(stepped, known),
        readers={**LAYERS, **known.NEURONS},
        refused=known.BASES,
        leading=leading,
    )
    neurons = {name: name for name in traced.graph.of_type(Neuron)}  # a node has the name of its module
    over_time: Callable[[nn.Module], Run | None] = getattr(known, "over_time", _one_step)
    whole = over_time(module)
    if whole is None:
        require_kept_state(known.with_state(module), tuple(samples.values()), neurons)
    recorder = getattr(known, "record", record)

    def run(inputs: Inputs) -> Answers:
        given = tuple(inputs[name] for name in traced.inputs) if isinstance(inputs, Mapping) else inputs
        alone = given[0] if isinstance(given, tuple) and len(given) == 1 else given
        if whole is not None:
            return whole(alone, neurons, traced.readouts)
        answers: Answers = recorder(known.with_state(module), alone, neurons, traced.readouts)
        return answers

    def draw(samples: int, seed: int) -> Inputs:
        generator, length = np.random.default_rng(seed), steps or DEFAULT_STEPS
        drawn = [generator.random((samples, length, *size)) < DENSITY for size in sizes.values()]
        named = {name: each.astype(np.uint8) for name, each in zip(traced.inputs, drawn, strict=True)}
        return named if len(named) > 1 else named[traced.inputs[0]]

    return LiveModel(traced.graph, run, draw)


def _one_step(_module: nn.Module) -> None:
    """Return None: forward computes one step."""


def _inputs(module: nn.Module, shape: Shape | Mapping[str, Shape]) -> dict[str, Shape]:
    """Return the shape of every input by its name, in the order in which forward takes them."""
    if not isinstance(shape, Mapping):
        return {"input": shape}
    if len(shape) == 1:
        return dict(shape)
    known = list(inspect.signature(module.forward).parameters)[: len(shape)]
    if set(known) != set(shape):
        raise UsageError(
            "--input-shape",
            f"names the inputs {', '.join(shape)}, forward takes {', '.join(known)} first",
            "name each as forward does",
        )
    return {name: shape[name] for name in known}


def _step_seconds(module: nn.Module, known: Framework) -> float:
    """Return the step that all neurons were built with, or the framework's own where they differ or do not say."""
    said = {float(part.dt) for _, part in module.named_modules() if type(part) in known.NEURONS and hasattr(part, "dt")}
    return said.pop() if len(said) == 1 else known.DEFAULT_DT


def _first_linear(module: nn.Module) -> Shape:
    """Return the input shape of a network whose first layer with weights is a Linear."""
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear):
            return (layer.in_features,)
        if isinstance(layer, nn.Conv1d | nn.Conv2d):
            axes = ",".join([str(layer.in_channels), *("N" for _ in layer.kernel_size)])
            raise UsageError(
                "--input-shape", f"the first layer {name!r} is a convolution of any size", f"give it, as {axes}"
            )
    raise UsageError("--input-shape", "no layer tells the shape of the input", "give it, as 700 or 2,34,34")
