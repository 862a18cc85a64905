"""``neurodeploy inspect``: what a .nir or .net file holds, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurodeploy.cli.common import console, dt_option, json_option, print_json, semantics_option

if TYPE_CHECKING:
    from neurodeploy.graph import Graph
    from neurodeploy.network import Network


@click.command("inspect")
@click.argument("file", type=click.Path(path_type=Path))
@dt_option
@semantics_option
@json_option
def command(file: Path, dt: float | None, semantics: str | None, as_json: bool) -> None:
    """Show the nodes or populations of FILE, its reading in time, and every note made on the way."""
    from neurodeploy.loading import load
    from neurodeploy.network import Network

    loaded = load(file, dt=dt, semantics=semantics)
    document = _network(loaded) if isinstance(loaded, Network) else _graph(loaded)
    document = {"file": str(file), **document}
    if as_json:
        print_json(document)
    else:
        _show(document)


def _network(network: Network) -> dict[str, Any]:
    from neurodeploy.network import stored_weights

    populations = [
        {
            "name": p.name,
            "shape": list(p.shape),
            "kind": type(p.neuron).__name__,
            "latency": p.latency,
            "parameters": sum(stored_weights(q.connection).size for q in network.into(p.name)),
        }
        for p in network.populations
    ]
    return {
        "kind": "integer network",
        "target": network.target,
        "dt": network.dt,
        "inputs": {port.name: list(port.shape) for port in network.ports},
        "outputs": list(network.outputs),
        "rows": populations,
        "notes": list(network.provenance.get("notes", [])),
    }


def _graph(graph: Graph) -> dict[str, Any]:
    from neurodeploy.graph import Neuron
    from neurodeploy.shapes import infer_shapes

    shapes = infer_shapes(graph)
    rows = []
    for name in graph.order():
        node = graph.nodes[name]
        row: dict[str, Any] = {"name": name, "shape": list(shapes[name])}
        row["kind"] = node.kind if isinstance(node, Neuron) else type(node).__name__
        arrays = [getattr(node, field, None) for field in ("weight", "bias")]
        row["parameters"] = sum(int(array.size) for array in arrays if array is not None)
        if isinstance(node, Neuron):
            row["semantics"] = node.semantics.as_dict()
        rows.append(row)
    return {
        "kind": "float graph",
        "dt": graph.dt,
        "inputs": {name: list(shapes[name]) for name in graph.inputs},
        "outputs": graph.outputs,
        "rows": rows,
        "feedback": sorted(map(list, graph.feedback)),
        "notes": list(graph.notes),
    }


def _show(document: dict[str, Any]) -> None:
    from rich.table import Table

    screen = console()
    target = f" for {document['target']}" if document.get("target") else ""
    click.echo(f"{document['file']}: {document['kind']}{target}, dt = {document['dt']:g} s")
    table = Table()
    for heading in ("name", "kind", "shape", "parameters", "latency or reading"):
        table.add_column(heading, justify="right" if heading == "parameters" else "left")
    for row in document["rows"]:
        reading = row.get("semantics")
        last = f"{row['latency']} steps" if "latency" in row else ""
        if reading:
            last = f"{reading['decay']}, fires {reading['fire']}, reset {reading['reset']} {reading['reset_when']}"
        table.add_row(row["name"], row["kind"], str(row["shape"]), f"{row['parameters']:,}", last)
    screen.print(table)
    for note in document["notes"]:
        click.echo(f"note: {note}")
