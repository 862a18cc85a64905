"""Equal bytes from equal training on a GPU too, where a recipe asks for it; on a CPU one thread sees to that anyway."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from neurodeploy.errors import BackendError, UsageError

#: cuBLAS sums in one order only where its workspace is fixed before it is first used.
_VARIABLE, _VALUES = "CUBLAS_WORKSPACE_CONFIG", (":4096:8", ":16:8")

#: How torch says that an operation has no deterministic form.
_WORDS = "does not have a deterministic implementation"


@contextmanager
def deterministic(wanted: bool, device: torch.device) -> Iterator[None]:
    """Let torch take only operations in the block that give the same bits every time; put it back as it was after it.

    Nothing is changed on a CPU, nor where it is not ``wanted``. Two GPUs of different kinds may still differ.

    Raises
    ------
    UsageError : cuBLAS was not told before to keep its order.
    BackendError : the network has an operation without a deterministic form.
    """
    if not wanted or device.type != "cuda":
        yield
        return
    if os.environ.get(_VARIABLE) not in _VALUES:
        found = f"needs {_VARIABLE}, which is {os.environ.get(_VARIABLE, 'not set')}"
        raise UsageError("training.deterministic", found, f"start with {_VARIABLE}={_VALUES[0]} in the environment")
    cudnn, before = torch.backends.cudnn, torch.are_deterministic_algorithms_enabled()
    with cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=cudnn.allow_tf32):
        torch.use_deterministic_algorithms(True)
        try:
            yield
        except RuntimeError as error:
            if _WORDS not in str(error):
                raise
            advice = "take training.deterministic away, or exchange that layer"
            raise BackendError("training.deterministic", str(error).split(". ")[0], advice) from error
        finally:
            torch.use_deterministic_algorithms(before)
