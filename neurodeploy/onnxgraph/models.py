"""The table from neuron model to how it is written in ONNX operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurodeploy.network import Network, Population
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta
from neurodeploy.onnxgraph import lif, resonator, sigma_delta
from neurodeploy.onnxgraph.arithmetic import Width
from neurodeploy.onnxgraph.emitter import Emitter, Value
from neurodeploy.onnxgraph.step import State, Step


@dataclass(frozen=True)
class Model:
    """How a neuron model is written.

    Attributes
    ----------
    carried : parameters -> the states that a step reads; others never change.
    width : (network, population, element type of the ports) -> the element type of its state.
    step : (emitter, parameters, state, sum at each input or None where nothing arrives, width) -> step.
    """

    carried: Callable[[Any], tuple[str, ...]]
    width: Callable[[Network, Population, str], Width]
    step: Callable[[Emitter, Any, State, list[Value | None], Width], Step]


def _wide(_network: Network, _population: Population, _ports: str) -> Width:
    return np.int64


#: Neuron model -> how it is written.
MODELS: dict[type[Neuron], Model] = {
    Lif: Model(lif.carried, lif.width, lif.step),
    SigmaDelta: Model(sigma_delta.carried, _wide, sigma_delta.step),
    Resonator: Model(lambda neuron: neuron.states, _wide, resonator.step),
}
