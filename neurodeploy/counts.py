"""The counts of an activity: per population, per projection, per core, and per step."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from neurodeploy.tiling import Counts

Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PopulationActivity:
    """Events of one population, or of one port, which has spikes and messages only.

    Attributes
    ----------
    synaptic_operations : at its own synapses, the incoming ones.
    neuron_updates : neurons times steps times samples.
    active_updates : those in which a spike arrives, the neuron has a bias, or it fires; the others are idle.
    messages : its spikes times the cores each goes to.
    memory_reads : words its cores read of their synapses; see :mod:`neurodeploy.reading`.
    """

    spikes: int = 0
    synaptic_operations: int = 0
    neuron_updates: int = 0
    active_updates: int = 0
    messages: int = 0
    memory_reads: int = 0


@dataclass(frozen=True)
class ProjectionActivity:
    """Events of one projection.

    Attributes
    ----------
    messages : spikes times the cores of the target each goes to.
    hops_x, hops_y : tiles these messages cross along the mesh, by XY routing; those from a port start nowhere and
        cross none, and those between chips are not routed.
    crossings : messages that change the chip.
    """

    synaptic_operations: int
    messages: int
    hops_x: int = 0
    hops_y: int = 0
    crossings: int = 0


@dataclass(frozen=True, eq=False)
class CoreActivity:
    """Events of each core, int64 [cores] or [steps, cores], in the order of ``Placement.cores``.

    Synaptic operations stand by encoding. A message counts in the core it leaves and in the one it reaches.
    """

    spikes: Counts
    neuron_updates: Counts
    active_updates: Counts
    dense_operations: Counts
    convolution_operations: Counts
    messages_in: Counts
    messages_out: Counts
    memory_reads: Counts

    @property
    def synaptic_operations(self) -> Counts:
        """Operations of both encodings."""
        return self.dense_operations + self.convolution_operations

    def over_steps(self) -> CoreActivity:
        """Return the sums over steps, int64 [cores]."""
        return CoreActivity(**{each.name: getattr(self, each.name).sum(axis=0) for each in fields(self)})


@dataclass(frozen=True, eq=False)
class Pace:
    """How long the slowest core, and the busiest link, take in each step, by the times of the placement's chip.

    Steps are those of the chip in a steady stream of samples: what the populations do in one of them are different
    steps of the sample, each its latency behind the input.

    Attributes
    ----------
    target : the chip's name.
    cores, links : float64 [(low, nominal, high), samples, steps], in seconds.
    """

    target: str
    cores: Seconds
    links: Seconds
