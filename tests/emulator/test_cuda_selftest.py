"""The start-up self-test and the recorded windows of the GPU path, under Triton's interpreter."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from neurodeploy.comparison import compare
from neurodeploy.errors import BackendError
from neurodeploy.simulation import simulate
from neurodeploy.targets.emulator.cuda.device import Device, open_device
from neurodeploy.targets.emulator.cuda.plan import planned
from tests.random_networks import random_network, random_spikes

# The kernels are interpreted if they are first imported under this variable.
with pytest.MonkeyPatch.context() as patch:
    patch.setenv("TRITON_INTERPRET", "1")
    from neurodeploy.targets.emulator.cuda import kernels, run, selftest, session, synapses, update

pytestmark = pytest.mark.usefixtures("interpreter")

#: Cuts launches as for a GPU of few multiprocessors: small tiles, and sums shared by several programs.
SMALL = Device("cpu", "a small GPU, interpreted", 4, False, {})


def test_every_way_is_exact_also_in_the_tiles_of_a_gpu():
    assert selftest.approved(open_device()) == set(selftest.WAYS)
    assert selftest.approved(SMALL) == set(selftest.WAYS)


def test_the_self_test_reaches_beyond_24_bits_and_every_mode():
    sums = [np.abs(c.weight.astype(np.int64) @ x.T) for c, _, x, _ in selftest._cases("matrix")]
    assert max(int(s.max()) for s in sums) > 1 << 24
    assert any((s % 2).any() and s.max() > 1 << 24 for s in sums)
    modes = set()
    with pytest.MonkeyPatch.context() as patch:
        real = kernels.sums

        class Watched:
            def __getitem__(self, grid):
                def launch(*args, MODE, FLAT, **options):
                    modes.add((MODE, FLAT, grid[2] > 1))
                    return real[grid](*args, MODE=MODE, FLAT=FLAT, **options)

                return launch

        patch.setattr(kernels, "sums", Watched())
        assert selftest._holds(selftest._sums_equal, "tiles", SMALL)
    assert {mode for mode, _, _ in modes} == {kernels.STORE, kernels.ADD, kernels.ATOMIC}
    assert {flat for _, flat, _ in modes} == {True, False}


def test_a_way_that_is_not_exact_is_named_and_left_out(monkeypatch):
    real = synapses._tiles

    def in_24_bits(loaded, i, x, out, shifts, **options):
        real(loaded, i, x, out, shifts, **options)
        out.copy_(out.float() * (1 + 2.0**-23))

    monkeypatch.setattr(synapses, "_tiles", in_24_bits)
    device = replace(open_device(), title="a device that rounds")
    with pytest.warns(RuntimeWarning, match="the Triton kernel for sums is not exact here: float64"):
        assert selftest.approved(device) == {"matrix", "double"}
    loaded = synapses.load(planned(random_network(0)).layers[1].synapses[0], device)
    assert synapses.way(loaded, 1, 9, {"matrix", "double"}) == "double"


def test_a_kernel_that_does_not_launch_is_left_out_and_one_for_neurons_refuses_the_device(monkeypatch):
    def fails(*_args, **_options):
        raise RuntimeError("no such instruction")

    device = replace(open_device(), title="a device without neurons")
    monkeypatch.setattr(update, "advance", fails)
    with (
        pytest.warns(RuntimeWarning, match="no such instruction"),
        pytest.raises(BackendError, match="a device without neurons: the neurons' kernel differs"),
    ):
        selftest.approved(device)


def test_models_beyond_the_plain_one_are_checked_where_a_network_has_one(monkeypatch):
    selftest.models_hold(open_device())
    real = update.advance

    def loses_a_wrap(tables, sums, s, states, *others):
        real(tables, sums, s, states, *others)
        states[-2] = 0

    monkeypatch.setattr(update, "advance", loses_a_wrap)
    device = replace(open_device(), title="a device that miscounts")
    with pytest.raises(BackendError, match="a device that miscounts: the kernel of other neuron models differs"):
        selftest.models_hold(device)


class Graph:
    """Stands for a CUDA graph: records the window that is computed under it, and replays it."""

    def __init__(self):
        self.replays = 0
        self.window = None

    def replay(self):
        self.replays += 1
        self.window()


def run_in_windows(monkeypatch, graph):
    """Run three windows as on a GPU that records them with ``graph``; return golden run and ours."""
    network = random_network(2)
    spikes = random_spikes(network, 2, samples=1, steps=12)
    device = replace(SMALL, title="a small GPU with graphs")
    monkeypatch.setattr(run, "open_device", lambda: device)
    monkeypatch.setattr(Device, "free_bytes", lambda _device: 1 << 30)
    monkeypatch.setattr(selftest, "approved", lambda _device: frozenset({"tiles"}))
    monkeypatch.setattr(run, "fit", lambda *_: session.Extent(1, 4, (), True, True))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: graph)
    everything = ("s", "u", "v")
    return simulate(network, spikes, "golden", everything), simulate(network, spikes, record=everything, device="cuda")


def test_a_window_is_computed_once_then_recorded_and_replayed(monkeypatch):
    graph, real, computed = Graph(), session.Session._compute, []

    @contextmanager
    def recording(made):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(session.Session, "_compute", lambda it, n: setattr(made, "window", lambda: real(it, n)))
            yield

    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(session.Session, "_compute", lambda it, n: (computed.append(n), real(it, n))[1])
    golden, cuda = run_in_windows(monkeypatch, graph)
    assert (computed, graph.replays) == ([4], 2)
    assert compare(golden, cuda).equal, compare(golden, cuda).summary()


def test_without_graphs_launches_go_one_by_one(monkeypatch):
    def refuses(_graph):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(torch.cuda, "graph", refuses)
    with pytest.warns(RuntimeWarning, match="launches go one by one: operation not permitted"):
        golden, cuda = run_in_windows(monkeypatch, Graph())
    assert compare(golden, cuda).equal, compare(golden, cuda).summary()


def test_a_projection_of_more_weights_than_the_kernels_count_is_refused(monkeypatch):
    layer = planned(random_network(0)).layers[0]
    monkeypatch.setattr(synapses, "_WEIGHTS", 100)
    with pytest.raises(BackendError, match=r"from \w+ has \d+ weights, the kernels count to 100; run with"):
        synapses.load(layer.synapses[0], open_device())
