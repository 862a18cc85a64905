"""The door of checkpoints: code and weights of a framework become a Graph, a ``.nir``, and the native spikes again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from neurodeploy.conformance.case import Case
from neurodeploy.conformance.compare import Outcome
from neurodeploy.conformance.files import allowed_mismatches, verdict
from neurodeploy.conformance.row import Row
from neurodeploy.errors import BackendMissing, InputError, NegativeAnswer, Unsupported

if TYPE_CHECKING:
    from neurodeploy.export.live import LiveModel, LiveNetwork
    from neurodeploy.graph import Graph

_DOOR = "checkpoint"


def check_checkpoint(case: Case, samples: int | None = None) -> Iterator[Row]:
    """Yield the row of ``model.py`` and ``checkpoint.pt``; this runs the code of the case.

    A framework without a reader here, or that is not installed, is listed as not run.
    """
    weights, code = case.file("checkpoint.pt"), case.file("model.py")
    if weights is None or code is None:
        return
    from neurodeploy.export.door import Request, open_model
    from neurodeploy.export.live import LiveNetwork
    from neurodeploy.targets.lava.environment import packages

    if not runs_code(case):
        yield Row(case.name, _DOOR, "not run", f"no reader for checkpoints of {case.framework}")
        return
    sizes = {port: tuple(int(size) for size in values.shape[2:]) for port, values in case.inputs.items()}
    shape = sizes if len(sizes) > 1 else next(iter(sizes.values()))
    try:
        model = open_model(Request(weights, f"{code}:build", shape, packages=packages()), case.framework)
        if isinstance(model, LiveNetwork):
            yield _judge_network(case, model, samples)
        else:
            yield _judge(case, model, samples)
    except BackendMissing as missing:
        yield Row(case.name, _DOOR, "not run", str(missing))
    except (InputError, NegativeAnswer) as refusal:
        asked = isinstance(refusal, Unsupported) and _may_refuse(case)
        yield Row(case.name, _DOOR, "holds" if asked else "fails", f"refused: {refusal}")


def runs_code(case: Case) -> bool:
    """Return whether :func:`check_checkpoint` runs the ``model.py`` of the case."""
    from neurodeploy.export.door import DOORS

    return case.framework in DOORS and case.file("model.py") is not None


def _may_refuse(case: Case) -> bool:
    """Return whether the case asks for a refusal; where it speaks of the checkpoint, of that and not of the file."""
    return "refuse" in case.wanted.rpartition("from the checkpoint")[2]


def _judge(case: Case, model: LiveModel, samples: int | None) -> Row:
    """Return the row of the file that export writes; of the live graph where ``.nir`` has no word for a layer."""
    graph, aside = _exported(case, model)
    row = verdict(case, _DOOR, graph, allowed_mismatches(case, "expected.nir", "net.nir"), samples)
    return Row(row.case, row.door, row.verdict, row.detail + aside, row.cells, row.mismatches)


def _judge_network(case: Case, model: LiveNetwork, samples: int | None) -> Row:
    """Return the row of an integer network: the spikes of its populations are the native ones."""
    from neurodeploy.simulation import simulate

    (inputs,) = (values[:samples] for values in case.inputs.values())
    found = simulate(model.network, inputs).spikes
    outcome = Outcome()
    for key, native in case.native.items():
        kind, _, layer = key.partition("/")
        name = case.node_of(layer, found)
        if kind == "spikes" and name is None:
            outcome.absent.append(layer)
        elif kind == "spikes" and name is not None:
            outcome.add(f"layer {layer!r}", found[name][: len(native)] != native[:samples])
    holds = outcome.cells and not outcome.mismatches and not outcome.absent
    lost = f"; the network has no {', '.join(outcome.absent)}" if outcome.absent else ""
    detail = f"{outcome.worst or ('equal' if outcome.cells else 'nothing to compare')}{lost}"
    return Row(case.name, _DOOR, "holds" if holds else "fails", detail, outcome.cells, outcome.mismatches)


def _exported(case: Case, model: LiveModel) -> tuple[Graph, str]:
    from neurodeploy.nir_export import export_model

    with tempfile.TemporaryDirectory() as folder:
        try:
            return export_model(model, Path(folder) / "net.nir", samples=case.folder / "input.npz").graph, ""
        except Unsupported as refusal:
            if not _may_refuse(case):
                raise
            return model.graph, f"; as a .nir refused: {refusal}"
