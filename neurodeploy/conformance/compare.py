"""Run a Graph on the input of a case and hold its answers against the native ones, cell by cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.conformance.case import Case
from neurodeploy.errors import InputError
from neurodeploy.graph import Graph, Neuron
from neurodeploy.targets.reference import run

Values = npt.NDArray[Any]

#: A framework computes in float32: real-valued answers agree to this share of the largest.
REAL = 1e-4


@dataclass
class Outcome:
    """What a comparison found.

    Attributes
    ----------
    absent : recorded layers that the graph has no node for.
    worst : where the first difference is, in words.
    membrane : largest difference of a membrane after its step; rounding of float32 where nothing is wrong.
    accuracy : share of samples whose class is found, where the case has labels and all samples were run.
    """

    cells: int = 0
    mismatches: int = 0
    absent: list[str] = field(default_factory=list)
    worst: str = ""
    membrane: float = 0.0
    accuracy: float | None = None

    def add(self, what: str, differs: npt.NDArray[np.bool_]) -> None:
        """Count the cells of one layer."""
        count = int(differs.sum())
        if count and not self.worst:
            place = tuple(int(index) for index in np.argwhere(differs)[0])
            self.worst = f"first in {what} at sample {place[0]}, step {place[1]}, neuron {place[2:]}"
        self.cells, self.mismatches = self.cells + differs.size, self.mismatches + count


def compare(graph: Graph, case: Case, samples: int | None = None) -> Outcome:
    """Simulate ``graph`` on the first ``samples`` (all if None) and compare what the case recorded.

    Raises
    ------
    InputError : the inputs of the case are not those of the graph, or the network diverges.
    """
    inputs = {name: values[:samples] for name, values in case.inputs.items()}
    if list(inputs) == [""] and len(graph.inputs) == 1:
        inputs = {graph.inputs[0]: inputs[""]}
    found = run(graph, inputs, ("s", "v"))
    outcome = Outcome()
    for key, native in case.native.items():
        kind, _, layer = key.partition("/")
        if kind == "spikes":
            _layer(graph, case, layer, found, native[:samples], outcome)
        elif kind == "output":
            _output(graph, case, layer, found, native[:samples], outcome)
        elif kind == "v" and (name := case.node_of(layer, graph.nodes)) is not None:
            apart = np.abs(found[f"v/{name}"][: len(native)] - native[:samples])
            outcome.membrane = max(outcome.membrane, float(apart.max(initial=0.0)))
    if not outcome.cells:
        raise InputError(case.name, "records nothing that could be compared", "check its native.npz")
    total = next(iter(case.inputs.values())).shape[0]
    if case.labels is not None and (samples is None or samples >= total) and len(graph.outputs) == 1:
        counts = found[f"output/{graph.outputs[0]}"].sum(axis=1).reshape(total, -1)
        outcome.accuracy = float((counts.argmax(axis=1) == case.labels).mean())
    return outcome


def _layer(graph: Graph, case: Case, layer: str, found: Mapping[str, Values], native: Values, outcome: Outcome) -> None:
    name = case.node_of(layer, graph.nodes)
    if name is None:
        outcome.absent.append(layer)
        return
    node = graph.nodes[name]
    spiking = not isinstance(node, Neuron) or node.spiking
    outcome.add(f"layer {layer!r}", _differs(found[f"s/{name}" if spiking else f"v/{name}"], native))


def _output(graph: Graph, case: Case, name: str, found: Mapping[str, Values], native: Values, outcome: Outcome) -> None:
    """Compare what leaves the network, in the samples whose last layer is not recorded and so compared already."""
    if not name:
        if len(graph.outputs) != 1:
            raise InputError(case.name, f"the graph has the outputs {', '.join(graph.outputs)}", "one was expected")
        name = graph.outputs[0]
    if name not in graph.outputs:
        outcome.absent.append(f"output {name}")
        return
    done = 0
    for source in graph.sources(name):
        layers = [key for key in case.native if key.startswith("spikes/")]
        counts = [len(case.native[k]) for k in layers if case.node_of(k.partition("/")[2], graph.nodes) == source]
        done = max([done, *counts])
    if len(native) > done:
        outcome.add(f"output {name!r}", _differs(found[f"output/{name}"][done:], native[done:]))


def _differs(found: Values, native: Values) -> npt.NDArray[np.bool_]:
    """Return where two answers differ; real numbers may differ by the rounding of float32."""
    found = found[: len(native)]
    if found.shape != native.shape:
        raise InputError(
            "native.npz", f"has the shape {list(native.shape)}, the graph {list(found.shape)}", "compare both"
        )
    if native.dtype.kind != "f":
        return np.asarray(found != native)
    bound = REAL * max(1.0, float(np.abs(native).max(initial=0.0)))
    return np.asarray(~(np.abs(found - native) <= bound))
