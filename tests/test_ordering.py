"""Orders of neurons behind sparse synapses: fewer messages, never more cores, every neuron where it is said to be."""

import builtins
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.activity import count_activity
from neurodeploy.errors import BackendMissing, UsageError
from neurodeploy.mapping import map_network
from neurodeploy.network import Sparse
from neurodeploy.ordering import METHODS, _evened, messages
from neurodeploy.targets.chip import load_chip
from neurodeploy.tiling import Order, Tiling
from tests.chains import chain, core_of, dense, sparse, synapses
from tests.test_activity import NETWORKS, SMALL, record

LOIHI1 = load_chip("loihi1")
#: Cores of 20 neurons, all of them near each other.
CHIP = replace(LOIHI1, limits={**LOIHI1.limits, "neurons": 20}, usable_cores=60, mesh=(5, 3))


def hidden_blocks(seed=0, blocks=6, size=20, sources=12):
    """Return a network whose second layer listens in blocks, its neurons shuffled."""
    rng = np.random.default_rng(seed)
    weight = np.zeros((blocks * size, blocks * sources), dtype=int)
    for block in range(blocks):
        part = rng.random((size, sources)) < 0.5
        weight[block * size : (block + 1) * size, block * sources : (block + 1) * sources] = part
    weight = weight[rng.permutation(len(weight))][:, rng.permutation(weight.shape[1])]
    return chain((9,), dense(blocks * sources, 9), Sparse.from_dense(weight), dense(5, blocks * size))


def sent(placement):
    return sum(int(placement.destinations(p).sum()) for p in placement.network.projections)


@pytest.mark.parametrize("method", ["own", "mtkahypar"])
def test_hidden_blocks_are_found(method):
    network = hidden_blocks()
    given, found = (map_network(network, CHIP, partition=name) for name in ("given", method))
    assert found.fits
    assert found.cores_used <= given.cores_used
    assert sent(found) < 0.5 * sent(given)
    # Six blocks on as many cores: each of the 72 sources reaches one core. That is the least there is.
    if method == "mtkahypar":
        assert found.destinations(network.projections[1]).max() == 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_messages_and_cores_are_never_more_than_as_given(method, seed):
    network = chain((30,), sparse(150, 30, share=0.1, seed=seed), sparse(90, 150, share=0.03, seed=seed))
    given, found = (map_network(network, CHIP, partition=name) for name in ("given", method))
    assert found.fits
    assert found.cores_used <= given.cores_used
    assert sent(found) <= sent(given)
    assert all(used <= allowed for core in found.cores for used, allowed in core.use.values())


@pytest.mark.parametrize("method", METHODS)
def test_every_neuron_is_on_one_core_and_uses_are_counted_there(method):
    network = hidden_blocks(seed=3)
    placement = map_network(network, CHIP, partition=method)
    where = core_of(placement, "l2")
    assert np.array_equal(np.bincount(where)[placement.cores_of("l2")], placement.tilings["l2"].sizes())
    reached = {}
    for source, target in synapses(network, network.projections[1]):
        reached.setdefault(where[target], set()).add(source)
    for core, sources in reached.items():
        assert placement.cores[core].use["in_axons"][0] == len(sources)
    named = [core["neurons"] for core in placement.as_dict(cores=True)["cores"] if core.get("neurons")]
    if method == "given":
        assert not named
    else:
        assert sorted(n for neurons in named for n in neurons) == list(range(120))


def test_counts_follow_the_order():
    network = hidden_blocks(seed=1)
    recording = record(network)
    placement = map_network(network, CHIP)
    assert placement.tilings["l2"].order is not None
    activity = count_activity(network, recording, placement)
    where, fired = core_of(placement, "l2"), (recording.spikes["l2"] != 0).sum(axis=(0, 1))
    assert np.array_equal(
        activity.cores.spikes, np.bincount(where, fired, len(placement.cores)) + others(activity, placement)
    )
    source = network.projections[1]
    spikes = (recording.spikes["l1"] != 0).sum(axis=(0, 1))
    reached = {(s, where[t]) for s, t in synapses(network, source)}
    assert activity.projections[source.name].messages == sum(int(spikes[s]) for s, _ in reached)


def others(activity, placement):
    kept = activity.cores.spikes.copy()
    kept[placement.cores_of("l2")] = 0
    return kept


def test_parameters_of_an_ordered_population_are_grouped_where_they_stand():
    network = hidden_blocks(seed=2)
    neuron = replace(network.by_name["l2"].neuron, threshold=np.arange(1, 121))
    population = replace(network.by_name["l2"], neuron=neuron)
    network = replace(network, populations=tuple(population if p.name == "l2" else p for p in network.populations))
    placement = map_network(network, CHIP)
    assert placement.fits  # at most eight sets of parameters a core
    assert placement.tilings["l2"].sizes().max() <= 8


def test_order_maps_places_to_neurons():
    tiling = Tiling((6,), (4,), Order(np.array([3, 1, 5, 0, 2, 4])))
    assert tiling.tile_of(np.arange(6)).tolist() == [0, 0, 1, 0, 1, 0]
    assert tiling.sums(np.array([1, 10, 100, 1000, 10_000, 100_000])).tolist() == [101_011, 10_100]
    assert tiling.cells(((4, 6),)).tolist() == [2, 4]


def test_blocks_are_evened():
    blocks = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 1])
    order = _evened(blocks, 3, 4)
    assert sorted(order.tolist()) == list(range(10))
    assert order[:4].tolist() == [0, 1, 2, 3]


def test_messages_count_connections():
    connection = Sparse.from_dense(np.array([[1, 0], [0, 1], [1, 0], [0, 1]]))
    tiling = Tiling((4,), (2,))
    assert messages([connection], tiling, None) == 4
    assert messages([connection], tiling, Order(np.array([0, 2, 1, 3]))) == 2


def test_unknown_method_and_missing_library(monkeypatch):
    network = hidden_blocks()
    with pytest.raises(
        UsageError, match=r"partition: 'metis' is no way to order neurons; one of own, given, mtkahypar"
    ):
        map_network(network, CHIP, partition="metis")
    known = builtins.__import__

    def absent(name, *arguments, **options):
        if name == "mtkahypar":
            raise ImportError(name)
        return known(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(BackendMissing, match=r"Mt-KaHyPar: is not installed; pip install 'neurodeploy\[partition\]'"):
        map_network(network, CHIP, partition="mtkahypar")
    assert map_network(network, CHIP).fits


@pytest.mark.parametrize("method", METHODS)
def test_networks_without_sparse_synapses_keep_their_order(method):
    placement = map_network(NETWORKS["padded"], SMALL, partition=method)
    assert all(tiling.order is None for tiling in placement.tilings.values())
