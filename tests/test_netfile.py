"""The file of an integer network: exact integers back, and a valid NIR file for everyone else."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import h5py
import nir
import numpy as np
import pytest

from neurodeploy.comparison import compare
from neurodeploy.dequantize import dequantize
from neurodeploy.errors import InputError, Unsupported, UsageError
from neurodeploy.loading import load
from neurodeploy.netfile import holds_network, read_network, write_network
from neurodeploy.network import Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif
from neurodeploy.nirfile import read_metadata
from neurodeploy.quantization import quantize
from neurodeploy.simulation import simulate
from tests.random_networks import mixed_network, random_network, random_spikes
from tests.test_quantization import CHIP, convolutional, spikes


@pytest.fixture
def network():
    return quantize(convolutional(np.random.default_rng(6)), CHIP, spikes(2, 10, 2, 8, 8))


def test_round_trip_is_exact(network, tmp_path):
    path = tmp_path / "net.nir"
    write_network(network, path)
    back = read_network(path)
    x = spikes(3, 20, 2, 8, 8)
    first, second = (simulate(n, x, record=("s", "u", "v")) for n in (network, back))
    assert compare(first, second).equal
    assert back.provenance == network.provenance
    assert (back.target, back.dt, back.outputs) == (network.target, network.dt, network.outputs)
    assert [(p.latency, p.scale) for p in back.populations] == [(p.latency, p.scale) for p in network.populations]
    assert isinstance(load(path), Network)
    assert holds_network(path)


def test_same_network_same_bytes(network, tmp_path):
    write_network(network, tmp_path / "a.nir")
    write_network(network, tmp_path / "b.nir")
    assert (tmp_path / "a.nir").read_bytes() == (tmp_path / "b.nir").read_bytes()


def test_nir_reads_the_dequantized_values(network, tmp_path):
    path = tmp_path / "net.nir"
    write_network(network, path)
    graph = nir.read(path)
    weight = graph.nodes["c1"].weight
    projection = next(p for p in network.projections if p.name == "c1")
    restored = projection.connection.weight * 2.0**projection.weight_exponent / network.by_name["n1"].scale
    assert np.array_equal(weight, restored)
    tau = graph.nodes["n2"].tau
    assert np.allclose(1 - network.dt / tau, 1 - network.by_name["n2"].neuron.voltage_decay / 4096, rtol=1e-12)


def leaky(rng, population):
    """Return the population with decays that NIR has time constants for and thresholds above its reset."""
    decays = [rng.integers(1, 4097, population.shape) for _ in range(2)]
    threshold = np.maximum(population.neuron.threshold, 1)
    neuron = replace(population.neuron, current_decay=decays[0], voltage_decay=decays[1], threshold=threshold)
    return replace(population, neuron=neuron)


@pytest.mark.parametrize("seed", range(4))
def test_random_networks_with_loops_delays_and_per_neuron_values(seed, tmp_path):
    rng = np.random.default_rng(seed)
    network = random_network(seed)
    network = replace(network, populations=tuple(leaky(rng, p) for p in network.populations))
    write_network(network, tmp_path / "net.nir")
    x = random_spikes(network, seed)
    both = [simulate(n, x, record=("s", "u", "v")) for n in (network, read_network(tmp_path / "net.nir"))]
    assert compare(*both).equal


@pytest.mark.parametrize("seed", range(16))
def test_every_model_and_sparse_rows_come_back(seed, tmp_path):
    network = mixed_network(seed, flat=True)
    write_network(network, tmp_path / "net.nir")
    back = read_network(tmp_path / "net.nir")
    assert (back.reset_interval, back.reset_offset) == (network.reset_interval, network.reset_offset)
    for mine, theirs in zip(network.populations, back.populations, strict=True):
        assert type(mine.neuron) is type(theirs.neuron)
        for field in fields(mine.neuron):
            value = getattr(mine.neuron, field.name)
            assert np.array_equal(value, getattr(theirs.neuron, field.name)), field.name
    for mine, theirs in zip(network.projections, back.projections, strict=True):
        assert type(mine.connection) is type(theirs.connection)
        for name in ("imaginary", "delay", "weight_exponent"):
            assert getattr(mine, name) == getattr(theirs, name)
    x = random_spikes(network, seed)
    assert compare(*(simulate(n, x, "golden", ("s", "u", "v")) for n in (network, back))).equal


def test_stand_ins_are_named_where_nir_has_no_node(tmp_path):
    lif = Lif(30, 4096, 0, lower_threshold=-5)
    network = Network(
        (Port("in", (3,)),),
        (Population("tern", (2,), lif, 1), Population("plain", (2,), replace(lif, lower_threshold=None), 1)),
        tuple(Projection(f"to {n}", "in", n, Dense(np.full((2, 3), 8))) for n in ("tern", "plain")),
        ("tern", "plain"),
    )
    with pytest.raises(Unsupported, match="tern: is ternary; NIR has no such node"):
        dequantize(network)
    graph = dequantize(network, nearest=True)
    assert graph.notes == ("tern is ternary, which NIR has no node for: the nearest is given",)
    assert graph.nodes["tern"].kind == graph.nodes["plain"].kind == "IF"
    write_network(network, tmp_path / "net.nir")
    assert "tern is ternary" in read_metadata(tmp_path / "net.nir")["neurodeploy_nearest"]
    assert nir.read(tmp_path / "net.nir").nodes["tern"].v_threshold.tolist() == [30, 30]


def test_bursting_neurons_have_a_float_form_with_the_same_spikes(tmp_path):
    lif = Lif(30, 4096, 0, reset="burst", lowest=-30)
    path = Projection("p", "in", "n", Dense(np.random.default_rng(3).integers(-60, 90, (4, 3))))
    network = Network((Port("in", (3,)),), (Population("n", (4,), lif, 1),), (path,), ("n",))
    x = random_spikes(network, 5)
    assert simulate(network, x).spikes["n"].max() > 2
    assert compare(simulate(network, x), simulate(dequantize(network), x, "float")).equal
    write_network(network, tmp_path / "net.nir")
    back = read_network(tmp_path / "net.nir").populations[0].neuron
    assert (back.reset, int(back.lowest)) == ("burst", -30)


def test_files_of_the_first_format_are_read(network, tmp_path):
    path = tmp_path / "net.nir"
    write_network(network, path)

    def older(document):
        document["format"] = 1
        for key in ("reset_interval", "reset_offset"):
            del document[key]
        for p in document["populations"]:
            for key in ("model", "lower_threshold", "reset", "refractory", "spiking"):
                del p[key]
        for p in document["projections"]:
            del p["imaginary"], p["sparse"]

    tamper(path, older)
    x = spikes(3, 20, 2, 8, 8)
    assert compare(simulate(network, x, record=("v",)), simulate(read_network(path), x, record=("v",))).equal


def test_existing_file_is_kept(network, tmp_path):
    path = tmp_path / "net.nir"
    path.write_text("mine")
    with pytest.raises(UsageError, match="already exists"):
        write_network(network, path)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def tamper(path, change):
    with h5py.File(path, "a") as file:
        key = next(k for k in _walk(file) if k.endswith("neurodeploy_network"))
        document = json.loads(file[key][()].decode())
        change(document)
        del file[key]
        file[key] = json.dumps(document)


def _walk(file):
    names = []
    file.visit(names.append)
    return names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format=99), "is of network format 99; this version reads 1 to 3"),
        (lambda d: d.pop("ports"), "holds a damaged integer network"),
        (lambda d: d["populations"][0].update(threshold=1 << 20), "population 'n1': threshold is 1048576"),
        (lambda d: d["projections"][0].update(source="ghost"), "ends at 'ghost'"),
        (lambda d: d["projections"][0].update(weight=[99]), "holds a damaged integer network"),
        (lambda d: d["projections"][0].update(delay=-1), "delay -1, allowed are 0 to 62"),
        (lambda d: d["populations"][0].update(model="Ghost"), "holds a damaged integer network"),
        (lambda d: d["populations"][0].update(refractory="3"), "holds a damaged integer network .*refractory is '3'"),
        (lambda d: d["populations"][0].update(reset="twice"), "reset is 'twice'; one of zero, subtract"),
        (lambda d: d["populations"][0].update(lower_threshold=1 << 16), "a lower threshold is above the upper one"),
        (lambda d: d.update(reset_interval=-3), "reset interval -3"),
    ],
)
def test_contradicting_integers_are_refused(network, tmp_path, change, message):
    path = tmp_path / "net.nir"
    write_network(network, path)
    tamper(path, change)
    with pytest.raises(InputError, match=message):
        read_network(path)


def test_a_float_graph_is_told_apart(tmp_path):
    from neurodeploy.nirfile import write_graph

    path = tmp_path / "float.nir"
    write_graph(convolutional(np.random.default_rng(6)), path)
    with pytest.raises(InputError, match="is a float network; quantize it first"):
        read_network(path)
    assert not holds_network(path)
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(InputError, match=r"has the suffix '\.txt'"):
        load(tmp_path / "x.txt")
