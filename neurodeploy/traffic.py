"""How many messages each core is expected to send each other one, before anything has been simulated.

Without rates every neuron counts as firing once, so that traffic is a neuron's destinations. Along a convolution it is
a product over the axes, and stays sparse however many cores there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy import sparse

from neurodeploy.fans import ConvolutionFan, fan_of
from neurodeploy.network import Network, Projection
from neurodeploy.tiling import Counts, Tiling

#: Compressed sparse rows, float64 [source cores, target cores].
Matrix = Any


def projection_traffic(network: Network, projection: Projection, source: Tiling, target: Tiling) -> Matrix:
    """Return the messages between cores of both ends when each source neuron fires once."""
    shape = network.by_name[projection.source].shape
    fan = fan_of(projection, shape, target)
    if not isinstance(fan, ConvolutionFan):
        return sparse.csr_array(fan.traffic(np.ones(int(np.prod(shape)), dtype=np.int64), source), dtype=np.float64)
    product = sparse.csr_array(np.ones((1, 1)))
    for axis, reached in enumerate(fan.reached):
        cells = [reached[:, start:stop].sum(axis=1) for start, stop in source.ranges(axis)]
        product = sparse.kron(product, sparse.csr_array(np.stack(cells), dtype=np.float64), format="csr")
    return product


def expected_traffic(
    network: Network, tilings: Mapping[str, Tiling], rates: Mapping[str, float] | None = None
) -> Matrix:
    """Return the messages between all cores both ways, symmetric, float64 [cores, cores], cores by population."""
    return both_ways(directed_traffic(network, tilings, rates))


def directed_traffic(
    network: Network, tilings: Mapping[str, Tiling], rates: Mapping[str, float] | None = None
) -> Matrix:
    """Return the messages from each core to each other one, float64 [cores, cores], cores by population.

    Parameters
    ----------
    tilings : population -> its cut, in the order of the cores.
    rates : population -> spikes per neuron; 1 where unknown. Ports have no core, and none is counted for them.
    """
    first = dict(zip(tilings, np.cumsum([0, *(t.count for t in tilings.values())]).tolist(), strict=False))
    count = sum(tiling.count for tiling in tilings.values())
    rows, columns, values = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
    for projection, matrix in _matrices(network, tilings):
        found = matrix.tocoo()
        rows.append(found.row.astype(np.int64) + first[projection.source])
        columns.append(found.col.astype(np.int64) + first[projection.target])
        values.append(found.data * (rates or {}).get(projection.source, 1.0))
    ends: tuple[Counts, Counts] = (np.concatenate(rows), np.concatenate(columns))
    return sparse.coo_array((np.concatenate(values), ends), shape=(count, count)).tocsr()


def both_ways(directed: Matrix) -> Matrix:
    """Return what each two cores send each other in both directions together, symmetric, nothing to themselves."""
    both = (directed + directed.T).tocsr()
    both.setdiag(0.0)
    both.eliminate_zeros()
    return both


def merged(traffic: Matrix, core_of: Counts) -> Matrix:
    """Return the traffic between cores that hold tiles, of traffic between the tiles.

    Parameters
    ----------
    core_of : core of each tile, int64 [tiles], numbered from 0.
    """
    tiles = len(core_of)
    holds = sparse.csr_array((np.ones(tiles), (np.arange(tiles), core_of)), shape=(tiles, int(core_of.max()) + 1))
    return (holds.T @ traffic @ holds).tocsr()


def _matrices(network: Network, tilings: Mapping[str, Tiling]) -> Iterator[tuple[Projection, Matrix]]:
    for projection in network.projections:
        if projection.source in tilings:
            source, target = tilings[projection.source], tilings[projection.target]
            yield projection, projection_traffic(network, projection, source, target)
