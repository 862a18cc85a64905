"""``neurodeploy lava install``: the environment that Lava, the witness, needs."""

from __future__ import annotations

from pathlib import Path

import click

from neurodeploy.cli.common import json_option, print_json, quiet_option


@click.group("lava")
def lava() -> None:
    """Manage Lava, which runs on Python 3.10 only and therefore has an environment of its own."""


@lava.command("install")
@click.option("--force", is_flag=True, help="Make the environment anew, even if it is there.")
@click.option("--python", type=click.Path(path_type=Path), help="The Python 3.10 to use [default: the first found].")
@json_option
@quiet_option
def install(*, force: bool, python: Path | None, as_json: bool, quiet: bool) -> None:
    """Install lava-nc and lava-dl's netx under the cache directory, and run a neuron to prove it.

    Where there is no Python 3.10, uv is asked to fetch one. NEURODEPLOY_CACHE names another cache directory,
    NEURODEPLOY_LAVA_PYTHON another interpreter.
    """
    from neurodeploy.targets.lava import environment

    there = environment.find() is not None and not force

    def say(text: str) -> None:
        if not quiet:
            click.echo(text, err=True)

    made = environment.install(say, force=force, python=python)
    if as_json:
        print_json({"path": str(made.path), "installed": not there, "versions": made.versions})
    else:
        state = "is already installed" if there else "installed"
        click.echo(f"Lava {made.versions['lava-nc']} {state} at {made.path}")
