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
@click.option("--weight-bits", metavar="BITS", help="Width of all weights, or auto: one a population, on a budget.")
@click.option("--rounding", type=click.Choice(("auto", "nearest", "adaptive")), default="auto", show_default=True)
@click.option("--clipping", type=click.Choice(("auto", "none", "mse", "percentile")), default="auto", show_default=True)
@click.option("--scales", type=click.Choice(("auto", "population", "channel")), default="auto", show_default=True)
@click.option(
    "--ranges",
    type=click.Choice(("calibration", "every-input")),
    default="calibration",
    show_default=True,
    help="What no register may leave its range on.",
)
@click.option("--memory", type=click.IntRange(0), help="Budget for --weight-bits auto: bytes of all weights.")
@click.option("--loss", type=click.FloatRange(0), help="Budget for --weight-bits auto: points of accuracy.")
@click.option("--allow-dead", is_flag=True, help="Accept a population that is silent in integers only.")
@click.option("--report", type=click.Path(path_type=Path), help="Write what it cost, and where: .html, .md or .json.")
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
    weight_bits: str | None,
    report: Path | None,
    values: Path | None,
    approximate_reset: bool,
    dt: float | None,
    semantics: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Turn the float network NET into integers of a chip's formats.

    Weights, thresholds, decays and biases of a population share one scale. With --calibrate both networks run on real
    samples: what is left to auto is decided by the spikes, the largest |u| and |v| are shown against their range, and a
    population that left it is scaled down until it does not. --report says what every number costs.
    """
    from neurodeploy.choices import Choices
    from neurodeploy.errors import UsageError
    from neurodeploy.graph import Graph
    from neurodeploy.loading import load
    from neurodeploy.netfile import write_network
    from neurodeploy.quantization import quantization
    from neurodeploy.targets.chip import load_chip

    chip = load_chip(target)
    graph = load(net, dt=dt, semantics=semantics)
    if not isinstance(graph, Graph):
        raise UsageError(str(net), f"is quantized already, for {graph.target}", "give the float .nir it was made from")
    _refuse_outputs(output, values, report, calibrate, force)
    wanted = Choices(weight_bits=_bits(weight_bits), **choices)
    events = None if calibrate is None else open_events(calibrate, samples)
    spikes, labels = (None, None) if events is None else (events.spikes, events.labels)
    result = quantization(graph, chip, spikes, wanted, labels, approximate_reset=approximate_reset)
    accuracy = None if events is None or events.labels is None else _accuracy(graph, result, events)
    write_network(result.network, output, force=force)
    if values is not None:
        _write_values(result, values)
    if report is not None:
        _write_report(result, net.name, report)
    if as_json:
        print_json(_document(result, output, accuracy))
    elif not quiet:
        _show(result, output, accuracy)


def _refuse_outputs(
    output: Path, values: Path | None, report: Path | None, calibrate: Path | None, force: bool
) -> None:
    """Refuse, before any work is done, what could not be written in the end."""
    from neurodeploy.errors import UsageError
    from neurodeploy.files import refuse_existing

    for path in (output, values, report):
        if path is not None:
            refuse_existing(path, force=force)
    if report is not None:
        from neurodeploy.report.quantization import require_form

        require_form(report)
        if calibrate is None:
            raise UsageError("--report", "tells what integers do to spikes", "give samples: --calibrate data.npz")


def _bits(text: str | None) -> Any:
    """Return the width that ``--weight-bits`` names, as :class:`neurodeploy.choices.Choices` takes it."""
    if text is None or text == "auto":
        return text
    from neurodeploy.errors import UsageError

    if not text.isdecimal():
        raise UsageError("--weight-bits", f"is {text!r}", "give a number of bits, or auto")
    return int(text)


def _write_report(result: Quantization, source: str, path: Path) -> None:
    from neurodeploy.diagnosis import diagnose
    from neurodeploy.files import replacing
    from neurodeploy.report.quantization import render_quantization

    text = render_quantization(diagnose(result), source, path)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


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
    ends = [f"{end:,}" if isinstance(end, int) else f"{end:.5g}" for end in (low, high)]
    return ends[0] if low == high else " .. ".join(ends)
