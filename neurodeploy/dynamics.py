"""The table from neuron model to golden step, and the state it starts from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurodeploy import neuron, resonator, sigma_delta
from neurodeploy.network import Population
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta
from neurodeploy.state import State, Step, Sums

#: Model -> what advances it by one step: (parameters, state, what arrives int64 [inputs, ..., *shape]).
STEPS: dict[type[Neuron], Callable[[Any, State, Sums], Step]] = {
    Lif: neuron.step,
    SigmaDelta: sigma_delta.step,
    Resonator: resonator.step,
}


def cleared(population: Population, samples: int) -> State:
    """Return the state at the start of a sample and after a scheduled reset: 0 throughout."""
    return {name: np.zeros((samples, *population.shape), dtype=np.int64) for name in population.neuron.states}


def step(population: Population, state: State, a: Sums) -> Step:
    """Advance a population by one step of its model."""
    return STEPS[type(population.neuron)](population.neuron, state, a)
