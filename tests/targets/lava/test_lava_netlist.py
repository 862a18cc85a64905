"""What Lava would change is refused before anything runs; what it can hold is written exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import Unsupported
from neurodeploy.network import Convolution, Dense, Network, Population, Port, Projection
from neurodeploy.targets.lava.netlist import Netlist, cell_order, write_netlist

from . import nets


def dense(weight, exponent=0) -> Network:
    weight = np.array(weight)
    layer = Population("layer", (weight.shape[0],), nets.lif(10, 0, 0), 1)
    synapses = Projection("synapses", "input", "layer", Dense(weight), exponent)
    return Network((Port("input", (weight.shape[1],)),), (layer,), (synapses,), ("layer",))


def conv(weight, exponent=0, delay=0, **geometry) -> Network:
    connection = Convolution(np.array(weight), **geometry)
    source = (connection.weight.shape[1] * connection.groups, 200, 3)
    layer = Population("layer", connection.output_shape(source), nets.lif(10, 0, 0), 1 + delay)
    synapses = Projection("synapses", "input", "layer", connection, exponent, delay)
    return Network((Port("input", source),), (layer,), (synapses,), ("layer",))


def written(network: Network, payload: int = 1) -> Netlist:
    return write_netlist(network, {p.name: np.full((1, 2, *p.shape), payload) for p in network.ports}, ())


def test_cells_of_an_image_are_reordered_and_others_are_not() -> None:
    image = np.arange(24).reshape(2, 3, 4)
    assert (image.ravel()[cell_order((2, 3, 4))] == image.transpose(2, 1, 0).ravel()).all()
    assert (cell_order((7,)) == np.arange(7)).all()


def test_weights_beyond_nine_bits_move_into_the_exponent_where_that_is_exact() -> None:
    netlist = written(dense([[1020, -1024, 4]], exponent=-1))
    assert netlist.arrays["synapses/0/weight"].tolist() == [[255, -256, 1]]
    assert netlist.spec["projections"][0]["weight_exp"] == 1


@pytest.mark.parametrize(
    ("network", "payload", "message"),
    [
        (dense([[257, -2]]), 1, "'synapses': weights -2 to 257, Lava's Dense holds -256 to 255"),
        (dense([[-300, 1]]), 1, "'synapses': weights -300 to 1"),
        (dense([[255] * 2]), 70_000, "'synapses': its sums can reach 35,700,000, Lava's dense process holds 33,554,4"),
        (dense([[1]]), 1 << 40, "'input': payloads 1,099,511,627,776"),
        (conv([[[[3]]]], exponent=-1), 1, "'synapses': weight exponent -1, Lava's Conv cannot round"),
        (conv([[[[1 << 22, 1 << 22]]]]), 1, "its sums can reach 8,388,608, Lava's conv process holds 8,388,607"),
        (conv([[[[1]]]], stride=(128, 1)), 1, "'synapses': stride of 128, Lava's Conv holds 127"),
        (conv(np.ones((128, 1, 1, 1), int), groups=128), 1, "'synapses': groups of 128"),
        (conv([[[[0]]]], delay=1), 1 << 23, "'synapses': payloads up to 8,388,608 with a delay"),
    ],
)
def test_what_lava_would_change_is_refused(network: Network, payload: int, message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        written(network, payload)


def test_a_bias_that_overflows_the_register_is_refused() -> None:
    network = dense([[1]])
    layer = replace(network.populations[0], neuron=nets.lif(10, 0, 0, 32767, 24))
    with pytest.raises(Unsupported, match="'layer': its bias reaches 549,739,036,672"):
        written(replace(network, populations=(layer,)))


def test_a_convolution_takes_its_exponent_into_the_weights() -> None:
    assert written(conv([[[[6, -4]]]], exponent=-1)).arrays["synapses/0/weight"].ravel().tolist() == [-2, 3]
    assert written(conv([[[[6, -4]]]], exponent=2)).arrays["synapses/0/weight"].ravel().tolist() == [-16, 24]


@pytest.mark.parametrize(("payload", "graded"), [(0, False), (1, False), (2, True), (-1, True)])
def test_payloads_are_graded_only_where_they_are(payload: int, graded: bool) -> None:
    assert written(dense([[1]]), payload).spec["projections"][0]["graded"] is graded


def test_one_run_where_samples_can_follow_each_other_and_one_each_where_not() -> None:
    network = nets.dense_chain()
    runs = write_netlist(network, nets.spikes(network, 3, 12), ()).spec["runs"]
    assert runs == [{"first": 0, "samples": 3, "steps": 39, "interval": 12}]
    network = nets.loops_and_delays()
    runs = write_netlist(network, nets.spikes(network, 2, 12), ()).spec["runs"]
    assert runs == [{"first": sample, "samples": 1, "steps": 17, "interval": 18} for sample in range(2)]
