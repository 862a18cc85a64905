"""``neurodeploy simulate``: run a network, record it, and hold one backend against another."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurodeploy.cli.common import (
    console,
    dt_option,
    force_option,
    json_option,
    open_events,
    open_graph,
    open_network,
    print_json,
    quantities,
    quiet_option,
    semantics_option,
)

if TYPE_CHECKING:
    from neurodeploy.comparison import Comparison
    from neurodeploy.npz import Events
    from neurodeploy.recording import Recording
    from neurodeploy.simulation import Simulated

_BACKENDS = ("emulator", "golden", "lava", "netx", "onnx", "float")
_DEVICES = ("cpu", "cuda")


@click.command("simulate")
@click.argument("net", type=click.Path(path_type=Path))
@click.option(
    "--input", "data", type=click.Path(path_type=Path), required=True, help="Spikes, dense or as events (.npz)."
)
@click.option("--backend", type=click.Choice(_BACKENDS), default="emulator", show_default=True)
@click.option("--device", type=click.Choice(_DEVICES), default="cpu", show_default=True, help="Where --backend runs.")
@click.option("--compare", "other", type=click.Choice(_BACKENDS), help="Run this backend too, compare every s, u, v.")
@click.option("--record", default="s", show_default=True, callback=quantities, help="What to keep: any of s,u,v.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the recording to this .npz.")
@click.option("--samples", type=click.IntRange(1), help="Run the first so many samples only.")
@click.option("--target", metavar="CHIP", help="Quantize a float .nir to this chip first.")
@click.option("--reset-interval", type=click.IntRange(1), metavar="R", help="Clear population k in steps 1+k+K of R.")
@click.option("--reset-offset", type=int, metavar="K", help="Phase of the resets.  [0]")
@dt_option
@semantics_option
@force_option
@json_option
@quiet_option
def command(
    net: Path,
    data: Path,
    backend: str,
    device: str,
    other: str | None,
    record: tuple[str, ...],
    output: Path | None,
    samples: int | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Run the network NET on the spikes of a data file.

    emulator, golden, lava and onnx execute the integer network and agree bit for bit; netx loads a .net with lava-dl
    itself; float executes the graph. --compare prints 'equal over N cells', or the first (sample, step, population,
    neuron) that differs with both values, and then exits 1. --device cuda runs the emulator on a GPU, which --compare
    emulator then holds against the CPU.

    With --reset-interval, population k, counted from 0, clears its state before its update in every step t, counted
    from 1, in which t and 1+k+K leave the same remainder of R: the schedule of lava-dl's netx.
    """
    from neurodeploy.comparison import compare
    from neurodeploy.files import refuse_existing

    if output is not None:
        refuse_existing(output, force=force)
    events = open_events(data, samples)
    wanted = ("s", "u", "v") if other else record
    recording, notes = _run(net, backend, events, wanted, options, device)
    comparison = None
    if other is not None:
        comparison = compare(recording, _run(net, other, events, wanted, options)[0])
    if output is not None:
        recording.only(record).save(output)
    if as_json:
        print_json(_document(recording, events, comparison, output) | ({"notes": notes} if notes else {}))
    elif not quiet:
        _show(recording, events, comparison, output)
        for note in notes:
            click.echo(f"note: {note}")
    if comparison is not None and not comparison.equal:
        raise click.exceptions.Exit(1)


def _run(
    net: Path, backend: str, events: Events, record: Collection[str], options: dict[str, Any], device: str = "cpu"
) -> tuple[Recording, list[str]]:
    """Return the recording, and what the reader of a .net has to say of the file."""
    from neurodeploy.errors import UsageError
    from neurodeploy.netxfile import netx_notes
    from neurodeploy.simulation import BACKENDS, simulate, with_resets

    interval, offset = options["reset_interval"], options["reset_offset"]
    if interval is None and offset is not None:
        raise UsageError("--reset-offset", "shifts a schedule of resets, there is none", "give --reset-interval too")
    network = _OPENERS[BACKENDS[backend][1].__name__](net, options)
    if interval:
        network = with_resets(network, interval, offset or 0)
    return simulate(network, events.spikes, backend, record, device), netx_notes(network)


def _integer(net: Path, options: dict[str, Any]) -> Simulated:
    return open_network(net, **{name: options[name] for name in ("target", "dt", "semantics")})


def _netx(net: Path, options: dict[str, Any]) -> Simulated:
    from neurodeploy.loading import load_netx

    return load_netx(net, dt=options["dt"])


def _float(net: Path, options: dict[str, Any]) -> Simulated:
    return open_graph(net, dt=options["dt"], semantics=options["semantics"])


#: Name of the value a backend executes -> what opens a file as one.
_OPENERS: dict[str, Callable[[Path, dict[str, Any]], Simulated]] = {
    "Network": _integer,
    "NetxFile": _netx,
    "Graph": _float,
}


def _document(
    recording: Recording, events: Events, comparison: Comparison | None, output: Path | None
) -> dict[str, Any]:
    populations = [
        {
            "name": name,
            "spikes_per_inference": int(values.sum(dtype="int64")) / recording.samples,
            "rate": float(values.mean()),
            "wraps": recording.wraps.get(name),
            "clips": recording.clips.get(name),
        }
        for name, values in recording.spikes.items()
    ]
    document: dict[str, Any] = {
        "backend": recording.backend,
        "versions": dict(recording.versions),
        "samples": recording.samples,
        "steps": recording.steps,
        "populations": populations,
        "file": None if output is None else str(output),
    }
    if events.labels is not None:
        document["accuracy"] = recording.accuracy(events.labels)
    if comparison is not None:
        document |= comparison.as_dict()
    return document


def _show(recording: Recording, events: Events, comparison: Comparison | None, output: Path | None) -> None:
    from rich.table import Table

    screen = console()
    table = Table(
        title=f"{recording.backend}: {recording.samples} samples of {recording.steps} steps", title_justify="left"
    )
    table.add_column("population")
    for heading in ("spikes per inference", "per neuron and step", "u wraps", "v clips"):
        table.add_column(heading, justify="right")
    for row in _document(recording, events, None, None)["populations"]:
        counts = ["-" if row[key] is None else f"{row[key]:,}" for key in ("wraps", "clips")]
        table.add_row(row["name"], f"{row['spikes_per_inference']:,.1f}", f"{row['rate']:.4f}", *counts)
    screen.print(table)
    if events.labels is not None:
        click.echo(f"accuracy: {recording.accuracy(events.labels):.2%}")
    if comparison is not None:
        click.echo(comparison.summary())
    if output is not None:
        click.echo(f"wrote {output}")
