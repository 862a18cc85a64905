"""A live module of a framework with hidden or explicit state as a LiveModel."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from neurodeploy.errors import UsageError
from neurodeploy.export.live import Answers, LiveModel
from neurodeploy.export.stepping import clear_states, record, require_kept_state
from neurodeploy.export.torch_layers import LAYERS, Reader
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
    instead of :func:`neurodeploy.export.stepping.record`; and ``input_shape``: the shape of a sample by its module.
    """

    NEURONS: Mapping[type, Reader]
    BASES: tuple[type, ...]
    DEFAULT_DT: float

    def refuse_options(self, module: Any, name: str) -> None:
        """Raise Unsupported for an option of a layer that a Graph cannot say."""

    def with_state(self, module: nn.Module) -> nn.Module:
        """Return a module that keeps the state of its neurons from step to step."""


#: Name of a framework -> the module that describes it; loaded when asked for.
FRAMEWORKS: Mapping[str, str] = {
    "snntorch": "neurodeploy.export.snntorch",
    "norse": "neurodeploy.export.norse",
    "rockpool": "neurodeploy.export.rockpool",
}


def load_framework(name: str) -> Framework:
    """Return the description of a framework, which imports it."""
    return cast(Framework, import_module(FRAMEWORKS[name]))


def open_module(
    module: nn.Module,
    *,
    framework: str = "snntorch",
    shape: Shape | None = None,
    dt: float | None = None,
    steps: int | None = None,
) -> LiveModel:
    """Return the network that a module computes in one step.

    Parameters
    ----------
    module : takes ``x`` of one step [batch, *shape], with hidden states or with states given and returned.
    framework : key of :data:`FRAMEWORKS`: whose neurons it holds.
    shape : shape of one sample in one step; that of the first layer if it is a Linear and None is given.
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
    module = known.with_state(module.eval())
    size = shape or getattr(known, "input_shape", _first_linear)(module)
    leading = getattr(known, "LEADING_AXES", 1)
    step = torch.zeros(2, *(1,) * (leading - 1), *size)
    clear_states(module)
    traced = trace(
        module,
        step,
        dt=dt or _step_seconds(module, known),
        readers={**LAYERS, **known.NEURONS},
        refused=known.BASES,
        leading=leading,
    )
    neurons = {name: name for name in traced.graph.of_type(Neuron)}  # a node has the name of its module
    require_kept_state(module, torch.zeros_like(step), neurons)
    recorder = getattr(known, "record", record)

    def run(inputs: npt.NDArray[Any]) -> Answers:
        answers: Answers = recorder(module, inputs, neurons, traced.readouts)
        return answers

    def draw(samples: int, seed: int) -> npt.NDArray[np.uint8]:
        drawn = np.random.default_rng(seed).random((samples, steps or DEFAULT_STEPS, *size)) < DENSITY
        return drawn.astype(np.uint8)

    return LiveModel(traced.graph, run, draw)


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
