"""``neurodeploy deploy``: the whole line, from a checkpoint or .nir to a folder with a report."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from neurodeploy.cli.common import (
    approximate_option,
    console,
    dt_option,
    force_option,
    json_option,
    margin_option,
    optimize_option,
    partition_option,
    progress,
    quiet_option,
    semantics_option,
    share_option,
    target_option,
)
from neurodeploy.export.door import DOORS

if TYPE_CHECKING:
    from rich.table import Table

    from neurodeploy.deployment import Deployment


@click.command("deploy")
@click.argument("source", type=click.Path(path_type=Path))
@target_option
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Events (.npz) to measure everything on.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder to write.")
@click.option("--calibrate", type=click.Path(path_type=Path), help="Events for the registers' ranges [half of --data].")
@click.option("--samples", type=click.IntRange(1), help="Use the first so many samples of --data.")
@click.option("--parity-samples", type=click.IntRange(1), default=20, show_default=True, help="Compared cell by cell.")
@click.option(
    "--lava", type=click.Choice(["auto", "require", "off"]), default="auto", show_default=True, help="Witness."
)
@click.option("--factory", metavar="MODULE:FUNCTION", help="Builds your module; imported from this directory.")
@click.option("--from", "framework", type=click.Choice(list(DOORS)), help="What wrote a checkpoint.")
@margin_option
@optimize_option
@share_option
@partition_option
@approximate_option
@dt_option
@semantics_option
@force_option
@json_option
@quiet_option
def command(
    source: Path,
    target: str,
    data: Path,
    output: Path,
    lava: Literal["auto", "require", "off"],
    as_json: bool,
    quiet: bool,
    calibrate: Path | None,
    **options: Any,
) -> None:
    """Take SOURCE, a checkpoint or a .nir file, to a chip: integers, placement, proof, counts, and a report.

    The emulator is held against the golden model and, where it is installed, Lava: every current, membrane and spike
    of every step. The folder is written only when they agree and the network fits. With --force it replaces an earlier
    deployment, and nothing else.
    """
    from neurodeploy.pipeline import STEPS, deploy

    bar = progress(quiet=quiet)
    task = bar.add_task("", total=len(STEPS))

    def show(step: str) -> None:
        bar.update(task, description=step, completed=STEPS.index(step))

    # The user's code may print; stdout is for the result.
    with bar, contextlib.redirect_stdout(sys.stderr):
        result = deploy(source, target, data, output, calibration=calibrate, lava=lava, progress=show, **options)
    if as_json:
        click.echo((output / "report.json").read_text(encoding="utf-8"), nl=False)
    elif not quiet:
        _show(result)


def _show(result: Deployment) -> None:
    screen = console()
    screen.print(_layers(result.report))
    lines = _summary(result.report) | {
        "files": f"{result.directory}/: {', '.join(path.name for path in result.files)}",
        "time": _time(result.seconds),
    }
    for name, text in lines.items():
        screen.print(f" {name:<9} {_printable(text)}", soft_wrap=True)


def _time(seconds: Mapping[str, float]) -> str:
    longest = max(seconds, key=seconds.__getitem__)
    return f"{sum(seconds.values()):.1f} s, of which {seconds[longest]:.1f} s to {longest}"


def _printable(text: str) -> str:
    """Return ``text`` without the characters by which a name from a file could steer the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _layers(report: Mapping[str, Any]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from neurodeploy.report.numbers import count, dimensions, percent, words

    table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    estimate = report["estimate"]
    columns = {
        "layer": "all",
        "shape": "",
        "cores": count(report["placement"]["cores_used"]),
        "tightest limit": "",
        "spikes": count(estimate["spikes"]),
        "rate": "",
        "synaptic ops": count(estimate["synaptic_operations"]),
    }
    for heading, footer in columns.items():
        justify: Literal["left", "right"] = "left" if heading in ("layer", "tightest limit") else "right"
        table.add_column(heading, footer, justify=justify, overflow="fold")
    for layer in report["layers"]:
        table.add_row(
            Text(_printable(layer["name"])),
            dimensions(layer["shape"]),
            count(layer["cores"]),
            f"{words(layer['tightest_limit'])} {percent(layer['use'], 0)}",
            count(layer["spikes"]),
            percent(layer["rate"]),
            count(layer["synaptic_operations"]),
        )
    return table


def _summary(report: Mapping[str, Any]) -> dict[str, str]:
    """Return the lines below the table."""
    from neurodeploy.report.numbers import bounds, count, percent

    estimate, accuracy, placement, lava = (report[key] for key in ("estimate", "accuracy", "placement", "lava"))
    digits, source_class = estimate["significant_digits"], estimate["source_class"]
    latency, pipeline = bounds(estimate["latency_second"], "s", digits), report["pipeline"]
    first = report["parity"][0]
    equal = " = ".join([first["backends"][0], *(row["backends"][1] for row in report["parity"])])
    energy = {part: bounds(interval, "J", digits) for part, interval in estimate["energy_joule"].items()}
    lines = {
        "target": f"{report['target_title']}; fits",
        "accuracy": "the data have no labels",
        "parity": f"{equal} over {count(first['cells'])} cells: s, u, v of {first['samples']} samples",
        "cores": f"{placement['cores_used']} of {placement['cores_allowed']}, chips: {placement['chips_used']}",
        "events": f"{count(estimate['spikes'])} spikes, {count(estimate['synaptic_operations'])} synaptic operations, "
        f"{count(estimate['messages'])} messages per inference",
        "energy": f"dynamic {energy['dynamic']}, static {energy['static']}, in all {energy['total']} ({source_class})",
        "latency": f"{latency} for {pipeline['steps']} steps, {pipeline['fill_steps']} of them to fill the pipeline "
        f"({source_class})",
    }
    if accuracy is not None:
        figures = f"{percent(accuracy['float'], 2)} in float, {percent(accuracy['integer'], 2)} in integers"
        lines["accuracy"] = f"{figures}, {count(accuracy['samples'])} samples"
    if not lava["consulted"]:
        lines["lava"] = f"Lava was not consulted: {lava['reason']}"
    return lines | ({"notes": "; ".join(report["notes"])} if report["notes"] else {})
