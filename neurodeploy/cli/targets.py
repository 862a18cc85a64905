"""``neurodeploy targets``: list the chips, and show one with unit, source and class of every number."""

from __future__ import annotations

from pathlib import Path

import click

from neurodeploy.cli.common import console, force_option, json_option, print_json


@click.group("targets", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the chips that neurodeploy knows."""
    if context.invoked_subcommand is not None:
        return
    from neurodeploy.targets.chip import chip_names, load_chip

    chips = [load_chip(name) for name in chip_names()]
    if as_json:
        document = [{"name": c.name, "title": c.title, "cores": c.usable_cores, "chips": c.chips_max} for c in chips]
        print_json({"targets": document})
        return
    from rich.table import Table

    table = Table("target", "chip", "cores per chip", "chips", "estimates")
    for chip in chips:
        estimates = "yes" if chip.has_costs else "no energies known"
        table.add_row(chip.name, chip.title, str(chip.usable_cores), str(chip.chips_max), estimates)
    console().print(table)


@command.command("show")
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show limits, formats, energies and times of the chip NAME, a packaged one or a .toml file."""
    from neurodeploy.targets.chip import load_chip

    chip = load_chip(name)
    if as_json:
        print_json(chip.as_dict())
        return
    from rich.table import Table

    table = Table("key", "value", "low to high", "unit", "class", "source", title=chip.title)
    sources: dict[str, int] = {}
    for key, number in chip.numbers.items():
        bounds = f"{number.low:g} to {number.high:g}" if number.low != number.high else ""
        mark = sources.setdefault(number.source, len(sources) + 1)
        table.add_row(key, f"{number.value:g}", bounds, number.unit, number.source_class, str(mark))
    screen = console()
    screen.print(table)
    screen.print(f"reset: {', '.join(chip.formats.resets)}; graded spikes: {chip.formats.graded_spikes}")
    for source, mark in sources.items():
        screen.print(f"({mark}) {source}", markup=False)


@command.command("template")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it there instead of on stdout.")
@force_option
def template(output: Path | None, force: bool) -> None:
    """Give a commented chip file to describe a chip of your own with, for --target my_chip.toml."""
    from neurodeploy.files import refuse_existing, replacing
    from neurodeploy.targets.chip import TEMPLATE

    text = TEMPLATE.read_text(encoding="utf-8")
    if output is None:
        click.echo(text, nl=False)
        return
    refuse_existing(output, force=force)
    with replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
