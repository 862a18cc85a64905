"""In which steps a spike arrives at each neuron: the difference between an active and an idle update."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from neurodeploy.network import Convolution, Network, Population, Projection, Shape, Sparse

Flags = npt.NDArray[np.bool_]


def active_updates(network: Network, population: Population, fired: Mapping[str, Flags]) -> Flags:
    """Return in which steps each neuron was active, bool [samples, steps, *shape].

    An update is active where a spike arrives through any synapse, a synapse of weight zero included, where the neuron
    has a bias, or where it fires.

    Parameters
    ----------
    fired : port or population -> bool [samples, steps, *shape].
    """
    own = fired[population.name]
    steps = own.shape[1]
    active: Flags = own | np.broadcast_to(population.neuron.bias != 0, population.shape)
    for projection in network.into(population.name):
        arrived = _arrived(projection, fired[projection.source], population.shape)
        lag = network.lag(projection)
        active[:, lag:] |= arrived[:, : max(steps - lag, 0)]
    return active


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
