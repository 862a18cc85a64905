"""How fast an epoch went and how much memory it took: for people, and apart from what equal training makes equal."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

from neurodeploy.models.trainer import EpochMetrics, Trainer


@dataclass(frozen=True)
class EpochTiming:
    """One epoch's wall time with its test, its training samples a second over all processes, and memory.

    ``waited_seconds`` is what of the time this process's steps waited for their samples. ``memory_bytes`` is the most
    that it has held: tensors on a GPU, everything on a CPU.
    """

    epoch: int
    seconds: float
    waited_seconds: float
    samples_per_second: float
    memory_bytes: int


def timed_epoch(trainer: Trainer) -> tuple[EpochMetrics, EpochTiming]:
    """Run one epoch of ``trainer``, or what is left of it, and time it."""
    size, batch = len(trainer.data.train), trainer.recipe.training.batch_size
    samples, waited, began = size - min(size, trainer.step * batch), trainer.waited, time.monotonic()
    metrics = trainer.run_epoch()
    seconds = max(time.monotonic() - began, 1e-9)
    memory, idle = peak_memory(trainer.processes.device), round(trainer.waited - waited, 3)
    return metrics, EpochTiming(metrics.epoch, round(seconds, 3), idle, round(samples / seconds, 1), memory)


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that this process has held on ``device``."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@contextmanager
def tensorboard(folder: Path, *, write: bool) -> Iterator[Callable[[EpochMetrics, EpochTiming], None]]:
    """Yield what writes an epoch's figures for TensorBoard under ``folder``, or does nothing where it is missing."""
    if not write or find_spec("tensorboard") is None:
        yield lambda _metrics, _timing: None
        return
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))

    def add(metrics: EpochMetrics, timing: EpochTiming) -> None:
        figures = metrics.as_line()
        for name, value in {**figures, **figures.pop("figures", {}), **asdict(timing)}.items():
            if name != "epoch" and value is not None:
                writer.add_scalar(name, value, metrics.epoch)
        writer.flush()

    try:
        yield add
    finally:
        writer.close()
