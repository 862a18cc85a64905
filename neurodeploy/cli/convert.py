"""``neurodeploy convert``: from one file format to another, by their suffixes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from neurodeploy.cli.common import (
    dt_option,
    force_option,
    json_option,
    print_json,
    quiet_option,
    semantics_option,
)


@click.command("convert")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="A .nir or .net.")
@click.option("--target", metavar="CHIP", help="Quantize a float .nir to this chip first; a .net holds integers only.")
@click.option("--round-bias", is_flag=True, help="For a .net: round biases to whole weight units.")
@dt_option
@semantics_option
@force_option
@json_option
@quiet_option
def command(file: Path, output: Path, as_json: bool, quiet: bool, **options: Any) -> None:
    """Write the network of FILE, a .nir or .net, to another file, in the format of its suffix.

    Nothing is changed on the way: what the other format cannot hold is an error that names the population, and what
    reads differently there is told as a note.
    """
    from neurodeploy.conversion import convert

    notes = convert(file, output, **options)
    if as_json:
        print_json({"file": str(file), "output": str(output), "notes": list(notes)})
    elif not quiet:
        click.echo(f"wrote {output}")
        for note in notes:
            click.echo(f"note: {note}")
