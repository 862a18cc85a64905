"""The float values of one population, as its integer twin will need them: every gain folded into weights and bias."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurodeploy.discrete import StepConstants, constants
from neurodeploy.errors import Unsupported
from neurodeploy.graph import Convolution, Graph, Linear, Neuron, Shape
from neurodeploy.wiring import Synapse

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FloatPopulation:
    """A population with unit gain: what arrives adds ``weights`` (one array a path) to the membrane, plus ``bias``.

    One that is not ``spiking`` answers with its membrane; its threshold is 0 and says nothing.
    """

    name: str
    shape: Shape
    step: StepConstants
    threshold: Floats
    bias: Floats
    paths: tuple[Synapse, ...]
    weights: tuple[Floats, ...]
    spiking: bool = True


def fold(graph: Graph, name: str, paths: list[Synapse]) -> FloatPopulation:
    """Return the neuron node ``name`` of a lowered graph with its gains folded in."""
    neuron = graph.nodes[name]
    assert isinstance(neuron, Neuron)
    step = constants(neuron, graph.dt)
    gain = step.gain
    if step.current_gain is not None and step.beta is not None:
        late = step.beta if neuron.semantics.order == "jump-decay-use" else 1.0
        gain = gain * step.current_gain * late
    mine = tuple(path for path in paths if path.target == name)
    bias = np.zeros(neuron.shape) + step.leak
    weights = []
    for path in mine:
        source = graph.nodes[path.source]
        payload = source.semantics.spike_scale if isinstance(source, Neuron) else 1.0
        weights.append(_scaled(path, gain, neuron.shape) * payload)
        if path.node.bias is not None:
            settled = gain if step.beta is None else gain / (1.0 - step.beta)
            bias = bias + settled * _spread(path.node, neuron.shape)
    threshold = np.asarray(0.0 if step.threshold is None else step.threshold, dtype=np.float64)
    return FloatPopulation(name, neuron.shape, step, threshold, bias, mine, tuple(weights), neuron.spiking)


def _spread(node: Linear | Convolution, shape: Shape) -> Floats:
    """Return a bias [out] so that it broadcasts to the population."""
    bias = np.asarray(node.bias, dtype=np.float64)
    return bias.reshape(-1, *([1] * (len(shape) - 1))) if isinstance(node, Convolution) else bias.reshape(shape)


def _scaled(path: Synapse, gain: Floats, shape: Shape) -> Floats:
    """Return the weights with the gain of their target neuron folded in."""
    weight = np.asarray(path.node.weight, dtype=np.float64)
    full = np.broadcast_to(gain, shape)
    if isinstance(path.node, Linear):
        return weight * full.reshape(-1, 1)
    per_channel = full.reshape(shape[0], -1)
    if (per_channel != per_channel[:, :1]).any():
        raise Unsupported(
            path.target,
            "its input gain differs within a channel, but the kernel is shared",
            "give r and w_in one value a channel",
        )
    return weight * per_channel[:, 0].reshape(-1, *([1] * (weight.ndim - 1)))


def approximations(populations: list[FloatPopulation]) -> list[str]:
    """Return one sentence for each place where the integer network means something slightly else."""
    notes = []
    for p in populations:
        if p.spiking and p.step.semantics.fire == ">=":
            notes.append(f"{p.name}: fires at v >= threshold in the model, at v > threshold - 1 unit on the chip")
        if p.step.beta is not None and any(path.node.bias is not None and np.any(path.node.bias) for path in p.paths):
            notes.append(f"{p.name}: its bias passes the synaptic filter in the model; the chip adds the settled value")
    return notes
