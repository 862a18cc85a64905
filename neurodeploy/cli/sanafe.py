"""``neurodeploy sanafe``: the environment of SANA-FE, the peer, and files for it."""

from __future__ import annotations

from pathlib import Path

import click

from neurodeploy.cli.common import (
    force_option,
    json_option,
    open_events,
    open_network,
    print_json,
    quiet_option,
    target_option,
)


@click.group("sanafe")
def command() -> None:
    """Manage SANA-FE, a simulator of neuromorphic hardware under the GPL, which therefore stays outside."""


@command.command("install")
@click.option("--force", is_flag=True, help="Make the environment anew, even if it is there.")
@json_option
@quiet_option
def install(*, force: bool, as_json: bool, quiet: bool) -> None:
    """Install SANA-FE under the cache directory, for estimate --engine sanafe."""
    from neurodeploy.sanafe import engine

    there = engine.find() is not None and not force

    def say(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    python = engine.install(say, force=force)
    if as_json:
        print_json({"python": str(python), "installed": not there, "version": engine.VERSION})
    else:
        click.echo(f"SANA-FE {engine.VERSION} {'is already installed' if there else 'installed'} at {python}")


@command.command("export")
@click.argument("network", type=click.Path(path_type=Path))
@click.option("--input", "data", required=True, type=click.Path(path_type=Path), help="Input spikes, .npz.")
@target_option
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="The first so many samples.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for both files.")
@force_option
def export(network: Path, data: Path, target: str, samples: int, output: Path, force: bool) -> None:
    """Write arch.yaml and snn.yaml: the chip, and NETWORK mapped to it, replaying what it does on the data."""
    from neurodeploy.files import refuse_existing, replacing
    from neurodeploy.mapping import map_network, require_fit
    from neurodeploy.sanafe.files import write_files
    from neurodeploy.simulation import simulate
    from neurodeploy.targets.chip import load_chip

    paths = (output / "arch.yaml", output / "snn.yaml")
    for path in paths:
        refuse_existing(path, force=force)
    loaded = open_network(network, target=target)
    placement = map_network(loaded, load_chip(target))
    require_fit(placement)
    recording = simulate(loaded, open_events(data, samples).spikes, record=("s",))
    files = write_files(loaded, placement, recording)
    output.mkdir(parents=True, exist_ok=True)
    for path, text in zip(paths, (files.architecture, files.network), strict=True):
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    click.echo(f"{paths[0]} and {paths[1]}, {files.steps} steps")
