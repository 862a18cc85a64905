"""The processes of one training run and the device of each; one process alone needs none of torch.distributed.

``torchrun`` starts the processes and tells each its place through the environment. Each takes its share of every batch,
so that a run of any number of processes takes the same steps over the same samples.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from neurodeploy.errors import BackendMissing, UsageError

T = TypeVar("T")

Indices = npt.NDArray[np.int64]
_PLACE = ("RANK", "WORLD_SIZE", "LOCAL_RANK")


@dataclass(frozen=True)
class Processes:
    """This process's ``rank`` among ``size`` that train together, and the ``device`` it computes on."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def parts(self, batch: Indices, number: int) -> list[Indices]:
        """Return this process's share of ``batch`` in ``number`` parts, or in fewer where a part would be empty.

        Every process gets equally many parts. Raises :class:`UsageError` for a batch with less than a sample for each.
        """
        if len(batch) < self.size:
            found = f"a batch of {len(batch)} samples cannot be shared by {self.size} processes"
            raise UsageError("training.batch_size", found, "start fewer processes, or change training.batch_size")
        share = np.array_split(batch, self.size)[self.rank]
        return np.array_split(share, min(number, len(batch) // self.size))

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the sums of ``values`` over all processes."""
        if self.size == 1:
            return list(values)
        sums = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(sums)
        return [float(value) for value in sums]

    def gathered(self, values: list[T]) -> list[T]:
        """Return the lists of all processes as one, in the order of their ranks."""
        if self.size == 1:
            return values
        lists: list[list[T]] = [[] for _ in range(self.size)]
        dist.all_gather_object(lists, values)
        return [value for each in lists for value in each]

    def wait(self) -> None:
        """Return once every process has come here."""
        self.total([0.0])


ALONE = Processes()


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started, if it did; each computes on ``device``, ``cpu`` or ``cuda``.

    Processes on GPUs speak NCCL and take one GPU each, those on processors gloo. Raises :class:`BackendMissing` where
    torch finds no GPU.
    """
    rank, size, local = _place()
    found = _device(device, local)
    if size == 1:
        yield Processes(device=found)
        return
    if found.type == "cuda":
        torch.cuda.set_device(found)
    dist.init_process_group("nccl" if found.type == "cuda" else "gloo")
    try:
        yield Processes(rank, size, found)
    finally:
        dist.destroy_process_group()


def _place() -> tuple[int, int, int]:
    texts = [os.environ.get(name, default) for name, default in zip(_PLACE, ("0", "1", "0"), strict=True)]
    if not all(text.isdecimal() for text in texts) or not int(texts[0]) < int(texts[1]):
        found = ", ".join(f"{name}={text!r}" for name, text in zip(_PLACE, texts, strict=True))
        raise UsageError("environment", f"{found} is no place among processes", "start the processes with torchrun")
    rank, size, local = map(int, texts)
    return rank, size, local


def _device(name: str, local: int) -> torch.device:
    if name == "cpu":
        return torch.device("cpu")
    if torch.version.cuda is None:
        problem = f"torch {torch.__version__} is built without CUDA"
        raise BackendMissing("device cuda", problem, "install a CUDA build of torch, or train with --device cpu")
    if local >= (count := torch.cuda.device_count()):
        problem = f"torch finds {count} GPUs, and process {local} of this machine needs one of its own"
        raise BackendMissing("device cuda", problem, "start fewer processes, or train with --device cpu")
    return torch.device("cuda", local)
