"""Random integer networks and inputs that reach the edges of every range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.network import Connection, Convolution, Dense, Network, Population, Port, Projection, Sparse
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta


def random_lif(rng: np.random.Generator, shape: tuple[int, ...], *, per_neuron: bool) -> Lif:
    """Return neurons whose decays, thresholds and biases include the extremes."""
    size = shape if per_neuron else ()
    decays = np.array([0, 1, 7, 1024, 3071, 4095, 4096])
    return Lif(
        threshold=rng.choice([0, 1, 40, 300, 2000, 131071], size),
        current_decay=rng.choice(decays, size),
        voltage_decay=rng.choice(decays, size),
        bias=rng.integers(-4095, 4096, size) * rng.integers(0, 2),
        bias_exponent=int(rng.integers(-2, 8)),
    )


def even(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return even weights in -256..254."""
    return rng.integers(-128, 128, shape) * 2


def random_network(seed: int) -> Network:
    """Return a network of two convolutions, a dense layer with recurrence, and a skip connection."""
    rng = np.random.default_rng(seed)
    groups = int(rng.choice([1, 2]))
    port = Port("input", (2, int(rng.integers(6, 10)), int(rng.integers(7, 12))))
    first = Convolution(
        even(rng, 4, 2 // groups, int(rng.integers(1, 4)), int(rng.integers(1, 4))),
        stride=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        padding=(int(rng.integers(0, 3)), int(rng.integers(0, 3))),
        dilation=(int(rng.integers(1, 3)), int(rng.integers(1, 3))),
        groups=groups,
    )
    shape = first.output_shape(port.shape)
    second = Convolution(even(rng, 3, 4, 2, 1), padding=(1, 0))
    shape2 = second.output_shape(shape)
    exponents = rng.integers(-2, 8, 3)
    extra = int(rng.integers(0, 3))
    populations = (
        Population("a", shape, random_lif(rng, shape, per_neuron=bool(rng.integers(2))), 1),
        Population("b", shape2, random_lif(rng, shape2, per_neuron=bool(rng.integers(2))), 2),
        Population("c", (5,), random_lif(rng, (5,), per_neuron=bool(rng.integers(2))), 3 + extra),
    )
    projections = (
        Projection("p0", "input", "a", first, int(max(exponents[0], 0))),
        Projection("p1", "a", "b", second, int(max(exponents[1], 0))),
        Projection("p2", "b", "c", Dense(even(rng, 5, int(np.prod(shape2)))), int(exponents[2]), extra),
        Projection("skip", "a", "c", Dense(even(rng, 5, int(np.prod(shape)))), 0, 1 + extra),
        Projection("loop", "c", "c", Dense(even(rng, 5, 5)), 1, 0),
    )
    return Network((port,), populations, projections, ("c",))


def random_variant(rng: np.random.Generator, shape: tuple[int, ...]) -> Neuron:
    """Return neurons of any model, at times with parameters of their own."""
    size = shape if rng.integers(2) else ()
    kind = int(rng.integers(7))
    if kind == 0:
        return random_lif(rng, shape, per_neuron=bool(size))
    if kind <= 3:
        plain = random_lif(rng, shape, per_neuron=bool(size))
        lower = -rng.choice([0, 3, 70, 900], size) if rng.integers(2) else None
        reset = str(rng.choice(["zero", "subtract"]))
        if kind == 3 and reset == "subtract":
            return replace(plain, threshold=np.maximum(plain.threshold, 2000), reset="burst", lowest=lower)
        return replace(plain, lower_threshold=lower, reset=reset, refractory=int(rng.choice([0, 1, 3])))
    if kind == 4:
        return replace(random_lif(rng, shape, per_neuron=bool(size)), spiking=False)
    if kind == 5:
        return SigmaDelta(
            threshold=rng.choice([0, 3, 50, 400], size),
            bias=rng.integers(-300, 300, size) * rng.integers(0, 2),
            stage=str(rng.choice(["delta", "sigma", "sigma-delta"])),
            activation=str(rng.choice(["unit", "relu"])),
            cumulative_error=bool(rng.integers(2)),
            spike_exponent=int(rng.choice([0, 2, 6])),
            state_exponent=int(rng.choice([0, 3, 6])),
        )
    bits = int(rng.choice([0, 7, 12]))
    angle, left = rng.uniform(0, 2 * np.pi, size), rng.uniform(0.8, 1.0, size)
    return Resonator(
        threshold=rng.choice([1, 300, 20000], size),
        sine=(left * np.sin(angle) * 2**bits).astype(int),
        cosine=(left * np.cos(angle) * 2**bits).astype(int),
        kind=str(rng.choice(["phase", "izhikevich"])),
        decay_bits=bits,
        state_exponent=int(rng.choice([0, 6])),
    )


def random_sparse(rng: np.random.Generator, out: int, inputs: int) -> Sparse:
    """Return synapses between a third of all pairs, stored zeros and odd weights among them."""
    weight = rng.integers(-128, 128, (out, inputs)) * int(rng.integers(1, 3))
    kept = rng.random((out, inputs)) < 0.3
    sparse = Sparse.from_dense(np.where(kept, np.where(weight == 0, 1, weight), 0))
    return Sparse(sparse.indptr, sparse.indices, np.where(sparse.data == 1, 0, sparse.data), sparse.shape)


def mixed_network(seed: int, *, flat: bool = False) -> Network:
    """Return a network of all models, connections and delays, with two inputs, two outputs and scheduled resets.

    ``flat`` gives the population behind the sparse synapses one axis, as NIR has it behind a matrix.
    """
    rng = np.random.default_rng(seed)
    image, line = (2, int(rng.integers(5, 8)), int(rng.integers(5, 9))), (int(rng.integers(3, 9)),)
    first = Convolution(even(rng, 4, 2, 2, 3), (1, int(rng.integers(1, 3))), (1, 0), (1, int(rng.integers(1, 3))))
    shapes = {
        "image": image,
        "line": line,
        "a": first.output_shape(image),
        "b": (6,),
        "c": (12,) if flat else (2, 3, 2),
    }
    sizes = {name: int(np.prod(shape)) for name, shape in shapes.items()}
    populations = tuple(
        Population(name, shapes[name], random_variant(rng, shapes[name]), latency)
        for name, latency in (("c", 3), ("a", 1), ("b", 2))
    )
    by_name = {p.name: p for p in populations}

    def path(name: str, source: str, target: str, connection: Connection, delay: int = 0) -> Projection:
        exponent = int(rng.integers(-2, 3)) if rng.integers(2) else 0
        imaginary = by_name[target].neuron.inputs == 2 and bool(rng.integers(2))
        return Projection(name, source, target, connection, exponent, delay, imaginary=imaginary)

    def dense(target: str, source: str) -> Dense:
        return Dense(even(rng, sizes[target], sizes[source]))

    projections = (
        path("p0", "image", "a", first),
        path("p1", "a", "b", random_sparse(rng, sizes["b"], sizes["a"])),
        path("p2", "line", "b", dense("b", "line"), 1),
        path("p3", "b", "c", random_sparse(rng, sizes["c"], sizes["b"])),
        path("skip", "a", "c", random_sparse(rng, sizes["c"], sizes["a"]), 1),
        path("late", "line", "c", dense("c", "line"), int(rng.integers(2, 6))),
        path("loop", "c", "c", random_sparse(rng, sizes["c"], sizes["c"]), int(rng.integers(0, 3))),
        path("back", "b", "b", dense("b", "b")),
    )
    interval = int(rng.choice([0, 1, 4, 7]))
    return Network(
        (Port("image", image), Port("line", line)),
        populations,
        projections,
        ("c", "b"),
        reset_interval=interval,
        reset_offset=int(rng.integers(0, 9)) if interval else 0,
    )


def random_spikes(network: Network, seed: int, samples: int = 3, steps: int = 12, density: float = 0.4) -> dict:
    """Return binary input of every port."""
    rng = np.random.default_rng(seed)
    return {p.name: (rng.random((samples, steps, *p.shape)) < density).astype(np.uint8) for p in network.ports}
