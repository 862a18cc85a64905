"""Rectifiers become integrate-and-fire neurons whose rates are the activations: data-based normalisation.

A neuron with threshold 1, subtraction and no leak that receives ``x`` in every step fires at the rate ``min(max(x, 0),
1)``. Let one spike of layer l stand for ``level[l]``, a high percentile of its activations; then with

::

    W' = W level[l - 1] / level[l]        b' = b / level[l]

its rate is ``activation / level[l]``. Each neuron also receives ``1 / (2 steps)`` per step, half a spike within the
run: without it a rate is always rounded down. Sources: Rueckauer et al. (2017), Frontiers in Neuroscience 11:682, and
Deng and Gu (2021), ICLR.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurodeploy.errors import UsageError
from neurodeploy.export.onnx.ann import Activation, Ann, Part
from neurodeploy.export.onnx.coding import Coding
from neurodeploy.graph import Convolution, Graph, Input, Linear, Neuron, Node, Output, Scale, frozen_array
from neurodeploy.passes.surgery import fresh
from neurodeploy.semantics import Semantics
from neurodeploy.verify import verify

#: Reset -> what it costs.
RESETS = {
    "subtract": "",
    "zero": "reset to zero drops what a membrane has beyond its threshold: rates are lower than the activations",
}
READOUTS = ("spikes", "membrane")


@dataclass(frozen=True)
class Recipe:
    """How a network is made spiking.

    Attributes
    ----------
    coding : of the input.
    levels : activation -> the activation that one spike a step stands for.
    span : of the answers, lowest and highest: what no and all spikes stand for where the readout spikes.
    steps : length of a run, over which rounding is balanced.
    reset : ``subtract``, or ``zero`` for chips that cannot.
    readout : the last layer answers by ``spikes``, or by its ``membrane``, which never resets.
    dt : seconds of a step.
    """

    coding: Coding
    levels: Mapping[str, float]
    span: tuple[float, float]
    steps: int
    reset: str = "subtract"
    readout: str = "spikes"
    dt: float = 1e-3

    def __post_init__(self) -> None:
        for option, value, allowed in (("--reset", self.reset, RESETS), ("--readout", self.readout, READOUTS)):
            if value not in allowed:
                raise UsageError(option, f"{value!r} is none", f"one of {', '.join(allowed)}")


def spiking(ann: Ann, recipe: Recipe) -> Graph:
    """Return the spiking form of a trained network."""
    return _Normalisation(ann, recipe).result()


class _Normalisation:
    """One walk from input to output; ``worth`` is what 1 stands for in the answer of each node."""

    def __init__(self, ann: Ann, recipe: Recipe) -> None:
        self.ann, self.recipe = ann, recipe
        self.nodes: dict[str, Node] = {}
        self.edges: list[tuple[str, str]] = []
        self.worth: dict[str, float] = {}
        self.notes = [*ann.notes, f"converted from a network without spikes for runs of {recipe.steps} steps"]
        if RESETS[recipe.reset]:
            self.notes.append(RESETS[recipe.reset])

    def result(self) -> Graph:
        for name, part in self.ann.nodes.items():
            self._place(name, part)
        graph = Graph(
            nodes=self.nodes,
            edges=tuple(self.edges),
            dt=self.recipe.dt,
            notes=tuple(self.notes),
            metadata={"rate_coding": f"{self.recipe.coding.kind}, one unit is {self.recipe.coding.unit!r}"},
        )
        verify(graph)
        return graph

    def _place(self, name: str, part: Part) -> None:
        sources = self.ann.sources(name)
        if isinstance(part, Input):
            self.nodes[name], self.worth[name] = part, self.recipe.coding.unit
        elif isinstance(part, Activation):
            level = self.recipe.levels[name]
            self.nodes[name] = self._neuron(part.shape, spikes=True)
            self._drive(name, sources, level, 0.5 / self.recipe.steps)
        elif isinstance(part, Output):
            self._answer(name, part, sources)
        elif isinstance(part, Linear | Convolution):
            worth = self._one_worth(name, sources)
            self.nodes[name] = replace(part, weight=frozen_array(part.weight * np.float64(worth)))
            self.worth[name] = 1.0
        else:
            self.worth[name] = self._one_worth(name, sources)
            self.nodes[name] = part

    def _answer(self, name: str, part: Output, sources: list[str]) -> None:
        """Let the last rectifier answer, or put neurons after the last layer."""
        only = self.nodes[sources[0]] if len(sources) == 1 else None
        if not isinstance(only, Neuron):
            readout = fresh("readout", {**self.ann.nodes, **self.nodes})
            spikes = self.recipe.readout == "spikes"
            low, high = self.recipe.span if spikes else (0.0, 1.0)
            self.nodes[readout] = self._neuron(part.shape, spikes=spikes)
            shift = (0.5 / self.recipe.steps - low / (high - low)) if spikes else 0.0
            self._drive(readout, sources, high - low, shift)
            sources = [readout]
        self.nodes[name] = part
        self.edges.append((sources[0], name))

    def _neuron(self, shape: tuple[int, ...], *, spikes: bool) -> Neuron:
        one = frozen_array(1.0)
        semantics = Semantics(reset="subtract" if self.recipe.reset == "subtract" else "zero")
        # NIR's integrator without threshold takes r dt, a neuron with one takes r: either adds its input as it is.
        r = one if spikes else frozen_array(1.0 / self.recipe.dt)
        return Neuron(shape, semantics, r, threshold=one if spikes else None)

    def _drive(self, name: str, sources: list[str], level: float, bias: float) -> None:
        """Let ``sources`` drive neurons whose spike stands for ``level``, and add ``bias`` to each step."""
        for source in sources:
            factor = self.worth[source] / level
            before = self.nodes[source]
            if (isinstance(before, Linear | Convolution) and self.ann.targets(source) == [name]) or self._last(source):
                assert isinstance(before, Linear | Convolution)
                self.nodes[source] = _scaled(before, factor, bias)
                bias = 0.0
                self.edges.append((source, name))
            else:
                self._through_scale(source, name, factor)
        self.worth[name] = level
        if bias:
            self.notes.append(f"{name}: no layer before it takes a bias, so its rates are rounded down")

    def _last(self, source: str) -> bool:
        """Whether ``source`` feeds nothing but the Output."""
        following = self.ann.targets(source)
        return following == [self.ann.output] and isinstance(self.nodes[source], Linear | Convolution)

    def _one_worth(self, name: str, sources: list[str]) -> float:
        """Draw the edges into ``name`` so that 1 stands for the same in all of them, and return for what."""
        worths = {self.worth[source] for source in sources}
        if len(worths) == 1:
            self.edges += [(source, name) for source in sources]
            return worths.pop()
        for source in sources:
            self._through_scale(source, name, self.worth[source])
        return 1.0

    def _through_scale(self, source: str, name: str, factor: float) -> None:
        """Draw an edge on which values are multiplied by ``factor``."""
        scale = fresh(f"{source}.to.{name}", {**self.ann.nodes, **self.nodes})
        self.nodes[scale] = Scale(frozen_array(factor))
        self.edges += [(source, scale), (scale, name)]


def _scaled(layer: Linear | Convolution, factor: float, bias: float) -> Any:
    """Return ``factor * layer + bias``."""
    weight = np.asarray(layer.weight, np.float64) * factor
    old = np.zeros(len(weight)) if layer.bias is None else np.asarray(layer.bias, np.float64) * factor
    kept = None if layer.bias is None and not bias else frozen_array(old + bias)
    return replace(layer, weight=frozen_array(weight), bias=kept)
