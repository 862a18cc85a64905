"""Convolutions over one axis become those of a chip, and run there: integers, mapping, Lava, netx."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from neurodeploy.comparison import compare
from neurodeploy.export.netx import read_net, write_net
from neurodeploy.graph import Convolution, Flatten, Graph, Input, Linear, Neuron, Output, Pool, frozen_array
from neurodeploy.mapping import map_network
from neurodeploy.passes import lower, two_axes
from neurodeploy.quantization import quantize
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from neurodeploy.targets.lava import Session
from tests.test_quantization import DT, lif, spikes

CHIP = load_chip("loihi2")
EVERYTHING = ("s", "u", "v")


def signal(rng: np.random.Generator) -> Graph:
    """Return two convolutions over time with a pool between, per-neuron thresholds, and a matrix behind them."""
    grid = rng.integers(-127, 127, (6, 2, 3)) * 2 / 508.0
    grid[0, 0, :2] = 254 / 508, -254 / 508
    first = lif((6, 14), alpha=0.75)
    first = replace(first, threshold=frozen_array(np.full((6, 1), 1.0)), r=frozen_array(np.full((6, 14), first.r)))
    nodes = {
        "in": Input((2, 14)),
        "c1": Convolution(grid, None, (1,), ((1, 1),), (1,)),
        "n1": first,
        "pool": Pool("sum", (2,), (2,), (0,)),
        "c2": Convolution(rng.normal(0, 0.4, (4, 3, 2)), rng.normal(0, 0.05, 4), (2,), ((1, 0),), (1,), groups=2),
        "n2": lif((4, 4), alpha=0.5, threshold=0.5),
        "flat": Flatten(0, -1),
        "fc": Linear(rng.normal(0, 0.4, (5, 16)), None),
        "n3": lif((5,), alpha=0.8, threshold=0.2),
        "out": Output((5,)),
    }
    return Graph(nodes, tuple(pairwise(nodes)), DT)


def test_every_spike_stays():
    graph, x = signal(np.random.default_rng(1)), spikes(3, 20, 2, 14)
    after = two_axes(lower(graph))
    assert all(after.nodes[name].weight.ndim == 4 for name in after.of_type(Convolution))
    assert [after.nodes[name].shape for name in ("in", "n1", "n2", "n3")] == [(2, 1, 14), (6, 1, 14), (4, 1, 4), (5,)]
    assert "in, n1, n2: one axis became two" in after.notes[-1]
    front = {name: graph.nodes[name] for name in ("in", "c1", "n1", "pool", "c2", "n2")} | {"out": Output((4, 4))}
    graph = Graph(front, tuple(pairwise(front)), DT)
    before, behind = simulate(graph, x, "float"), simulate(two_axes(lower(graph)), x, "float")
    assert compare(before, behind).equal
    assert compare(behind, before).equal
    assert before.spikes["n2"].any()


def test_a_convolution_of_two_axes_is_left_alone():
    from tests.test_quantization import convolutional

    graph = lower(convolutional(np.random.default_rng(1)))
    assert two_axes(graph) is graph


def test_the_integers_of_weights_on_the_grid_are_the_float_network():
    graph = signal(np.random.default_rng(1))
    alone = {name: graph.nodes[name] for name in ("in", "c1", "n1")} | {"out": Output((6, 14))}
    graph = Graph(alone, tuple(pairwise(alone)), DT)
    x = spikes(3, 20, 2, 14)
    network = quantize(graph, CHIP)
    integer, real = simulate(network, x), simulate(graph, x, "float")
    assert compare(integer, real).equal
    assert integer.spikes["n1"].any()
    assert isinstance(graph.nodes["n1"], Neuron)


@pytest.fixture(scope="module")
def network():
    return quantize(signal(np.random.default_rng(1)), CHIP, spikes(4, 20, 2, 14))


def test_it_maps_and_runs_alike_everywhere(network):
    assert map_network(network, CHIP).fits
    x = {"in": spikes(2, 20, 2, 14).reshape(2, 20, 2, 1, 14)}
    golden, emulator = (simulate(network, x, backend, EVERYTHING) for backend in ("golden", "emulator"))
    assert compare(golden, emulator).equal
    with Session() as session:
        lava = session.run(network, x, EVERYTHING)
    assert compare(golden, lava).equal
    assert all(spikes.any() for spikes in golden.spikes.values())


def test_a_netx_file_holds_it(network, tmp_path):
    write_net(network, tmp_path / "net.net", round_bias=True)
    back = read_net(tmp_path / "net.net")
    shapes = [population.shape for population in back.populations]
    assert shapes[:2] == [(6, 1, 14), (4, 1, 4)]
    # The matrix behind them is written as a convolution that covers its whole source.
    kernels, mine = (
        [p.connection.weight * 2.0**p.weight_exponent for p in net.projections if p.connection.weight.ndim == 4][:2]
        for net in (back, network)
    )
    assert [kernel.shape[2:] for kernel in kernels] == [kernel.shape[2:] for kernel in mine]
    assert all((one / one.max() == other / other.max()).all() for one, other in zip(kernels, mine, strict=True))
