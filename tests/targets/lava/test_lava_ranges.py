"""What would leave Lava's registers is refused, before the run where that is known and after it where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.errors import Unsupported
from neurodeploy.network import Convolution, Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Resonator, SigmaDelta
from neurodeploy.targets.emulator import golden
from neurodeploy.targets.lava.netlist import write_netlist
from neurodeploy.targets.lava.ranges import verify_ranges

from . import models, nets


def layers(*neurons, weight=255, shape=(1,), connection=None, exponent=0) -> Network:
    populations, projections, source = [], [], "input"
    for index, neuron in enumerate(neurons):
        name = f"p{index}"
        populations.append(Population(name, shape, neuron, index + 1))
        synapses = connection if connection and index else Dense(np.full((int(np.prod(shape)),) * 2, weight))
        projections.append(Projection(f"to {name}", source, name, synapses, exponent))
        source = name
    return Network((Port("input", shape),), tuple(populations), tuple(projections), (source,))


def verify(network: Network, payload: int, steps: int = 20) -> None:
    spikes = {"input": np.full((1, steps, *network.ports[0].shape), payload)}
    run = golden.run(network, spikes, ("u", "v"))
    verify_ranges(network, spikes, {"s": run.spikes, "u": run.u, "v": run.v})


def test_u_is_recorded_where_sums_could_carry_it_away() -> None:
    network = layers(nets.lif(1, 0, 0))
    for payload, record in ((1000, ["s"]), (2000, ["s", "u"])):
        assert write_netlist(network, {"input": np.full((1, 2, 1), payload)}, ()).spec["record"] == record


def test_a_current_that_leaves_its_register_is_refused_and_one_that_might_have_is_not() -> None:
    network = layers(nets.lif(1, 0, 0))
    verify(network, 50_000, steps=1)
    with pytest.raises(
        Unsupported, match=r"'p0': its state may have reached 2,414,445,568, Lava's registers hold 2,147"
    ):
        verify(network, 50_000, steps=2)
    verify(layers(nets.lif(1, 4096, 0)), 60_000)


def test_sums_of_what_sigma_delta_neurons_sent_decide() -> None:
    decoder = SigmaDelta(0, stage="sigma")
    network = layers(decoder, decoder)
    verify(network, 1000)
    with pytest.raises(Unsupported, match="'to p1': its sums reach 2,601,000,000, Lava"):
        verify(network, 2000)
    point = Convolution(np.full((1, 1, 1, 1), 200))
    verify(layers(decoder, decoder, shape=(1, 1, 1), connection=point), 8)
    with pytest.raises(Unsupported, match="'to p1': its sums reach 9,180,000, Lava's process holds 8,388,607"):
        verify(layers(decoder, decoder, shape=(1, 1, 1), connection=point), 9)


def test_what_enters_a_resonator_is_shifted_into_32_bits() -> None:
    network = layers(Resonator(1, 0, 0, state_exponent=6))
    verify(network, 100_000)
    with pytest.raises(Unsupported, match="'p0': its state may have reached 2,"):
        verify(network, 140_000)


def test_parameters_beyond_a_register_are_refused() -> None:
    network = models.network(SigmaDelta(1 << 20, spike_exponent=6, state_exponent=6))
    with pytest.raises(
        Unsupported, match="'model': its vth reaches 4,294,967,296, Lava's 32-bit sum takes 2,147,483,6"
    ):
        write_netlist(network, nets.spikes(network), ())


def test_sparse_weights_beyond_nine_bits_move_into_the_exponent() -> None:
    narrow = models.sparse()
    network = models.network(models.MODELS["ternary"], replace(narrow, data=np.full_like(narrow.data, 1020)))
    netlist = write_netlist(network, nets.spikes(network), ())
    assert set(netlist.arrays["synapses/1/weight"]) == {255}
    assert netlist.spec["projections"][1]["weight_exp"] == 2
    assert netlist.spec["projections"][1]["graded"]
