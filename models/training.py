"""Training from a recipe to a folder of files, stoppable at any moment and resumable to the same bytes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from neurodeploy.errors import UsageError
from neurodeploy.models.checkpoint import save_checkpoint
from neurodeploy.models.convnet import check_task
from neurodeploy.models.data.dense import DenseDataset
from neurodeploy.models.dataset import load_samples
from neurodeploy.models.determinism import deterministic
from neurodeploy.models.interrupts import Stop, listening
from neurodeploy.models.processes import Processes, joined
from neurodeploy.models.progress import EpochTiming, tensorboard, timed_epoch
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.runfolder import TENSORBOARD, RunFolder
from neurodeploy.models.runrecord import check_same_data, run_record
from neurodeploy.models.shortage import naming_shortage
from neurodeploy.models.spikes import SpikeDataset
from neurodeploy.models.threads import one_thread
from neurodeploy.models.trainer import EpochMetrics, Trainer

#: Files of a run that hold samples.
_SAMPLES = ("test", "calibration")

OnEpoch = Callable[[EpochMetrics], None]
OnTiming = Callable[[EpochTiming], None]


@dataclass(frozen=True)
class TrainingResult:
    """A finished run: accuracies are those of :class:`EpochMetrics`, ``seconds`` the wall time of this call alone."""

    recipe: Recipe
    parameters: int
    train_accuracy: float | None
    test_accuracy: float
    seconds: float
    files: dict[str, Path]
    figures: Mapping[str, float] = field(default_factory=dict)


class TrainingInterrupted(KeyboardInterrupt):
    """A signal during training; the state after ``epoch`` epochs and ``step`` steps of the next is on disk."""

    def __init__(self, epoch: int, step: int = 0) -> None:
        self.epoch, self.step = epoch, step
        within = f" and {step} steps of the next" if step else ""
        super().__init__(f"interrupted after epoch {epoch}{within}; continue with --resume")


def train(
    recipe: Recipe,
    folder: str | Path,
    *,
    resume: bool = False,
    force: bool = False,
    device: str = "cpu",
    on_epoch: OnEpoch | None = None,
    on_timing: OnTiming | None = None,
) -> TrainingResult:
    """Train ``recipe`` into ``folder`` and return what came of it.

    After every epoch, and within one as often as the recipe says or when a signal asks to stop, the state is on disk: a
    run that is killed loses what came after, and on a CPU ``resume`` carries it on to the files of a run that was never
    stopped, byte for byte but for the timings. ``on_timing``, then ``on_epoch`` are called after each epoch.

    ``device`` is ``cpu`` or ``cuda``. Started by torchrun, this is one of several processes that share each batch; the
    first writes the files, which every one must be able to read. One thread of each does the work, so that bytes do not
    depend on the number of cores; torch's thread count and generator are put back at the end.

    Raises
    ------
    UsageError : ``folder`` is taken, there is nothing to resume, the recipe makes no network, or the data changed.
    InputError : training diverged, or the state to resume from is damaged.
    BackendError : ``device`` is not there, or has too little memory.
    TrainingInterrupted : on Ctrl-C, SIGTERM or SIGUSR1.
    """
    began = time.monotonic()
    if resume and force:
        raise UsageError("--resume --force", "continue a run and replace it", "give one of them")
    with (
        one_thread(),
        joined(device) as processes,
        torch.random.fork_rng(devices=_indices(processes)),
        naming_shortage(recipe, processes),
        deterministic(recipe.training.deterministic, processes.device),
    ):
        check_task(recipe)  # before files are looked for
        trainer = Trainer(recipe, load_samples(recipe.data), processes)
        run = _Run(trainer, RunFolder(folder), on_epoch, on_timing)
        run.open(resume=resume, force=force)
        train_accuracy = run.finish()
    return TrainingResult(
        recipe=recipe,
        parameters=sum(parameter.numel() for parameter in trainer.model.parameters()),
        train_accuracy=train_accuracy,
        test_accuracy=trainer.history[-1].test_accuracy,
        seconds=time.monotonic() - began,
        files=run.files,
        figures=trainer.history[-1].figures,
    )


class _Run:
    """A trainer, the folder that it writes to, and what of it is on disk."""

    def __init__(
        self, trainer: Trainer, folder: RunFolder, on_epoch: OnEpoch | None, on_timing: OnTiming | None
    ) -> None:
        self.trainer, self.folder = trainer, folder
        self._on_epoch, self._on_timing = on_epoch, on_timing
        self._writes = trainer.processes.first
        self._saved = (0, 0)  # epochs, and steps of the next

    @property
    def files(self) -> dict[str, Path]:
        """The files of a finished run; samples are written where a chip can take them."""
        without = _SAMPLES if isinstance(self.trainer.data, DenseDataset) else ()
        return {name: path for name, path in self.folder.files.items() if name not in without}

    def open(self, *, resume: bool, force: bool) -> None:
        """Start the folder, or bring the trainer to the state that is in it."""
        trainer, folder = self.trainer, self.folder
        record = run_record(trainer.recipe, trainer.data, trainer.processes)
        if resume:
            last = folder.resume(trainer.recipe, write=self._writes)
            check_same_data(folder.files["run"], record)
            if last is None:
                trainer.begin()
            else:
                trainer.restore(last, str(folder.files["last"]))
                self._saved = (len(trainer.history), trainer.step)
        else:
            trainer.begin()
            if self._writes:
                folder.start(trainer.recipe, force=force)
        trainer.processes.wait()
        if self._writes:
            folder.write_text("run", json.dumps(record, indent=1) + "\n")
            if resume:
                folder.write_metrics(trainer.history)  # it may have been stopped between the state and its metrics

    def finish(self) -> float | None:
        """Train the epochs that are left, write what a finished run holds and return the final training accuracy."""
        trainer, files = self.trainer, self.folder.files
        try:
            if self._writes and isinstance(trainer.data, SpikeDataset):
                trainer.data.test.save(files["test"])
                trainer.data.calibration.save(files["calibration"])
            with listening() as stop, tensorboard(self.folder.folder / TENSORBOARD, write=self._writes) as board:
                trainer.after_step = lambda: self._after_step(stop)
                while len(trainer.history) < trainer.recipe.training.epochs:
                    self._epoch(board, stop)
            if self._writes:
                save_checkpoint(files["model"], trainer.network())
            return trainer.accuracy(trainer.data.train) if trainer.task.counted else None
        except KeyboardInterrupt as stopped:
            raise TrainingInterrupted(*self._saved) from stopped

    def _epoch(self, board: Callable[[EpochMetrics, EpochTiming], None], stop: Stop) -> None:
        metrics, timing = timed_epoch(self.trainer)
        if self._writes:
            self._save_epoch(timing)
            board(metrics, timing)
        self._saved = (metrics.epoch, 0)
        if self._on_timing is not None:
            self._on_timing(timing)
        if self._on_epoch is not None:
            self._on_epoch(metrics)
        if self._any(stop):
            raise KeyboardInterrupt

    def _after_step(self, stop: Stop) -> None:
        """Put the step just done on disk where it is time or a signal asks for it."""
        trainer, every = self.trainer, self.trainer.recipe.training.checkpoint_every_steps
        done = len(trainer.history) * trainer.steps + trainer.step
        leave = self._any(stop)
        if leave or (every and done % every == 0):
            trainer.check_finite()
            if self._writes:
                save_checkpoint(self.folder.files["last"], trainer.checkpoint())
            self._saved = (len(trainer.history), trainer.step)
        if leave:
            raise KeyboardInterrupt

    def _any(self, stop: Stop) -> bool:
        """Whether a process of this run was asked to stop: then all do, after the same step."""
        return self.trainer.processes.total([float(stop.asked)])[0] > 0

    def _save_epoch(self, timing: EpochTiming) -> None:
        trainer, folder = self.trainer, self.folder
        state, accuracies = trainer.checkpoint(), [metrics.test_accuracy for metrics in trainer.history]
        if accuracies[-1] > max(accuracies[:-1], default=-1.0):
            save_checkpoint(folder.files["best"], trainer.network())
        folder.keep(state, trainer.recipe.training.keep_last)
        save_checkpoint(folder.files["last"], state)  # the one that counts: what comes after it can be made again
        folder.write_metrics(trainer.history)
        folder.add_timing(timing)


def _indices(processes: Processes) -> list[int]:
    return [processes.device.index or 0] if processes.device.type == "cuda" else []
