"""From a live model to a proved ``.nir`` file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import NotEqual, UsageError
from neurodeploy.events import EventInput
from neurodeploy.export.live import Inputs, LiveModel
from neurodeploy.files import refuse_existing, replacing
from neurodeploy.graph import BatchNorm, Convolution, Graph, Input, Linear, Neuron, Scale, Shape
from neurodeploy.nirfile import read_graph, write_graph
from neurodeploy.npz import read_events
from neurodeploy.passes.to_nir import to_nir
from neurodeploy.proof import Proof, prove
from neurodeploy.verify import verify

#: Samples drawn for a proof, and the most that are taken from a file.
DRAWN_SAMPLES = 8
MOST_SAMPLES = 64


@dataclass(frozen=True, eq=False)
class Export:
    """A written file and what was proved of it."""

    file: Path
    graph: Graph
    proof: Proof
    notes: tuple[str, ...]

    @property
    def neurons(self) -> int:
        """The number of neurons."""
        return sum(int(np.prod(_neuron(self.graph, name).shape)) for name in self.graph.of_type(Neuron))

    @property
    def parameters(self) -> int:
        """The number of weights and biases."""
        arrays = [array for node in self.graph.nodes.values() for array in _parameters(node)]
        return sum(int(array.size) for array in arrays)

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        names = self.graph.of_type(Neuron)
        return {
            "file": str(self.file),
            "nodes": len(self.graph.nodes),
            "neurons": self.neurons,
            "parameters": self.parameters,
            "dt": self.graph.dt,
            "semantics": {name: _neuron(self.graph, name).semantics.as_dict() for name in names},
            "proof": {"cells": self.proof.cells, "equal": self.proof.equal, "ties": self.proof.ties},
            "notes": list(self.notes),
        }


def export_model(
    model: LiveModel,
    path: str | Path,
    *,
    samples: str | Path | None = None,
    seed: int = 0,
    fold: bool = True,
    force: bool = False,
) -> Export:
    """Write a model as ``.nir``, read it back, and prove that it does the same; only then the file takes its name.

    Parameters
    ----------
    samples : event file to prove it on; drawn in the model's own coding if None.
    fold : rewrite what NIR has no word for: fold BatchNorm into its neighbours, and turn maximum pools into sums and
        OR neurons (:mod:`neurodeploy.passes.to_nir`).

    Raises
    ------
    UsageError : the file exists and ``force`` is not set, or the samples do not fit.
    Unsupported : the network holds something that NIR or its folding cannot express.
    NotEqual : the file does not do what the model does.
    """
    path = Path(path)
    if path.suffix != ".nir":
        raise UsageError(str(path), f"has the suffix {path.suffix or 'none'!r}", "give a name that ends in .nir")
    refuse_existing(path, force=force)
    norms = model.graph.of_type(BatchNorm)
    graph = to_nir(model.graph) if fold else model.graph
    verify(graph)
    notes = [f"batch normalisation folded: {', '.join(norms)}"] if fold and norms else []
    inputs = model.draw(DRAWN_SAMPLES, seed) if samples is None else _from_file(samples, graph, notes)
    with replacing(path) as temporary:
        write_graph(graph, temporary, force=True)
        notes += _nir_accepts(graph, temporary)
        read_back = read_graph(temporary)
        by_port = inputs if isinstance(inputs, Mapping) else {read_back.inputs[0]: inputs}
        proof = prove(read_back, by_port, model.record(inputs))
    return Export(path, read_back, proof, (*read_back.notes, *notes))


def _from_file(path: str | Path, graph: Graph, notes: list[str]) -> Inputs:
    """Return the samples of a proof: an array, or port -> array where the network has several inputs."""
    spikes = read_events(path).spikes
    wanted = {name: node.shape for name, node in graph.nodes.items() if isinstance(node, Input)}
    if len(wanted) == 1:
        return read_samples(path, next(iter(wanted.values())), notes)
    if set(spikes) != set(wanted):
        ports = f"has the ports {', '.join(spikes)}"
        raise UsageError(str(path), ports, f"give the spikes of {', '.join(wanted)}")
    found = {name: _array(path, spikes[name], shape) for name, shape in wanted.items()}
    samples = len(next(iter(found.values())))
    if samples > MOST_SAMPLES:
        notes.append(f"proved on the first {MOST_SAMPLES} of {samples} samples")
    return {name: values[:MOST_SAMPLES] for name, values in found.items()}


def read_samples(path: str | Path, wanted: Shape, notes: list[str]) -> npt.NDArray[Any]:
    """Return the samples of an event file to prove a network on, and note how many of them where not all.

    Raises
    ------
    UsageError : several ports, or samples of another shape than ``wanted``.
    """
    events = read_events(path)
    if len(events.spikes) > 1:
        raise UsageError(str(path), f"has the ports {', '.join(events.spikes)}", "give the spikes of one input")
    spikes = _array(path, next(iter(events.spikes.values())), wanted)
    if len(spikes) > MOST_SAMPLES:
        notes.append(f"proved on the first {MOST_SAMPLES} of {len(spikes)} samples")
    return spikes[:MOST_SAMPLES]


def _array(path: str | Path, spikes: npt.NDArray[Any] | EventInput, wanted: Shape) -> npt.NDArray[Any]:
    """Return the samples of one input as an array; refuse those of another shape."""
    if isinstance(spikes, EventInput):
        return spikes.dense(wanted)
    if spikes.shape[2:] != wanted:
        raise UsageError(
            str(path), f"holds samples of shape {spikes.shape[2:]}, the network takes {wanted}", "give its own data"
        )
    return spikes


def _nir_accepts(graph: Graph, path: Path) -> list[str]:
    """Let the nir package read the file with its checks on; return a note where its own known defects refuse it."""
    problem = _nir_problem(path, type_check=True)
    if problem is None:
        return []
    known = [name for name in graph.of_type(Convolution) if _beyond_nir(graph.nodes[name])]
    if not known:
        raise NotEqual(str(path), f"the nir package does not read it ({problem})", "please report it")
    # nir 1.0.8 takes the kernel's height for its width, and the channels of one group for those of all.
    how = "not at all" if _nir_problem(path, type_check=False) else "only with type_check=False"
    return [f"grouped or non-square convolution {', '.join(known)}: the nir package reads this file {how} ({problem})"]


def _nir_problem(path: Path, *, type_check: bool) -> str | None:
    """Return the first line of the nir package's complaint, or None."""
    import nir

    try:
        nir.read(path, type_check=type_check)
    except Exception as error:  # noqa: BLE001 (asserts, lookups and type errors of another package alike)
        return (str(error).splitlines() or [type(error).__name__])[0]
    return None


def _beyond_nir(node: Any) -> bool:
    return node.groups > 1 or len(set(node.weight.shape[2:])) > 1


def _neuron(graph: Graph, name: str) -> Neuron:
    node = graph.nodes[name]
    assert isinstance(node, Neuron)
    return node


def _parameters(node: Any) -> list[npt.NDArray[Any]]:
    if isinstance(node, Linear | Convolution):
        return [node.weight] if node.bias is None else [node.weight, node.bias]
    return [node.factor] if isinstance(node, Scale) else []
