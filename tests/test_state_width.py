"""Registers of fewer than 24 bits: wrapped and held where their own range ends, on every backend alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurodeploy.comparison import compare
from neurodeploy.errors import InputError, Unsupported
from neurodeploy.export.netx import write_net
from neurodeploy.netfile import read_network, write_network
from neurodeploy.network import Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif
from neurodeploy.nirfile import read_metadata
from neurodeploy.quantization import quantize
from neurodeploy.session import Session
from neurodeploy.simulation import simulate
from neurodeploy.state_width import narrow_populations, outside, run_narrow, widened, with_state_bits
from neurodeploy.targets.chip import load_chip
from tests.emulator.test_events import as_events
from tests.random_networks import random_network
from tests.test_quantization import chain, lif, spikes

EVERYTHING = ("s", "u", "v")


def one(weight, bits=16, **neuron):
    """Return a neuron that hears one port through a weight, and forgets nothing but what is said."""
    values = {"threshold": 500, "current_decay": 4096, "voltage_decay": 0, "state_bits": bits, **neuron}
    population = Population("n", (1,), Lif(**values), 1)
    projection = Projection("p", "in", "n", Dense(np.array([[weight]])))
    return Network((Port("in", (1,)),), (population,), (projection,), ("n",))


def narrow(seed, bits=16):
    """Return a random network whose thresholds such registers reach."""
    network = random_network(seed)
    most = (1 << (bits - 1 - 6)) - 1
    populations = (
        replace(p, neuron=replace(p.neuron, threshold=np.minimum(p.neuron.threshold, most)))
        for p in network.populations
    )
    return with_state_bits(replace(network, populations=tuple(populations)), bits)


def given(network, samples=6, density=0.4):
    return spikes(samples, 9, *network.ports[0].shape, seed=1, density=density)


def test_registers_end_where_they_say():
    # 64 * 300 = 19,200 a step: the second step would bring 38,400 > 2^15 - 1
    x = np.ones((1, 3, 1), np.uint8)
    held = simulate(one(300, spiking=False, threshold=0), x, "golden", EVERYTHING)
    assert held.v["n"].ravel().tolist() == [19_200, 32_767, 32_767]
    assert (held.wraps["n"], held.clips["n"]) == (0, 2)
    wrapped = simulate(one(300, current_decay=0, threshold=511), x, "golden", EVERYTHING)
    assert wrapped.u["n"].ravel().tolist() == [19_200, 38_400 - 65_536, 19_200 - 27_136]
    assert wrapped.wraps["n"] == 1
    wide = simulate(one(300, 24, spiking=False, threshold=0), x, "golden", EVERYTHING)
    assert wide.v["n"].ravel().tolist() == [19_200, 38_400, 57_600]


def test_every_backend_wraps_and_holds_alike():
    left = 0
    for seed in range(4):
        network = narrow(seed)
        x = given(network)
        golden = simulate(network, x, "golden", EVERYTHING)
        left += sum(golden.wraps.values()) + sum(golden.clips.values()) > 0
        for backend in ("emulator", "onnx"):
            assert compare(golden, simulate(network, x, backend, EVERYTHING)).equal, (seed, backend)
        emulated = simulate(network, x)
        assert (dict(emulated.wraps), dict(emulated.clips)) == (golden.wraps, golden.clips)
        assert not emulated.u
    assert left >= 2


def test_samples_that_stay_inside_are_left_to_the_kernels(monkeypatch):
    network = one(200, voltage_decay=256, threshold=480)
    x = np.zeros((6, 8, 1), np.uint8)
    x[:, :2] = 1
    x[3] = 2
    monkeypatch.setattr("neurodeploy.state_width._CELLS", 8)  # a sample at a time
    run = simulate(network, x, record=EVERYTHING)
    assert run.backend == "emulator and golden"
    assert compare(simulate(network, x, "golden", EVERYTHING), run).equal
    assert compare(run, simulate(network, as_events(x), record=EVERYTHING)).equal
    calm = np.minimum(x, 1)[:2]
    assert simulate(network, calm).backend == "emulator"


def test_bounds_spare_the_second_look():
    network, seen = one(10), []

    def runner(run, values, record):
        seen.append((run.populations[0].neuron.state_bits, record))
        return simulate(run, values, record=record)

    x = np.ones((2, 5, 1), np.uint8)  # 5 steps of 640 do not reach 2^15
    run_narrow(network, {"in": x}, ("s",), runner, None)
    assert seen == [(24, ("s",))]
    once = np.zeros((2, 50, 1), np.uint8)
    once[:, 0] = 2  # 50 such steps would fill the register
    run_narrow(network, {"in": once}, ("s",), runner, None)
    assert seen[1] == (24, ("s", "u", "v"))


def test_a_backend_that_stands_for_itself_says_what_left():
    network, x = one(300, threshold=511, spiking=True), np.ones((2, 3, 1), np.uint8)

    def runner(run, values, record):
        return replace(simulate(run, values, record=record), backend="other")

    with pytest.raises(Unsupported, match=r"population 'n': 0 values of u and 2 of v are beyond its 16 bits, other"):
        run_narrow(network, {"in": x}, ("s",), runner, None)


def test_a_session_goes_on_as_one_run():
    network = narrow(2)
    x = given(network, 2)
    whole = simulate(network, x, "golden", EVERYTHING)
    with Session(network, 2, record=EVERYTHING) as session:
        parts = [session.run(x[:, :4]), session.run(x[:, 4:])]
    for name in whole.v:
        assert np.array_equal(np.concatenate([part.v[name] for part in parts], axis=1), whole.v[name])


def test_scheduled_resets_are_the_golden_models():
    network = replace(narrow(1), reset_interval=4)
    x = given(network)
    assert compare(simulate(network, x, "golden", EVERYTHING), simulate(network, x, record=EVERYTHING)).equal


def test_a_file_keeps_the_width(tmp_path):
    network = narrow(3)
    write_network(network, tmp_path / "narrow.nir")
    back = read_network(tmp_path / "narrow.nir")
    assert list(narrow_populations(back).values()) == [16, 16, 16]
    assert '"format": 3' in read_metadata(tmp_path / "narrow.nir")["neurodeploy_network"]
    write_network(widened(network), tmp_path / "wide.nir")
    assert '"format": 2' in read_metadata(tmp_path / "wide.nir")["neurodeploy_network"]
    with pytest.raises(Unsupported, match="has registers of 16 bits, netx neurons have none"):
        write_net(one(3), tmp_path / "narrow.net")


def test_a_threshold_out_of_reach_is_refused():
    with pytest.raises(InputError, match=r"threshold 512 is beyond a membrane of 16 bits"):
        simulate(one(1, threshold=512), np.ones((1, 1, 1), np.uint8))
    with pytest.raises(InputError, match=r"state_bits is 7 to 7, allowed are 8 to 24"):
        simulate(one(1, bits=7, threshold=0), np.ones((1, 1, 1), np.uint8))


def test_a_chip_gives_its_width_to_the_network():
    rng = np.random.default_rng(3)
    graph = chain(lif((6,), alpha=1.0 - 1e-9, threshold=6.0), rng.normal(0.2, 0.6, (6, 40)))
    chip, x = load_chip("dynapcnn"), spikes(6, 30, 40, density=0.5)
    for calibration in (None, x):
        network = quantize(graph, chip, calibration)
        assert list(narrow_populations(network).values()) == [16]
    # Real samples stay inside; one in which everything fires at once does not, and its clips are told.
    assert sum(simulate(network, x).clips.values()) == 0
    loud = simulate(network, np.full_like(x, 9), record=EVERYTHING)
    assert loud.clips["n"] > 0
    assert outside(simulate(widened(network), np.full_like(x, 9), record=EVERYTHING), network.populations[0], 16)[1] > 0
    assert np.abs(loud.v["n"]).max() < 1 << 15
