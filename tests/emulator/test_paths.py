"""Every way the kernel has to one sum, held against the golden model on networks that are made to take it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from neurodeploy.comparison import compare
from neurodeploy.network import Connection, Convolution, Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif
from neurodeploy.simulation import simulate
from neurodeploy.targets.emulator import columns, workers
from neurodeploy.targets.emulator import run as emulator
from neurodeploy.targets.emulator.packing import pack, padded
from neurodeploy.targets.emulator.run import compiled
from neurodeploy.targets.emulator.turns import turns

EVERYTHING = ("s", "u", "v")


def chain(shape: tuple[int, ...], *connections: Connection, lif: Lif | None = None) -> Network:
    """Return a network of one population after another."""
    populations, projections, source, port = [], [], "in", Port("in", shape)
    for i, connection in enumerate(connections):
        shape = connection.output_shape(shape) if isinstance(connection, Convolution) else (len(connection.weight),)
        populations.append(Population(str(i), shape, lif or Lif(400, 1025, 512), i + 1))
        projections.append(Projection(f"p{i}", source, str(i), connection))
        source = str(i)
    return Network((port,), tuple(populations), tuple(projections), (source,))


def held_against_golden(network: Network, density: float, steps: int = 20, payload: int = 1, seed: int = 0) -> None:
    """Run both on random input; all of s, u, v, wraps and clips are equal, and there are spikes."""
    rng = np.random.default_rng(seed)
    shape = network.ports[0].shape
    spikes = (rng.random((2, steps, *shape)) < density) * rng.integers(1, payload + 1, (2, steps, *shape))
    golden, fast = (simulate(network, spikes.astype(np.int32), b, EVERYTHING) for b in ("golden", "emulator"))
    assert compare(golden, fast).equal, compare(golden, fast).summary()
    assert (golden.wraps, golden.clips) == (fast.wraps, fast.clips)
    assert all(s.any() for s in golden.spikes.values())


def weights(*shape: int, low: int = -60, high: int = 64, scale: int = 2) -> np.ndarray:
    """Return even random weights."""
    return np.random.default_rng(sum(shape)).integers(low, high, shape) * scale


#: Channels that fill words of 64 flags, divide them, and do neither; a row of more cells than a block, and of fewer.
GEOMETRIES = [
    Convolution(weights(16, 2, 3, 3), (2, 2), (1, 1)),
    Convolution(weights(32, 2, 5, 5), (2, 2), (1, 1)),
    Convolution(weights(64, 2, 3, 3), (1, 1), (1, 1)),
    Convolution(weights(130, 2, 3, 2), (1, 2), (0, 1)),
    Convolution(weights(7, 2, 3, 3), (3, 2), (2, 0)),
    Convolution(weights(8, 2, 2, 4), (1, 1), (0, 3)),
    Convolution(weights(6, 2, 3, 3), (1, 1), (2, 2), (2, 2)),
    Convolution(weights(6, 2, 3, 3), (2, 3), (3, 4), (1, 2)),
    Convolution(weights(6, 2, 2, 3), (1, 3), (1, 6), (1, 6)),
    Convolution(weights(6, 1, 3, 3), (2, 2), (1, 1), groups=2),
    Convolution(weights(34, 1, 3, 3), (1, 1), (1, 1), (1, 2), groups=2),
    Convolution(weights(5, 2, 1, 1)),
]


@pytest.mark.parametrize("density", [0.02, 0.9], ids=["few", "many"])
@pytest.mark.parametrize("first", GEOMETRIES, ids=lambda c: f"{c.weight.shape}-{c.stride}-{c.dilation}-{c.groups}")
def test_convolutions_scattered_and_gathered(first, density):
    middle = first.output_shape((2, 12, 13))
    second = Convolution(weights(9, middle[0], 3, 3), (1, 1), (1, 1))
    network = chain(
        (2, 12, 13), first, second, Dense(weights(6, 9 * middle[1] * middle[2], low=-3)), lif=Lif(60, 900, 300)
    )
    held_against_golden(network, density)


@pytest.mark.parametrize("scale", [1, 2, 255, 40000], ids=["odd", "even", "nine bits", "wide"])
def test_weights_of_every_width(scale):
    lif = Lif(min(400 * scale, 100_000), 2000, 900)
    first = Convolution(weights(16, 2, 3, 3, low=-30, high=60, scale=scale), (1, 1), (1, 1))
    second = Convolution(weights(4, 16, 3, 3, low=-3, high=9, scale=scale), (2, 2), (1, 1))
    last = Dense(weights(5, 4 * 36, low=-3, high=9, scale=scale))
    held_against_golden(chain((2, 12, 12), first, second, last, lif=lif), 0.5, steps=12)


@pytest.mark.parametrize("density", [0.01, 0.3, 1.0], ids=["few", "many", "all"])
@pytest.mark.parametrize("exponents", [(0,), (0, 2), (-1, 0)], ids=str)
@pytest.mark.parametrize("channels", [5, 32, 144])
def test_convolutions_whose_sums_take_more_than_sixteen_bits(channels, exponents, density):
    """Of maps of a line and of several lines a piece, alone and beside another at another scale."""
    kernels = [Convolution(weights(channels, 130, 3, 3, low=-60 * (i % 2), high=64), (1, 2), (1, 1)) for i in range(2)]
    lif = Lif(3000, 900, 300)
    paths = tuple(
        Projection(f"p{i}", "in", "out", kernel, weight_exponent=exponent)
        for i, (kernel, exponent) in enumerate(zip(kernels, exponents, strict=False))
    )
    network = Network((Port("in", (130, 6, 6)),), (Population("out", (channels, 6, 3), lif, 1),), paths, ("out",))
    table = compiled(network).tables.projections
    assert table[0, columns.MASS] > columns.SHORT
    assert table[0, columns.TAPS] >= 0
    held_against_golden(network, density, steps=9)


def test_payloads_other_than_one():
    first = Convolution(weights(16, 2, 3, 3), (1, 1), (1, 1))
    held_against_golden(chain((2, 9, 9), first, Dense(weights(20, 16 * 81, low=-5, high=6))), 0.3, payload=9)


def test_more_events_than_sixteen_bits_can_sum():
    """All of 3000 sources fire, every step, with the largest weights: sums far beyond 16 bits, in both signs."""
    weight = np.full((40, 3000), 254)
    weight[::2] = -256
    held_against_golden(chain((3000,), Dense(weight), lif=Lif(100_000, 4096, 4096)), 1.0, steps=3)


def test_neurons_that_wrap_and_saturate_beside_ones_that_cannot():
    """Strong input first, silence after: the bound on what can happen has to rise and to fall again."""
    network = chain((200,), Dense(weights(50, 200, low=-80, high=128)), lif=Lif(90_000, 1, 0))
    spikes = np.zeros((1, 60, 200), dtype=np.uint8)
    spikes[:, 10:30] = 1
    golden, fast = (simulate(network, spikes, b, EVERYTHING) for b in ("golden", "emulator"))
    assert compare(golden, fast).equal
    assert golden.clips["0"] == fast.clips["0"] > 0
    assert golden.wraps["0"] == fast.wraps["0"] > 0


def test_loops_over_several_populations_run_step_by_step():
    rng = np.random.default_rng(3)
    names = ("a", "b", "c", "d")
    populations = tuple(Population(name, (12,), Lif(300, 1500, 700)) for name in names)
    arrows = [("in", "a"), ("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "d")]
    projections = tuple(
        Projection(f"{s}{t}", s, t, Dense(rng.integers(-40, 60, (12, 12)) * 2), delay=i)
        for i, (s, t) in enumerate(arrows)
    )
    network = Network((Port("in", (12,)),), populations, projections, ("d",))
    held_against_golden(network, 0.5, steps=50)
    assert [tuple(row[-2:]) for row in compiled(network).tables.populations] == [(2, 1), (2, 1), (3, 0), (4, 1)]


@pytest.mark.parametrize("threads", [2, 3, 7])
@pytest.mark.parametrize("steps", [3, 8, 61])
def test_one_sample_on_several_threads(monkeypatch, threads, steps):
    monkeypatch.setattr(emulator, "threads", lambda: threads)
    monkeypatch.setattr(workers, "STAGED", 0)
    first = Convolution(weights(16, 2, 3, 3), (2, 2), (1, 1))
    second = Convolution(weights(8, 16, 3, 3, low=-10), (1, 1), (1, 1))
    network = chain((2, 12, 12), first, second, Dense(weights(30, 8 * 36, low=-20)), Dense(weights(5, 30, low=-20)))
    spikes = (np.random.default_rng(0).random((1, steps, 2, 12, 12)) < 0.2).astype(np.uint8)
    golden, fast = (simulate(network, spikes, b, EVERYTHING) for b in ("golden", "emulator"))
    assert compare(golden, fast).equal, compare(golden, fast).summary()
    assert (golden.wraps, golden.clips) == (fast.wraps, fast.clips)


def test_turns_follow_skips_and_loops():
    """The ports go first; a loop is one group; nobody is two chunks ahead of any that reads from it."""
    names = ("a", "b", "c", "d")
    arrows = [("in", "a"), ("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("a", "d")]
    one = Dense(np.ones((1, 1), np.int32))
    populations = tuple(Population(name, (1,), Lif(1, 0, 0), i) for i, name in enumerate(names))
    projections = tuple(Projection(f"{s}{t}", s, t, one, delay=2) for s, t in arrows)
    found = turns(compiled(Network((Port("in", (1,)),), populations, projections, ("d",))).tables)
    assert found.groups.tolist() == [[0, 0], [0, 1], [1, 3], [3, 4]]
    rules = [found.waits[a:b].tolist() for a, b in itertools.pairwise(found.first)]
    assert rules == [[[1, -1]], [[0, 1], [2, -1], [3, -1]], [[1, 1], [3, -1]], [[1, 1], [2, 1]]]


@pytest.mark.parametrize("cells", [1, 10, 16, 40, 64, 128, 200, 400])
def test_packed_rows_hold_both_halves_of_every_block(cells):
    rows = np.random.default_rng(cells).integers(-128, 128, (5, cells)).astype(np.int32)
    words = pack(rows)
    assert words.size == 5 * padded(cells) // 2
    high, low = words >> 8, (words & 255) - 128
    assert high.sum() + low.sum() == rows.sum()
