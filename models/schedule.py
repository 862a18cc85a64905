"""The learning rate over a run: a linear warm-up, then one of four shapes; no torch here."""

from __future__ import annotations

import math
from collections.abc import Callable

from neurodeploy.models.recipe import TrainingSettings


def _steps(settings: TrainingSettings, _progress: float, position: float) -> float:
    return math.prod(settings.gamma for milestone in settings.milestones if position >= milestone)


#: What follows the warm-up: settings, the share of it done (0 to 1), epochs of the run done -> factor of the rate.
_SHAPES: dict[str, Callable[[TrainingSettings, float, float], float]] = {
    "cosine": lambda _settings, progress, _position: 0.5 * (1.0 + math.cos(math.pi * progress)),
    "constant": lambda _settings, _progress, _position: 1.0,
    "step": _steps,
    "poly": lambda settings, progress, _position: (1.0 - progress) ** settings.power,
}


def learning_rate(settings: TrainingSettings, done: int, steps: int) -> float:
    """Return the rate of the step that comes after ``done`` steps, of which an epoch has ``steps``.

    The first step of a warm-up is not at its very beginning, where it might be wasted, and its last one has the full
    rate. A warm-up that is longer than the run ends with it.
    """
    epoch, index = divmod(done, steps)
    position = epoch + index / steps
    warmup = settings.warmup_epochs + settings.warmup_steps / steps
    if position < warmup:
        low = settings.warmup_from
        return settings.learning_rate * (low + (1.0 - low) * min(1.0, (position + 1 / steps) / warmup))
    progress = (position - warmup) / (settings.epochs - warmup)
    return settings.learning_rate * _SHAPES[settings.schedule](settings, progress, position)
