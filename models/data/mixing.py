"""Mixtures of two samples with soft labels: mixup and CutMix, over the samples of one part of a batch.

Each sample's partner is the one that stands as far from the end as it stands from the beginning, and each has its own
share, drawn from its own generator. (Zhang et al., "mixup", ICLR 2018; Yun et al., "CutMix", ICCV 2019.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from neurodeploy.models.data.vision import as_pixels
from neurodeploy.models.spikes import Samples

Draw = np.random.Generator


def mixup(samples: Samples, draws: Sequence[Draw], alpha: float) -> Samples:
    """Return sums of two samples, the share of each from a beta distribution of ``alpha`` and ``alpha``."""
    shares = np.array([draw.beta(alpha, alpha) for draw in draws], np.float32)
    weights = shares.reshape(-1, *[1] * (samples.spikes.ndim - 1))
    pixels = weights * samples.spikes + (1 - weights) * samples.spikes[::-1]
    return replace(samples, spikes=as_pixels(pixels), targets=_targets(samples, shares))


def cutmix(samples: Samples, draws: Sequence[Draw], alpha: float) -> Samples:
    """Return samples with a rectangle of their partner, whose area is drawn like mixup's share.

    Labels are shared by the area that is really covered, which is smaller where the rectangle reaches over the edge.
    """
    spikes, shares = samples.spikes.copy(), np.ones(len(samples), np.float32)
    height, width = spikes.shape[-2:]
    for row, draw in enumerate(draws):
        side = math.sqrt(1.0 - draw.beta(alpha, alpha))
        rows, columns = _extent(height, side, draw), _extent(width, side, draw)
        spikes[row, ..., rows, columns] = samples.spikes[len(samples) - 1 - row, ..., rows, columns]
        covered = (rows.stop - rows.start) * (columns.stop - columns.start)
        shares[row] = 1.0 - covered / (height * width)
    return replace(samples, spikes=spikes, targets=_targets(samples, shares))


def mixup_or_cutmix(samples: Samples, draws: Sequence[Draw], alpha: float) -> Samples:
    """Return a mixup with ``alpha``, or a CutMix with 1, each for half of the parts, as the first generator says."""
    return mixup(samples, draws, alpha) if draws[0].random() < 0.5 else cutmix(samples, draws, 1.0)


def _extent(length: int, share: float, draw: Draw) -> slice:
    centre, half = int(draw.integers(length)), int(length * share) // 2
    return slice(max(centre - half, 0), min(centre + half, length))


def _targets(samples: Samples, shares: np.ndarray) -> np.ndarray:
    assert samples.targets is not None, "whoever mixes samples gives them soft labels first"
    weights = shares[:, np.newaxis].astype(np.float32)
    return np.asarray(weights * samples.targets + (1 - weights) * samples.targets[::-1], np.float32)
