"""Which device runs, and what is said where none can."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from typing import Any

from neurodeploy.errors import BackendMissing

#: Streaming multiprocessors of this compute capability on have int8 matrix units that Triton compiles for.
_OLDEST = (8, 0)


@dataclass(frozen=True)
class Device:
    """An opened device.

    Attributes
    ----------
    name : as torch takes it: "cuda", or "cpu" under Triton's interpreter.
    title : what it is called, for people.
    processors : its multiprocessors.
    interpreted : whether the kernels run in NumPy; slow, and the same in every bit.
    versions : of what it runs on.
    """

    name: str
    title: str
    processors: int
    interpreted: bool
    versions: Mapping[str, str] = field(compare=False)

    def free_bytes(self) -> int:
        """Return how much memory a run may take: half of what is free, 1 GiB under the interpreter."""
        if self.interpreted:
            return 1 << 30
        import torch

        return int(torch.cuda.mem_get_info()[0]) // 2


def interpreting() -> bool:
    """Return whether Triton was asked to interpret its kernels, which needs no GPU."""
    return os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "yes", "on")


@cache
def open_device() -> Device:
    """Return the device that CUDA offers, or the CPU where ``TRITON_INTERPRET=1`` asks for the interpreter.

    Raises
    ------
    BackendMissing : torch, Triton, a driver or a GPU is not there, or too old; says which.
    """
    for module in ("torch", "triton"):
        if find_spec(module) is None:
            raise BackendMissing("device cuda", f"{module} is not installed", "pip install 'neurodeploy[cuda]'")
    import torch
    import triton

    versions = {"torch": torch.__version__, "triton": triton.__version__}
    if interpreting():
        return Device("cpu", "Triton's interpreter on the CPU", 1, True, versions)
    if torch.version.cuda is None:
        found = f"torch {torch.__version__} is built without CUDA"
        raise BackendMissing("device cuda", found, "install a CUDA build of torch, or run with --device cpu")
    if not torch.cuda.is_available():
        found = f"torch {torch.__version__} (CUDA {torch.version.cuda}) finds no GPU"
        raise BackendMissing("device cuda", found, "check that nvidia-smi lists one, or run with --device cpu")
    return _described(torch.cuda.get_device_properties(torch.cuda.current_device()), versions)


def _described(properties: Any, versions: dict[str, str]) -> Device:
    import torch

    capability = (properties.major, properties.minor)
    if capability < _OLDEST:
        found = f"{properties.name} has compute capability {capability[0]}.{capability[1]}, 8.0 is the least"
        raise BackendMissing("device cuda", found, "run with --device cpu")
    versions = versions | {"cuda": str(torch.version.cuda), "device": properties.name}
    return Device("cuda", properties.name, properties.multi_processor_count, False, versions)
