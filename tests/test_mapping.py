import time
from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import DoesNotFit, UsageError
from neurodeploy.knobs import turn
from neurodeploy.mapping import map_network, require_fit
from neurodeploy.network import Network, Population, Port, Projection
from neurodeploy.neurons import Lif
from neurodeploy.occupancy import Occupancy, allowed_use, exceeded
from neurodeploy.partition import least_use
from neurodeploy.reshaping import with_channels, with_groups
from neurodeploy.targets.chip import load_chip
from tests.chains import LIF, chain, conv, core_of, dense, pool, synapses
from tests.published_networks import slayer_gesture

LOIHI1, LOIHI2 = load_chip("loihi1"), load_chip("loihi2")


def pilotnet():
    return chain(
        (3, 66, 200),
        conv(24, 3, 3, stride=(2, 2)),
        conv(36, 24, 3, stride=(2, 2)),
        conv(48, 36, 3, stride=(2, 2)),
        conv(64, 48, 3, stride=(2, 1), padding=(1, 0)),
        conv(64, 64, 3),
        dense(100, 2560),
        dense(50, 100),
        dense(10, 50),
        dense(1, 10),
        port=False,
    )


def cores(placement):
    return [population.cores for population in placement.populations]


def test_pilotnet_takes_the_published_cores():
    placement = map_network(pilotnet(), LOIHI2)
    assert sum(population.size for population in placement.network.populations) == 158_509
    assert cores(placement) == [13, 25, 13, 3, 3, 2, 12, 1, 1, 1]
    assert (placement.cores_used, placement.chips_used, placement.fits) == (74, 1, True)


def test_output_slots_weigh_in_the_choice_of_a_cut():
    placement = map_network(pilotnet(), LOIHI1)
    assert placement.fits
    assert 158_509 / 1024 <= placement.cores_used <= 210  # 232 where each layer takes the fewest cores for itself


def test_mnist_takes_the_published_cores():
    placement = map_network(chain((784,), dense(128, 784), dense(64, 128), dense(10, 64)), LOIHI2)
    assert cores(placement) == [3, 1, 1]


@pytest.mark.parametrize(("inputs", "outputs", "extent"), [(3, 16, 224), (16, 32, 112), (32, 64, 56), (64, 128, 28)])
def test_yolo_kp_convolutions_take_the_published_cores(inputs, outputs, extent):
    network = chain((inputs, extent, extent), conv(outputs, inputs, 3, padding=(1, 1)), bits=5)
    assert cores(map_network(network, LOIHI2)) == [extent]


@pytest.mark.parametrize(
    ("network", "published"),
    [
        (slayer_gesture(), 169),
        (chain((64,), dense(256, 64), dense(256, 256), dense(242, 256)), 6),
    ],
    ids=["slayer-gesture", "slayer-ntidigits"],
)
def test_loihi1_needs_no_more_than_published(network, published):
    placement = map_network(network, LOIHI1)
    assert placement.fits
    assert sum(p.size for p in network.populations) / 1024 <= placement.cores_used <= published


@pytest.mark.parametrize(
    ("limit", "network"),
    [
        ("neurons", chain((10,), dense(1200, 10))),
        ("in_axons", chain((5000,), dense(10, 5000))),
        ("synapse_words", chain((500,), dense(600, 500))),
    ],
)
def test_one_core_of_too_much_names_its_limit(limit, network):
    """The blocks that nengo-loihi's own validation refuses."""
    population = network.populations[0]
    use = Occupancy(network, LOIHI1).use(population, (((0, population.size),),), population.size)
    assert exceeded(use, allowed_use(LOIHI1, 0.0)) == [limit]


def test_one_core_of_too_many_output_slots():
    network = chain((1,), dense(1000, 1), dense(5200, 1000))
    occupancy = Occupancy(network, LOIHI1)
    occupancy.tilings |= map_network(network, LOIHI1).tilings
    targets = occupancy.tilings["l2"].count
    use = occupancy.use(network.populations[0], (((0, 1000),),), 1000)
    assert use["out_slots"] == 1000 * targets > 4096
    assert exceeded(use, allowed_use(LOIHI1, 0.0)) == ["out_slots"]
    assert occupancy.tilings["l1"].tile[0] * targets <= 3891


@pytest.mark.parametrize("chip", [LOIHI1, LOIHI2], ids=lambda chip: chip.name)
def test_every_core_keeps_every_limit_and_holds_each_neuron_once(chip):
    network = chain(
        (2, 20, 20), conv(24, 2, 5, padding=(2, 2)), pool(24, 2), conv(40, 24, 3), dense(300, 2560), dense(10, 300)
    )
    placement = map_network(network, chip)
    assert placement.fits
    for core in placement.cores:
        assert all(0 <= used <= allowed for used, allowed in core.use.values())
    for population in network.populations:
        found = core_of(placement, population.name)
        span = placement.cores_of(population.name)
        assert set(found) == set(range(span.start, span.stop))
        assert np.array_equal(np.bincount(found)[span], placement.tilings[population.name].sizes())


@pytest.mark.parametrize(
    "connection",
    [
        conv(8, 4, 3, padding=(1, 1)),
        conv(8, 4, 3, stride=(2, 1)),
        conv(8, 2, 3, groups=2, dilation=(2, 2), padding=(2, 1)),
        conv(4, 1, 2, stride=(2, 2), groups=4),
        dense(70, 4 * 11 * 13),
    ],
    ids=["padded", "strided", "dilated-groups", "depthwise", "dense"],
)
def test_destinations_are_the_cores_that_hold_a_synapse(connection):
    chip = replace(LOIHI1, limits={**LOIHI1.limits, "neurons": 40})
    network = chain((4, 11, 13), connection)
    placement = map_network(network, chip)
    assert placement.cores_used > 1
    where = core_of(placement, "l1")
    reached = [set() for _ in range(4 * 11 * 13)]
    for source, target in synapses(network, network.projections[0]):
        reached[source].add(where[target])
    assert placement.destinations(network.projections[0]).tolist() == [len(found) for found in reached]


def test_too_many_sources_are_reported_with_the_number_that_fits():
    placement = map_network(chain((5000,), dense(10, 5000)), LOIHI1)
    (violation,) = placement.violations
    assert (violation.population, violation.limit, violation.found, violation.allowed) == ("l1", "in_axons", 5000, 3891)
    with pytest.raises(
        DoesNotFit, match=r"l1: needs 5,000 in_axons, loihi1 allows 3,891; give in at most 3,891"
    ) as caught:
        require_fit(placement)
    assert caught.value.exit_code == 1
    require_fit(map_network(chain((3891,), dense(10, 3891)), LOIHI1))


def test_margin_that_would_do_is_named():
    network = chain((4000,), dense(2, 4000))
    (violation,) = map_network(network, LOIHI1).violations
    assert "--margin 0 allows 4,096" in violation.advice
    assert map_network(network, LOIHI1, margin=0.0).fits
    with pytest.raises(UsageError, match=r"margin: is 1\.5"):
        map_network(network, LOIHI1, margin=1.5)


def test_fewer_channels_that_would_do_are_named():
    small = replace(LOIHI1, pools=tuple(replace(pool, words=1050) for pool in LOIHI1.pools))
    (violation,) = map_network(chain((24, 12, 12), conv(16, 24, 7)), small).violations
    assert (violation.limit, violation.found) == ("synapse_words", 24 * 49)
    assert violation.advice == (
        "give in at most 20 channels instead of 24, or split its channels into 2 groups, which leaves 588"
    )
    assert map_network(chain((20, 12, 12), conv(16, 20, 7)), small).fits
    split = with_groups(chain((24, 12, 12), conv(16, 24, 7)), "in->l1", 2)
    placement = map_network(split, small)
    assert placement.fits
    assert (
        least_use(Occupancy(split, small, tilings=dict(placement.tilings)), split.populations[0])["synapse_words"]
        == 588
    )


def test_fewer_bits_that_save_cores_are_named():
    small = replace(LOIHI2, chips_max=1, usable_cores=4)
    network = chain((784,), dense(128, 784), dense(64, 128), dense(10, 64))
    (violation,) = map_network(network, small).violations
    assert (violation.population, violation.limit, violation.found) == ("l1", "cores", 5)
    bits = next(knob for knob in violation.knobs if knob.name == "weight_bits")
    assert f"weights of {bits.value} bits, with which it takes 4 cores" in violation.advice
    thin = replace(network, projections=tuple(replace(p, weight_bits=bits.value) for p in network.projections))
    assert map_network(thin, small).fits


def test_stride_that_would_do_is_named():
    network = chain((8, 32, 32), dense(10, 8192))
    (violation,) = map_network(network, LOIHI1).violations
    assert (
        "give in at most 3,891 neurons instead of 8,192 (a stride or pooling of 2 there leaves 2,048)"
        in violation.advice
    )
    for channels in (3, 4):  # 3 x 1024 neurons are within 3,891, 4 x 1024 are not
        assert map_network(with_channels(network, "in", channels), LOIHI1).fits == (channels == 3)
    pooled = chain((8, 16, 16), dense(10, 2048))
    assert map_network(pooled, LOIHI1).fits


def turned_fits(network, chip):
    """Turn every knob that is named and hold the mapper to the number of cores it promises."""
    (violation,) = map_network(network, chip).violations
    found = {}
    for knob in violation.knobs:
        placement = map_network(*turn(knob, network, chip))
        assert placement.cores_used == knob.cores
        assert knob.text in violation.advice
        found[knob.name] = placement.fits
    return found


def test_every_knob_gives_the_cores_it_promises():
    small = replace(LOIHI2, chips_max=1, usable_cores=12)
    network = chain((2, 32, 32), conv(16, 2, 3, padding=(1, 1)), conv(32, 16, 3, padding=(1, 1)))
    assert turned_fits(network, small) == {"chips": True, "channels": True, "stride": True}
    wide = chain((784,), dense(600, 784), dense(64, 600), dense(10, 64))
    assert turned_fits(wide, replace(small, usable_cores=8)) == {"chips": True, "weight_bits": False, "channels": True}


def test_knobs_stand_in_the_document():
    small = replace(LOIHI2, chips_max=1, usable_cores=4)
    document = map_network(chain((784,), dense(128, 784), dense(64, 128), dense(10, 64)), small).as_dict()
    (violation,) = document["violations"]
    assert violation["knobs"][0] == {"name": "chips", "population": "", "value": 2, "cores": 5, "fits": True}
    assert {knob["name"] for knob in violation["knobs"]} >= {"chips", "weight_bits"}


def test_more_cores_than_the_board_has():
    placement = map_network(chain((3, 224, 224), conv(512, 3, 3, padding=(1, 1))), LOIHI2)
    (violation,) = placement.violations
    assert (violation.limit, violation.found, violation.allowed) == ("cores", 7168, 976)
    assert "a board of 59 chips" in violation.advice
    assert placement.chips_used == 59


def test_cores_fill_one_chip_after_another():
    placement = map_network(chain((3, 224, 224), conv(16, 3, 3, padding=(1, 1))), LOIHI2)
    assert (placement.cores_used, placement.chips_used) == (224, 2)
    assert (placement.cores[121].chip, placement.cores[121].core) == (0, 121)
    assert (placement.cores[122].chip, placement.cores[122].core) == (1, 0)
    x = placement.positions
    steps = np.abs(np.diff(x[:122, 1:], axis=0)).sum(axis=1)
    assert steps.max() == 1  # neighbours in number are neighbours on the mesh


def test_different_parameters_split_a_population():
    neuron = Lif(threshold=np.arange(1, 33), current_decay=0, voltage_decay=0)
    placement = map_network(chain((4,), dense(32, 4), neuron=neuron), LOIHI2)
    assert cores(placement) == [4]
    assert placement.populations[0].tightest_limit == "neuron_groups"
    per_channel = Lif(threshold=np.arange(1, 17).reshape(16, 1, 1), current_decay=0, voltage_decay=0)
    placement = map_network(chain((1, 6, 6), conv(16, 1, 3), neuron=per_channel), LOIHI2)
    assert placement.populations[0].tile[0] == 8
    assert cores(placement) == [2]


def test_long_delay_is_a_violation():
    network = chain((4,), dense(3, 4))
    late = replace(network, projections=(replace(network.projections[0], delay=63),))
    (violation,) = map_network(late, LOIHI2).violations
    assert (violation.limit, violation.found, violation.allowed) == ("delay", 63, 62)


def test_recurrent_populations_are_placed():
    network = Network(
        (Port("in", (10,)),),
        (Population("a", (1500,), LIF, latency=1), Population("b", (1500,), LIF, latency=2)),
        (
            Projection("in->a", "in", "a", dense(1500, 10)),
            Projection("a->b", "a", "b", dense(1500, 1500)),
            Projection("b->a", "b", "a", dense(1500, 1500)),
            Projection("a->a", "a", "a", dense(1500, 1500)),
        ),
        ("b",),
    )
    placement = map_network(network, LOIHI1)
    assert placement.fits
    assert placement.tilings["a"].count > placement.tilings["b"].count > 1


def test_document():
    placement = map_network(chain((784,), dense(128, 784)), LOIHI2)
    document = placement.as_dict()
    assert {"schema", "target", "fits", "cores_used", "chips_used", "populations", "violations"} <= document.keys()
    assert document["populations"] == [
        {"name": "l1", "cores": 3, "tile": [43], "tightest_limit": "synapse_words", "use": 10976 / 15200}
    ]
    assert "cores" not in document
    assert [core["box"] for core in placement.as_dict(cores=True)["cores"]] == [[[0, 43]], [[43, 86]], [[86, 128]]]


def test_large_network_is_mapped_quickly():
    start = time.perf_counter()
    map_network(pilotnet(), LOIHI2)
    assert time.perf_counter() - start < 60


def test_knobs_say_whether_they_suffice():
    chip = replace(load_chip("loihi2"), chips_max=1)
    layers = (conv(64, 2, 3, padding=(1, 1)), conv(64, 64, 3, padding=(1, 1)))
    (violation,) = map_network(chain((2, 128, 128), *layers), chip).violations
    found = {knob.name: (knob.cores, knob.fits) for knob in violation.knobs}
    assert found == {"chips": (1024, True), "channels": (640, False), "stride": (64, True)}
    assert "16 channels in l1, with which it takes 640 cores, still too many, or" in violation.advice
    assert violation.advice.endswith("with which it takes 64 cores")
