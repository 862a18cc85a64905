"""Our own networks of a recipe's ``[model]`` table: residual networks, STSep, the VGG of SMA, Meta-SDT.

Their forward passes are followed operation by operation, so what is written down is what is computed. Potentials that
pass a block by are sums, which a Graph has as several edges into one node: every later population hears whatever such
a sum is made of. The last linear layer's numbers are read from integrators, whose mean over steps is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neurodeploy.errors import Unsupported
from neurodeploy.export.differences import Differences
from neurodeploy.export.live import Answers
from neurodeploy.export.spiking import READERS, level_names, multi_spike
from neurodeploy.export.tracer import trace
from neurodeploy.graph import BatchNorm, Graph, Neuron, Output, Shape, frozen_array
from neurodeploy.models.metasdt.attention import SpikeAttention
from neurodeploy.models.sma.attention import MultiscaleAttention
from neurodeploy.models.spiking.layer import MultiSpike, SpikingNeuron
from neurodeploy.models.spiking.normalized import NormalizedNeuron
from neurodeploy.models.stsep.difference import Difference
from neurodeploy.semantics import Semantics

#: Module that no population of neurons computes -> what it is, and the choices.
REFUSED: Mapping[type, tuple[str, str]] = {
    MultiscaleAttention: (
        "is multiscale attention: a softmax over branches, from all steps at once, times their maps",
        "train with model.attention = 'none', or keep the network on the host",
    ),
    SpikeAttention: (
        "is spike-driven attention: a product of spikes with each other, where a synapse has a constant weight",
        "give the sections '3' and '4' no blocks (model.blocks = [1, 1, 2, 0, 0]), or keep the network on the host",
    ),
}

#: Name of the integrators that are read.
READOUT = "readout"


def read_system(model: nn.Module, shape: Shape, dt: float) -> Graph:
    """Return the Graph of a network in evaluation mode that takes [T, B, *shape] and returns [T, B, classes].

    Raises
    ------
    Unsupported : a module or an operation that a Graph cannot hold; names it, says what it is and what to do instead.
    """
    for name, module in model.named_modules():
        if type(module) in REFUSED:
            raise Unsupported(name, *REFUSED[type(module)])
    found = trace(
        model,
        {"input": torch.zeros(1, 2, *shape)},
        dt=dt,
        readers=READERS,
        composers={MultiSpike: multi_spike, Difference: Differences()},
        leading=2,
    )
    return _integrated(found.graph)


def _integrated(graph: Graph) -> Graph:
    """Return the graph with integrators before its output: their membranes are the sums of the answers so far."""
    (output,) = graph.outputs
    end = graph.nodes[output]
    assert isinstance(end, Output)
    nodes = {name: node for name, node in graph.nodes.items() if name != output}
    nodes[READOUT] = Neuron(end.shape, Semantics(if_gain="r*dt"), r=frozen_array(1.0 / graph.dt))
    edges = [(source, READOUT if target == output else target) for source, target in graph.edges]
    return replace(graph, nodes={**nodes, output: end}, edges=(*edges, (READOUT, output)))


def with_first(graph: Graph, name: str, node: BatchNorm) -> Graph:
    """Return the graph whose input passes ``node`` before anything else."""
    (start,) = graph.inputs
    edges = [(name if source == start else source, target) for source, target in graph.edges]
    nodes = {start: graph.nodes[start], name: node, **graph.nodes}
    return replace(graph, nodes=nodes, edges=((start, name), *edges))


@torch.no_grad()
def record_system(model: nn.Module, x: Tensor) -> Answers:
    """Return what a network's own code answers to ``x`` [T, B, C, H, W], by the names of the Graph's populations."""
    found: dict[str, npt.NDArray[np.float64]] = {}
    handles = []
    for name, module in model.named_modules():
        if type(module) in _ANSWERS:
            handles.append(module.register_forward_hook(_keeper(name, found)))
    try:
        numbers: Tensor = model(x)
    finally:
        for handle in handles:
            handle.remove()
    return {**found, READOUT: _by_sample(numbers).cumsum(axis=1)}


def _keeper(name: str, found: dict[str, npt.NDArray[np.float64]]) -> Callable[..., None]:
    def keep(module: nn.Module, _args: Any, answer: Tensor) -> None:
        found.update(_ANSWERS[type(module)](module, name, _by_sample(answer)))

    return keep


def _by_sample(answer: Tensor) -> npt.NDArray[np.float64]:
    """Return [samples, steps, ...] of [T, B, ...]."""
    values: npt.NDArray[np.float64] = answer.detach().cpu().double().transpose(0, 1).contiguous().numpy()
    return values


def _levels(module: MultiSpike, name: str, values: npt.NDArray[np.float64]) -> Answers:
    """Return what each of the populations sends that together are integer neurons."""
    worth, count = 1.0 / module.norm, np.rint(values * module.norm)
    return {node: np.where(count >= level, worth, 0.0) for level, node in enumerate(level_names(module, name), start=1)}


#: Module whose answers are compared -> (module, name, [samples, steps, ...]) -> population -> its answers.
_ANSWERS: Mapping[type, Callable[[Any, str, npt.NDArray[np.float64]], Answers]] = {
    SpikingNeuron: lambda _module, name, values: {name: values},
    NormalizedNeuron: lambda _module, name, values: {name: values},
    MultiSpike: _levels,
}
