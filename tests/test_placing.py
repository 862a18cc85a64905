import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from neurodeploy.activity import count_activity
from neurodeploy.mapping import map_network
from neurodeploy.mesh import Routes, hilbert_sites, site_positions, snake_sites
from neurodeploy.placing import CURVES, HopCost, exchange, hop_cost, place, placing_cost
from neurodeploy.recording import Recording
from neurodeploy.targets.chip import load_chip
from neurodeploy.traffic import expected_traffic
from tests.chains import chain, conv, dense
from tests.test_activity import NETWORKS, SMALL, record, skip_and_loop

LOIHI1, LOIHI2 = load_chip("loihi1"), load_chip("loihi2")
#: A mesh of 3 x 3 tiles of one core each, and boards of small chips.
NINE = replace(LOIHI1, mesh=(3, 3), cores_per_tile=1, usable_cores=9)
BOARD = replace(LOIHI1, mesh=(2, 2), cores_per_tile=1, usable_cores=4)
COST = HopCost(3.0, 4.0, 30.0)


def random_traffic(tiles, seed, density=0.5):
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.integers(1, 100, (tiles, tiles)) * (rng.random((tiles, tiles)) < density), 1)
    return sparse.csr_array((upper + upper.T).astype(float))


def cost_by_definition(traffic, positions, cost):
    total, dense_traffic = 0.0, traffic.toarray()
    for i, j in itertools.combinations(range(len(positions)), 2):
        (chip0, x0, y0), (chip1, x1, y1) = positions[i], positions[j]
        way = cost.cross if chip0 != chip1 else abs(x0 - x1) * cost.x + abs(y0 - y1) * cost.y
        total += dense_traffic[i, j] * way
    return total


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("mesh", [(8, 4), (4, 8), (4, 4), (3, 3)])
def test_curves_visit_every_core_once_and_stay_near(curve, mesh):
    chip = replace(LOIHI1, mesh=mesh, cores_per_tile=2, usable_cores=2 * mesh[0] * mesh[1] - 1)
    sites = curve(chip, 2 * chip.usable_cores)
    assert sorted(sites.tolist()) == list(range(2 * chip.usable_cores))
    steps = np.abs(np.diff(site_positions(chip, sites[: chip.usable_cores])[:, 1:], axis=0)).sum(axis=1)
    if mesh != (3, 3) or curve is snake_sites:  # Hilbert's own squares have sides of powers of two
        assert steps.max() == 1
    assert set(site_positions(chip, sites[: chip.usable_cores])[:, 0]) == {0}


def test_hilbert_keeps_blocks_together():
    positions = site_positions(LOIHI1, hilbert_sites(LOIHI1, 64))
    assert set(map(tuple, positions[:, 1:].tolist())) == set(itertools.product(range(4), range(4)))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("chip", [NINE, BOARD], ids=["3 x 3", "two chips"])
def test_small_cases_are_placed_at_the_optimum(chip, seed):
    tiles = 6
    traffic = random_traffic(tiles, seed)
    best = min(
        cost_by_definition(traffic, site_positions(chip, start[list(order)]), COST)
        for start in (snake_sites(chip, tiles), hilbert_sites(chip, tiles))
        for order in itertools.permutations(range(tiles))
    )
    sites = place(traffic, chip, COST)
    assert len(set(sites.tolist())) == tiles
    assert cost_by_definition(traffic, site_positions(chip, sites), COST) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(4))
def test_exchanges_find_the_optimum_of_eight_or_come_near(seed):
    """On eight tiles every arrangement is known: exchanges from either curve end within 15 % of the best."""
    traffic = random_traffic(8, seed)
    best = placing_cost(traffic, site_positions(NINE, place(traffic, NINE, COST)), COST)
    found = min(
        placing_cost(traffic, site_positions(NINE, exchange(traffic, curve(NINE, 8), NINE, COST)), COST)
        for curve in CURVES
    )
    assert best <= found * (1 + 1e-12) <= 1.15 * best


@pytest.mark.parametrize(("chip", "tiles"), [(NINE, 9), (BOARD, 14), (LOIHI1, 60), (LOIHI2, 150)])
@pytest.mark.parametrize("seed", range(2))
def test_placing_is_never_worse_than_its_start(chip, tiles, seed):
    traffic = random_traffic(tiles, seed, density=4 / tiles)
    sites = place(traffic, chip, COST)
    assert len(set(sites.tolist())) == tiles
    found = placing_cost(traffic, site_positions(chip, sites), COST)
    for curve in CURVES:
        start = curve(chip, tiles)
        before = placing_cost(traffic, site_positions(chip, start), COST)
        after = placing_cost(traffic, site_positions(chip, exchange(traffic, start, chip, COST)), COST)
        assert found <= after * (1 + 1e-9) <= before * (1 + 1e-9)
        assert found < before


def test_cost_of_each_tile_is_kept_exactly_through_exchanges():
    traffic = random_traffic(14, 1)
    sites = exchange(traffic, snake_sites(BOARD, 14), BOARD, COST)
    positions = site_positions(BOARD, sites)
    assert placing_cost(traffic, positions, COST) == pytest.approx(cost_by_definition(traffic, positions, COST))
    again = exchange(traffic, sites, BOARD, COST)
    assert np.array_equal(again, sites)  # nothing more is to be gained


@pytest.mark.parametrize("seed", range(3))
def test_a_mirrored_mesh_costs_the_same(seed):
    traffic = random_traffic(7, seed)
    positions = site_positions(NINE, place(traffic, NINE, COST))
    for axis in (1, 2):
        mirrored = positions.copy()
        mirrored[:, axis] = 2 - mirrored[:, axis]
        assert placing_cost(traffic, mirrored, COST) == placing_cost(traffic, positions, COST)


def test_no_traffic_leaves_cores_in_their_order():
    assert place(sparse.csr_array((5, 5)), NINE, COST).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_expected_traffic_is_that_of_one_spike_a_neuron(network):
    placement = map_network(network, SMALL)
    ones = {p.name: np.ones((1, 1, *p.shape), dtype=np.int32) for p in (*network.ports, *network.populations)}
    inputs = {port.name: ones.pop(port.name) for port in network.ports}
    recording = Recording(1, 1, ones, network.outputs, "test", {}, inputs=inputs)
    activity = count_activity(network, recording, placement)
    expected = expected_traffic(network, placement.tilings)
    within = sum(
        int(np.trace(placement.fan(p).traffic(np.ones(150 if p.source == "a" else 7, dtype=np.int64), tiling)))
        for p in network.projections
        if p.source == p.target and (tiling := placement.tilings[p.source])
    )
    assert expected.sum() / 2 == activity.cores.messages_out.sum() - within
    halved = expected_traffic(network, placement.tilings, {p.name: 0.5 for p in network.populations})
    assert halved.sum() == expected.sum() / 2


def test_placed_network_has_fewer_hops_than_in_the_order_of_its_layers():
    network = chain((2, 24, 24), *[conv(6, 2 if i == 0 else 6, 3, padding=(1, 1)) for i in range(3)], dense(40, 3456))
    chip = replace(SMALL, limits={**LOIHI1.limits, "neurons": 300}, usable_cores=100, mesh=(5, 5))
    recording = record(network)
    placed = map_network(network, chip)
    in_order = replace(
        placed,
        cores=tuple(replace(core, chip=i // 100, core=i % 100) for i, core in enumerate(placed.cores)),
    )
    hops = []
    for placement in (placed, in_order):
        activity = count_activity(network, recording, placement)
        cost = hop_cost(chip, "energy")
        hops.append(activity.total("hops_x") * cost.x + activity.total("hops_y") * cost.y)
        assert activity.total("crossings") == 0
    assert hops[0] < 0.9 * hops[1]
    assert placed.tiles_used == in_order.tiles_used


def test_exchanges_draw_layers_together_that_talk_across_chips():
    network = NETWORKS["dilated groups"]
    placed = map_network(network, SMALL)
    assert placed.chips_used > 1
    in_order = replace(
        placed, cores=tuple(replace(core, chip=i // 20, core=i % 20) for i, core in enumerate(placed.cores))
    )
    crossings = [count_activity(network, record(network), p).total("crossings") for p in (placed, in_order)]
    assert crossings[0] <= crossings[1]


def test_links_carry_what_hops_count():
    routes = Routes()
    traffic = np.array([[5, 2], [0, 7]])
    start, end = np.array([[0, 0, 0], [0, 2, 1]]), np.array([[0, 2, 2], [1, 0, 0]])
    assert routes.add(traffic, start, end) == (10, 10, 9)
    assert routes.links_x == {(0, 0, 0, 1): 5, (0, 1, 0, 1): 5}  # along x first
    assert routes.links_y == {(0, 2, 0, 1): 5, (0, 2, 1, 1): 5}
    assert sum(routes.links_x.values()) == routes.hops_x
    assert (routes.add(traffic, start, end), routes.crossings) == ((10, 10, 9), 18)


def test_recurrent_network_is_placed():
    placement = map_network(skip_and_loop(), SMALL)
    assert placement.fits


def test_hop_costs_come_from_the_chip():
    energy, time = hop_cost(LOIHI1, "energy"), hop_cost(LOIHI1, "time")
    assert (energy.x, energy.y) == (3e-12, 4e-12)
    assert (time.x, time.y) == (4.1e-9, 6.5e-9)
    longest_way = 7 * energy.x + 3 * energy.y
    assert energy.cross > longest_way
    assert hop_cost(load_chip("dynapcnn"), "energy") == HopCost(1.0, 1.0, 10.0)
