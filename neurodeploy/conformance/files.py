"""The door of files: a ``.nir`` read as declared gives the native spikes, and is never read in silence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from neurodeploy.conformance.case import Case
from neurodeploy.conformance.compare import Outcome, compare
from neurodeploy.conformance.row import Row
from neurodeploy.errors import InputError
from neurodeploy.graph import Delay, Graph, Neuron
from neurodeploy.nirfile import read_graph, read_names
from neurodeploy.passes import membrane_bias
from neurodeploy.semantics import PRESETS


def check_files(case: Case, samples: int | None = None) -> Iterator[Row]:
    """Yield the rows of ``expected.nir`` and ``net.nir`` under the declared reading, where they hold the network."""
    expected, exported = case.file("expected.nir"), case.file("net.nir")
    if expected is not None:
        yield _check(case, expected, samples)
    if exported is None:
        return
    recorded = case.comparison("net.nir")
    if "unreadable" in recorded:
        yield _partial(case, exported)
    elif "skipped" not in recorded and (expected is None or "mismatching" in recorded):
        yield _check(case, exported, samples)


def check_bare(case: Case) -> Iterator[Row]:
    """Yield the row of ``net.nir`` read with nothing said: its reading must be asked for, or told."""
    path = case.file("net.nir")
    if path is None:
        return
    try:
        graph = read_graph(path)
    except InputError as refusal:
        proposed = [name for name in PRESETS if f"--semantics {name} " in str(refusal)]
        asks = "--semantics" in str(refusal)
        partial = "unreadable" in case.comparison("net.nir") or "refuse" in case.wanted
        said = f"asks, and proposes {' or '.join(proposed)}" if proposed else "asks for --semantics and --dt"
        detail = said if asks else f"refused: {refusal}"
        yield Row(case.name, "bare", "holds" if asks or partial else "fails", detail)
        return
    told = "; ".join(graph.notes)
    silent = not told and bool(_timed(graph))
    yield Row(
        case.name, "bare", "fails" if silent else "holds", told or ("read in silence" if silent else "no neurons")
    )


def read_declared(case: Case, path: Path) -> Graph:
    """Return the graph of a file of the case under the reading that the case declares."""
    declared = case.declared
    names = read_names(path) if declared.layers or declared.biases else []
    placed = {layer: case.node_of(layer, names) for layer in (*declared.layers, *declared.biases)}
    if lost := [layer for layer, name in placed.items() if name is None]:
        raise InputError(f"{case.name}/{path.name}", f"has no layer {lost[0]!r}", "the case declares semantics for it")
    layers = {str(placed[layer]): semantics for layer, semantics in declared.layers.items()}
    graph = read_graph(path, dt=declared.dt, semantics=declared.semantics, layers=layers)
    return membrane_bias(graph, {str(placed[layer]): bias for layer, bias in declared.biases.items()})


def verdict(case: Case, door: str, graph: Graph, allowed: int, samples: int | None) -> Row:
    """Return the row of a graph that must give the native answers but for ``allowed`` cells."""
    outcome = compare(graph, case, samples)
    problems = []
    if outcome.mismatches > allowed:
        problems.append(f"{outcome.mismatches:,} cells differ ({outcome.worst})")
    if lost := [layer for layer in outcome.absent if not _told(layer, graph)]:
        problems.append(f"the graph has no {', '.join(lost)}")
    if (wrong := _accuracy(case, outcome)) is not None:
        problems.append(wrong)
    detail = "; ".join(problems) or _summary(outcome, allowed)
    return Row(case.name, door, "fails" if problems else "holds", detail, outcome.cells, outcome.mismatches)


def allowed_mismatches(case: Case, *files: str) -> int:
    """Return how many cells the case records as differing for the first of these files that it compared."""
    recorded = (case.comparison(name).get("mismatching") for name in files)
    return next((int(count) for count in recorded if count is not None), 0)


def _check(case: Case, path: Path, samples: int | None) -> Row:
    _ = case.declared  # a declaration beyond the vocabulary is a fault of the case, never a refusal of the file
    try:
        graph = read_declared(case, path)
        row = verdict(case, path.name, graph, allowed_mismatches(case, path.name), samples)
    except InputError as refusal:
        must = str((case.document.get("importer_must") or {}).get("verdict", ""))
        asked = "refuse" in (must or case.wanted) and "mismatching" not in case.comparison(path.name)
        return Row(case.name, path.name, "holds" if asked else "fails", f"refused: {refusal}")
    if _must_tell(case) and not _notes_of_the_file(graph):
        return Row(case.name, path.name, "fails", "read without a note on what was repaired or ignored")
    return row


def _partial(case: Case, path: Path) -> Row:
    """Return the row of a file whose exporter stopped half-way: refused, for it describes no network."""
    _ = case.declared
    try:
        read_declared(case, path)
    except InputError as refusal:
        return Row(case.name, path.name, "holds", f"refused: {refusal}")
    return Row(case.name, path.name, "fails", "an incomplete file was read as a network")


def _must_tell(case: Case) -> bool:
    wanted = str((case.document.get("importer_must") or {}).get("verdict", ""))
    return any(word in wanted for word in ("warn", "repair"))


def _notes_of_the_file(graph: Graph) -> list[str]:
    """Return the notes that are not about the reading the caller chose."""
    return [note for note in graph.notes if "by choice of the user" not in note]


def _told(layer: str, graph: Graph) -> bool:
    """Return whether a note says that a node of this name was left out."""
    return any(layer in note.replace(",", " ").split() or f"{layer}:" in note for note in graph.notes)


def _timed(graph: Graph) -> list[str]:
    return [*graph.of_type(Neuron), *graph.of_type(Delay)]


def _accuracy(case: Case, outcome: Outcome) -> str | None:
    """Return what is wrong with the share of classes found, or None."""
    native = case.document.get("native_accuracy")
    if outcome.accuracy is None or native is None:
        return None
    declared = (case.document.get("interpreter_accuracy") or {}).get("declared", native)
    if min(abs(outcome.accuracy - float(each)) for each in (native, declared)) < 1e-9:
        return None
    return f"accuracy {outcome.accuracy:.4f} instead of {float(native):.4f}"


def _summary(outcome: Outcome, allowed: int) -> str:
    parts = ["equal" if not outcome.mismatches else f"{outcome.mismatches} of the {allowed} recorded cells differ"]
    parts.append(f"membranes within {outcome.membrane:.0e}")
    if outcome.accuracy is not None:
        parts.append(f"accuracy {outcome.accuracy:.3f}")
    parts += [f"{layer} left out, as noted" for layer in outcome.absent]
    return ", ".join(parts)
