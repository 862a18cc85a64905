"""``neurodeploy train``: a recipe becomes a trained network and its data files."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from neurodeploy.cli.epochs import epoch_bar, showing_datasets
from neurodeploy.errors import UsageError

if TYPE_CHECKING:
    from neurodeploy.cli.fine_tuning import FineTuning
    from neurodeploy.models.progress import EpochTiming
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
@click.option("--device", type=click.Choice(("cpu", "cuda")), default="cpu", show_default=True, help="Where to train.")
@click.option("--dry-run", is_flag=True, help="Print shapes, parameters, multiplications and memory; train nothing.")
@click.option(
    "--quantize", metavar="CHIP", help="Then train the integers of this chip; RECIPE may be a float .nir too."
)
@click.option("--quantize-epochs", type=click.IntRange(1), default=5, show_default=True, help="Epochs as integers.")
@click.option(
    "--quantize-rate", type=click.FloatRange(0, 1e3), default=0.02, show_default=True, help="Rate as integers."
)
@click.option("--weight-bits", type=click.IntRange(1), help="Bits of the weights as integers [default: the widest].")
@click.option("--data", type=click.Path(path_type=Path), help="Labelled training events (.npz) of a .nir.")
@click.option("--test", "held_out", type=click.Path(path_type=Path), help="Labelled test events (.npz) of a .nir.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, and nothing else, on stdout.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def train(
    recipe_name: str,
    output: Path | None,
    resume: bool,
    overrides: tuple[str, ...],
    seed: int | None,
    force: bool,
    device: str,
    dry_run: bool,
    quantize: str | None,
    quantize_epochs: int,
    quantize_rate: float,
    weight_bits: int | None,
    data: Path | None,
    held_out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train the network of RECIPE, a TOML file or a packaged recipe such as 'digits'.

    Writes model.safetensors, test.npz, calibration.npz, metrics.jsonl, timings.jsonl, run.json and recipe.toml, and
    after every epoch last.safetensors, from which --resume goes on. The same recipe and seed give the same bytes on a
    CPU. torchrun -m neurodeploy train shares every batch among several processes.

    With --quantize the trained network goes on as the integers that the chip will hold (quantization-aware training):
    quantized.nir and finetuning.jsonl. A trained .nir with --data goes straight to that.
    """
    # Resuming a run makes its integers anew, which are then no other run's.
    tuning = _tuning(quantize, quantize_epochs, quantize_rate, weight_bits, seed, force or resume, quiet)
    if recipe_name.endswith(".nir"):
        if dry_run or device != "cpu":
            raise UsageError("--dry-run, --device", "are for recipes", "leave them out to train the integers of a .nir")
        _train_file(Path(recipe_name), tuning, data, held_out, output, as_json)
    elif data is not None or held_out is not None:
        raise UsageError("--data, --test", "a recipe brings its own samples", "leave them out, or give a .nir")
    elif dry_run:
        click.echo(_plan(recipe_name, overrides, seed, as_json))
    else:
        _train_recipe(recipe_name, overrides, seed, output, resume, force, device, tuning, as_json, quiet)


def _plan(recipe_name: str, overrides: tuple[str, ...], seed: int | None, as_json: bool) -> str:
    from neurodeploy.cli.training_plan import plan_table
    from neurodeploy.models.extras import require
    from neurodeploy.models.recipe import load_recipe

    recipe = load_recipe(recipe_name, overrides, seed)
    require("torch", "safetensors", extra="models")
    from neurodeploy.models.plan import plan_training

    plan = plan_training(recipe)
    return json.dumps({"schema": SCHEMA, **plan.as_dict()}) if as_json else plan_table(plan)


def _tuning(
    target: str | None,
    epochs: int,
    rate: float,
    weight_bits: int | None,
    seed: int | None,
    force: bool,
    quiet: bool,
) -> FineTuning | None:
    from neurodeploy.cli.fine_tuning import FineTuning
    from neurodeploy.targets.chip import load_chip

    return None if target is None else FineTuning(load_chip(target), epochs, rate, seed or 0, weight_bits, force, quiet)


def _train_file(
    net: Path, tuning: FineTuning | None, data: Path | None, test: Path | None, output: Path | None, as_json: bool
) -> None:
    from neurodeploy.cli.fine_tuning import summary
    from neurodeploy.models.extras import require

    require("torch", "safetensors", extra="models")
    if tuning is None:
        raise UsageError(str(net), "is a trained network", "say for which chip's integers to train it with --quantize")
    result = tuning.of_file(net, data, test, output or Path("runs") / net.stem)
    click.echo(json.dumps({"schema": SCHEMA, **result.as_dict()}) if as_json else summary(result))


def _train_recipe(
    recipe_name: str,
    overrides: tuple[str, ...],
    seed: int | None,
    output: Path | None,
    resume: bool,
    force: bool,
    device: str,
    tuning: FineTuning | None,
    as_json: bool,
    quiet: bool,
) -> None:
    from neurodeploy.cli.fine_tuning import summary
    from neurodeploy.models.extras import require
    from neurodeploy.models.recipe import load_recipe

    recipe = load_recipe(recipe_name, overrides, seed)
    require("torch", "safetensors", extra="models")
    from neurodeploy.models.training import TrainingInterrupted
    from neurodeploy.models.training import train as run

    score = _score(recipe, tuning)
    first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun starts, one talks
    bar = epoch_bar(disable=quiet or not first)
    task = bar.add_task(f"{recipe.name}: epoch", total=recipe.training.epochs, figures="")

    speed = ""

    def note(timing: EpochTiming) -> None:
        nonlocal speed
        speed = f", {timing.samples_per_second:,.0f} samples/s, {timing.memory_bytes / 1e6:,.0f} MB"

    def show(metrics: EpochMetrics) -> None:
        figures = f"loss {metrics.loss:.4f}, test {score} {metrics.test_accuracy:.1%}{speed}"
        bar.update(task, completed=metrics.epoch, figures=figures)

    folder = output or Path("runs") / recipe.name
    try:
        with bar, showing_datasets(bar):
            result = run(recipe, folder, resume=resume, force=force, device=device, on_epoch=show, on_timing=note)
    except TrainingInterrupted as stop:
        click.echo(str(stop), err=True)
        sys.exit(130)
    if not first:
        return
    if not as_json:
        click.echo(_summary(recipe, result))
    tuned = None if tuning is None else tuning.of_recipe(recipe, result.files["model"], folder)
    if as_json:
        click.echo(json.dumps(_document(recipe, result) | ({} if tuned is None else {"quantized": tuned.as_dict()})))
    elif tuned is not None:
        click.echo(summary(tuned))


def _score(recipe: Recipe, tuning: FineTuning | None) -> str:
    """Return what the recipe's networks are judged by; raise :class:`UsageError` where they cannot be quantized."""
    from neurodeploy.models.dataset import dataset_kind
    from neurodeploy.models.tasks.kinds import CLASSIFICATION, SCORES

    task = dataset_kind(recipe.data).task
    if tuning is not None and task != CLASSIFICATION:
        raise UsageError("--quantize", f"is for classification, and {recipe.name} is for {task}", "leave it out")
    return SCORES[task]


def _summary(recipe: Recipe, result: TrainingResult) -> str:
    others = "".join(f", {name} {value:.2%}" for name, value in result.figures.items())
    return (
        f"{recipe.name}: test {_score(recipe, None)} {result.test_accuracy:.2%}{others}, "
        f"{result.parameters:,} parameters, {recipe.training.epochs} epochs in {result.seconds:.1f} s "
        f"-> {result.files['model']}"
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
        **({"figures": dict(result.figures)} if result.figures else {}),
        "seconds": round(result.seconds, 3),
        "files": {name: str(path) for name, path in result.files.items()},
    }
