"""The float network: the nodes and edges of the Neuromorphic Intermediate Representation, and what NIR leaves out.

A :class:`Graph` is frozen; a pass returns a new one. Shapes are those of one sample in one step, without batch or time,
in torch's order (channels, height, width). Several edges into a node mean their sum. Arrays keep the float dtype they
came with and are read-only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.semantics import Semantics

Array = npt.NDArray[np.floating[Any]]
Shape = tuple[int, ...]


def frozen_array(values: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> npt.NDArray[Any]:
    """Return a read-only array of its own with these values."""
    array = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Input:
    """Spikes or values of this shape enter here, once a step."""

    shape: Shape


@dataclass(frozen=True, eq=False)
class Output:
    """Whatever arrives here is an answer of the network."""

    shape: Shape


@dataclass(frozen=True, eq=False)
class Linear:
    """``y = weight @ x + bias``; weight [out, in], bias [out] or None."""

    weight: Array
    bias: Array | None = None


@dataclass(frozen=True, eq=False)
class Convolution:
    """Cross-correlation over one or two axes, as torch.nn.Conv1d and Conv2d compute it.

    weight [out, in / groups, *kernel]; bias [out] or None; ``padding`` is a pair (before, after) per axis.
    """

    weight: Array
    bias: Array | None
    stride: Shape
    padding: tuple[tuple[int, int], ...]
    dilation: Shape
    groups: int = 1


@dataclass(frozen=True, eq=False)
class Pool:
    """Sum, average or maximum over windows of the last axes; an average divides by the full window, padded or not."""

    kind: Literal["sum", "average", "max"]
    kernel: Shape
    stride: Shape
    padding: Shape


@dataclass(frozen=True, eq=False)
class Flatten:
    """Merge the axes ``start`` to ``end`` (inclusive, of the shape without batch) into one."""

    start: int = 0
    end: int = -1


@dataclass(frozen=True, eq=False)
class Scale:
    """``y = factor * x``, elementwise; factor is broadcast to the shape of x."""

    factor: Array


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """``y = weight * (x - mean) / sqrt(variance + epsilon) + bias`` per channel; all arrays [channels]."""

    mean: Array
    variance: Array
    weight: Array
    bias: Array
    epsilon: float


@dataclass(frozen=True, eq=False)
class Delay:
    """``y(t) = x(t - delay)``; delay in seconds, broadcast to the shape of x."""

    delay: Array


@dataclass(frozen=True, eq=False)
class Threshold:
    """``y = 1 where x > threshold``, without memory."""

    threshold: Array


@dataclass(frozen=True, eq=False)
class Neuron:
    """Neurons with a membrane, described by the constants of NIR and read in time by ``semantics``.

    ::

        tau_syn I' = w_in S - I             (tau_syn is None: I = S, the input itself)
        tau_mem v' = v_leak - v + r I       (tau_mem is None: v' = r I)
        spike where v exceeds threshold     (threshold is None: the answer is v itself)

    Every array is broadcast to ``shape``. tau_syn, tau_mem in seconds; the rest without unit. The NIR type follows from
    which constants are None, see :attr:`kind`.
    """

    shape: Shape
    semantics: Semantics
    r: Array
    tau_mem: Array | None = None
    tau_syn: Array | None = None
    w_in: Array | None = None
    v_leak: Array | None = None
    threshold: Array | None = None
    v_reset: Array | None = None

    @property
    def kind(self) -> str:
        """The name of the NIR primitive with these constants."""
        return NEURON_KINDS[self.tau_syn is not None, self.tau_mem is not None, self.threshold is not None]

    @property
    def spiking(self) -> bool:
        """Whether the answer is spikes rather than the membrane."""
        return self.threshold is not None


#: (has a synaptic current, leaks, fires) -> NIR primitive.
NEURON_KINDS: dict[tuple[bool, bool, bool], str] = {
    (False, True, True): "LIF",
    (True, True, True): "CubaLIF",
    (False, True, False): "LI",
    (True, True, False): "CubaLI",
    (False, False, True): "IF",
    (False, False, False): "I",
}

Node = Input | Output | Linear | Convolution | Pool | Flatten | Scale | BatchNorm | Delay | Threshold | Neuron


@dataclass(frozen=True, eq=False)
class Graph:
    """A float spiking network with its reading in time.

    Attributes
    ----------
    nodes : name -> node, in the order of the file.
    edges : (source, target) pairs. An edge that closes a cycle carries the spikes of the step before; see ``feedback``.
    dt : duration of one step in seconds.
    feedback : the edges that carry the previous step's value. Every cycle holds at least one.
    notes : repairs and readings that the source did not state and that a report must show.
    metadata : what the file carried beyond the network, by key.
    """

    nodes: Mapping[str, Node]
    edges: tuple[tuple[str, str], ...]
    dt: float
    feedback: frozenset[tuple[str, str]] = frozenset()
    notes: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", MappingProxyType(dict(self.nodes)))
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))

    def sources(self, name: str) -> list[str]:
        """Return the names of the nodes with an edge into ``name``."""
        return [source for source, target in self.edges if target == name]

    def targets(self, name: str) -> list[str]:
        """Return the names of the nodes that ``name`` has an edge to."""
        return [target for source, target in self.edges if source == name]

    def of_type(self, kind: type) -> list[str]:
        """Return the names of the nodes of this type, in file order."""
        return [name for name, node in self.nodes.items() if isinstance(node, kind)]

    @property
    def inputs(self) -> list[str]:
        """The names of the Input nodes."""
        return self.of_type(Input)

    @property
    def outputs(self) -> list[str]:
        """The names of the Output nodes."""
        return self.of_type(Output)

    def order(self) -> list[str]:
        """Return the node names so that every edge but the feedback edges points forward.

        Raises
        ------
        InputError : the edges left form a cycle; the message names its nodes.
        """
        sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(self.nodes, ()))
        for source, target in self.edges:
            if (source, target) not in self.feedback:
                sorter.add(target, source)
        try:
            return list(sorter.static_order())
        except CycleError as error:
            loop = " -> ".join(error.args[1])
            raise InputError(loop, "a loop without a delayed edge", "say which of its edges is the feedback") from error
