"""Running out of memory, told with what training takes and which setting brings it within what there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from neurodeploy.errors import BackendError
from neurodeploy.models.plan import TrainingPlan, plan_training
from neurodeploy.models.processes import Processes
from neurodeploy.models.recipe import Recipe

#: How torch's allocator of main memory, which has no exception of its own, says that there is none left.
_WORDS = ("can't allocate memory", "not enough memory", "out of memory")


class OutOfMemory(BackendError):
    """Training needs more memory than its device has."""


@contextmanager
def naming_shortage(recipe: Recipe, processes: Processes) -> Iterator[None]:
    """Turn a failed allocation in the block into an :class:`OutOfMemory` that says what to change."""
    try:
        yield
        return
    except MemoryError as error:
        cause: Exception = error
    except RuntimeError as error:
        if not any(word in str(error).lower() for word in _WORDS):
            raise
        cause = error
    # Outside the handler the failed step's tensors are let go: the plan needs some room itself.
    cause.__traceback__ = None
    raise _described(recipe, plan_training(recipe, processes.size), memory_of(processes.device)) from cause


def memory_of(device: torch.device) -> int:
    """Return the bytes of memory that ``device`` has in all."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _described(recipe: Recipe, plan: TrainingPlan, present: int) -> OutOfMemory:
    subject = f"recipe {recipe.name!r}"
    problem = (
        f"out of memory with {plan.samples_at_once} samples at once: about {megabytes(plan.total_bytes)} are needed, "
        f"of them {megabytes(plan.activation_bytes)} for the backward pass, and the device has {megabytes(present)}"
    )
    parts, share = recipe.training.accumulate, plan.samples_at_once * recipe.training.accumulate
    while parts < share:
        parts = min(2 * parts, share)
        smaller = plan.at(-(-share // parts))
        if smaller.total_bytes < min(present, plan.total_bytes) / 2:
            need = f"about {megabytes(smaller.total_bytes)}"
            return OutOfMemory(subject, problem, f"start again with training.accumulate={parts}, which needs {need}")
    return OutOfMemory(subject, problem, "make the network or data.steps smaller, or take a device with more memory")


def megabytes(count: int) -> str:
    """Return ``count`` bytes as text, in MB of a million bytes."""
    return f"{count / 1e6:,.1f} MB"
