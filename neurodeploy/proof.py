"""Prove that a written file says what the trained model does: every neuron, every step, spike by spike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import NotEqual
from neurodeploy.export.live import Answers
from neurodeploy.graph import Graph, Neuron
from neurodeploy.targets.reference import run, run_node

#: A framework computes in float32, the reference in float64. Where the membrane is this near to the threshold, relative
#: to it, rounding alone decides on the spike.
TIE = 1e-5

Cells = npt.NDArray[np.bool_]
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Proof:
    """The outcome of a comparison that held.

    Attributes
    ----------
    cells : answers (sample, step, neuron) that were compared and agree.
    equal : whether all of them agree in a free run; False when rounding decided some spike, see ``ties``.
    ties : neurons of a sample in which a spike was decided by rounding; their later steps are not among ``cells``.
    """

    cells: int
    equal: bool
    ties: int


def prove(graph: Graph, inputs: Mapping[str, npt.NDArray[Any]], answers: Answers) -> Proof:
    """Compare the answers of the trained model with the reference simulation of ``graph``.

    Parameters
    ----------
    graph : read back from the file that is to be proved.
    inputs : Input name -> [samples, steps, *shape].
    answers : what the model's own code answered to these inputs, for every Neuron of the graph but those that stand
        for what is no neuron in the model, such as the OR of a maximum pool.

    Raises
    ------
    NotEqual : a neuron differs where rounding cannot be the cause; names layer, sample, step, neuron, both values.
    """
    expected = {name: answers[name] for name in graph.of_type(Neuron) if name in answers}
    free = run(graph, inputs, ("s", "v"))
    if not any(_differs(graph, name, free, values).any() for name, values in expected.items()):
        return Proof(sum(values.size for values in expected.values()), equal=True, ties=0)
    ties = cells = 0
    given = {**inputs, **expected}
    for name in graph.order():
        if name in expected:
            layer_cells, layer_ties = _prove_layer(graph, name, given)
            cells, ties = cells + layer_cells, ties + layer_ties
        elif isinstance(graph.nodes[name], Neuron):
            given[name] = run_node(graph, name, given, ("s",))[f"s/{name}"]
    return Proof(cells, equal=False, ties=ties)


def _differs(graph: Graph, name: str, found: Arrays, expected: npt.NDArray[np.float64]) -> Cells:
    """Return where a neuron's answers differ; membranes may differ by rounding."""
    neuron = graph.nodes[name]
    assert isinstance(neuron, Neuron)
    if neuron.spiking:
        return np.asarray(found[f"s/{name}"] != expected)
    bound = TIE * np.maximum(1.0, np.abs(expected).max(initial=0.0))
    return np.asarray(np.abs(found[f"v/{name}"] - expected) > bound)


def _prove_layer(graph: Graph, name: str, given: Arrays) -> tuple[int, int]:
    """Drive one layer by what the model's own layers before it answered; return cells that agree, and ties."""
    neuron = graph.nodes[name]
    assert isinstance(neuron, Neuron)
    found = run_node(graph, name, given, ("s", "v", "v_fired"))
    differs = _differs(graph, name, found, given[name])
    if not differs.any():
        return differs.size, 0
    first = differs.argmax(axis=1)  # [samples, *shape]: the step of the first difference, 0 where there is none
    for sample, *place in np.argwhere(differs.any(axis=1)):
        cell = (sample, first[(sample, *place)], *place)
        if not neuron.spiking or not _rounding_decides(neuron, found[f"v_fired/{name}"], cell):
            raise _not_equal(name, cell, found, given[name], neuron)
    reached = np.where(differs.any(axis=1), first, differs.shape[1])
    return int(reached.sum()), int(differs.any(axis=1).sum())


def _rounding_decides(neuron: Neuron, membranes: npt.NDArray[Any], cell: tuple[int, ...]) -> bool:
    assert neuron.threshold is not None
    threshold = float(np.broadcast_to(neuron.threshold, neuron.shape)[cell[2:]])
    membrane = float(membranes[cell])
    several = neuron.semantics.fire == "floor-multi"  # then every multiple of the threshold is one spike more
    nearest = max(1.0, round(membrane / threshold)) * threshold if several else threshold
    return abs(membrane - nearest) <= TIE * abs(nearest)


def _not_equal(
    name: str,
    cell: tuple[int, ...],
    found: Arrays,
    expected: npt.NDArray[np.float64],
    neuron: Neuron,
) -> NotEqual:
    sample, step, *place = (int(index) for index in cell)
    answer = found[f"{'s' if neuron.spiking else 'v'}/{name}"][cell]
    membrane = float(found[f"v_fired/{name}"][cell])
    return NotEqual(
        f"layer {name!r}",
        f"at sample {sample}, step {step}, neuron {tuple(place)} the model answers {expected[cell]:g}, the exported "
        f"graph {answer:g} (membrane {membrane:.9g})",
        "the export does not describe this layer; no file was written",
    )
