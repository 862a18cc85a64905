"""Training from a recipe to a folder of files, stoppable at any moment and resumable to the same bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from neurodeploy.errors import UsageError
from neurodeploy.models.checkpoint import Checkpoint, save_checkpoint
from neurodeploy.models.dataset import dataset_kind
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.runfolder import RunFolder
from neurodeploy.models.threads import one_thread
from neurodeploy.models.trainer import EpochMetrics, Trainer


@dataclass(frozen=True)
class TrainingResult:
    """A finished run: accuracies are shares of the samples, ``seconds`` the wall time of this call alone."""

    recipe: Recipe
    parameters: int
    train_accuracy: float
    test_accuracy: float
    seconds: float
    files: dict[str, Path]


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C during training; the state after ``epoch`` epochs is on disk."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        super().__init__(f"interrupted after epoch {epoch}; continue with --resume")


def train(
    recipe: Recipe,
    folder: str | Path,
    *,
    resume: bool = False,
    force: bool = False,
    on_epoch: Callable[[EpochMetrics], None] | None = None,
) -> TrainingResult:
    """Train ``recipe`` into ``folder`` and return what came of it.

    After every epoch the state is on disk: a run that is killed loses at most the epoch it was in, and ``resume``
    carries it on to the files of a run that was never stopped, byte for byte. ``on_epoch`` is called after each epoch.
    One thread does the work, so that bytes do not depend on the number of cores; torch's thread count and generator are
    put back at the end.

    Raises
    ------
    UsageError : ``folder`` is taken, or there is nothing to resume, or the recipe makes no network.
    InputError : training diverged, or the state to resume from is damaged.
    TrainingInterrupted : on Ctrl-C.
    """
    began = time.monotonic()
    if resume and force:
        raise UsageError("--resume --force", "continue a run and replace it", "give one of them")
    run = RunFolder(folder)
    with one_thread(), torch.random.fork_rng(devices=[]):
        trainer = Trainer(recipe, dataset_kind(recipe.data).load(recipe.data))
        if resume:
            _restore(trainer, run)
        else:
            run.start(recipe, force=force)
        train_accuracy = _train(trainer, run, on_epoch)
    return TrainingResult(
        recipe=recipe,
        parameters=sum(parameter.numel() for parameter in trainer.model.parameters()),
        train_accuracy=train_accuracy,
        test_accuracy=trainer.history[-1].test_accuracy,
        seconds=time.monotonic() - began,
        files=run.files,
    )


def _restore(trainer: Trainer, run: RunFolder) -> None:
    last = run.resume(trainer.recipe)
    if last is not None:
        trainer.restore(last, str(run.files["last"]))
        run.write_metrics(trainer.history)  # the run may have been stopped between the state and its metrics


def _train(trainer: Trainer, run: RunFolder, on_epoch: Callable[[EpochMetrics], None] | None) -> float:
    """Train the epochs that are left, write what a finished run holds and return the final training accuracy."""
    saved = len(trainer.history)
    try:
        trainer.data.test.save(run.files["test"])
        trainer.data.calibration.save(run.files["calibration"])
        while len(trainer.history) < trainer.recipe.training.epochs:
            metrics = trainer.run_epoch()
            _save(trainer, run)
            saved = metrics.epoch
            if on_epoch is not None:
                on_epoch(metrics)
        save_checkpoint(run.files["model"], _network_only(trainer.checkpoint()))
        return trainer.accuracy(trainer.data.train)
    except KeyboardInterrupt as stop:
        raise TrainingInterrupted(saved) from stop


def _save(trainer: Trainer, run: RunFolder) -> None:
    """Put the epoch just done on disk."""
    state, accuracies = trainer.checkpoint(), [metrics.test_accuracy for metrics in trainer.history]
    if accuracies[-1] > max(accuracies[:-1], default=-1.0):
        save_checkpoint(run.files["best"], _network_only(state))
    save_checkpoint(run.files["last"], state)  # the one that counts: what comes after it can be made again
    run.write_metrics(trainer.history)


def _network_only(state: Checkpoint) -> Checkpoint:
    return replace(state, history=(), optimizer={}, rng=None)
