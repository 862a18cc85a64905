"""``neurodeploy estimate``: count a network's events on data, and estimate energy and latency."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from neurodeploy.cli.common import (
    console,
    dt_option,
    json_option,
    open_events,
    open_network,
    optimize_option,
    print_json,
    semantics_option,
    target_option,
)

if TYPE_CHECKING:
    from rich.table import Table

    from neurodeploy.energy import Bounds, Estimate


@click.command("estimate")
@click.argument("network", type=click.Path(path_type=Path))
@click.option("--input", "data", required=True, type=click.Path(path_type=Path), help="Input spikes, .npz.")
@target_option
@click.option("--samples", type=click.IntRange(min=1), help="Use only the first so many samples.")
@click.option("--backend", default="emulator", show_default=True, help="What simulates the network.")
@click.option(
    "--margin", type=float, help="Share of axon and memory limits to leave free; the chip file's own if unset."
)
@optimize_option
@dt_option
@semantics_option
@json_option
def command(
    network: Path,
    data: Path,
    target: str,
    samples: int | None,
    backend: str,
    margin: float | None,
    optimize: str,
    dt: float | None,
    semantics: str | None,
    as_json: bool,
) -> None:
    """Simulate NETWORK on data, count its events, and estimate energy and latency of one inference."""
    from neurodeploy.activity import count_activity
    from neurodeploy.energy import estimate
    from neurodeploy.mapping import map_network, require_fit
    from neurodeploy.simulation import simulate
    from neurodeploy.targets.chip import load_chip

    chip = load_chip(target)
    loaded = open_network(network, target=target, dt=dt, semantics=semantics)
    events = open_events(data, samples)
    require_fit(map_network(loaded, chip, margin=margin))
    recording = simulate(loaded, events.spikes, backend=backend, record=("s",))
    rates = None if optimize == "cores" else recording.rates()
    placement = map_network(loaded, chip, margin=margin, optimize=optimize, rates=rates)
    result = estimate(count_activity(loaded, recording, placement), placement, chip)
    if as_json:
        print_json(result.as_dict())
    else:
        _show(result)


def _show(result: Estimate) -> None:
    from rich.table import Table

    from neurodeploy.energy import rounded

    def spell(bounds: Bounds, unit: str) -> list[str]:
        values = (bounds.low, bounds.nominal, bounds.high)
        return [_quantity(rounded(value, result.significant_digits), unit) for value in values]

    screen = console()
    screen.print(_population_table(result))
    table = Table("per inference", "low", "nominal", "high", title=f"{result.target}: {result.source_class}")
    for name in ("dynamic", "static", "management", "total"):
        table.add_row(f"{name} energy", *spell(getattr(result, name), "J"))
    table.add_row("latency", *spell(result.latency, "s"))
    screen.print(table)
    arithmetic = _quantity(rounded(result.energy_45nm_operations_joule, 3), "J")
    screen.print(f"45 nm operations, 0.9 pJ each, arithmetic only, not this chip's energy: {arithmetic}")
    screen.print(f"weakest source: {result.source_class}; sources: neurodeploy targets show {result.target}")
    for text in result.left_out:
        screen.print(f"left out: {text}", markup=False)


def _population_table(result: Estimate) -> Table:
    from rich.table import Table

    table = Table(title=f"events per inference: {result.samples} samples of {result.steps} steps")
    table.add_column("population")
    headings = ("cores", "spikes", "synaptic operations", "neuron updates", "active", "messages")
    for heading in headings:
        table.add_column(heading, justify="right")
    for part in result.populations:
        counts = (part.spikes, part.synaptic_operations, part.neuron_updates, part.active_updates, part.messages)
        table.add_row(part.name, str(part.cores), *(f"{count:,.1f}" for count in counts))
    names = ("spikes", "synaptic_operations", "neuron_updates", "active_updates", "messages")
    table.add_row("all, with input", str(result.cores_used), *(f"{result.counts[name]:,.1f}" for name in names))
    return table


_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))


def _quantity(value: float, unit: str) -> str:
    scale, prefix = next(((s, p) for s, p in _PREFIXES if value >= s * (1 - 1e-9)), (1.0, ""))
    return f"{value / scale:.4g} {prefix}{unit}"
