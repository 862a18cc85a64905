"""``neurodeploy simulate``: run a network, record it, and hold one backend against another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    progress,
    quantities,
    quiet_option,
    semantics_option,
)

if TYPE_CHECKING:
    from neurodeploy.comparison import Comparison
    from neurodeploy.npz import Events
    from neurodeploy.simulation import Simulated
    from neurodeploy.tally import Tally

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
@click.option("--stream", "streamed", is_flag=True, help="Write the recording while running, in bounded memory.")
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
    streamed: bool,
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

    With --stream, and by itself where the recording would take half of the free memory, the run goes piece by piece and
    the recording grows on disk, uncompressed; state is carried from piece to piece, so that every number is the same.

    With --reset-interval, population k, counted from 0, clears its state before its update in every step t, counted
    from 1, in which t and 1+k+K leave the same remainder of R: the schedule of lava-dl's netx.
    """
    from neurodeploy.files import refuse_existing
    from neurodeploy.netxfile import netx_notes

    if output is not None:
        refuse_existing(output, force=force)
    events = open_events(data, samples)
    task = _Task(net, backend, other, device, ("s", "u", "v") if other else record, options)
    network = task.open(backend)
    if streamed or (output is not None and _too_large(network, events, task.wanted)):
        found = _stream(task, network, events, record, output, quiet=quiet or as_json)
    else:
        found = _at_once(task, network, events, record, output)
    tally, comparison = found
    notes = netx_notes(network)
    if as_json:
        print_json(_document(tally, events, comparison, output) | ({"notes": notes} if notes else {}))
    elif not quiet:
        _show(tally, events, comparison, output)
        for note in notes:
            click.echo(f"note: {note}")
    if comparison is not None and not comparison.equal:
        raise click.exceptions.Exit(1)


@dataclass(frozen=True)
class _Task:
    """What is asked for: a file, a backend and perhaps another, and which quantities they record."""

    net: Path
    backend: str
    other: str | None
    device: str
    wanted: tuple[str, ...]
    options: dict[str, Any]

    def open(self, backend: str) -> Simulated:
        """Return the file as what a backend executes."""
        from neurodeploy.errors import UsageError
        from neurodeploy.simulation import BACKENDS, with_resets

        interval, offset = self.options["reset_interval"], self.options["reset_offset"]
        if interval is None and offset is not None:
            problem = "shifts a schedule of resets, there is none"
            raise UsageError("--reset-offset", problem, "give --reset-interval too")
        network = _OPENERS[BACKENDS[backend][1].__name__](self.net, self.options)
        return with_resets(network, interval, offset or 0) if interval else network


def _too_large(network: Simulated, events: Events, wanted: tuple[str, ...]) -> bool:
    from neurodeploy.network import Network
    from neurodeploy.room import should_stream

    return isinstance(network, Network) and should_stream(network, (events.samples, events.steps), wanted)


def _at_once(
    task: _Task, network: Simulated, events: Events, record: tuple[str, ...], output: Path | None
) -> tuple[Tally, Comparison | None]:
    from neurodeploy.comparison import compare
    from neurodeploy.simulation import simulate
    from neurodeploy.tally import Tally

    recording = simulate(network, events.spikes, task.backend, task.wanted, task.device)
    comparison = None
    if task.other is not None:
        comparison = compare(recording, simulate(task.open(task.other), events.spikes, task.other, task.wanted))
    if output is not None:
        recording.only(record).save(output)
    return Tally.of(recording), comparison


def _stream(
    task: _Task, network: Simulated, events: Events, record: tuple[str, ...], output: Path | None, *, quiet: bool
) -> tuple[Tally, Comparison | None]:
    from neurodeploy.streaming import stream

    with progress(quiet=quiet) as bar:
        line = bar.add_task("simulate: steps", total=events.samples * events.steps)
        found = stream(
            network,  # type: ignore[arg-type]  # what is no integer network is refused by name
            events.spikes,
            output,
            task.backend,
            record,
            against=task.other,
            device=task.device,
            on_progress=lambda steps: bar.advance(line, steps),
        )
    return found.tally, found.comparison


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


def _document(tally: Tally, events: Events, comparison: Comparison | None, output: Path | None) -> dict[str, Any]:
    from neurodeploy.headroom import peak_memory

    document: dict[str, Any] = {
        "backend": tally.backend,
        "versions": dict(tally.versions),
        "samples": tally.samples,
        "steps": tally.steps,
        "populations": tally.populations(),
        "uncounted": tally.uncounted or None,
        "peak_memory_byte": peak_memory(),
        "file": None if output is None else str(output),
    }
    if events.labels is not None:
        document["accuracy"] = tally.accuracy(events.labels)
    if comparison is not None:
        document = comparison.as_dict() | document  # both say populations; here they are counted, not only named
    return document


def _show(tally: Tally, events: Events, comparison: Comparison | None, output: Path | None) -> None:
    from rich.table import Table

    from neurodeploy.headroom import peak_memory, spelled

    screen = console()
    table = Table(title=f"{tally.backend}: {tally.samples} samples of {tally.steps} steps", title_justify="left")
    table.add_column("population")
    for heading in ("spikes per inference", "per neuron and step", "u wraps", "v clips"):
        table.add_column(heading, justify="right")
    for row in tally.populations():
        counts = ["-" if row[key] is None else f"{row[key]:,}" for key in ("wraps", "clips")]
        table.add_row(row["name"], f"{row['spikes_per_inference']:,.1f}", f"{row['rate']:.4f}", *counts)
    screen.print(table)
    if tally.uncounted:
        click.echo(f"wraps and saturations are not counted: {tally.uncounted}")
    if events.labels is not None:
        click.echo(f"accuracy: {tally.accuracy(events.labels):.2%}")
    if comparison is not None:
        click.echo(comparison.summary())
    click.echo(f"peak memory: {spelled(peak_memory())}")
    if output is not None:
        click.echo(f"wrote {output}")
