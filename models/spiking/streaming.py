"""Networks fed one piece of a sequence after another, each module going on from where the last piece left it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


class Carrying(nn.Module):
    """A module whose forward pass over [T, ...] has a state, which :func:`streaming` lets outlast the call.

    A subclass begins with ``self.carried``, where that is not None, and ends with :meth:`carry`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._carries = self._detaches = False
        self.carried: Tensor | None = None

    def carry(self, state: Tensor) -> None:
        """Keep what the next call begins with; outside :func:`streaming` nothing is kept."""
        if self._carries:
            self.carried = state.detach() if self._detaches else state


@contextmanager
def streaming(model: nn.Module, *, detached: bool = False) -> Iterator[nn.Module]:
    """Let calls of ``model`` in the block continue one sequence; it begins, and ends, without a state.

    Fed step by step as [1, B, ...], spikes equal those of one call with [T, B, ...]. No gradient passes a state that is
    ``detached``.
    """
    modules = [module for module in model.modules() if isinstance(module, Carrying)]
    for module in modules:
        module._carries, module._detaches, module.carried = True, detached, None
    try:
        yield model
    finally:
        for module in modules:
            module._carries, module._detaches, module.carried = False, False, None
