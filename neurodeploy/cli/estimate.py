"""``neurodeploy estimate``: count a network's events on data, and estimate energy and latency."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import click

from neurodeploy.cli.common import (
    console,
    dt_option,
    json_option,
    margin_option,
    open_events,
    open_network,
    optimize_option,
    partition_option,
    print_json,
    semantics_option,
    share_option,
)
from neurodeploy.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from neurodeploy.conventions import Conventions
    from neurodeploy.energy import Bounds, Estimate
    from neurodeploy.neurobench import NeuroBench
    from neurodeploy.sanafe.engine import Peer


#: Share of a step beyond which a link's messages queue.
_BUSY = 0.5


@click.command("estimate")
@click.argument("network", type=click.Path(path_type=Path))
@click.option("--input", "data", required=True, type=click.Path(path_type=Path), help="Input spikes, .npz.")
@click.option("--target", metavar="CHIP", help="A chip's name, or the path of its .toml; not for a checkpoint.")
@click.option("--samples", type=click.IntRange(min=1), help="Use only the first so many samples.")
@click.option("--backend", default="emulator", show_default=True, help="What simulates the network.")
@click.option("--recording", type=click.Path(path_type=Path), help="Count this recording, of the same input.")
@margin_option
@optimize_option
@share_option
@partition_option
@click.option("--neurobench", "with_neurobench", is_flag=True, help="Add NeuroBench's figures, by its definitions.")
@click.option(
    "--engine", type=click.Choice(("own", "sanafe")), default="own", show_default=True, help="Ask a peer as well."
)
@click.option(
    "--measured", type=float, metavar="SECONDS", help="A measured time of an inference: was the chip waiting?"
)
@dt_option
@semantics_option
@json_option
def command(
    network: Path,
    data: Path,
    target: str | None,
    samples: int | None,
    backend: str,
    recording: Path | None,
    margin: float | None,
    optimize: str,
    share: bool,
    partition: str,
    with_neurobench: bool,
    engine: str,
    measured: float | None,
    dt: float | None,
    semantics: str | None,
    as_json: bool,
) -> None:
    """Simulate NETWORK on data, count its events, and estimate energy and latency of one inference.

    With --recording FILE nothing is simulated: FILE is what simulate -o wrote of the same data, and is read from the
    disk as it is counted.

    Of a checkpoint of 'neurodeploy train' (.safetensors) no chip is asked for: operations, firing rates and the
    literature's energy are told by layer, stage and branch, as the float network runs.
    """
    if network.suffix == ".safetensors":
        from neurodeploy.cli.operations import show_operations

        if target is not None:
            raise UsageError(
                f"--target {target}", f"{network} is a float network", "export and quantize it, or leave --target out"
            )
        show_operations(network, data, samples, as_json=as_json)
        return
    if target is None:
        raise UsageError("--target", "is missing", "name a chip; 'neurodeploy targets' lists them")
    from neurodeploy.activity import count_activity
    from neurodeploy.conventions import conventions
    from neurodeploy.energy import estimate
    from neurodeploy.mapping import map_network, require_choices, require_fit
    from neurodeploy.neurobench import neurobench
    from neurodeploy.sanafe.engine import compare_with_sanafe
    from neurodeploy.simulation import simulate
    from neurodeploy.streaming import recorded
    from neurodeploy.targets.chip import load_chip

    chip = load_chip(target)
    require_choices(chip, margin=margin, optimize=optimize, share=share, partition=partition)
    loaded = open_network(network, target=target, dt=dt, semantics=semantics)
    events = open_events(data, samples)
    place = functools.partial(map_network, loaded, chip, margin=margin, share=share, partition=partition)
    placement = place()
    require_fit(placement)
    if recording is not None:
        run = recorded(loaded, recording, events.spikes)
    else:
        run = simulate(loaded, events.spikes, backend=backend, record=("s", "v") if with_neurobench else ("s",))
    if optimize != "cores":
        placement = place(optimize=optimize, rates=run.rates())
    activity = count_activity(loaded, run, placement)
    result, others = estimate(activity, placement, chip), conventions(loaded, activity)
    peer = compare_with_sanafe(loaded, placement, run, activity) if engine == "sanafe" else None
    host_bound = measured is not None and result.is_host_bound(measured)
    figures = neurobench(loaded, run) if with_neurobench else None
    if as_json:
        document = {**result.as_dict(), "conventions": vars(others)}
        document |= {"neurobench": figures.as_dict()} if figures else {}
        document |= {"sanafe": peer.as_dict()} if peer else {}
        print_json(document | ({"host_bound": host_bound} if measured is not None else {}))
        return
    _show(result)
    _show_conventions(others)
    if figures:
        _show_neurobench(figures)
    if peer:
        _show_peer(peer)
    if host_bound:
        console().print(f"measured {measured:g} s: the host or its link sets the pace, not the chip")


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
    table.add_row("step, mean", *spell(result.step_time, "s"))
    table.add_row("step, slowest", *spell(result.slowest_step, "s"))
    table.add_row("inferences per second", *spell(result.throughput, ""))
    screen.print(table)
    if result.link_use.nominal > _BUSY:
        screen.print(f"the busiest link is busy {result.link_use.nominal:.0%} of a step: messages will wait longer")
    screen.print(f"weakest source: {result.source_class}; sources: neurodeploy targets show {result.target}")
    if result.uncertainty:
        screen.print(result.uncertainty, markup=False)
    for text in result.left_out:
        screen.print(f"left out: {text}", markup=False)


def _show_conventions(others: Conventions) -> None:
    from neurodeploy.energy import rounded

    screen = console()
    arithmetic = _quantity(rounded(others.operations_45nm_joule, 3), "J")
    screen.print(f"45 nm operations, 0.9 pJ each, arithmetic only, not this chip's energy: {arithmetic}")
    devices = ", ".join(f"{name} {_quantity(rounded(e, 3), 'J')}" for name, e in others.keras_spiking_joule.items())
    screen.print(f"keras-spiking's devices, by its constants, not this chip: {devices}")
    screen.print(f"N-DNS proxy, synaptic operations + 10 neuron updates: {others.ndns_proxy_operations:,.0f}")


def _show_neurobench(figures: NeuroBench) -> None:
    from rich.table import Table

    operations = figures.synaptic_operations
    table = Table("figure", title="NeuroBench's figures, per sample")
    table.add_column("value", justify="right")
    table.add_row("footprint", f"{figures.footprint:,} bytes")
    table.add_row("connection sparsity", f"{figures.connection_sparsity:.4f}")
    table.add_row("activation sparsity", f"{figures.activation_sparsity:.4f}")
    table.add_row("synaptic operations, dense", f"{operations.dense:,.1f}")
    table.add_row("synaptic operations, effective MACs", f"{operations.effective_macs:,.1f}")
    table.add_row("synaptic operations, effective ACs", f"{operations.effective_acs:,.1f}")
    table.add_row("membrane updates", f"{figures.membrane_updates:,.1f}")
    table.add_row("on the chip: synops_hw", f"{figures.synops_hw:,.1f}")
    console().print(table)


def _show_peer(peer: Peer) -> None:
    from rich.table import Table

    table = Table("between populations, all samples", title=f"SANA-FE {peer.version} on the same activity")
    for heading in ("neurodeploy", "SANA-FE"):
        table.add_column(heading, justify="right")
    table.add_column("equal")
    for row in peer.rows:
        table.add_row(row.name, f"{row.ours:,.10g}", f"{row.theirs:,.10g}", "yes" if row.equal else "no")
    screen = console()
    screen.print(table)
    screen.print(
        f"its step, messages waiting for each other and neurons taking no time: {_quantity(peer.step_second, 's')}"
    )


def _population_table(result: Estimate) -> Table:
    from rich.table import Table

    table = Table(title=f"events per inference: {result.samples} samples of {result.steps} steps")
    table.add_column("population")
    headings = ("cores", "spikes", "synaptic operations", "neuron updates", "active", "messages", "memory reads")
    for heading in headings:
        table.add_column(heading, justify="right")
    names = ("spikes", "synaptic_operations", "neuron_updates", "active_updates", "messages", "memory_reads")
    for part in result.populations:
        counts = tuple(getattr(part, name) for name in names)
        table.add_row(part.name, str(part.cores), *(f"{count:,.1f}" for count in counts))
    table.add_row("all, with input", str(result.cores_used), *(f"{result.counts[name]:,.1f}" for name in names))
    return table


_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))


def _quantity(value: float, unit: str) -> str:
    scale, prefix = next(((s, p) for s, p in _PREFIXES if value >= s * (1 - 1e-9)), (1.0, ""))
    return f"{value / scale:.4g} {prefix}{unit}"
