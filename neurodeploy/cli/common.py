"""What several verbs share: where output goes, how files that several steps can start from are opened."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from neurodeploy.graph import Graph
    from neurodeploy.network import Network
    from neurodeploy.npz import Events

#: Version of the JSON documents; raised when a key changes its meaning or goes.
SCHEMA = 1

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, nothing else.")
quiet_option = click.option("--quiet", is_flag=True, help="Show no progress.")
force_option = click.option("--force", is_flag=True, help="Replace existing output.")
target_option = click.option("--target", required=True, metavar="CHIP", help="A chip's name, or the path of its .toml.")
margin_option = click.option(
    "--margin", type=float, help="Share of axon and memory limits to leave free; the chip file's own if unset."
)
optimize_option = click.option(
    "--optimize",
    default="cores",
    show_default=True,
    metavar="cores|latency|energy",
    help="Fewest cores, the shortest step, or the least energy of an inference.",
)
share_option = click.option(
    "--share", is_flag=True, help="Put several populations on a core where the chip allows it, for fewer cores."
)
partition_option = click.option(
    "--partition",
    default="own",
    show_default=True,
    metavar="own|given|mtkahypar",
    help="Which neurons behind sparse synapses stand together on a core.",
)
approximate_option = click.option(
    "--approximate-reset", is_flag=True, help="Where the chip lacks a neuron's reset, take the nearest, and measure."
)
dt_option = click.option("--dt", type=float, help="Seconds of one step, for a .nir that does not say.")
semantics_option = click.option("--semantics", metavar="PRESET", help="How a bare .nir is meant, such as 'snntorch'.")


def quantities(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Return the letters of an option such as ``s,u,v``."""
    return tuple(letter.strip() for letter in (value or "").split(",") if letter.strip())


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout, with its schema version first."""
    click.echo(json.dumps({"schema": SCHEMA, **document}, indent=2))


def console(*, quiet: bool = False) -> Console:
    """Return the console that shows results, on stdout."""
    from rich.console import Console

    # Names come from files: they are text, never markup. Away from a terminal a table takes the room it needs.
    width = None if sys.stdout.isatty() else 160
    return Console(quiet=quiet, highlight=False, markup=False, emoji=False, width=width)


def progress(*, quiet: bool) -> Progress:
    """Return a progress bar on stderr; it hides itself where stderr is no terminal or ``quiet`` is set."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=quiet,
        transient=True,
    )


def open_network(
    path: Path, *, target: str | None = None, dt: float | None = None, semantics: str | None = None
) -> Network:
    """Return the integer network of a file; a float .nir is quantized to ``target`` without calibration."""
    from neurodeploy.graph import Graph
    from neurodeploy.loading import load
    from neurodeploy.netfile import read_network

    loaded = load(path, dt=dt, semantics=semantics)
    if not isinstance(loaded, Graph):
        return loaded
    if target is None:
        return read_network(path)  # says that it is a float network, and what to do
    from neurodeploy.quantization import quantize
    from neurodeploy.targets.chip import load_chip

    return quantize(loaded, load_chip(target))


def open_graph(path: Path, *, dt: float | None = None, semantics: str | None = None) -> Graph:
    """Return the float graph of a .nir file; of a quantized one, its dequantized graph."""
    from neurodeploy.dequantize import dequantize
    from neurodeploy.graph import Graph
    from neurodeploy.loading import load

    loaded = load(path, dt=dt, semantics=semantics)
    return loaded if isinstance(loaded, Graph) else dequantize(loaded)


def open_events(path: Path, samples: int | None = None) -> Events:
    """Return the events of an .npz file, or the first ``samples`` of them."""
    from neurodeploy.npz import read_events

    events = read_events(path)
    return events if samples is None else events.first(samples)
