"""Small networks that between them reach every kernel, neuron model and timing of the ONNX graphs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.network import Connection, Convolution, Dense, Network, Population, Port, Projection, Sparse
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta
from tests.random_networks import random_network


def layer(neuron: Neuron, connection: Connection, source=(6,), target=(5,), **projection) -> Network:
    """Return one port, one projection, one population."""
    return Network(
        (Port("input", source),),
        (Population("layer", target, neuron, 1),),
        (Projection("synapses", "input", "layer", connection, **projection),),
        ("layer",),
    )


def dense(seed: int, scale: int = 1, shape=(5, 6)) -> Dense:
    """Return odd weights, times ``scale``."""
    return Dense(np.random.default_rng(seed).integers(-60, 60, shape) * 2 * scale + scale)


def pair(first: Neuron, second: Neuron) -> Network:
    """Return a population that sends its payloads, and perhaps itself a step late, to another."""
    populations = (Population("first", (4,), first, 1), Population("second", (3,), second, 2))
    projections = (
        Projection("in", "input", "first", Dense(np.random.default_rng(3).integers(-9, 10, (4, 6)))),
        Projection("on", "first", "second", Dense(np.random.default_rng(4).integers(-9, 10, (3, 4)))),
        Projection("loop", "second", "first", Dense(np.random.default_rng(5).integers(-3, 4, (4, 3))), delay=2),
    )
    return Network((Port("input", (6,)),), populations, projections, ("second",))


def resonators(kind: str) -> Network:
    """Return resonators with a projection onto either part."""
    neuron = Resonator(300, [700, -900, 3000, 4000, 0], [3900, 3000, -2000, 100, 4096], kind=kind, state_exponent=3)
    network = layer(neuron, dense(6))
    other = Projection("turned", "input", "layer", dense(7), delay=1, imaginary=True)
    return replace(network, projections=(*network.projections, other))


def scheduled() -> Network:
    """Return populations that are cleared every five steps, one after the other."""
    return replace(random_network(5), reset_interval=5, reset_offset=1)


def empty() -> Network:
    """Return populations that nothing reaches, whose bias drives them."""
    populations = (
        Population("free", (2, 1, 3), Lif(40, 4096, 7, bias=[900, 4, -5], bias_exponent=1)),
        Population("encoder", (2,), SigmaDelta(3, stage="delta")),
        Population("fed", (3,), Lif(2, 100, 0), 1),
    )
    onto = (Projection("p", "input", "fed", dense(8, shape=(3, 2))),)
    return Network((Port("input", (2,)), Port("unused", (3,))), populations, onto, ("free", "fed"))


def convolution(scale: int) -> Network:
    """Return a grouped, dilated, strided convolution whose weights need ``scale`` times more room."""
    weight = np.random.default_rng(9).integers(-100, 101, (4, 2, 3, 2)) * scale
    connection = Convolution(weight, (2, 1), (1, 2), (1, 2), 2)
    shape = connection.output_shape((4, 7, 6))
    return layer(Lif(3 * scale, 900, 40, bias=5), connection, (4, 7, 6), shape)


def sparse(out: int, into: int, weights: int) -> Network:
    """Return sparse synapses, some rows without any."""
    rng = np.random.default_rng(10)
    matrix = np.zeros((out, into), dtype=np.int64)
    matrix[rng.integers(0, out // 2, weights), rng.integers(0, into, weights)] = rng.integers(-300, 301, weights)
    return layer(Lif(30, 900, 40), Sparse.from_dense(matrix), (into,), (out,))


REFRACTORY = Lif(90, 300, 60, refractory=2, bias=[0, 9, 99, -9, 999])
TERNARY = Lif(60, 4096, 100, lower_threshold=[-70, -7, 0, 60, 9], reset="subtract", refractory=1)
INTEGRATOR = Lif(0, 1000, 2, spiking=False)

NETWORKS = {
    "byte weights": lambda: layer(Lif(300, 700, 90), dense(0)),
    "wide weights": lambda: layer(Lif(300, 700, 90), dense(0, 300)),
    "weights beyond float32": lambda: layer(Lif(30000, 4096, 90), dense(0, 45001)),
    "exponents that floor": lambda: layer(Lif(3, 700, 90), dense(1), weight_exponent=-5),
    "exponents that raise": lambda: layer(Lif(30000, 0, 90), dense(2), weight_exponent=9),
    "refractory": lambda: layer(REFRACTORY, dense(2)),
    "ternary, subtract": lambda: layer(TERNARY, dense(2)),
    "integrator": lambda: layer(INTEGRATOR, dense(3)),
    "ternary payloads": lambda: pair(Lif(9, 90, 90, lower_threshold=-9), Lif(9, 90, 90, reset="subtract")),
    "bursts": lambda: pair(Lif(40, 4096, 60, reset="burst", lowest=-40), Lif(900, 90, 90, reset="burst", refractory=1)),
    "sigma-delta": lambda: pair(
        SigmaDelta(4, bias=3, spike_exponent=1, state_exponent=3), SigmaDelta(0, stage="sigma")
    ),
    "encoder": lambda: pair(SigmaDelta(9, stage="delta", cumulative_error=True), SigmaDelta(7, cumulative_error=True)),
    "registers that wrap": lambda: layer(SigmaDelta(1, activation="unit", spike_exponent=24), dense(3)),
    "phase": lambda: resonators("phase"),
    "izhikevich": lambda: resonators("izhikevich"),
    "resets on a schedule": scheduled,
    "nothing arrives": empty,
    "convolution": lambda: convolution(1),
    "convolution beyond float32": lambda: convolution(39999),
    "sparse": lambda: sparse(8, 6, 20),
    "sparse rows": lambda: sparse(3000, 1500, 300),
}
