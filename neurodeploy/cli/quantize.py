"""``neurodeploy quantize``: float graph in, integer network out, with a table of what became of every value."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurodeploy.cli.common import (
    approximate_option,
    console,
    dt_option,
    force_option,
    json_option,
    open_events,
    print_json,
    quiet_option,
    semantics_option,
    target_option,
)

if TYPE_CHECKING:
    from neurodeploy.npz import Events
    from neurodeploy.quantization import Quantization

_PARAMETERS = ("threshold", "current_decay", "voltage_decay", "bias")


@click.command("quantize")
@click.argument("net", type=click.Path(path_type=Path))
@target_option
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The quantized .nir to write.")
@click.option("--calibrate", type=click.Path(path_type=Path), help="Real samples (.npz): register peaks, accuracy.")
@click.option("--samples", type=click.IntRange(1), help="Use this many calibration samples.")
@click.option("--values", type=click.Path(path_type=Path), help="Also write every single value to this .csv.")
@approximate_option
@dt_option
@semantics_option
@force_option
@json_option
@quiet_option
def command(
    net: Path,
    target: str,
    output: Path,
    calibrate: Path | None,
    samples: int | None,
    values: Path | None,
    approximate_reset: bool,
    dt: float | None,
    semantics: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Turn the float network NET into integers of a chip's formats.

    Weights, thresholds, decays and biases of a population share one scale. With --calibrate the integer network runs on
    real samples: the largest |u| and |v| are shown against their 24-bit range, and a population that left it is scaled
    down until it does not.
    """
    from neurodeploy.errors import UsageError
    from neurodeploy.files import refuse_existing
    from neurodeploy.graph import Graph
    from neurodeploy.loading import load
    from neurodeploy.netfile import write_network
    from neurodeploy.quantization import quantization
    from neurodeploy.targets.chip import load_chip

    chip = load_chip(target)
    graph = load(net, dt=dt, semantics=semantics)
    if not isinstance(graph, Graph):
        raise UsageError(str(net), f"is quantized already, for {graph.target}", "give the float .nir it was made from")
    for path in (output, values):
        if path is not None:
            refuse_existing(path, force=force)
    events = None if calibrate is None else open_events(calibrate, samples)
    samples_seen = None if events is None else events.spikes
    result = quantization(graph, chip, samples_seen, approximate_reset=approximate_reset)
    accuracy = None if events is None or events.labels is None else _accuracy(graph, result, events)
    write_network(result.network, output, force=force)
    if values is not None:
        _write_values(result, values)
    if as_json:
        print_json(_document(result, output, accuracy))
    elif not quiet:
        _show(result, output, accuracy)


def _accuracy(graph: Any, result: Quantization, events: Events) -> dict[str, float]:
    from neurodeploy.simulation import simulate

    assert events.labels is not None
    runs = {"float": simulate(graph, events.spikes, "float"), "integer": simulate(result.network, events.spikes)}
    return {name: recording.accuracy(events.labels) for name, recording in runs.items()}


def _write_values(result: Quantization, path: Path) -> None:
    from neurodeploy.audit import every_value
    from neurodeploy.files import replacing

    with replacing(path) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["population", "parameter", "index", "float", "integer", "restored", "error"])
        writer.writerows(every_value(result.values))


def _document(result: Quantization, output: Path, accuracy: dict[str, float] | None) -> dict[str, Any]:
    provenance = result.network.provenance
    rows = provenance["quantization"]
    bits = {p.target: p.weight_bits for p in result.network.projections}
    populations = [{**row, "weight_bits": bits.get(row["name"])} for row in rows]
    document: dict[str, Any] = {"file": str(output), "target": result.network.target, "populations": populations}
    document["approximation"] = provenance.get("approximation", [])
    document["notes"] = provenance["notes"]
    if accuracy is not None:
        document["accuracy"] = accuracy
    return document


def _show(result: Quantization, output: Path, accuracy: dict[str, float] | None) -> None:
    from rich.table import Table

    screen = console()
    table = Table(title=f"float -> {result.network.target}", title_justify="left")
    for heading in ("population", "parameter", "float", "integer", "largest error", "relative error"):
        table.add_column(heading, justify="left" if heading in ("population", "parameter") else "right")
    for row in result.network.provenance["quantization"]:
        entries = [
            (f"weight {w['projection']} ({w['sign_mode']}, x2^{row['weight_exponent']})", w) for w in row["weights"]
        ]
        entries += [(name, row[name]) for name in _PARAMETERS]
        for place, (parameter, entry) in enumerate(entries):
            table.add_row(
                row["name"] if place == 0 else "",
                parameter,
                _span(entry["float"]),
                _span(entry["integer"]),
                f"{entry['largest_error']:.2g}",
                f"{entry['relative_error']:.2%}",
                end_section=place == len(entries) - 1,
            )
    screen.print(table)
    if result.peaks:
        screen.print(_peaks(result))
    for note in result.network.provenance["notes"]:
        click.echo(f"note: {note}")
    if accuracy is not None:
        screen.print(
            f"accuracy: float {accuracy['float']:.2%}, integer {accuracy['integer']:.2%} on the calibration set"
        )
    click.echo(f"wrote {output}")


def _peaks(result: Quantization) -> Any:
    from rich.table import Table

    table = Table(title="registers in calibration", title_justify="left")
    table.add_column("population")
    for heading in ("peak |u|", "of range", "peak |v|", "of range", "wraps", "clips", "spikes per step"):
        table.add_column(heading, justify="right")
    for name, peak in result.peaks.items():
        shares = peak.as_dict()
        table.add_row(
            name,
            f"{peak.u:,}",
            f"{shares['u_range']:.1%}",
            f"{peak.v:,}",
            f"{shares['v_range']:.1%}",
            f"{peak.wraps:,}",
            f"{peak.clips:,}",
            f"{peak.rate:.3f}",
        )
    return table


def _span(value: Any) -> str:
    low, high = value if isinstance(value, list) else (value, value)
    return f"{low:.5g}" if low == high else f"{low:.5g} .. {high:.5g}"
