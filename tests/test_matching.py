from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.activity import count_activity
from neurodeploy.energy import estimate
from neurodeploy.errors import UsageError
from neurodeploy.mapping import map_network
from neurodeploy.matching import match_cores
from neurodeploy.neurons import Lif
from neurodeploy.occupancy import Occupancy, allowed_by_kind
from neurodeploy.targets.chip import load_chip
from tests.chains import chain, conv, dense, pool
from tests.test_activity import record

CHIP = load_chip("dynapcnn")
IF = Lif(threshold=10, current_decay=4096, voltage_decay=0)


def network(*layers, shape=(2, 34, 34), neuron=IF):
    return chain(shape, *layers, neuron=neuron)


def use_of(connection, shape, neuron=IF):
    built = network(connection, shape=shape, neuron=neuron)
    population = built.populations[0]
    return map_network(built, CHIP).cores[0].use if population else {}


@pytest.mark.parametrize(
    ("shape", "connection", "kernel", "neurons"),
    [
        ((2, 34, 34), conv(8, 2, 3, padding=(1, 1)), 2 * 16 * 8, 8 * 64 * 64),
        ((2, 34, 34), conv(9, 2, 5), 2 * 32 * 16, 9 * 32 * 32),
        ((16, 4, 4), conv(16, 16, 1), 16 * 1 * 16, 16 * 4 * 4),
        ((8, 5, 5), dense(10, 200), 8 * 32 * 16, 10),
        ((256,), dense(11, 256), 256 * 16, 11),
    ],
    ids=["conv", "odd conv", "1x1", "dense of a map", "dense of a vector"],
)
def test_memory_is_rounded_up_to_powers_of_two(shape, connection, kernel, neurons):
    use = use_of(connection, shape)
    assert use["kernel_words"][0] == kernel
    assert use["neuron_words"][0] == neurons
    assert use["bias_words"][0] == 0


def test_bias_takes_a_word_a_channel():
    assert use_of(conv(9, 2, 5), (2, 34, 34), replace(IF, bias=3))["bias_words"] == (9, 1024)


def test_layers_get_cores_with_room_for_them():
    nets = network(
        conv(12, 2, 3, padding=(1, 1)), conv(32, 12, 3, stride=(2, 2)), conv(64, 32, 3, stride=(2, 2)), dense(10, 3136)
    )
    placement = map_network(nets, CHIP)
    assert placement.fits
    assert len({core.core for core in placement.cores}) == 4
    for core in placement.cores:
        assert all(used <= allowed for used, allowed in core.use.values())
        words = CHIP.kinds[CHIP.kind_of_core[core.core]].words
        assert core.use["kernel_words"][1] == words["kernel"]
    needs = {core.population: core.core for core in placement.cores}
    assert needs["l1"] in (0, 1, 2)  # 12 * 64 * 64 neurons fit no smaller core
    assert needs["l4"] in (5, 6)  # 64 * 64 * 16 weights


def test_greedy_choices_are_undone():
    """Three tiles for two kinds of one core and two: only one arrangement serves all."""
    chip = replace(CHIP, usable_cores=3, differing=(replace(CHIP.kinds[0], count=1), replace(CHIP.kinds[2], count=2)))
    small, many_neurons, many_weights = (
        {"kernel_words": kernel, "neuron_words": neurons} for kernel, neurons in ((1, 1), (1, 60_000), (60_000, 1))
    )
    kinds = [{"kernel_words": 16_384, "neuron_words": 65_536}, {"kernel_words": 65_536, "neuron_words": 16_384}]
    for uses in ([small, many_neurons, many_weights], [many_weights, small, many_neurons]):
        sites, shortage = match_cores(chip, uses, kinds)
        assert shortage is None
        assert sorted(sites.tolist()) == [0, 1, 2]
        assert sites[uses.index(many_neurons)] == 0
    sites, shortage = match_cores(chip, [many_neurons, small, many_neurons], kinds)
    assert (shortage.tiles, shortage.cores) == ((0, 2), 1)
    assert len(set(sites.tolist())) == 3


def test_layers_that_compete_are_named_with_what_to_do():
    wide = network(*(conv(14, 2 if i == 0 else 14, 3, padding=(1, 1)) for i in range(4)))
    (violation,) = map_network(wide, CHIP).violations
    assert (violation.limit, violation.found, violation.allowed) == ("cores", 4, 3)
    assert violation.advice == "make one of l1, l2, l3, l4 smaller, so that it fits another kind of core"


def test_layers_are_not_cut():
    (violation,) = map_network(network(conv(32, 2, 3, padding=(1, 1))), CHIP).violations
    assert (violation.population, violation.limit) == ("l1", "neuron_words")
    assert (violation.found, violation.allowed) == (32 * 64 * 64, 65_536)
    (violation,) = map_network(network(*[pool(2, 1)] * 10), CHIP).violations
    assert (violation.limit, violation.found, violation.allowed) == ("cores", 10, 9)


def test_leak_is_a_violation():
    leaky = network(conv(4, 2, 3), neuron=Lif(10, 4096, 100))
    (violation,) = map_network(leaky, CHIP).violations
    assert (violation.population, violation.limit) == ("l1", "leak")
    lasting = network(conv(4, 2, 3), neuron=Lif(10, 0, 0))
    assert [v.limit for v in map_network(lasting, CHIP).violations] == ["leak"]
    assert map_network(network(conv(4, 2, 3)), CHIP).fits


def test_counts_are_made_and_energies_are_not():
    nets = network(conv(4, 2, 3), conv(4, 4, 3))
    placement = map_network(nets, CHIP)
    activity = count_activity(nets, record(nets), placement)
    assert activity.total("synaptic_operations") > 0
    with pytest.raises(UsageError, match=r"dynapcnn: has no energies and times"):
        estimate(activity, placement, CHIP)
    with pytest.raises(UsageError, match=r"dynapcnn: gives no numbers, by which latency"):
        map_network(nets, CHIP, optimize="latency")


def test_limits_of_kinds():
    kinds = allowed_by_kind(CHIP, 0.5)
    assert [kind["kernel_words"] for kind in kinds] == [8192, 16_384, 32_768, 8192]
    built = network(conv(4, 2, 3))
    use = Occupancy(built, CHIP).use(built.populations[0], (((0, 4),), ((0, 32),), ((0, 32),)), 4096)
    assert use["targets"] == 0
    assert np.all([kind["targets"] == 2 for kind in kinds])
