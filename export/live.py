"""A network that still runs in its framework, next to the Graph read from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.graph import Graph
from neurodeploy.network import Network
from neurodeploy.recording import Recording

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


@dataclass(frozen=True, eq=False)
class LiveNetwork:
    """What the door of a framework hands over that computes in the chip's integers.

    Attributes
    ----------
    network : the integer network, with one port.
    record : runs the framework's own code on [samples, steps, *shape]; spikes of every population, v of read-outs.
    draw : (samples, seed) -> input in the model's own coding, uint8 [samples, steps, *shape].
    """

    network: Network
    record: Callable[[npt.NDArray[Any]], Recording]
    draw: Callable[[int, int], npt.NDArray[np.uint8]]
