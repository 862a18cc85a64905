"""A live module of a framework with hidden or explicit state as a LiveModel; today snnTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from neurodeploy.errors import UsageError
from neurodeploy.export import snntorch
from neurodeploy.export.live import Answers, LiveModel
from neurodeploy.export.stepping import clear_states, record, require_kept_state
from neurodeploy.export.torch_layers import LAYERS
from neurodeploy.export.tracer import trace
from neurodeploy.graph import Neuron, Shape

#: Steps and density of the random input of a proof where nobody gives samples.
DEFAULT_STEPS = 50
DENSITY = 0.3


def open_module(
    module: nn.Module, *, shape: Shape | None = None, dt: float | None = None, steps: int | None = None
) -> LiveModel:
    """Return the network that a snnTorch module computes in one step.

    Parameters
    ----------
    module : takes ``x`` of one step [batch, *shape], with hidden states or with states given and returned.
    shape : shape of one sample in one step; that of the first layer if it is a Linear and None is given.
    dt : seconds of a step; snnTorch's own 1e-4 if None.

    Raises
    ------
    UsageError : the shape cannot be inferred.
    Unsupported : the module computes something a Graph cannot hold.
    """
    # A single neuron layer takes its state as an argument, which a network need not.
    module = nn.Sequential(module).eval() if type(module) in snntorch.NEURONS else module.eval()
    for name, part in module.named_modules():
        if type(part) in snntorch.NEURONS:
            snntorch.refuse_options(part, name)  # before a step is tried: some of them make snnTorch fail
    size = shape or _first_linear(module)
    clear_states(module)
    traced = trace(
        module,
        torch.zeros(2, *size),
        dt=dt or snntorch.DEFAULT_DT,
        readers={**LAYERS, **snntorch.NEURONS},
        refused=snntorch.BASES,
    )
    neurons = {name: name for name in traced.graph.of_type(Neuron)}  # a node has the name of its module
    require_kept_state(module, torch.zeros(2, *size), neurons)

    def run(inputs: npt.NDArray[Any]) -> Answers:
        return record(module, inputs, neurons, traced.readouts)

    def draw(samples: int, seed: int) -> npt.NDArray[np.uint8]:
        drawn = np.random.default_rng(seed).random((samples, steps or DEFAULT_STEPS, *size)) < DENSITY
        return drawn.astype(np.uint8)

    return LiveModel(traced.graph, run, draw)


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
