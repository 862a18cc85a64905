"""Networks that a netx file can hold, each with something the format makes difficult."""

from __future__ import annotations

import numpy as np

from neurodeploy.network import Connection, Convolution, Dense, Network, Population, Port, Projection, Sparse
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta


def lif(threshold=300, current_decay=1024, voltage_decay=512, bias=0, exponent=6, **more) -> Lif:
    arrays = (np.asarray(values) for values in (threshold, current_decay, voltage_decay, bias))
    return Lif(*arrays, exponent, **more)


def even(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(-120, 120, shape) * 2


def chain(port: tuple[int, ...], *steps: tuple[tuple[int, ...], Neuron, Connection], late: bool = True) -> Network:
    """Return a network of layers that follow one another, in input time where ``late``."""
    populations = tuple(Population(f"p{i}", shape, cell, (i + 1) * late) for i, (shape, cell, _) in enumerate(steps))
    sources = ["input", *(p.name for p in populations)]
    projections = tuple(
        Projection(f"s{i}", sources[i], sources[i + 1], connection) for i, (_, _, connection) in enumerate(steps)
    )
    return Network((Port("input", port),), populations, projections, (populations[-1].name,))


def convolutions() -> Network:
    """A parameter a channel, others a cell, groups, dilation; then dense cells read in torch's order."""
    rng = np.random.default_rng(1)
    first = Convolution(even(rng, 4, 2, 3, 2), (2, 1), (0, 1))
    shape = first.output_shape((2, 9, 7))
    second = Convolution(even(rng, 6, 2, 2, 1), dilation=(2, 1), groups=2)
    shape2 = second.output_shape(shape)
    channel = rng.integers(0, 4097, (4, 1, 1))
    cells = lif(rng.integers(200, 600, (4, 1, 1)), channel, rng.integers(0, 4097, shape), rng.integers(-40, 60, shape))
    return chain(
        (2, 9, 7),
        (shape, cells, first),
        (shape2, lif(500, 4096, 300, rng.integers(-20, 20, (6, 1, 1)), 7), second),
        ((5,), lif(400, 300, 0), Dense(even(rng, 5, int(np.prod(shape2))))),
    )


def recurrent_with_silent_end() -> Network:
    """A layer that feeds itself, then one that only integrates."""
    rng = np.random.default_rng(2)
    network = chain(
        (6,),
        ((7,), lif(rng.integers(300, 700, 7), 2000, 400), Dense(even(rng, 7, 6))),
        ((3,), lif(131071, 4096, 100, spiking=False), Dense(even(rng, 3, 7))),
    )
    loop = Projection("loop", "p0", "p0", Dense(even(rng, 7, 7)))
    return Network(network.ports, network.populations, (*network.projections, loop), network.outputs)


def delayed() -> Network:
    """A delay a synapse, on one layer by rows, on the next at random."""
    rng = np.random.default_rng(3)
    first, second = even(rng, 6, 5), even(rng, 4, 6)
    rows = np.repeat(rng.integers(0, 63, (6, 1)), 5, axis=1)
    places = rng.integers(0, 9, (4, 6))
    base = chain((5,), ((6,), lif(), Dense(first)), ((4,), lif(200), Dense(second)), late=False)
    projections = tuple(
        Projection(f"{end}{d}", begin, end, Sparse.from_dense(np.where(delay == d, weight, 0)), delay=int(d))
        for begin, end, weight, delay in (("input", "p0", first, rows), ("p0", "p1", second, places))
        for d in np.unique(delay[weight != 0])
    )
    return Network(base.ports, base.populations, projections, base.outputs)


def wide() -> Network:
    """Weights beyond eight bits, and a matrix that the loader spoils, behind dense layers."""
    rng = np.random.default_rng(4)
    network = chain(
        (6,),
        ((5,), lif(300), Dense(even(rng, 5, 6))),
        ((7,), lif(500), Dense(even(rng, 7, 5))),
        ((4,), lif(5000, 4096, 0, 900), Dense(np.where(rng.random((4, 7)) < 0.3, -128, -2) * (np.arange(7) > 0))),
        ((3,), lif(30, 1000, 50), Dense(even(rng, 3, 4))),
    )
    projections = tuple(
        Projection(p.name, p.source, p.target, p.connection, weight_exponent=2 * (p.name == "s1"))
        for p in network.projections
    )
    return Network(network.ports, network.populations, projections, network.outputs)


def sigma_delta() -> Network:
    """An encoder that the host drives, a convolution, a decoder."""
    rng = np.random.default_rng(5)
    kernel = Convolution(rng.integers(-20, 20, (3, 2, 2, 2)))
    shape = kernel.output_shape((2, 4, 5))
    places = {"spike_exponent": 6, "state_exponent": 6}
    network = chain(
        (2, 4, 5),
        (
            (2, 4, 5),
            SigmaDelta(np.array(2), stage="delta", **places),
            Convolution(np.ones((2, 1, 1, 1), int), groups=2),
        ),
        (shape, SigmaDelta(np.array(7), rng.integers(-9, 9, (3, 1, 1)), **places), kernel),
        ((4,), SigmaDelta(np.array(0), stage="sigma", **places), Dense(even(rng, 4, int(np.prod(shape))))),
        late=False,
    )
    return _driven(network)


def driven() -> Network:
    """Neurons that the host drives through their bias, then a convolution and a dense layer."""
    rng = np.random.default_rng(6)
    kernel = Convolution(even(rng, 3, 2, 2, 2))
    shape = kernel.output_shape((2, 4, 5))
    network = chain(
        (2, 4, 5),
        ((2, 4, 5), lif(40, 4096, 700), Convolution(np.ones((2, 1, 1, 1), int), groups=2)),
        (shape, lif(100, 2000, 300, rng.integers(-9, 9, (3, 1, 1))), kernel),
        ((4,), lif(200), Dense(even(rng, 4, int(np.prod(shape))))),
        late=False,
    )
    return _driven(network)


def _driven(network: Network) -> Network:
    populations = tuple(Population(p.name, p.shape, p.neuron, 1) for p in network.populations)
    return Network(network.ports, populations, network.projections, network.outputs)


def resonators() -> Network:
    """Two layers of resonators, one of each kind."""
    rng = np.random.default_rng(7)
    parts = {name: even(rng, *shape) // 8 * 2 for name, shape in (("a", (6, 5)), ("b", (6, 5)), ("c", (3, 6)))}
    phase = Resonator(np.array(30 << 6), np.array(2103), np.array(3272))
    izhikevich = Resonator(np.array(9 << 6), np.array(3042), np.array(2426), "izhikevich")
    return Network(
        (Port("input", (5,)),),
        (Population("p0", (6,), izhikevich, 1), Population("p1", (3,), phase, 2)),
        (
            Projection("s0", "input", "p0", Dense(parts["a"])),
            Projection("i0", "input", "p0", Dense(parts["b"]), imaginary=True),
            Projection("s1", "p0", "p1", Dense(parts["c"])),
            Projection("i1", "p0", "p1", Dense(-parts["c"]), imaginary=True),
        ),
        ("p1",),
    )


ALL = (convolutions, recurrent_with_silent_end, delayed, wide, sigma_delta, driven, resonators)


def spikes(network: Network, steps: int = 40) -> dict[str, np.ndarray]:
    """Return an input for one sample: spikes, or for a driven layer one image over all steps."""
    rng = np.random.default_rng(8)
    port = network.ports[0]
    if network.lag(network.projections[0]) == 0 and all(p.latency == 1 for p in network.populations):
        image = rng.integers(-20, 60, port.shape)
        return {port.name: np.broadcast_to(image, (1, steps, *port.shape)).copy()}
    return {port.name: (rng.random((1, steps, *port.shape)) < 0.4).astype(np.uint8)}
