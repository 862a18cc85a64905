"""``neurodeploy train``: a recipe becomes a trained network and its data files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.progress import Progress

    from neurodeploy.models.recipe import Recipe
    from neurodeploy.models.trainer import EpochMetrics
    from neurodeploy.models.training import TrainingResult

SCHEMA = 1


@click.command("train")
@click.argument("recipe_name", metavar="RECIPE")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Run folder [default: runs/<recipe name>].")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped; ends in the same bytes.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change one value, as training.epochs=5.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Replace the recipe's seed.")
@click.option("--force", is_flag=True, help="Replace the run that is in the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else, on stdout.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def train(
    recipe_name: str,
    output: Path | None,
    resume: bool,
    overrides: tuple[str, ...],
    seed: int | None,
    force: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train the network of RECIPE, a TOML file or a packaged recipe such as 'digits'.

    Writes model.safetensors, test.npz, calibration.npz, metrics.jsonl and recipe.toml, and after every epoch
    last.safetensors, from which --resume goes on. The same recipe and seed give the same bytes.
    """
    from neurodeploy.models.extras import require
    from neurodeploy.models.recipe import load_recipe

    recipe = load_recipe(recipe_name, overrides, seed)
    require("torch", "safetensors", extra="models")
    from neurodeploy.models.training import TrainingInterrupted
    from neurodeploy.models.training import train as run

    bar = _progress(disable=quiet)
    task = bar.add_task(recipe.name, total=recipe.training.epochs, figures="")

    def show(metrics: EpochMetrics) -> None:
        figures = f"loss {metrics.loss:.4f}, test accuracy {metrics.test_accuracy:.1%}"
        bar.update(task, completed=metrics.epoch, figures=figures)

    folder = output or Path("runs") / recipe.name
    try:
        with bar:
            result = run(recipe, folder, resume=resume, force=force, on_epoch=show)
    except TrainingInterrupted as stop:
        click.echo(str(stop), err=True)
        sys.exit(130)
    click.echo(json.dumps(_document(recipe, result)) if as_json else _summary(recipe, result))


def _progress(*, disable: bool) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}: epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), disable=disable)


def _summary(recipe: Recipe, result: TrainingResult) -> str:
    return (
        f"{recipe.name}: test accuracy {result.test_accuracy:.2%}, {result.parameters:,} parameters, "
        f"{recipe.training.epochs} epochs in {result.seconds:.1f} s -> {result.files['model']}"
    )


def _document(recipe: Recipe, result: TrainingResult) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "recipe": recipe.name,
        "seed": recipe.seed,
        "epochs": recipe.training.epochs,
        "parameters": result.parameters,
        "train_accuracy": result.train_accuracy,
        "test_accuracy": result.test_accuracy,
        "seconds": round(result.seconds, 3),
        "files": {name: str(path) for name, path in result.files.items()},
    }
