"""Order the neurons of populations behind sparse synapses, so that each source reaches few cores.

A range of neurons is a core's tile, and a spike is one message to each core that holds a synapse of its source. Which
neurons stand together is free where no axes say it. Tried are::

    given      the order the network has
    own        reverse Cuthill-McKee on sources and targets: neighbours in the graph become neighbours in number
    mtkahypar  blocks of Mt-KaHyPar, every source a hyperedge over its targets, fewest connections (lambda - 1)

An order is taken where it sends fewer messages than the one given, and takes no more cores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from neurodeploy.errors import BackendMissing, UsageError
from neurodeploy.fans import SparseFan
from neurodeploy.network import Network, Population, Sparse
from neurodeploy.occupancy import Occupancy, Use, extents_of
from neurodeploy.partition import cut_populations
from neurodeploy.targets.chip import Chip
from neurodeploy.tiling import Counts, Order, Tiling

#: Seed of Mt-KaHyPar, and the threads it may take: with one its blocks are the same every time.
_SEED, _THREADS = 0, 1


def find_orders(network: Network, chip: Chip, kinds: Sequence[Use], method: str) -> dict[str, Order]:
    """Return the order of each population for which another than the given one is better.

    Parameters
    ----------
    method : a key of :data:`METHODS`.

    Raises
    ------
    UsageError : there is no such method.
    BackendMissing : Mt-KaHyPar is asked for and not installed.
    """
    require_method(method)
    populations = [p for p in network.order if len(extents_of(network, p)) == 1 and _behind(network, p)]
    if not populations or not METHODS[method]:
        return {}
    occupancy = Occupancy(network, chip)
    cut_populations(occupancy, kinds)
    orders: dict[str, Order] = {}
    for population in populations:
        synapses, given = _behind(network, population), occupancy.tilings[population.name]
        if given.count > 1:
            best = min((find(synapses, given) for find in METHODS[method]), key=lambda o: messages(synapses, given, o))
            if messages(synapses, given, best) < messages(synapses, given, None):
                orders[population.name] = best
    return _no_more_cores(network, chip, kinds, orders, occupancy.tilings)


def require_method(method: str) -> None:
    """Refuse a method that is no key of :data:`METHODS`.

    Raises
    ------
    UsageError : it is none.
    """
    if method not in METHODS:
        raise UsageError("partition", f"{method!r} is no way to order neurons", f"one of {', '.join(METHODS)}")


def messages(synapses: Sequence[Sparse], tiling: Tiling, order: Order | None) -> int:
    """Return the messages into the tiles when every source fires once: lambda, summed over sources."""
    ordered = Tiling(tiling.extents, tiling.tile, order)
    return sum(int(SparseFan(each, ordered).destinations().sum()) for each in synapses)


def _behind(network: Network, population: Population) -> list[Sparse]:
    return [p.connection for p in network.into(population.name) if isinstance(p.connection, Sparse)]


def _no_more_cores(
    network: Network, chip: Chip, kinds: Sequence[Use], orders: Mapping[str, Order], given: Mapping[str, Tiling]
) -> dict[str, Order]:
    """Return the orders with which no population takes more cores than as given."""
    kept = dict(orders)
    while kept:
        occupancy = Occupancy(network, chip, kept)
        cut_populations(occupancy, kinds)
        worse = {name for name in kept if occupancy.tilings[name].count > given[name].count}
        total, before = (sum(t.count for t in tilings.values()) for tilings in (occupancy.tilings, given))
        if not worse and total <= before:
            break
        kept = {name: order for name, order in kept.items() if worse and name not in worse}
    return kept


def _cuthill_mckee(synapses: Sequence[Sparse], tiling: Tiling) -> Order:
    from scipy import sparse
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    size = tiling.extents[0]
    blocks = [sparse.csr_array((np.ones(len(s.data)), s.indices, s.indptr), shape=s.shape) for s in synapses]
    reach = sparse.hstack(blocks)
    both = sparse.block_array([[None, reach], [reach.T, None]], format="csr")
    found = np.asarray(reverse_cuthill_mckee(both, symmetric_mode=True), dtype=np.int64)
    return Order(found[found < size])


def _mt_kahypar(synapses: Sequence[Sparse], tiling: Tiling) -> Order:
    try:
        import mtkahypar
    except ImportError as error:
        raise BackendMissing("Mt-KaHyPar", "is not installed", "pip install 'neurodeploy[partition]'") from error
    size, count, tile = tiling.extents[0], tiling.count, tiling.tile[0]
    nets = [net for each in synapses for net in _nets(each)]
    library: Any = mtkahypar.initialize(_THREADS)
    mtkahypar.set_seed(_SEED)
    context = library.context_from_preset(mtkahypar.PresetType.QUALITY)
    context.set_partitioning_parameters(count, 0.0, mtkahypar.Objective.KM1)
    context.set_individual_target_block_weights([tile] * count)
    context.logging = False
    if not nets:
        return Order(np.arange(size, dtype=np.int64))
    found = library.create_hypergraph(context, size, len(nets), nets).partition(context)
    blocks = np.array([found.block_id(neuron) for neuron in range(size)], dtype=np.int64)
    return Order(_evened(blocks, count, tile))


def _nets(connection: Sparse) -> list[list[int]]:
    """Return the targets of each source that has several."""
    order = np.argsort(connection.indices, kind="stable")
    ends = np.cumsum(np.bincount(connection.indices, minlength=connection.shape[1]))[:-1]
    return [targets.tolist() for targets in np.split(connection.rows[order], ends) if len(targets) > 1]


def _evened(blocks: Counts, count: int, tile: int) -> Counts:
    """Return the neurons block by block, each but the last of ``tile`` neurons: what one has too many, others lack."""
    members = sorted((np.flatnonzero(blocks == block).tolist() for block in range(count)), key=len, reverse=True)
    spare = [neuron for each in members[:-1] for neuron in each[tile:]] + members[-1]
    filled: list[int] = []
    for each in members[:-1]:
        lacking = max(tile - len(each), 0)
        filled += each[:tile] + spare[:lacking]
        spare = spare[lacking:]
    return np.array(filled + spare, dtype=np.int64)


_Find = Callable[[Sequence[Sparse], Tiling], Order]

#: Name -> the orders it tries beside the given one.
METHODS: dict[str, tuple[_Find, ...]] = {
    "own": (_cuthill_mckee,),
    "given": (),
    "mtkahypar": (_cuthill_mckee, _mt_kahypar),
}
