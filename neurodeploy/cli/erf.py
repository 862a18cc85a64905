"""``neurodeploy erf``: which pixels and steps of the input a network's layers hear."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from neurodeploy.cli.common import SCHEMA, console, force_option, json_option, print_json
from neurodeploy.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from neurodeploy.models.erf.measure import Site
    from neurodeploy.models.erf.scalars import ReceptiveField
    from neurodeploy.models.spikes import Scaling


@dataclass(frozen=True)
class _Opened:
    model: nn.Module
    shape: tuple[int, ...]  # of one sample at one step
    steps: int  # 0 for a network of images
    scaling: Scaling | None = None


def _numbers(_context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    parts = value.split(",")
    wanted = 2 if option.name == "at" else 3
    if len(parts) != wanted or not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r} is not {wanted} whole numbers with commas between")
    return tuple(int(part) for part in parts)


@click.command("erf")
@click.argument("source", metavar="RECIPE_OR_FACTORY")
@click.option("--layer", "layers", multiple=True, help="A stage or module; by default all stages, or spiking layers.")
@click.option("--at", callback=_numbers, metavar="ROW,COLUMN", help="Place of the layer's output; its centre if unset.")
@click.option("--everywhere", is_flag=True, help="All places of the output at once: the temporal field.")
@click.option("--step", type=int, default=-1, show_default=True, help="Step of the output; back from the last if < 0.")
@click.option("--input-shape", callback=_numbers, metavar="C,H,W", help="Of one step, for a factory.")
@click.option("--steps", type=click.IntRange(0), help="Steps of the input; 0 for a factory's network of images.")
@click.option("--input", "data", type=click.Path(path_type=Path), help="Samples in place of noise (.npz).")
@click.option("--runs", type=click.IntRange(1), default=20, show_default=True, help="Inputs to average over.")
@click.option("--still", is_flag=True, help="The same noise at every step.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of noise and untrained weights.")
@click.option("--radius", type=click.FloatRange(0), help="Of the energy about the site; a quarter side if unset.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Directory for erf.svg, erf.json and maps.npz.")
@force_option
@json_option
def command(
    source: str,
    layers: tuple[str, ...],
    at: tuple[int, int] | None,
    everywhere: bool,
    step: int,
    input_shape: tuple[int, ...] | None,
    steps: int | None,
    data: Path | None,
    runs: int,
    still: bool,
    seed: int,
    radius: float | None,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Show the spatio-temporal effective receptive field of a network's layers.

    RECIPE_OR_FACTORY is a recipe, whose network is untrained, a checkpoint, or module:function that returns any torch
    module. Gradients are those of the surrogates; they are taken in absolute value and averaged.
    """
    from neurodeploy.models.extras import require

    require("torch", "safetensors", extra="models")
    from neurodeploy.models.erf.measure import default_layers, noise, st_erf

    _refuse(output, force)
    opened = _open(source, input_shape, steps, seed)
    if data is None:
        shape = (opened.steps, 1, *opened.shape) if opened.steps else (1, *opened.shape)
        inputs = noise(shape, runs, seed, still=still)
    else:
        inputs = _samples(data, runs, opened)
    if everywhere and at:
        raise UsageError("--at", "stands beside --everywhere", "give one of them")
    site: Site = "all" if everywhere else at or "centre"
    fields = st_erf(opened.model, inputs, layers or default_layers(opened.model), site, step)
    document = {"source": source, "runs": runs, "fields": [field.as_dict(radius) for field in fields]}
    if output is not None:
        _write(output, source, fields, document, radius)
    if as_json:
        print_json(document)
    else:
        _show(fields, radius)


def _open(source: str, input_shape: tuple[int, ...] | None, steps: int | None, seed: int) -> _Opened:
    import torch

    torch.manual_seed(seed)
    if ":" in source:
        from neurodeploy.export.factory import build

        if input_shape is None or steps is None:
            raise UsageError(source, "says nothing of its input", "give --input-shape C,H,W and --steps (0: images)")
        return _Opened(build(source), input_shape, steps)
    if input_shape is not None or steps == 0:
        raise UsageError("--input-shape", "is for a factory", "a recipe's data say its shape; leave it out")
    from neurodeploy.models.checkpoint import load_model
    from neurodeploy.models.convnet import build_model
    from neurodeploy.models.dataset import dataset_kind, require_batches
    from neurodeploy.models.recipe import load_recipe

    if source.endswith(".safetensors"):
        model, recipe = load_model(source)
    else:
        recipe = load_recipe(source, [] if steps is None else [f"data.steps={steps}"])
        model = build_model(recipe)
    kind = dataset_kind(recipe.data)
    require_batches(kind, source)
    return _Opened(model, kind.input_shape, steps or recipe.data.steps, kind.scaling)


def _samples(data: Path, runs: int, opened: _Opened) -> Iterator[Tensor]:
    from neurodeploy.cli.common import open_events
    from neurodeploy.events import EventInput
    from neurodeploy.models.convnet import as_input

    ports = open_events(data, runs).spikes
    if len(ports) != 1:
        raise UsageError(str(data), f"holds {len(ports)} inputs, the network takes one", "give its test.npz")
    (spikes,) = ports.values()
    dense = spikes.dense(opened.shape) if isinstance(spikes, EventInput) else spikes
    if dense.shape[2:] != opened.shape or not opened.steps:
        raise UsageError(
            str(data), f"holds samples of shape {dense.shape[2:]}, not {opened.shape}", "give its test.npz"
        )
    for sample in range(len(dense)):
        yield as_input(dense[sample : sample + 1], opened.scaling)


_FILES = ("erf.svg", "erf.json", "maps.npz")


def _refuse(output: Path | None, force: bool) -> None:
    from neurodeploy.files import refuse_existing

    for name in _FILES if output is not None else ():
        assert output is not None
        refuse_existing(output / name, force=force)


def _write(
    output: Path, source: str, fields: list[ReceptiveField], document: dict[str, Any], radius: float | None
) -> None:
    import numpy as np

    from neurodeploy.files import replacing
    from neurodeploy.models.erf.drawing import draw_fields

    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(str(output), f"cannot be made ({error.strerror})", "choose another place with -o") from error
    with replacing(output / _FILES[0]) as temporary:
        temporary.write_text(draw_fields(fields, f"receptive fields of {source}", radius))
    with replacing(output / _FILES[1]) as temporary:
        temporary.write_text(json.dumps({"schema": SCHEMA, **document}, indent=1) + "\n")
    with replacing(output / _FILES[2]) as temporary, temporary.open("wb") as stream:
        arrays: dict[str, Any] = {field.layer or "output": field.energy for field in fields}
        np.savez_compressed(stream, **arrays)


def _show(fields: list[ReceptiveField], radius: float | None) -> None:
    from rich.table import Table

    table = Table(title="effective receptive fields, in input pixels and steps")
    table.add_column("layer")
    for heading in ("site", "sigma", "area", "support", "entropy, bit", "energy near", "mean lag", "decay a lag"):
        table.add_column(heading, justify="right")
    for field in fields:
        found = field.summary(radius)
        table.add_row(
            field.layer or "output",
            "all" if field.site is None else f"{field.site[0]}, {field.site[1]}",
            f"{found.sigma_rows:.2f} x {found.sigma_columns:.2f}",
            str(found.area),
            str(found.support),
            f"{found.entropy:.2f}",
            f"{found.energy_in_radius:.1%} in {found.radius:g}",
            f"{found.mean_lag:.2f}",
            f"{found.decay:.3f}",
        )
    console().print(table)
