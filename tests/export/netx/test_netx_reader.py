"""Each field of a netx file as the loader takes it, and files that contradict themselves, are damaged or hostile."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurodeploy.errors import InputError, Unsupported
from neurodeploy.export.netx import read_net
from neurodeploy.network import Convolution, Dense, Sparse
from neurodeploy.neurons import Resonator, SigmaDelta

from . import files

ONES = np.ones((3, 2))


def read(path, *layers, **root):
    return read_net(files.write(path / "a.net", *layers, **root))


def notes(network) -> str:
    return "; ".join(network.provenance["notes"])


def test_dense_in_chip_time(tmp_path):
    network = read(tmp_path, files.source(2), files.dense(ONES * 6, cell=files.neuron(9, 4096, 7), bias=[1, -2, 3]))
    (population,) = network.populations
    assert (population.name, population.shape, population.latency) == ("1", (3,), 0)
    assert (population.neuron.threshold, population.neuron.current_decay, population.neuron.voltage_decay) == (
        9,
        4096,
        7,
    )
    assert (population.neuron.bias.tolist(), population.neuron.bias_exponent) == ([1, -2, 3], 6)
    assert [(p.name, p.shape) for p in network.ports] == [("input", (2,))]
    assert network.lag(network.projections[0]) == 1
    assert network.outputs == ("1",)
    assert (network.dt, network.provenance["notes"]) == (1.0, [])


def test_step_from_the_file_or_the_caller(tmp_path):
    path = files.write(tmp_path / "a.net", files.dense(ONES), simulation__Ts=2)
    assert read_net(path).dt == 2e-3
    assert read_net(path, dt=0.5).dt == 0.5


def test_without_an_input_layer_the_weights_make_the_port(tmp_path):
    assert read(tmp_path, files.dense(ONES)).ports[0].shape == (2,)


def test_flat_weights_and_a_shape_of_three_axes(tmp_path):
    layer = {**files.dense(ONES), "weight": np.arange(1, 7) * 2, "shape": np.array([3, 1, 1])}
    network = read(tmp_path, layer)
    assert network.projections[0].connection.weight.tolist() == [[2, 4], [6, 8], [10, 12]]
    assert network.populations[0].shape == (3,)


def test_dense_without_a_neuron_integrates_and_never_fires(tmp_path):
    neuron = read(tmp_path, {**files.dense(ONES), "neuron": None}).populations[0].neuron
    assert not neuron.spiking
    assert (int(neuron.current_decay), int(neuron.voltage_decay)) == (0, 4096)


def test_a_threshold_out_of_reach_never_fires(tmp_path):
    assert not read(tmp_path, files.dense(ONES, cell=files.neuron(1 << 17))).populations[0].neuron.spiking
    assert read(tmp_path, files.dense(ONES, cell=files.neuron((1 << 17) - 1))).populations[0].neuron.spiking


def test_recurrence(tmp_path):
    network = read(tmp_path, files.dense(ONES, kind="dense_rec", weight_rec=np.arange(9.0) - 4))
    forward, loop = network.projections
    assert (loop.source, loop.target, network.lag(loop)) == ("0", "0", 1)
    assert loop.connection.weight.tolist() == [[-4, -3, -2], [-1, 0, 1], [2, 3, 4]]
    assert (forward.source, forward.target) == ("input", "0")


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        (5, [[5, 5], [5, 5], [5, 5]]),
        (np.array([1.0, 2.9, 62.0]), [[1, 1], [2, 2], [62, 62]]),
        (np.array([7, 9]), [[7, 9], [7, 9], [7, 9]]),
        (np.array([[1, 2], [3, 4], [5, 90]]), [[1, 2], [3, 4], [5, 62]]),
        (99, [[62, 62], [62, 62], [62, 62]]),
    ],
)
def test_delays(delay, expected, tmp_path):
    network = read(tmp_path, files.dense(ONES * 4, delay=delay))
    found = np.full((3, 2), -1)
    for projection in network.projections:
        weight = projection.connection.weight if projection.delay == 5 and len(network.projections) == 1 else None
        dense = projection.connection.to_dense() if isinstance(projection.connection, Sparse) else weight
        if dense is None:
            dense = projection.connection.weight
        found[dense != 0] = projection.delay
    assert found.tolist() == expected
    assert ("are shortened to 62" in notes(network)) == (np.max(delay) > 62)
    assert ("fractions of delay are cut off" in notes(network)) == (np.asarray(delay).dtype.kind == "f")


def test_a_square_layers_delays_are_by_output(tmp_path):
    network = read(tmp_path, files.dense(np.full((2, 2), 2), delay=np.array([0, 3])))
    late = {p.delay: p.connection.to_dense().tolist() for p in network.projections}
    assert late == {0: [[2, 2], [0, 0]], 3: [[0, 0], [2, 2]]}


def test_convolution_in_torch_order(tmp_path):
    weight = np.arange(2 * 1 * 2 * 3).reshape(2, 1, 2, 3, 1)
    geometry = {"stride": np.array([1, 2]), "padding": np.array([0, 1]), "groups": 2, "dilation": 1}
    cell = files.neuron(np.array([5, 6]), 4096, np.array([1, 2]))
    layer = files.conv(weight, (2, 4, 3), cell=cell, bias=np.array([3, 4]), **geometry)
    network = read(tmp_path, files.source(2, 5, 6), layer, files.FLATTEN, files.dense(np.ones((3, 24))))
    first, second = network.projections
    assert isinstance(first.connection, Convolution)
    assert (first.connection.weight == weight[..., 0]).all()
    assert (first.connection.stride, first.connection.padding, first.connection.dilation) == ((1, 2), (0, 1), (1, 1))
    assert first.connection.groups == 2
    assert network.populations[0].neuron.threshold.tolist() == [[[5]], [[6]]]
    assert network.populations[0].neuron.bias.tolist() == [[[3]], [[4]]]
    assert [p.name for p in network.populations] == ["1", "3"]
    assert isinstance(second.connection, Dense)


def test_a_bias_a_cell_lies_in_the_loaders_order(tmp_path):
    bias = np.arange(2 * 3 * 4).reshape(4, 3, 2)  # (width, height, channels)
    layer = files.conv(np.ones((2, 1, 1, 1)), (2, 3, 4), bias=bias)
    found = read(tmp_path, files.source(1, 3, 4), layer).populations[0].neuron.bias
    assert (found == bias.transpose(2, 1, 0)).all()


def test_an_input_layer_with_neurons_is_driven_by_the_host(tmp_path):
    cell = files.neuron(25, 100, 1024)
    layers = (files.source(2, 3, 3, weight=36, bias=34, neuron=cell), files.conv(np.ones((1, 2, 2, 2)), (1, 2, 2)))
    network = read(tmp_path, *layers)
    assert [p.name for p in network.populations] == ["0", "1"]
    assert network.provenance["netx"]["transform"] == {"weight": 36, "bias": 34}
    assert "36 x + 34" in notes(network)
    assert [network.lag(p) for p in network.projections] == [0, 1]
    assert int(network.populations[0].neuron.current_decay) == 4096


@pytest.mark.parametrize("name", ["weight", "bias"])
def test_a_driven_input_without_its_number_is_refused(name, tmp_path):
    driven = files.source(2, neuron=files.neuron(), **{name: np.zeros(0)})
    with pytest.raises(InputError, match=f"layer/0/{name}: holds no number; one is expected"):
        read(tmp_path, driven, files.dense(ONES))


def test_sigma_delta_stages(tmp_path):
    cell = {"type": b"SDNN", "vThMant": 3, "activation": b"relu"}
    layers = (
        files.source(2, neuron={**cell, "vThMant": 0}),
        files.dense(ONES, cell=cell, bias=[1, 2, 3]),
        files.dense(np.ones((2, 3)), cell={**cell, "sigma_output": True}),
    )
    neurons = [p.neuron for p in read(tmp_path, *layers).populations]
    assert all(isinstance(n, SigmaDelta) for n in neurons)
    assert [n.stage for n in neurons] == ["delta", "sigma-delta", "sigma"]
    assert [(n.spike_exponent, n.state_exponent) for n in neurons] == [(6, 6)] * 3
    assert (int(neurons[1].threshold), neurons[1].bias.tolist(), neurons[1].activation) == (3, [1, 2, 3], "relu")


def test_resonators(tmp_path):
    cell = {"type": b"RF_PHASE", "vThMant": 25, "sinDecay": 2104, "cosDecay": 3273}
    layer = {**files.dense(ONES, cell=cell), "weight": None, "weight/real": ONES * 2, "weight/imag": ONES * 4}
    network = read(tmp_path, layer)
    neuron = network.populations[0].neuron
    assert isinstance(neuron, Resonator)
    assert (int(neuron.threshold), neuron.kind) == (25 << 6, "phase")
    assert abs(int(neuron.sine) - 2104) <= 1
    assert [p.imaginary for p in network.projections] == [False, True]


def test_what_the_loader_ignores_or_changes_is_noted(tmp_path):
    cell = files.neuron(refDelay=3, wgtExp=2, messageBits=16)
    layers = [
        files.source(1, 4, 4),
        files.conv(np.ones((1, 1, 1, 1)) * 2.5, (1, 4, 4), cell=cell, delay=3, groups=np.array([1])),
        files.FLATTEN,
        files.dense(np.array([[0] * 15 + [-128]] * 2)),
        files.dense(np.array([[300, -2], [4, 6]])),
        {"type": "average", "shape": np.array([2])},
    ]
    said = notes(read(tmp_path, *layers))
    for words in (
        "layer 1: refDelay (a refractory delay) is ignored",
        "layer 1: wgtExp",
        "layer 1: lava-dl 0.6.0 cannot load a file with messageBits",
        "layer 1: fractions of weight are cut off",
        "layer 1: its delays are ignored",
        "layer 1: lava-dl 0.6.0 cannot load groups",
        "layer 3: lava-dl 0.6.0 would not run it as written: weight[0, 15] is -128 and would run as -64 and 1 more",
        "layer 4: weights are clipped to -256..254",
        "layer 5: the closing average",
    ):
        assert words in said
    network = read(tmp_path, *layers)
    assert network.projections[1].connection.weight.min() == -128
    assert network.projections[2].connection.weight.max() == 254


def drop(name):
    def change(file):
        del file[name]

    return change


def put(name, value):
    def change(file):
        if name in file:
            del file[name]
        file[name] = value

    return change


def vast(file):
    del file["layer/1/weight"]
    file.create_dataset("layer/1/weight", (3, 1 << 34), "f4", chunks=(1, 1 << 20), compression="gzip")


BROKEN = {
    "no layers": (drop("layer"), InputError, "layer: is missing"),
    "a gap": (lambda f: f.move("layer/1", "layer/2"), InputError, "holds 0, 2; layers are numbered"),
    "no type": (drop("layer/1/type"), InputError, "layer/1/type: is missing"),
    "pool": (
        put("layer/1/type", b"pool"),
        Unsupported,
        "layer 1: is of type 'pool', which lava-dl 0.6.0 does not load",
    ),
    "a word": (put("layer/1/type", b"danse"), InputError, "layer 1: is of type 'danse'"),
    "an inner average": (put("layer/0/type", b"average"), InputError, "layer 0: is of type 'average'"),
    "no weights": (drop("layer/1/weight"), InputError, "layer/1/weight: is missing"),
    "weights of another shape": (put("layer/1/weight", np.ones((4, 2))), InputError, "layer 1 has 3 neurons"),
    "other inputs": (put("layer/1/weight", np.ones((3, 5))), InputError, "layer 1: takes 5 inputs, 2 come before it"),
    "nan": (put("layer/1/weight", np.full((3, 2), np.nan)), InputError, "weight: holds NaN"),
    "beyond 32 bits": (put("layer/1/weight", np.full((3, 2), 2.0**40)), InputError, "reaches from .* 32 bits are read"),
    "text as weights": (put("layer/1/weight", b"ones"), InputError, "weight: has the type text"),
    "vast weights": (vast, InputError, "declares the size"),
    "a vast input": (put("layer/0/shape", np.array([1 << 20, 1 << 20])), InputError, "cells are read"),
    "a negative shape": (put("layer/0/shape", np.array([-2])), InputError, "positive extents"),
    "a fraction of a decay": (put("layer/1/neuron/iDecay", 10.5), InputError, "iDecay: holds fractions"),
    "a decay out of range": (put("layer/1/neuron/vDecay", 5000), InputError, "voltage_decay is 5000 to 5000"),
    "an odd number of decays": (put("layer/1/neuron/vDecay", np.ones(2)), InputError, "vDecay: has the shape"),
    "a negative delay": (put("layer/1/delay", -1), InputError, "delay: is empty or negative"),
    "delays that fit nothing": (put("layer/1/delay", np.arange(7)), InputError, "holds 7 delays for weights"),
    "a bias that fits nothing": (put("layer/1/bias", np.arange(7)), InputError, "bias: has the shape"),
    "a bias beyond 16 bits": (put("layer/1/bias", np.full(3, 40000)), InputError, "bias is 40000"),
    "adaptive neurons": (put("layer/1/neuron/type", b"ALIF"), Unsupported, "is 'ALIF', which lava-dl"),
    "resonators without imaginary weights": (
        put("layer/1/neuron/type", b"RF"),
        Unsupported,
        "layer 1: has RF neurons and real weights alone",
    ),
    "a second input": (put("layer/1/type", b"input"), Unsupported, "layer 1: is an input behind another"),
    "a convolution of a vector": (put("layer/1/type", b"conv"), InputError, "layer 1: is a convolution of"),
    "an external link": (
        put("layer/1/weight", h5py.ExternalLink("other.h5", "x")),
        InputError,
        "weight: is an external link",
    ),
    "a loop of links": (put("layer/1/neuron", h5py.SoftLink("/layer")), InputError, "neuron: is a soft link"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_end_in_one_clear_error(case, tmp_path):
    path = files.write(tmp_path / "a.net", files.source(2), files.dense(ONES))
    change, error, words = BROKEN[case]
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(error, match=words):
        read_net(path)


def test_every_truncation_is_an_input_error(tmp_path):
    whole = files.write(tmp_path / "a.net", files.source(2), files.dense(ONES)).read_bytes()
    for length in range(0, len(whole), 97):
        (tmp_path / "b.net").write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_net(tmp_path / "b.net")


def test_single_damaged_bytes_never_end_in_another_error(tmp_path):
    whole = files.write(tmp_path / "a.net", files.source(2), files.dense(ONES, bias=[1, 2, 3])).read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for place in rng.integers(0, len(whole), 150):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "b.net").write_bytes(bytes(damaged))
        try:
            read_net(tmp_path / "b.net")
        except InputError:
            refused += 1
    assert refused > 5
