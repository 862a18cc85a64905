"""``neurodeploy export``: a trained checkpoint becomes a proved .nir file."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from neurodeploy.cli.common import force_option, json_option, print_json, quiet_option
from neurodeploy.export.door import DOORS

if TYPE_CHECKING:
    from neurodeploy.network_export import NetworkExport
    from neurodeploy.nir_export import Export


class _Shape(click.ParamType[tuple[str, tuple[int, ...]]]):
    """Sizes joined by commas, such as 2,34,34, after the name of an input where there are several: sound=700."""

    name = "[NAME=]C,H,W"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int, ...]]:
        name, _, listed = str(value).rpartition("=")
        try:
            sizes = tuple(int(part) for part in listed.split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of sizes such as 2,34,34", param, ctx)
        if min(sizes) < 1:
            self.fail(f"{value!r} holds a size below 1", param, ctx)
        return name, sizes


def _by_input(
    ctx: click.Context, param: click.Parameter, values: tuple[tuple[str, tuple[int, ...]], ...]
) -> tuple[int, ...] | dict[str, tuple[int, ...]] | None:
    """Return the shape of the only input, or that of each by its name."""
    if len(values) < 2:
        return dict(values) if values and values[0][0] else next((sizes for _, sizes in values), None)
    if "" in dict(values) or len(dict(values)) < len(values):
        raise click.BadParameter("name each of several inputs, as image=2,34,34 and sound=700", ctx, param)
    return dict(values)


@click.command("export")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The .nir file to write.")
@click.option("--factory", metavar="MODULE:FUNCTION", help="Builds your module; imported from this directory.")
@click.option("--from", "source", type=click.Choice(list(DOORS)), help="What wrote CHECKPOINT.")
@click.option(
    "--input-shape", type=_Shape(), multiple=True, callback=_by_input, help="One sample in one step, as 2,34,34."
)
@click.option("--steps", type=click.IntRange(1, 100_000), help="Steps of the drawn input of the proof.")
@click.option("--samples", type=click.Path(path_type=Path), help="Prove it on these events (.npz) instead.")
@click.option("--dt", type=click.FloatRange(0, 1e6, min_open=True), help="Seconds of one step.")
@click.option("--fold/--no-fold", default=True, help="Fold batch normalisation; write maximum pools as ORs.")
@force_option
@json_option
@quiet_option
def export(
    checkpoint: Path,
    output: Path,
    factory: str | None,
    source: str | None,
    input_shape: tuple[int, ...] | dict[str, tuple[int, ...]] | None,
    steps: int | None,
    samples: Path | None,
    dt: float | None,
    fold: bool,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Turn CHECKPOINT into a .nir file that says everything, and prove it spike by spike.

    A checkpoint of 'neurodeploy train' needs nothing else. Weights of a network of your own (.pt, .safetensors) need
    --factory, which runs your code to build it, and --from, which names its framework. The file is read back and
    simulated; a layer that differs from your model is named, and no file is left.
    """
    from neurodeploy.export.door import Request, open_model
    from neurodeploy.export.live import LiveNetwork
    from neurodeploy.network_export import export_network
    from neurodeploy.nir_export import export_model
    from neurodeploy.targets.lava.environment import packages

    request = Request(checkpoint, factory, input_shape, steps, samples, dt, packages())
    # The user's code may print; stdout is for the result.
    with contextlib.redirect_stdout(sys.stderr):
        model = open_model(request, source)
        if isinstance(model, LiveNetwork):
            written = export_network(model, output, samples=samples, force=force)
            document, text = written.as_dict(), _network_summary(written)
        else:
            result = export_model(model, output, samples=samples, fold=fold, force=force)
            document, text = result.as_dict(), _summary(result)
    if as_json:
        print_json(document)
    elif not quiet:
        click.echo(text)


def _network_summary(result: NetworkExport) -> str:
    network, proof = result.network, result.proof
    lines = [
        f"{result.file}: integer network, {len(network.populations)} populations, {result.neurons:,} neurons, "
        f"{result.weights:,} weights",
        f"  proved against the trained model over {proof.cells:,} cells: all equal",
    ]
    return "\n".join([*lines, *(f"  note: {note}" for note in result.notes)])


def _summary(result: Export) -> str:
    proof = result.proof
    how = "all equal" if proof.equal else f"{proof.ties:,} neurons decided by float32 rounding, all else equal"
    lines = [
        f"{result.file}: {len(result.graph.nodes)} nodes, {result.neurons:,} neurons, {result.parameters:,} parameters",
        f"  proved against the trained model over {proof.cells:,} cells: {how}",
    ]
    return "\n".join([*lines, *(f"  note: {note}" for note in result.notes)])
