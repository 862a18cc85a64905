"""Images as spike trains, and labelled spike trains as a dataset; NumPy only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import UsageError
from neurodeploy.events import EventInput
from neurodeploy.files import replacing
from neurodeploy.npz import write_npz

Spikes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Targets = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled spike trains: ``spikes`` uint8 [samples, steps, channels, height, width], ``labels`` int64 [samples].

    ``spikes`` may be counts of events or pixels as well. ``targets`` float32 [samples, classes] are the shares of
    classes in samples that were mixed, and stand in the labels' place in a loss; None where a label says all.
    """

    spikes: Spikes
    labels: Labels
    targets: Targets | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: npt.NDArray[np.integer[Any]]) -> Samples:
        """Return the samples at ``indices``, in that order."""
        targets = None if self.targets is None else self.targets[indices]
        return Samples(self.spikes[indices], self.labels[indices], targets)

    def save(self, path: Path) -> None:
        """Write an event file with the keys ``spikes`` and ``labels``; equal samples give equal bytes."""
        with replacing(path) as temporary:
            write_npz(temporary, {"spikes": self.spikes, "labels": self.labels})


class LabelledSpikes(Protocol):
    """Labelled spike trains in whatever form they are kept, in memory or on disk."""

    @property
    def labels(self) -> Labels:
        """The class of each sample, int64."""

    def __len__(self) -> int: ...

    def take(self, indices: npt.NDArray[np.integer[Any]]) -> Samples:
        """Return the samples at ``indices``, in that order, dense."""

    def save(self, path: Path) -> None:
        """Write an event file."""


@runtime_checkable
class HeldSpikes(LabelledSpikes, Protocol):
    """Labelled spike trains that lie in memory as a whole."""

    @property
    def spikes(self) -> Spikes | EventInput:
        """All samples in a form that every backend takes."""


@runtime_checkable
class Fingerprinted(Protocol):
    """Samples that can tell themselves from others without being read as a whole."""

    def fingerprint(self) -> bytes:
        """Return bytes that differ where any sample, its label or the order of samples does."""


@runtime_checkable
class Drawn(Protocol):
    """Samples that training sees otherwise in every epoch: what of a file is read is drawn before it is."""

    def draw(self, indices: npt.NDArray[np.integer[Any]], draws: Sequence[np.random.Generator]) -> Samples:
        """Return the samples at ``indices``, in that order, each drawn from its own generator."""


def all_spikes(samples: LabelledSpikes) -> Spikes | EventInput:
    """Return every sample's spikes in a form that every backend takes; what lies on disk is read for it."""
    return samples.spikes if isinstance(samples, HeldSpikes) else samples.take(np.arange(len(samples))).spikes


#: Training samples and one generator each -> what a network sees of them in an epoch; what it is given stays as it is.
Augment = Callable[[Samples, Sequence[np.random.Generator]], Samples]


@dataclass(frozen=True)
class Scaling:
    """How pixels become a network's input: ``(value / 255 - mean) / std``, with one mean and std a channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not all(value > 0 for value in self.std):
            raise ValueError(
                f"means {self.mean} and deviations {self.std} are not of the same channels, or not above 0"
            )


@dataclass(frozen=True, eq=False)
class SpikeDataset:
    """A dataset cut in two, and the part of the training samples that later steps may calibrate on.

    ``augment`` changes training samples on their way into a network, never those that are tested or calibrated on.
    """

    train: LabelledSpikes
    test: LabelledSpikes
    calibration: LabelledSpikes
    augment: Augment | None = None


def rate_code(values: npt.NDArray[np.integer], steps: int, full: int) -> Spikes:
    """Return spikes uint8 [samples, steps, ...] whose number is proportional to ``values`` [samples, ...] of ``full``.

    A value k in 0..full fires n = floor(k * steps / full + 1/2) times, spread evenly: at step t exactly when
    floor((t + 1) * n / steps + 1/2) exceeds floor(t * n / steps + 1/2), all in integers. Nothing is drawn at random.
    """
    count = (2 * values.astype(np.int64) * steps + full) // (2 * full)
    edges = np.arange(steps + 1).reshape(-1, *[1] * (values.ndim - 1))
    fired = (2 * edges * count[:, np.newaxis] + steps) // (2 * steps)  # spikes up to each edge between two steps
    return np.diff(fired, axis=1).astype(np.uint8)


def stratified_pick(labels: Labels, number: int, seed: int) -> npt.NDArray[np.int64]:
    """Return ``number`` sorted indices that hold each class in its share of ``labels``, the same for the same seed.

    Shares that are no whole number go to the classes with the largest remainder, lowest class first.
    Raises :class:`UsageError` when there are not that many samples.
    """
    if number > len(labels):
        raise UsageError(f"{number} samples", f"only {len(labels)} are there", "ask for fewer in the recipe's [data]")
    classes, sizes = np.unique(labels, return_counts=True)
    exact = sizes * number / len(labels)
    shares = np.floor(exact).astype(np.int64)
    shares[np.argsort(shares - exact, kind="stable")[: number - shares.sum()]] += 1
    draw = np.random.RandomState(seed)  # NumPy promises its stream for ever, unlike default_rng's
    picked = [draw.permutation(np.flatnonzero(labels == c))[:share] for c, share in zip(classes, shares, strict=True)]
    return np.sort(np.concatenate(picked)).astype(np.int64)


def split(samples: Samples, test: int, calibration: int, seed: int) -> SpikeDataset:
    """Return ``samples`` as training and test samples, and ``calibration`` of the training samples, all stratified.

    Raises :class:`UsageError` when too few samples are left for training or calibration.
    """
    chosen = stratified_pick(samples.labels, test, seed)
    rest = np.setdiff1d(np.arange(len(samples)), chosen)
    train = samples.take(rest)
    if not len(train):
        raise UsageError(f"{test} test samples", "leave none for training", "lower test_samples in the recipe's [data]")
    return SpikeDataset(train, samples.take(chosen), train.take(stratified_pick(train.labels, calibration, seed)))
