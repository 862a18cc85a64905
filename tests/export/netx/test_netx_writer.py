"""What we write is read back as the same network, and what a netx file cannot hold is refused by name."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest

from neurodeploy.errors import Unsupported, UsageError
from neurodeploy.export.netx import read_net, write_net
from neurodeploy.network import Convolution, Dense, Network, Population, Port, Projection
from neurodeploy.recording import Recording
from neurodeploy.targets.emulator import golden

from . import networks


def recorded(network: Network, spikes) -> Recording:
    shaped = {network.ports[0].name: spikes.reshape(*spikes.shape[:2], *network.ports[0].shape)}
    return golden.run(network, shaped, ("s", "u", "v"))


def same(one: Network, other: Network) -> None:
    """Assert that two networks of the same layers do the same, whatever they are called."""
    spikes = networks.spikes(one)[one.ports[0].name]
    first, second = recorded(one, spikes), recorded(other, spikes)
    for mine, theirs in zip(one.populations, other.populations, strict=True):
        for quantity in ("spikes", "u", "v"):
            here, there = getattr(first, quantity)[mine.name], getattr(second, quantity)[theirs.name]
            np.testing.assert_array_equal(here.reshape(there.shape), there, f"{mine.name} {quantity}")
        assert first.v[mine.name].any()


def chip_time(network: Network) -> Network:
    hosted = network.lag(network.projections[0]) == 0 and {p.latency for p in network.populations} == {1}
    return network if hosted else network.in_chip_time()


@pytest.mark.parametrize("make", networks.ALL, ids=lambda make: make.__name__)
def test_read_back_it_does_the_same(make, tmp_path):
    network = make()
    write_net(network, tmp_path / "a.net")
    again = read_net(tmp_path / "a.net")
    same(chip_time(network), again)
    assert not [note for note in again.provenance["notes"] if "driven by the host" not in note]
    write_net(again, tmp_path / "b.net")
    same(again, read_net(tmp_path / "b.net"))


def test_populations_are_named_by_their_layer_and_flatten_counts(tmp_path):
    write_net(networks.convolutions(), tmp_path / "a.net")
    assert [p.name for p in read_net(tmp_path / "a.net").populations] == ["1", "2", "4"]
    write_net(networks.sigma_delta(), tmp_path / "b.net")
    assert [p.name for p in read_net(tmp_path / "b.net").populations] == ["0", "1", "3"]


def test_weights_that_a_dense_layer_cannot_hold_become_a_covering_convolution(tmp_path):
    notes = write_net(networks.wide(), tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        kinds = [file[f"layer/{index}/type"][0].decode() for index in range(len(file["layer"]))]
        assert file["layer/1/weight"].shape == (5, 6, 1, 1)
    assert kinds == ["input", "conv", "conv", "conv", "flatten", "dense"]
    assert [note.split(" is written")[0] for note in notes[:3]] == [f"population 'p{i}'" for i in range(3)]
    assert "exceed the -256 to 254" in notes[1]
    assert "would run as -127" in notes[2]
    assert "reset_offset = 1" in notes[3]


def test_an_existing_file_is_kept(tmp_path):
    (tmp_path / "a.net").write_text("mine")
    with pytest.raises(UsageError, match="already exists"):
        write_net(networks.driven(), tmp_path / "a.net")
    write_net(networks.driven(), tmp_path / "a.net", force=True)
    assert read_net(tmp_path / "a.net").ports[0].shape == (2, 4, 5)


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for name in ("a.net", "b.net"):
        write_net(networks.convolutions(), tmp_path / name)
    assert (tmp_path / "a.net").read_bytes() == (tmp_path / "b.net").read_bytes()


def test_a_bias_between_weight_units_is_refused_or_rounded(tmp_path):
    network = networks.chain((2,), ((3,), networks.lif(bias=[100, 96, 31], exponent=0), Dense(np.eye(3, 2, dtype=int))))
    with pytest.raises(Unsupported, match=r"population 'p0': its bias is no multiple of 64 .* \(off by 32\); --round"):
        write_net(network, tmp_path / "a.net")
    notes = write_net(network, tmp_path / "a.net", round_bias=True)
    assert "population 'p0': its bias is rounded, by up to 32" in notes[0]
    assert read_net(tmp_path / "a.net").populations[0].neuron.bias.tolist() == [2, 2, 0]


def test_a_schedule_of_resets_is_told(tmp_path):
    network = replace(networks.driven(), reset_interval=17, reset_offset=2)
    assert "reset_interval=17 and reset_offset=2" in write_net(network, tmp_path / "a.net")[-1]


def changed(network: Network, index: int, **fields) -> Network:
    projections = list(network.projections)
    projections[index] = replace(projections[index], **fields)
    return replace(network, projections=tuple(projections))


def spoiled_loop() -> Network:
    network = networks.recurrent_with_silent_end()
    return changed(network, 2, connection=Dense(np.where(np.eye(7, dtype=int), 300, -2)))


def skipping() -> Network:
    network = networks.convolutions()
    skip = Projection("skip", "p0", "p2", Dense(np.ones((5, network.populations[0].size), int)), delay=1)
    return replace(network, projections=(*network.projections, skip))


def forked() -> Network:
    network = networks.chain((2,), ((3,), networks.lif(), Dense(np.ones((3, 2), int))))
    other = Projection("t", "input", "q", Dense(np.ones((1, 2), int)))
    return replace(
        network,
        populations=(*network.populations, Population("q", (1,), networks.lif(), 1)),
        projections=(*network.projections, other),
    )


REFUSED = {
    "two ports": (
        lambda: replace(forked(), ports=(Port("input", (2,)), Port("other", (1,)))),
        "network: has 2 ports",
    ),
    "a fork": (forked, "'input': goes on to p0, q"),
    "a skip": (skipping, "'p0': goes on to p1, p2; the layers of a .net follow one another"),
    "a loop over two": (
        lambda: replace(
            (n := networks.delayed()),
            projections=(*n.projections, Projection("back", "p1", "p0", Dense(np.ones((6, 4), int)))),
        ),
        "projection 'back': comes from 'p1', not from 'input'",
    ),
    "an inner output": (
        lambda: replace(networks.convolutions(), outputs=("p1",)),
        "network: answers by p1, a .net by its last layer 'p2'",
    ),
    "a convolution's delay": (lambda: changed(networks.convolutions(), 0, delay=2), "projection 's0': delay 2"),
    "a rounding exponent": (
        lambda: changed(networks.convolutions(), 2, weight_exponent=-2),
        "projection 's2': weight exponent -2 rounds",
    ),
    "a recurrent layer that would be spoiled": (
        spoiled_loop,
        r"population 'p0': its weights -\d+ to 300 exceed .* a recurrent layer has no other form",
    ),
    "a delayed loop": (
        lambda: changed(networks.recurrent_with_silent_end(), 2, delay=1),
        "population 'p0': is recurrent with delays",
    ),
    "two synapses between the same neurons": (
        lambda: replace(
            (n := networks.delayed()), projections=(*n.projections, replace(n.projections[0], name="again", delay=62))
        ),
        "projection 'again': joins neurons that another projection joins",
    ),
    "wide weights with a delay": (
        lambda: changed(networks.wide(), 1, delay=1),
        "population 'p1': its weights .* and a convolution has no delays",
    ),
    "a reset by subtraction": (
        lambda: networks.chain((1,), ((1,), networks.lif(reset="subtract"), Dense(np.array([[2]])))),
        "population 'p0': has a reset by subtraction",
    ),
    "refractory steps": (
        lambda: networks.chain((1,), ((1,), networks.lif(refractory=2), Dense(np.array([[2]])))),
        "population 'p0': has refractory steps",
    ),
    "a convolution of dense cells": (
        lambda: networks.chain(
            (4,),
            ((4, 1, 1), networks.lif(), Dense(np.eye(4, dtype=int) * 6 - 2)),
            ((2, 1, 1), networks.lif(), Convolution(np.ones((2, 4, 1, 1), int))),
        ),
        "projection 's1': is a convolution of dense cells",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_net_cannot_hold_is_refused_by_name(case, tmp_path):
    make, words = REFUSED[case]
    with pytest.raises(Unsupported, match=words):
        write_net(make(), tmp_path / "a.net")
    assert not list(tmp_path.iterdir())
