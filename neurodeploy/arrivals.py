"""In which steps a spike arrives at each neuron: the difference between an active and an idle update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.blocks import blocks
from neurodeploy.network import Convolution, Network, Population, Projection, Shape, Sparse
from neurodeploy.tiling import Counts

Flags = npt.NDArray[np.bool_]
Sent = npt.NDArray[Any]


def active_updates(network: Network, population: Population, sent: Mapping[str, Sent]) -> Counts:
    """Return in how many updates each neuron was active, int64 [size], summed over samples and steps.

    An update is active where a spike arrives through any synapse, a synapse of weight zero included, where the neuron
    has a bias, or where it fires. What was sent is read a block of samples and steps at a time.

    Parameters
    ----------
    sent : port or population -> integer [samples, steps, *shape], not 0 where there was a spike.
    """
    own = sent[population.name]
    bias = np.broadcast_to(population.neuron.bias != 0, population.shape)
    total = np.zeros(population.shape, dtype=np.int64)
    for samples, steps in blocks(own.shape[0], own.shape[1], population.size):
        active = (own[samples, steps] != 0) | bias
        for projection in network.into(population.name):
            lag = network.lag(projection)
            first, end = max(steps.start - lag, 0), max(steps.stop - lag, 0)
            arrived = _arrived(projection, sent[projection.source][samples, first:end] != 0, population.shape)
            active[:, active.shape[1] - (end - first) :] |= arrived
        total += active.sum(axis=(0, 1), dtype=np.int64)
    return total.reshape(-1)


def _arrived(projection: Projection, fired: Flags, target: Shape) -> Flags:
    """Return where a spike of the same step reaches, bool [samples, steps, ...] that broadcasts to the target."""
    if isinstance(projection.connection, Sparse):
        return _arrived_sparse(projection.connection, fired).reshape(*fired.shape[:2], *target)
    if not isinstance(projection.connection, Convolution):
        anything = fired.any(axis=tuple(range(2, fired.ndim)))
        return anything.reshape(*anything.shape, *(1,) * len(target))
    connection = projection.connection
    samples, steps, channels, height, width = fired.shape
    groups = connection.groups
    grouped = fired.reshape(samples, steps, groups, channels // groups, height, width).any(axis=3)
    (top, left), (down, right) = connection.padding, connection.stride
    padded = np.pad(grouped, ((0, 0), (0, 0), (0, 0), (top, top), (left, left)))
    reached = np.zeros((samples, steps, groups, *target[1:]), dtype=np.bool_)
    for i in range(connection.weight.shape[2]):
        for j in range(connection.weight.shape[3]):
            row, column = i * connection.dilation[0], j * connection.dilation[1]
            rows = slice(row, row + (target[1] - 1) * down + 1, down)
            columns = slice(column, column + (target[2] - 1) * right + 1, right)
            reached |= padded[..., rows, columns]
    return np.repeat(reached, target[0] // groups, axis=2) if groups > 1 else reached


def _arrived_sparse(connection: Sparse, fired: Flags) -> Flags:
    from scipy.sparse import csr_array

    synapses = np.ones(len(connection.data), dtype=np.int32)
    rows = csr_array((synapses, connection.indices, connection.indptr), shape=connection.shape)
    steps = fired.reshape(fired.shape[0] * fired.shape[1], -1).astype(np.int32)
    return np.asarray((rows @ steps.T).T > 0)
