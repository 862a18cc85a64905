"""The losses that a recipe may name, over a network's output spikes; each is a mean over samples.

With outputs o[t] over T steps, the logit scale k and labels y, one-hot or shares of classes, smoothed by s::

    cross-entropy   CE(k sum_t o[t], y)        rate decoding; the mean over t where the readout is ``mean``
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
    """Return the 0-dimensional loss that ``settings`` name for ``outputs`` [T, B, classes].

    ``labels`` are int64 [B] or, where samples were mixed, the shares of classes, float32 [B, classes]. Computed in
    float32 whatever the outputs' precision.
    """
    return _LOSSES[settings.loss](outputs.float(), labels, settings)


def _cross_entropy(outputs: Tensor, labels: Tensor, settings: TrainingSettings) -> Tensor:
    over_steps = outputs.sum(dim=0) if settings.readout == "sum" else outputs.mean(dim=0)
    logits = over_steps * settings.logit_scale
    return functional.cross_entropy(logits, labels, label_smoothing=settings.label_smoothing)


def _tet(outputs: Tensor, labels: Tensor, settings: TrainingSettings) -> Tensor:
    logits = (outputs * settings.logit_scale).flatten(0, 1)
    repeated = labels.repeat(len(outputs), *[1] * (labels.ndim - 1))
    return functional.cross_entropy(logits, repeated, label_smoothing=settings.label_smoothing)


def _mse(outputs: Tensor, labels: Tensor, settings: TrainingSettings) -> Tensor:
    classes, smoothing = outputs.shape[-1], settings.label_smoothing
    shares = functional.one_hot(labels, classes).to(torch.float32) if labels.ndim == 1 else labels
    wanted = shares * (1.0 - smoothing) + smoothing / classes
    return functional.mse_loss(outputs.mean(dim=0), wanted)


_LOSSES: dict[str, Callable[[Tensor, Tensor, TrainingSettings], Tensor]] = {
    "cross-entropy": _cross_entropy,
    "tet": _tet,
    "mse": _mse,
}
