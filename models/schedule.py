"""The learning rate over a run: a linear warm-up, then half a cosine down to zero or a constant; no torch here."""

from __future__ import annotations

import math
from collections.abc import Callable

from neurodeploy.models.recipe import TrainingSettings

#: What follows the warm-up: share of it done (0 to 1) -> factor of the learning rate.
_SHAPES: dict[str, Callable[[float], float]] = {
    "cosine": lambda progress: 0.5 * (1.0 + math.cos(math.pi * progress)),
    "constant": lambda _progress: 1.0,
}


def learning_rate(settings: TrainingSettings, done: int, steps: int) -> float:
    """Return the rate of the step that comes after ``done`` steps, of which an epoch has ``steps``.

    The first step of a warm-up is not at 0, where it would be wasted, and its last one has the full rate.
    """
    epoch, index = divmod(done, steps)
    position = epoch + index / steps
    warmup = settings.warmup_epochs
    if position < warmup:
        return settings.learning_rate * min(1.0, (position + 1 / steps) / warmup)
    progress = (position - warmup) / (settings.epochs - warmup)
    return settings.learning_rate * _SHAPES[settings.schedule](progress)
