"""A network that still runs in its framework, next to the Graph read from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.graph import Graph

#: node name -> float64 [samples, steps, *shape]: the value of the spikes, or the membrane where that is the answer.
Answers = Mapping[str, npt.NDArray[np.float64]]

#: [samples, steps, *shape], or Input name -> such an array where a network has several inputs.
Inputs = npt.NDArray[Any] | Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class LiveModel:
    """What a door hands over.

    Attributes
    ----------
    graph : the float network with explicit semantics.
    record : runs the framework's own code on its inputs and returns every neuron's answers.
    draw : (samples, seed) -> inputs in the model's own coding, uint8.
    """

    graph: Graph
    record: Callable[[Any], Answers]
    draw: Callable[[int, int], Any]
