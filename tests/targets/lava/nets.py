"""Small networks that the tests of Lava share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.network import Convolution, Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif


def lif(threshold, current_decay, voltage_decay, bias=0, exponent=0) -> Lif:
    arrays = (np.asarray(values) for values in (threshold, current_decay, voltage_decay, bias))
    return Lif(*arrays, exponent)


def weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return weights over the whole range that Lava's Dense holds, odd ones and both extremes among them."""
    values = rng.integers(-256, 256, shape)
    values.flat[:2] = -256, 255
    return values


def one_layer(**projection) -> Network:
    """Return four inputs on three neurons."""
    rng = np.random.default_rng(0)
    return Network(
        (Port("input", (4,)),),
        (Population("layer", (3,), lif(10, 2000, 400), 1),),
        (Projection("synapses", "input", "layer", Dense(weights(rng, 3, 4)), **projection),),
        ("layer",),
    )


def dense_chain() -> Network:
    """Return three layers, a parameter each neuron, with biases that fire before any input arrives."""
    rng = np.random.default_rng(1)
    decays = rng.integers(0, 4097, (2, 32))
    return Network(
        (Port("input", (20,)),),
        (
            Population("a", (32,), lif(rng.integers(100, 900, 32), *decays, rng.integers(-3000, 3000, 32), 2), 1),
            Population("b", (10,), lif(300, 1000, 200, rng.integers(-3000, 3000, 10), -3), 2),
            Population("c", (6,), lif(40, 0, 0, 700), 3),
        ),
        (
            Projection("p", "input", "a", Dense(weights(rng, 32, 20))),
            Projection("q", "a", "b", Dense(weights(rng, 10, 32)), weight_exponent=1),
            Projection("r", "b", "c", Dense(weights(rng, 6, 10)), weight_exponent=-2),
        ),
        ("c",),
    )


def convolutions() -> Network:
    """Return convolutions with stride, padding, dilation and groups on a non-square image, then a dense layer."""
    rng = np.random.default_rng(2)
    first = Convolution(weights(rng, 6, 2, 3, 5), (2, 2), (0, 1))
    second = Convolution(weights(rng, 8, 3, 2, 2), (1, 2), (1, 0), (2, 1), 2)
    shape = first.output_shape((2, 9, 12))
    shape2 = second.output_shape(shape)
    per_neuron = lif(rng.integers(50, 400, (6, 1, 1)), 4096, 1024, rng.integers(-30, 30, shape), 6)
    return Network(
        (Port("input", (2, 9, 12)),),
        (
            Population("c", shape, per_neuron, 1),
            Population("d", shape2, lif(100, 2000, 300), 2),
            Population("e", (5,), lif(300, 4096, 0), 3),
        ),
        (
            Projection("p", "input", "c", first),
            Projection("q", "c", "d", second, weight_exponent=1),
            Projection("r", "d", "e", Dense(weights(rng, 5, int(np.prod(shape2))))),
        ),
        ("e",),
    )


def loops_and_delays() -> Network:
    """Return a layer that feeds itself a step late, a delayed convolution, and a skip past both."""
    rng = np.random.default_rng(3)
    return Network(
        (Port("input", (1, 4, 3)),),
        (
            Population("r", (12,), lif(400, 2000, 400, rng.integers(-50, 50, 12)), 1),
            Population("m", (2, 4, 3), lif(200, 4096, 400), 2),
            Population("o", (3, 3, 3), lif(300, 500, 400), 5),
        ),
        (
            Projection("in", "input", "r", Dense(weights(rng, 12, 12))),
            Projection("loop", "r", "r", Dense(weights(rng, 12, 12)), delay=1),
            Projection("across", "r", "m", Dense(weights(rng, 24, 12))),
            Projection("late", "m", "o", Convolution(weights(rng, 3, 2, 2, 1)), delay=2),
            Projection("skip", "input", "o", Dense(weights(rng, 27, 12)), 1, delay=5),
        ),
        ("o",),
    )


def islands() -> Network:
    """Return two networks in one that no projection joins, one of them driven by its bias alone."""
    rng = np.random.default_rng(4)
    return Network(
        (Port("input", (5,)), Port("unused", (2,))),
        (Population("fed", (4,), lif(60, 300, 30), 1), Population("free", (3,), lif(50, 0, 7, [900, 40, -5]))),
        (Projection("p", "input", "fed", Dense(weights(rng, 4, 5))),),
        ("fed", "free"),
    )


def spikes(network: Network, samples: int = 3, steps: int = 12, density: float = 0.3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {p.name: (rng.random((samples, steps, *p.shape)) < density).astype(np.uint8) for p in network.ports}


def replace_shape(network: Network, source: tuple[int, ...], target: tuple[int, ...], connection) -> Network:
    """Return a one-layer network with other shapes and another connection between them."""
    layer = replace(network.populations[0], shape=target)
    synapses = replace(network.projections[0], connection=connection)
    return replace(network, ports=(Port("input", source),), populations=(layer,), projections=(synapses,))
