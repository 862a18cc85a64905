from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.activity import count_activity
from neurodeploy.energy import estimate
from neurodeploy.errors import UsageError
from neurodeploy.mapping import map_network
from neurodeploy.occupancy import Occupancy
from neurodeploy.spreading import core_times
from neurodeploy.targets.chip import load_chip
from tests.chains import chain, conv, dense
from tests.test_activity import record
from tests.test_mapping import pilotnet

LOIHI1, LOIHI2 = load_chip("loihi1"), load_chip("loihi2")


@pytest.mark.parametrize("chip", [LOIHI1, LOIHI2], ids=lambda chip: chip.name)
def test_latency_takes_more_cores_and_gives_shorter_steps(chip):
    network = chain((2, 40, 40), conv(16, 2, 3), conv(16, 16, 3, stride=(4, 4)), dense(400, 1296))
    recording = record(network, density=0.1)
    few = map_network(network, chip)
    fast = map_network(network, chip, optimize="latency", rates=recording.rates())
    assert few.fits
    assert fast.fits
    assert few.cores_used < fast.cores_used <= chip.usable_cores
    steps = [
        estimate(count_activity(network, recording, placement), placement, chip).step_time.nominal
        for placement in (few, fast)
    ]
    assert steps[1] < 0.8 * steps[0]


def test_energy_takes_the_fewest_cores():
    network = pilotnet()
    placements = [map_network(network, LOIHI2, optimize=name) for name in ("cores", "energy")]
    assert [placement.cores_used for placement in placements] == [74, 74]


def test_no_more_chips_than_the_fewest_cores_take():
    placement = map_network(pilotnet(), LOIHI2, optimize="latency")
    assert 74 < placement.cores_used <= LOIHI2.usable_cores
    assert placement.chips_used == 1


def test_expected_times_are_those_of_counted_events():
    network = chain((2, 9, 8), conv(4, 2, 3, padding=(1, 1)), dense(9, 288))
    placement = map_network(network, replace(LOIHI1, limits={**LOIHI1.limits, "neurons": 50}))
    occupancy = Occupancy(network, LOIHI1, dict(placement.tilings))
    found = core_times(occupancy, {"in": 1.0, "l1": 1.0, "l2": 1.0})
    recording = record(network, density=2.0, samples=1, steps=1)  # every neuron fires
    cores, times = count_activity(network, recording, placement).cores, LOIHI1.time
    expected = (
        cores.neuron_updates * times["neuron_idle"].value
        + cores.dense_operations * times["synaptic_operation_dense"].value
        + cores.convolution_operations * times["synaptic_operation_convolution"].value
        + cores.messages_in * times["message_in"].value
        + cores.messages_out * times["message_out"].value
    )
    for name, seconds in found.items():
        assert np.allclose(seconds, expected[placement.cores_of(name)], rtol=1e-12)


def test_unknown_objective_is_refused():
    with pytest.raises(UsageError, match=r"optimize: 'speed' is no objective; one of cores, energy, latency"):
        map_network(pilotnet(), LOIHI2, optimize="speed")
