from dataclasses import replace

import pytest

from neurodeploy.activity import count_activity
from neurodeploy.conventions import KERAS_SPIKING, conventions, dense_operations
from neurodeploy.energy import estimate
from neurodeploy.mapping import map_network
from neurodeploy.targets.chip import load_chip
from neurodeploy.targets.chipfile import Number
from tests.chains import chain, conv, dense, synapses
from tests.test_activity import NETWORKS, SMALL, record

LOIHI1, LOIHI2 = load_chip("loihi1"), load_chip("loihi2")


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_dense_operations_are_the_synapses(network):
    assert dense_operations(network) == sum(len(list(synapses(network, p))) for p in network.projections)


def test_conventions_follow_from_counts():
    network = chain((2, 9, 8), conv(4, 2, 3, padding=(1, 1)), dense(9, 288))
    recording = record(network, samples=2, steps=5)
    activity = count_activity(network, recording, map_network(network, LOIHI2))
    found = conventions(network, activity)
    operations, updates = activity.total("synaptic_operations") / 2, (288 + 9) * 5
    assert found.operations_45nm_joule == pytest.approx(0.9e-12 * operations)
    assert found.ndns_proxy_operations == operations + 10 * updates
    keras = found.keras_spiking_joule
    assert keras.keys() == KERAS_SPIKING.keys()
    assert keras["loihi"] == pytest.approx(27.1e-12 * operations + 81e-12 * updates)
    assert keras["gpu"] == pytest.approx(0.3e-9 * (5 * dense_operations(network) + updates))
    silent = conventions(network, count_activity(network, record(network, density=0.0), map_network(network, LOIHI2)))
    assert silent.operations_45nm_joule == 0
    assert silent.keras_spiking_joule["gpu"] == pytest.approx(keras["gpu"])  # visits every synapse all the same


def test_changes_of_the_chip_cost_what_the_chip_file_says():
    network = NETWORKS["dilated groups"]
    placement = map_network(network, SMALL)
    activity = count_activity(network, record(network), placement)
    crossings = activity.total("crossings")
    assert crossings > 0
    free = estimate(activity, placement, SMALL)
    assert any("between chips" in text for text in free.left_out)
    price = Number(1e-9, "J", "a test", "assumed", 0.5e-9, 2e-9)
    priced_chip = replace(SMALL, energy={**SMALL.energy, "chip_crossing": price})
    priced = estimate(activity, placement, priced_chip)
    assert priced.dynamic.nominal - free.dynamic.nominal == pytest.approx(1e-9 * crossings / activity.samples)
    assert not any("between chips" in text for text in priced.left_out)


def test_busiest_link_and_throughput():
    network = NETWORKS["padded"]
    placement = map_network(network, SMALL)
    activity = count_activity(network, record(network), placement)
    found = estimate(activity, placement, SMALL)
    times = SMALL.time
    busy = max(activity.link_x * times["hop_x"].value, activity.link_y * times["hop_y"].value) / 10
    assert found.link_use.nominal == pytest.approx(busy / found.step_time.nominal)
    assert 0 < found.link_use.nominal < 1
    assert found.throughput.low == pytest.approx(1 / found.latency.high)
    assert found.throughput.low < found.throughput.nominal < found.throughput.high


@pytest.mark.parametrize("chip", [LOIHI1, LOIHI2, load_chip("hala-point")], ids=lambda chip: chip.name)
def test_estimates_say_what_trust_they_deserve(chip):
    network = chain((6,), dense(8, 6))
    placement = map_network(network, chip)
    found = estimate(count_activity(network, record(network), placement), placement, chip)
    assert found.uncertainty == chip.uncertainty
    assert ("12 times" in found.uncertainty) if chip is LOIHI1 else ("order of magnitude" in found.uncertainty)
    assert found.as_dict()["uncertainty"] == found.uncertainty
