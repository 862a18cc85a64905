"""Random integer networks and inputs that reach the edges of every range."""

from __future__ import annotations

import numpy as np

from neurodeploy.network import Convolution, Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif


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


def random_spikes(network: Network, seed: int, samples: int = 3, steps: int = 12, density: float = 0.4) -> dict:
    """Return binary input of every port."""
    rng = np.random.default_rng(seed)
    return {p.name: (rng.random((samples, steps, *p.shape)) < density).astype(np.uint8) for p in network.ports}
