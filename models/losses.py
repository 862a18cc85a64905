"""The losses that a recipe may name, over a network's output spikes; each is a mean over samples.

With outputs o[t] over T steps, the logit scale k and labels y whose one-hot form is smoothed by s::

    cross-entropy   CE(k sum_t o[t], y)        rate decoding
    tet             mean_t CE(k o[t], y)       temporal efficient training (Deng et al., 2022), no regulariser
    mse             mean (mean_t o[t] - y)^2   firing rates against 1 for the class, 0 for others; no logit scale
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from neurodeploy.models.recipe import TrainingSettings


def loss_of(outputs: Tensor, labels: Tensor, settings: TrainingSettings) -> Tensor:
    """Return the 0-dimensional loss that ``settings`` name for ``outputs`` [T, B, classes] and ``labels`` [B], int64.

    Computed in float32 whatever the outputs' precision.
    """
    return _LOSSES[settings.loss](outputs.float(), labels, settings)


def _cross_entropy(outputs: Tensor, labels: Tensor, settings: TrainingSettings) -> Tensor:
    logits = outputs.sum(dim=0) * settings.logit_scale
    return functional.cross_entropy(logits, labels, label_smoothing=settings.label_smoothing)


def _tet(outputs: Tensor, labels: Tensor, settings: TrainingSettings) -> Tensor:
    logits = (outputs * settings.logit_scale).flatten(0, 1)
    repeated = labels.repeat(len(outputs))
    return functional.cross_entropy(logits, repeated, label_smoothing=settings.label_smoothing)


def _mse(outputs: Tensor, labels: Tensor, settings: TrainingSettings) -> Tensor:
    classes, smoothing = outputs.shape[-1], settings.label_smoothing
    wanted = functional.one_hot(labels, classes).to(torch.float32) * (1.0 - smoothing) + smoothing / classes
    return functional.mse_loss(outputs.mean(dim=0), wanted)


_LOSSES: dict[str, Callable[[Tensor, Tensor, TrainingSettings], Tensor]] = {
    "cross-entropy": _cross_entropy,
    "tet": _tet,
    "mse": _mse,
}
