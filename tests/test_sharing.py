"""Several populations on one core: never more cores, every limit kept, and the optimum on small cases."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.activity import count_activity
from neurodeploy.energy import estimate
from neurodeploy.errors import UsageError
from neurodeploy.mapping import map_network
from neurodeploy.network import Network, Population, Port, Projection
from neurodeploy.sharing import combined, pack
from neurodeploy.targets.chip import load_chip
from tests.chains import LIF, chain, conv, core_of, dense, pool
from tests.published_networks import mnist, pilotnet, sana_fe_gesture
from tests.test_activity import NETWORKS, SMALL, record

LOIHI1, LOIHI2 = load_chip("loihi1"), load_chip("loihi2")

NETS = {
    "mnist": mnist(),
    "pilotnet": pilotnet(port=True),
    "sana-fe": sana_fe_gesture(),
    "mixed": chain((2, 20, 20), conv(24, 2, 5, padding=(2, 2)), pool(24, 2), conv(40, 24, 3), dense(300, 2560)),
    "many small": chain((12,), *(dense(40, 12 if i == 0 else 40) for i in range(12))),
}


@pytest.mark.parametrize(
    ("name", "chip"),
    [
        *((name, LOIHI2) for name in NETS if name != "pilotnet"),
        *((name, LOIHI1) for name in ("mnist", "mixed", "many small")),
    ],
)
def test_shared_cores_are_never_more_and_keep_every_limit(name, chip):
    network = NETS[name]
    alone, shared = map_network(network, chip), map_network(network, chip, share=True)
    assert (alone.fits, shared.fits, shared.share) == (True, True, True)
    assert shared.cores_used <= alone.cores_used
    held = {}
    for core in shared.cores:
        assert all(0 <= used <= allowed for used, allowed in core.use.values())
        held.setdefault((core.chip, core.core), []).append(core)
    for cores in held.values():
        names = [core.population for core in cores]
        assert len(set(names)) == len(names) <= chip.populations
        neurons = sum(int(np.prod([stop - start for start, stop in core.box])) for core in cores)
        assert cores[0].use["neurons"][0] == neurons
        assert all(core.use == cores[0].use for core in cores)
    for population in network.populations:
        found = core_of(shared, population.name)
        span = shared.cores_of(population.name)
        assert np.array_equal(np.bincount(found)[span], shared.tilings[population.name].sizes())


@pytest.mark.parametrize(
    ("name", "chip", "alone", "shared"),
    [
        ("many small", LOIHI2, 12, 2),
        ("many small", LOIHI1, 12, 2),
        ("mnist", LOIHI2, 5, 3),
        ("pilotnet", LOIHI2, 61, 53),
    ],
)
def test_cores_that_sharing_saves(name, chip, alone, shared):
    found = [map_network(NETS[name], chip, share=share).cores_used for share in (False, True)]
    assert found == [alone, shared]


def test_full_ranges_leave_room_where_equal_ones_do_not():
    """Two layers of 1100 on cores of 1024: four halves of 550 take four cores, 1024, 1024 and 76 + 76 take three."""
    small = replace(LOIHI1, limits={**LOIHI1.limits, "in_axons": 40_000, "out_slots": 40_000})
    network = chain((3,), dense(1100, 3), dense(1100, 1100))
    network = replace(network, projections=tuple(replace(p, weight_bits=1) for p in network.projections))
    roomy = replace(small, pools=tuple(replace(p, words=10**6) for p in small.pools))
    assert map_network(network, roomy).cores_used == 4
    assert map_network(network, roomy, share=True).cores_used == 3


def fewest(uses, names, kinds, most):
    """Return the fewest cores of all ways to put tiles together."""
    best = len(uses)
    for cores in itertools.product(range(len(uses)), repeat=len(uses)):
        if len(set(cores)) < best:
            held = [[i for i, core in enumerate(cores) if core == which] for which in set(cores)]
            if all(
                len({names[i] for i in tiles}) == len(tiles) <= most
                and any(all(sum(uses[i][k] for i in tiles) <= kind[k] for k in kind) for kind in kinds)
                for tiles in held
            ):
                best = len(held)
    return best


@pytest.mark.parametrize("seed", range(12))
def test_small_cases_are_packed_at_the_optimum(seed):
    rng = np.random.default_rng(seed)
    count = 6
    kinds = [{"neurons": 100, "words": 80}] + ([{"neurons": 40, "words": 200}] if seed % 3 == 0 else [])
    uses = [{"neurons": int(rng.integers(5, 60)), "words": int(rng.integers(5, 60))} for _ in range(count)]
    names = [f"p{index}" for index in rng.integers(0, 4, count)]
    most = int(rng.integers(2, 5))
    found = pack(uses, names, kinds, most)
    assert found.max() + 1 == fewest(uses, names, kinds, most)
    assert sorted(set(found.tolist())) == list(range(int(found.max()) + 1))


@pytest.mark.parametrize("seed", range(4))
def test_large_cases_keep_the_limits_and_come_near_the_bound(seed):
    rng = np.random.default_rng(seed)
    uses = [{"neurons": int(rng.integers(1, 1024)), "words": int(rng.integers(1, 9000))} for _ in range(120)]
    kinds = [{"neurons": 1024, "words": 16384}]
    found = pack(uses, [f"p{i}" for i in range(120)], kinds, 8)
    for core in range(int(found.max()) + 1):
        use = combined([uses[i] for i in np.flatnonzero(found == core)])
        assert use["neurons"] <= 1024
        assert use["words"] <= 16384
    bound = max(sum(u["neurons"] for u in uses) / 1024, sum(u["words"] for u in uses) / 16384)
    assert found.max() + 1 <= 1.2 * bound + 1


def test_a_tile_too_large_for_any_core_stays_alone_and_is_named():
    network = chain((5000,), dense(10, 5000), dense(10, 10))
    placement = map_network(network, LOIHI1, share=True)
    (violation,) = placement.violations
    assert (violation.population, violation.limit, violation.found) == ("l1", "in_axons", 5000)
    assert placement.cores_used == 2
    assert pack([{"neurons": 9}, {"neurons": 1}], ["a", "b"], [{"neurons": 5}], 8).tolist() == [0, 1]


def test_longest_rows_do_not_add():
    assert combined([{"neurons": 3, "words_per_axon": 9}, {"neurons": 4, "words_per_axon": 5}]) == {
        "neurons": 7,
        "words_per_axon": 9,
    }


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_counts_do_not_depend_on_sharing(network):
    recording = record(network)
    chip = replace(SMALL, populations=3, limits={**SMALL.limits, "neurons": 25})
    alone, shared = (map_network(network, chip, share=share) for share in (False, True))
    found = [count_activity(network, recording, placement) for placement in (alone, shared)]
    assert shared.cores_used <= alone.cores_used
    for name in ("spikes", "synaptic_operations", "neuron_updates", "active_updates"):
        assert found[0].total(name) == found[1].total(name)
    assert shared.site_of.max() + 1 == shared.cores_used == len(shared.sites)


def test_a_shared_core_takes_as_long_as_its_tiles_together():
    network = chain((6,), dense(8, 6), dense(5, 8))
    recording = record(network, samples=1, steps=6)
    placements = [map_network(network, LOIHI1, share=share) for share in (False, True)]
    assert [placement.cores_used for placement in placements] == [2, 1]
    alone, shared = (count_activity(network, recording, placement) for placement in placements)
    assert (shared.pace.cores >= alone.pace.cores - 1e-15).all()
    busy = shared.cores_by_step
    first = busy.neuron_updates.sum() * LOIHI1.time["neuron_idle"].value
    assert shared.pace.cores[1].sum() > first
    whole, mean = (estimate(replace(shared, pace=pace), placements[1], LOIHI1) for pace in (shared.pace, None))
    assert whole.step_time.nominal == pytest.approx(mean.step_time.nominal)  # one core: the slowest in every step


def test_sharing_is_refused_where_it_cannot_be():
    network = chain((6,), dense(8, 6))
    with pytest.raises(UsageError, match=r"dynapcnn: has one population to a core"):
        map_network(network, load_chip("dynapcnn"), share=True)
    with pytest.raises(UsageError, match=r"--share: is for the fewest cores, not for latency"):
        map_network(network, LOIHI1, share=True, optimize="latency")


def test_loops_share_cores():
    network = Network(
        (Port("in", (10,)),),
        (Population("a", (150,), LIF, latency=1), Population("b", (150,), LIF, latency=2)),
        (
            Projection("in->a", "in", "a", dense(150, 10)),
            Projection("a->b", "a", "b", dense(150, 150)),
            Projection("b->a", "b", "a", dense(150, 150)),
        ),
        ("b",),
    )
    placement = map_network(network, LOIHI2, share=True)
    assert (placement.fits, placement.cores_used, len(placement.cores)) == (True, 1, 2)
    assert placement.as_dict()["share"] is True
    assert placement.expected_routes.hops_x == 0
