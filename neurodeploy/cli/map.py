"""``neurodeploy map``: place a network on the cores of a chip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from neurodeploy.cli.common import (
    console,
    dt_option,
    force_option,
    json_option,
    margin_option,
    open_network,
    optimize_option,
    partition_option,
    print_json,
    semantics_option,
    share_option,
    target_option,
)

if TYPE_CHECKING:
    from rich.table import Table

    from neurodeploy.placement import Placement

#: Up to this many cores are shown one by one without being asked for.
_SHOWN_CORES = 16


@click.command("map")
@click.argument("network", type=click.Path(path_type=Path))
@target_option
@margin_option
@optimize_option
@share_option
@partition_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the placement, core by core, as JSON.")
@click.option("--draw", type=click.Path(path_type=Path), help="Draw the mesh with its use and traffic, as SVG.")
@click.option("--cores", "by_core", is_flag=True, help="Show every core, also where there are more than 16.")
@dt_option
@semantics_option
@force_option
@json_option
def command(
    network: Path,
    target: str,
    margin: float | None,
    optimize: str,
    share: bool,
    partition: str,
    output: Path | None,
    draw: Path | None,
    by_core: bool,
    dt: float | None,
    semantics: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Place NETWORK on the cores of a chip, or say why it does not fit (exit code 1)."""
    from neurodeploy.files import refuse_existing, replacing
    from neurodeploy.mapping import map_network, require_fit
    from neurodeploy.targets.chip import load_chip

    chip = load_chip(target)
    for path in filter(None, (output, draw)):
        refuse_existing(path, force=force)
    loaded = open_network(network, target=target, dt=dt, semantics=semantics)
    placement = map_network(loaded, chip, margin=margin, optimize=optimize, share=share, partition=partition)
    if output:
        with replacing(output) as temporary:
            temporary.write_text(json.dumps(placement.as_dict(cores=True), indent=2) + "\n", encoding="utf-8")
    if draw:
        from neurodeploy.report.mesh import draw_mesh

        with replacing(draw) as temporary:
            temporary.write_text(draw_mesh(placement) + "\n", encoding="utf-8")
    if as_json:
        print_json(placement.as_dict(cores=by_core))
    else:
        _show(placement, by_core=by_core)
    require_fit(placement)


def _show(placement: Placement, *, by_core: bool) -> None:
    from rich.table import Table

    chip = placement.chip
    screen = console()
    screen.print(f"{placement.cores_used} cores on {placement.chips_used} of {chip.chips_max} chips, {chip.title}")
    table = Table()
    for heading, justify in (("population", "left"), ("cores", "right"), ("tile", "left"), ("tightest limit", "left")):
        table.add_column(heading, justify="right" if justify == "right" else "left")
    table.add_column("use", justify="right")
    for row in placement.populations:
        tile = " x ".join(map(str, row.tile))
        table.add_row(row.name, str(row.cores), tile, row.tightest_limit, f"{row.use:.0%}")
    screen.print(table)
    if by_core or len(placement.cores) <= _SHOWN_CORES:
        screen.print(_core_table(placement))
    for each in placement.violations:
        problem = f"{each.population}: needs {each.found:,} {each.limit}, allowed are {each.allowed:,}"
        screen.print(f"{problem}; {each.advice}", markup=False)
    screen.print(f"limits of axons and memory less a margin of {placement.margin:.0%}; input ports take no cores")


def _core_table(placement: Placement) -> Table:
    from rich.table import Table

    table = Table("chip", "core", "population", "cells", *placement.cores[0].use)
    for core in placement.cores:
        cells = " x ".join(f"{start}:{stop}" for start, stop in core.box)
        uses = (f"{used}/{allowed}" for used, allowed in core.use.values())
        table.add_row(str(core.chip), str(core.core), core.population, cells, *uses)
    return table
