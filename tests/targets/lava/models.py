"""Networks with every neuron model, and how each is driven, for the tests of Lava."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurodeploy.network import Connection, Dense, Network, Population, Port, Projection, Sparse
from neurodeploy.neurons import Neuron, Resonator, SigmaDelta

from . import nets

CELLS = 5
_LIF = nets.lif(30, 400, 300)

MODELS: dict[str, Neuron] = {
    "ternary": replace(_LIF, lower_threshold=np.array(-40)),
    "ternary, one a neuron": replace(_LIF, lower_threshold=-np.arange(0, 50, 10)),
    "subtract": replace(_LIF, reset="subtract"),
    "refractory": replace(_LIF, refractory=2),
    "bursting": replace(_LIF, reset="burst"),
    "bursting within bounds": replace(_LIF, reset="burst", lowest=-7 * np.arange(CELLS), refractory=1),
    "all of these": replace(_LIF, refractory=3, reset="subtract", lower_threshold=-7 * np.arange(CELLS)),
    "integrator": replace(_LIF, spiking=False),
    "sigma-delta": SigmaDelta(30),
    "sigma-delta, scaled": SigmaDelta(20 * np.arange(CELLS), np.arange(CELLS), spike_exponent=2, state_exponent=3),
    "sigma-delta, cumulative": SigmaDelta(30, activation="unit", cumulative_error=True),
    "delta": SigmaDelta(20, stage="delta", spike_exponent=1, state_exponent=2),
    "sigma": SigmaDelta(0, stage="sigma"),
    "resonator": Resonator(700, 2500, 3000),
    "izhikevich": Resonator(300 * np.arange(CELLS), 600 * np.arange(CELLS), 3000, "izhikevich", state_exponent=3),
}


def sparse() -> Sparse:
    """Return few synapses from the model's cells to three others."""
    rng = np.random.default_rng(1)
    return Sparse.from_dense(rng.integers(-9, 9, (3, CELLS)) * rng.integers(0, 2, (3, CELLS)))


def network(model: Neuron, connection: Connection | None = None, delay: int = 0, **settings: int) -> Network:
    """Return four inputs on five neurons of the model, and those on three plain neurons."""
    rng = np.random.default_rng(0)
    first = Projection("first", "input", "model", Dense(nets.weights(rng, CELLS, 4)))
    parts = (first, replace(first, name="second", imaginary=True)) if isinstance(model, Resonator) else (first,)
    last = Projection("last", "model", "plain", connection or Dense(rng.integers(-9, 9, (3, CELLS))), delay=delay)
    populations = (
        Population("model", (CELLS,), model, 1),
        Population("plain", (3,), nets.lif(3, 4096, 100), 2 + delay),
    )
    return Network((Port("input", (4,)),), populations, (*parts, last), ("plain",), **settings)
