"""What is sent along a projection: its name in the graph, its element type, and the largest payload it can hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurodeploy.fixedpoint import STATE_SHIFT
from neurodeploy.network import Network, Population, Port, Shape
from neurodeploy.neurons import Lif
from neurodeploy.onnxgraph.emitter import Value

#: Element type of a port -> the largest magnitude it can hold. The narrower, the faster a step.
PAYLOADS: dict[str, int] = {
    "bool": 1,
    "uint8": (1 << 8) - 1,
    "int8": 1 << 7,
    "int32": 1 << 31,
    "int64": 1 << 63,
}


@dataclass(frozen=True)
class Signal:
    """The spikes of one port or population in one step: ``value`` is [samples, *shape]."""

    value: Value
    shape: Shape
    dtype: np.dtype[np.generic]

    @property
    def largest(self) -> int:
        """The largest magnitude of a payload."""
        return PAYLOADS[self.dtype.name]


def sent_type(network: Network, name: str, ports: str) -> np.dtype[np.generic]:
    """Return the element type of what a port or population sends; ``ports`` is that of all ports."""
    part: Port | Population = network.by_name[name]
    if isinstance(part, Port):
        return np.dtype(ports)
    if not part.neuron.graded:
        return np.dtype(np.bool_)
    return burst_type(part.neuron) if isinstance(part.neuron, Lif) else np.dtype(np.int32)


def burst_type(neuron: Lif) -> np.dtype[np.generic]:
    """Return the narrowest element type for the numbers that a graded leaky integrate-and-fire neuron sends."""
    if not neuron.bursts:
        return np.dtype(np.int8)
    most = (neuron.state_limit - 1) // (int(neuron.threshold.min()) << STATE_SHIFT)
    return np.dtype(np.uint8 if most <= PAYLOADS["uint8"] else np.int32)


def narrowest(*arrays: npt.NDArray[np.integer]) -> str:
    """Return the first key of :data:`PAYLOADS` whose type holds all these numbers."""
    low, high = min(int(a.min(initial=0)) for a in arrays), max(int(a.max(initial=0)) for a in arrays)
    if low >= 0 and high <= 1:
        return "bool"
    return next(name for name in PAYLOADS if name != "bool" and _holds(np.iinfo(name), low, high))


def _holds(info: np.iinfo[np.integer], low: int, high: int) -> bool:
    return int(info.min) <= low and high <= int(info.max)
