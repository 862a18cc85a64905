"""The float values of one population, as its integer twin will need them: every gain folded into weights and bias."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

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

    The arrays of ``weights`` are computed anew whenever one is asked for, so that a network is not held in float64.
    One that is not ``spiking`` answers with its membrane; its threshold is 0 and says nothing.
    """

    name: str
    shape: Shape
    step: StepConstants
    threshold: Floats
    bias: Floats
    paths: tuple[Synapse, ...]
    weights: Sequence[Floats]
    spiking: bool = True


class FoldedWeights(Sequence[Floats]):
    """The weights of each path with the gain of their target and the payload of their source, float64."""

    def __init__(self, paths: Sequence[Synapse], gain: Floats, payloads: Sequence[float], shape: Shape) -> None:
        self.paths, self.gain, self.payloads, self.shape = paths, gain, payloads, shape
        for path in paths:
            require_shared_gain(path, gain, shape)

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Floats: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Floats]: ...

    def __getitem__(self, index: int | slice) -> Floats | Sequence[Floats]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        weight = _scaled(self.paths[index], self.gain, self.shape)
        weight *= self.payloads[index]
        return weight


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
    payloads = []
    for path in mine:
        source = graph.nodes[path.source]
        payload = source.semantics.spike_scale if isinstance(source, Neuron) else 1.0
        payloads.append(payload)
        if path.node.bias is not None:
            settled = gain if step.beta is None else gain / (1.0 - step.beta)
            bias = bias + settled * _spread(path.node, neuron.shape)
    threshold = np.asarray(0.0 if step.threshold is None else step.threshold, dtype=np.float64)
    weights = FoldedWeights(mine, gain, payloads, neuron.shape)
    return FloatPopulation(name, neuron.shape, step, threshold, bias, mine, weights, neuron.spiking)


def _spread(node: Linear | Convolution, shape: Shape) -> Floats:
    """Return a bias [out] so that it broadcasts to the population."""
    bias = np.asarray(node.bias, dtype=np.float64)
    return bias.reshape(-1, *([1] * (len(shape) - 1))) if isinstance(node, Convolution) else bias.reshape(shape)


def _scaled(path: Synapse, gain: Floats, shape: Shape) -> Floats:
    """Return the weights, an array of their own, with the gain of their target neuron folded in."""
    weight = np.array(path.node.weight, dtype=np.float64)
    full = np.broadcast_to(gain, shape)
    if isinstance(path.node, Linear):
        weight *= full.reshape(-1, 1)
    else:
        weight *= full.reshape(shape[0], -1)[:, 0].reshape(-1, *([1] * (weight.ndim - 1)))
    return weight


def require_shared_gain(path: Synapse, gain: Floats, shape: Shape) -> None:
    """Raise :class:`Unsupported` where a kernel is shared by neurons whose gains differ."""
    if isinstance(path.node, Linear):
        return
    per_channel = np.broadcast_to(gain, shape).reshape(shape[0], -1)
    if (per_channel != per_channel[:, :1]).any():
        raise Unsupported(
            path.target,
            "its input gain differs within a channel, but the kernel is shared",
            "give r and w_in one value a channel",
        )


def approximations(populations: list[FloatPopulation]) -> list[str]:
    """Return one sentence for each place where the integer network means something slightly else."""
    notes = []
    for p in populations:
        if p.spiking and p.step.semantics.fire == ">=":
            notes.append(f"{p.name}: fires at v >= threshold in the model, at v > threshold - 1 unit on the chip")
        if p.step.beta is not None and any(path.node.bias is not None and np.any(path.node.bias) for path in p.paths):
            notes.append(f"{p.name}: its bias passes the synaptic filter in the model; the chip adds the settled value")
    return notes
