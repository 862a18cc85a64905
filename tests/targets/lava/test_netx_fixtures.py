"""The networks and dumps inside the lava-dl wheel: what their files run to here is what the dumps hold, cell by cell.

The arrays of the wheel lie in (width, height, channels, step); :func:`dump` turns them to [step, channels, ...].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurodeploy.export.netx import read_net
from neurodeploy.network import Convolution, Dense, Network, Population, Port, Projection, Sparse
from neurodeploy.neurons import Neuron, Resonator, SigmaDelta
from neurodeploy.recording import Recording
from neurodeploy.simulation import simulate, with_resets
from neurodeploy.targets.lava.environment import Environment
from tests.export.netx import files

QUANTITIES = ("s", "u", "v")
#: Layer -> the name of its dumps; every one was read off a chip.
PILOTNET = {
    **{str(1 + i): f"conv-{i}" for i in range(5)},
    **{str(7 + i): f"fc-{i}" for i in range(3)},
}


@pytest.fixture(scope="module")
def root(lava: Environment) -> Path:
    return next(lava.path.glob("lib/python*/site-packages/tests/lava/lib/dl/netx"))


def dump(path: Path) -> np.ndarray:
    values = np.load(path)
    return values.transpose(*range(values.ndim)[::-1])


def repeated(image: np.ndarray, steps: int) -> np.ndarray:
    return np.broadcast_to(image.astype(int), (1, steps, *image.shape))


def block(
    shape: tuple[int, ...], port: tuple[int, ...], neuron: Neuron, *connections, at_once: bool = False
) -> Network:
    """Return one population; a second connection drives the imaginary part; ``at_once`` without a step between."""
    projections = tuple(
        Projection(f"p{i}", "input", "block", connection, imaginary=bool(i)) for i, connection in enumerate(connections)
    )
    return Network((Port("input", port),), (Population("block", shape, neuron, int(at_once)),), projections, ("block",))


def output(network: Network, spikes: np.ndarray) -> np.ndarray:
    """Return what the block sends, [steps, ...]."""
    return simulate(network, spikes[np.newaxis].astype(int)).output[0]


def test_tinynet_with_its_schedule_of_resets(root):
    network = with_resets(read_net(root / "tiny.net"), 17)
    truth = root / "gts" / "tinynet"
    found = simulate(network, repeated(dump(truth / "input_bias.npy"), 18), record=QUANTITIES)
    tables = {name: np.moveaxis(np.load(truth / f"{name}.npy")[0], -1, 0) for name in ("input", "current", "output")}
    # Each dump starts with an empty step of its own; the output is two hops behind the input.
    np.testing.assert_array_equal(found.spikes["0"][0, :15], tables["input"][1:])
    np.testing.assert_array_equal(found.u["1"][0, :16], 64 * tables["current"])
    np.testing.assert_array_equal(found.spikes["2"][0, 2:17], tables["output"][1:])
    assert tables["output"].sum() == 92


def test_without_resets_tinynet_differs(root):
    found = simulate(read_net(root / "tiny.net"), repeated(dump(root / "gts/tinynet/input_bias.npy"), 18))
    truth = np.moveaxis(np.load(root / "gts/tinynet/output.npy")[0], -1, 0)
    assert (found.spikes["2"][0, 2:17] != truth[1:]).any()


def test_pilotnet_runs_free_as_on_the_chip(root):
    truth = root / "gts" / "pilotnet_lif"
    network = with_resets(read_net(truth / "network.net"), 17)
    found: Recording = simulate(network, repeated(dump(truth / "image.npy"), 24), record=QUANTITIES)
    np.testing.assert_array_equal(found.spikes["0"][0], dump(truth / "input.npy"))
    for layer, name in PILOTNET.items():
        spikes = dump(truth / f"{name}.npy")
        np.testing.assert_array_equal(found.spikes[layer][0], spikes, name)
        np.testing.assert_array_equal(found.u[layer][0], dump(truth / f"{name}-u.npy"), name)
        # The chip writes 128 into a membrane that has just fired.
        np.testing.assert_array_equal(np.where(spikes, 128, found.v[layer][0]), dump(truth / f"{name}-v.npy"), name)
        assert spikes.any()


def test_ntidigits_with_a_delay_a_neuron(root):
    truth = root / "gts" / "ntidigits"
    network = read_net(truth / "ntidigits.net")
    assert len({p.delay for p in network.projections}) > 20
    spikes = dump(truth / "input.npy").astype(np.uint8)
    found = simulate(network, spikes.reshape(1, -1, 1, 1, 64)).output[0]
    expected = dump(truth / "output.npy")
    np.testing.assert_array_equal(found[:-1], expected[1:])
    assert expected.sum() > 20_000


def test_dense_block(root, tmp_path):
    truth = root / "gts" / "dense"
    weight = np.load(truth / "weight.npy") // 2 * 2  # the block is told 8 bits for both signs: its weights are even
    layer = files.dense(weight, cell=files.neuron(6, 4096, 415))
    network = read_net(files.write(tmp_path / "dense.net", files.source(200), layer))
    np.testing.assert_array_equal(output(network, dump(truth / "in.npy")), dump(truth / "out.npy"))


def rotation(period: float) -> tuple[int, int]:
    angle, kept = 2 * np.pi / period, 1 - 0.05
    return int(kept * np.sin(angle) * 4096), int(kept * np.cos(angle) * 4096)


def test_complex_dense_blocks(root):
    truth = root / "gts" / "complex_dense"
    spikes = dump(truth / "in.npy")
    each = Sparse.from_dense(np.eye(200, dtype=int))
    sine, cosine = map(np.array, rotation(7))
    first = Resonator(np.array(int(1.1 * 64)), sine, cosine, "izhikevich")
    network = block((200,), (200,), first, each, each, at_once=True)
    np.testing.assert_array_equal(output(network, spikes), dump(truth / "current.npy"))
    sine, cosine = map(np.array, rotation(11))
    weights = (Dense(np.load(truth / f"weight_{part}.npy").astype(int)) for part in ("r", "img"))
    network = block((256,), (200,), Resonator(np.array(25 * 64), sine, cosine, "phase"), *weights)
    np.testing.assert_array_equal(output(network, spikes), dump(truth / "out.npy"))


def test_sigma_delta_blocks(root):
    truth = root / "gts" / "tinynet_sdnn"
    places = {"spike_exponent": 6, "state_exponent": 6}
    image, phase = dump(truth / "input_bias.npy"), np.arange(15).reshape(-1, 1, 1, 1)
    waves = (image * np.sin(2 * np.pi * phase / 15)).astype(int)
    each = Convolution(np.ones((3, 1, 1, 1), int), groups=3)
    encoder = block((3, 16, 16), (3, 16, 16), SigmaDelta(np.array(20), stage="delta", **places), each, at_once=True)
    np.testing.assert_array_equal(output(encoder, waves), dump(truth / "input.npy"))
    kernel = np.load(truth / "layer1_kernel.npy").transpose(0, 3, 2, 1)[:, :, ::-1, ::-1].astype(int)
    bias = np.load(truth / "layer1_bias.npy").reshape(-1, 1, 1)
    both = block((24, 6, 6), (3, 16, 16), SigmaDelta(np.array(20), bias, **places), Convolution(kernel, (2, 2)))
    # From the third step on the dump is of another input: no threshold fits it, and lava-dl itself compares one step.
    np.testing.assert_array_equal(output(both, dump(truth / "input.npy"))[:2], dump(truth / "layer1.npy")[:2])
    decoder = Dense(np.load(truth / "layer2_weight.npy") // 2 * 2)
    last = block((100,), (864,), SigmaDelta(np.array(0), stage="sigma"), decoder)
    # In the order of the dump, as its weights are; the block was not told of payloads and took each for 1.
    flat = np.load(truth / "layer1.npy").reshape(864, -1).T != 0
    np.testing.assert_array_equal(output(last, flat), dump(truth / "layer2.npy"))


def test_sigma_delta_pilotnet(root):
    truth = root / "gts" / "pilotnet_sdnn"
    network = read_net(truth / "network.net")
    frame = dump(truth / "input.npy")[0]
    found = simulate(network, repeated(frame, 9), record=QUANTITIES)
    np.testing.assert_array_equal(found.output[0], dump(truth / "output.npy"))
    for layer in ("1", "2"):  # the chip's dumps of what its neurons decode
        np.testing.assert_array_equal(found.u[layer][0], dump(truth / f"sigma{layer}.npy")[:9])
