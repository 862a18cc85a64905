"""What the trainer asks of a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import nn

#: Samples as a dataset's ``take`` or ``draw`` returns them.
Batch = Any

#: Takes an optimizer step and clears the gradients.
Update = Callable[[], None]


class Task(Protocol):
    """How a network learns from batches, and what its tests tell.

    Attributes
    ----------
    auxiliary : the networks that only training needs.
    counted : whether training tells for how many samples the network was right.
    """

    auxiliary: nn.Module
    counted: bool

    def backward(self, batch: Batch, weight: float, update: Update) -> tuple[float, int]:
        """Add ``weight`` times the gradient of the batch's mean loss; return that loss and the right answers."""
        ...

    def run(self, batch: Batch) -> None:
        """Run the network on a batch, for whoever watches its layers."""
        ...

    def figures(self, samples: Any) -> Mapping[str, float]:
        """Return what the network, in evaluation, gets of ``samples``; ``score`` is what it is judged by."""
        ...
