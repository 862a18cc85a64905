"""NeuroBench's figures of a simulated network, by NeuroBench's own definitions (2.3.0), from our counts.

They describe the algorithm, not the chip: a weight or input of zero costs nothing here, while a chip stores and visits
it. What a chip does stands beside them as ``synops_hw``. Every figure is per sample, steps together::

    dense            per projection and step, every weight that a target inside the map reads, inputs and weights all 1
    effective_acs    only weights and inputs that are not zero, of the batch-steps whose inputs are all 0, 1 or -1
    effective_macs   the same of all other batch-steps
    membrane_updates neurons whose potential differs from the step before; in the first step all
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import UsageError
from neurodeploy.fans import fan_of
from neurodeploy.network import Connection, Convolution, Network, Projection, Sparse, stored_weights
from neurodeploy.recording import Recording
from neurodeploy.tiling import Counts, Tiling, spatial_axes


@dataclass(frozen=True)
class SynapticOperations:
    """Operations per sample: all there could be, and those that count, as multiplications or mere additions."""

    dense: float
    effective_macs: float
    effective_acs: float


@dataclass(frozen=True)
class NeuroBench:
    """NeuroBench's figures under NeuroBench's names.

    Attributes
    ----------
    footprint : bytes of weights, each in the whole bytes its bits take, and of neuron parameters.
    connection_sparsity : share of weights that are zero, those that convolutions share counted once; what a sparse
        connection leaves out is zero.
    activation_sparsity : share of neuron-steps without a spike; ports are inputs and do not count.
    membrane_updates : None where the recording has no potentials.
    synops_hw : what the chip does, weights and places of zero weight included.
    """

    footprint: int
    connection_sparsity: float
    activation_sparsity: float
    synaptic_operations: SynapticOperations
    membrane_updates: float | None
    synops_hw: float

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {**vars(self), "synaptic_operations": vars(self.synaptic_operations)}


def neurobench(network: Network, recording: Recording, *, batch: int = 1) -> NeuroBench:
    """Return NeuroBench's figures of a recording.

    Parameters
    ----------
    batch : samples that NeuroBench would be given at once: whether operations are MACs is decided for a batch and step.

    Raises
    ------
    UsageError : a batch of no sample, or a recording without samples.
    """
    if batch < 1 or recording.samples < 1:
        raise UsageError("neurobench", f"{recording.samples} samples in batches of {batch}", "give at least one each")
    cells = {**recording.inputs, **recording.spikes}
    acs = macs = dense = hardware = 0
    for projection in network.projections:
        inputs = cells[projection.source].reshape(recording.samples, recording.steps, -1)
        count_acs, count_macs = _effective(inputs, reached_weights(network, projection), batch)
        acs, macs = acs + count_acs, macs + count_macs
        shape = network.by_name[projection.target].shape
        extents = shape if isinstance(projection.connection, Convolution) else (int(np.prod(shape)),)
        every = fan_of(projection, network.by_name[projection.source].shape, Tiling(extents, extents)).fan_out()
        sparse = isinstance(projection.connection, Sparse)
        dense += (_places(projection.connection) if sparse else int(every.sum())) * recording.steps
        hardware += int(np.count_nonzero(inputs, axis=(0, 1)) @ every)
    places = sum(_places(projection.connection) for projection in network.projections)
    used = sum(int(np.count_nonzero(stored_weights(p.connection))) for p in network.projections)
    spikes = [recording.spikes[population.name] for population in network.populations]
    fired, updates = sum(int(np.count_nonzero(s)) for s in spikes), sum(s.size for s in spikes)
    return NeuroBench(
        footprint(network),
        (places - used) / max(places, 1),
        (updates - fired) / max(updates, 1),
        SynapticOperations(float(dense), macs / recording.samples, acs / recording.samples),
        membrane_updates(network, recording),
        hardware / recording.samples,
    )


def footprint(network: Network) -> int:
    """Return the bytes of weights, in the whole bytes of their bits, and of the neurons' parameters, as stored."""
    weights = sum(int(stored_weights(p.connection).size) * -(-p.weight_bits // 8) for p in network.projections)
    return weights + sum(part.nbytes for p in network.populations for part in p.neuron.arrays.values())


def _places(connection: Connection) -> int:
    """Return the weights a layer of PyTorch would hold: of a sparse connection those between any two ends."""
    return math.prod(connection.shape) if isinstance(connection, Sparse) else connection.weight.size


def reached_weights(network: Network, projection: Projection) -> Counts:
    """Return by how many weights that are not zero each source neuron acts on a target, int64 [sources]."""
    connection = projection.connection
    if isinstance(connection, Sparse):
        return np.bincount(connection.indices[connection.data != 0], minlength=connection.shape[1]).astype(np.int64)
    weight = connection.weight != 0
    if not isinstance(connection, Convolution):
        return np.asarray(weight.sum(axis=0), dtype=np.int64)
    source, target = (network.by_name[name].shape for name in (projection.source, projection.target))
    rows, columns = (axis.cells() for axis in spatial_axes(connection, source, target))
    groups = connection.groups
    by_tap = weight.reshape(groups, -1, *weight.shape[1:]).sum(axis=1).reshape(source[0], *weight.shape[2:])
    reached = np.zeros(source, dtype=np.int64)
    for tall, wide in np.ndindex(*weight.shape[2:]):
        row, column = (cells[cells >= 0] for cells in (rows[:, tall], columns[:, wide]))
        # Along one tap no source cell is read twice, so that plain indexed addition is exact.
        reached[:, row[:, None], column[None, :]] += by_tap[:, tall, wide, None, None]
    return reached.reshape(-1)


def _effective(inputs: npt.NDArray[Any], reached: Counts, batch: int) -> tuple[int, int]:
    """Return additions and multiplications of a projection; inputs are [samples, steps, sources]."""
    operations = (inputs != 0) @ reached
    graded = ((inputs != 0) & (np.abs(inputs) != 1)).any(axis=2)
    starts = np.arange(0, len(inputs), batch)
    per_batch = np.add.reduceat(operations, starts, axis=0)
    multiplied = np.logical_or.reduceat(graded, starts, axis=0)
    return int(per_batch[~multiplied].sum()), int(per_batch[multiplied].sum())


def membrane_updates(network: Network, recording: Recording) -> float | None:
    """Return the changes of potentials per sample, or None where they were not recorded."""
    if any(population.name not in recording.v for population in network.populations):
        return None
    changes = 0
    for population in network.populations:
        v = recording.v[population.name]
        changes += int(np.count_nonzero(v[:, 1:] != v[:, :-1])) + population.size * recording.samples
    return changes / recording.samples
