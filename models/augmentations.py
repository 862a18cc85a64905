"""What a recipe may change at random in training samples: the table of names, and how a list of them becomes one step.

A name may stand with a number behind a colon, ``"roll:5"``. What changes single samples and what mixes several of them
are both rows of :data:`AUGMENTATIONS`; no torch here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import UsageError
from neurodeploy.models.data import augmentation, mixing, policies, vision
from neurodeploy.models.spikes import Augment, Samples
from neurodeploy.models.tables import nearest

Frames = npt.NDArray[np.uint8]
Draw = np.random.Generator

#: One sample's frames uint8 [steps, channels, height, width], its generator, the number -> its frames.
Single = Callable[[Frames, Draw, float], Frames]

#: Samples with their soft labels in ``targets``, a generator each, the number -> samples with theirs.
Mix = Callable[[Samples, Sequence[Draw], float], Samples]


@dataclass(frozen=True)
class Augmentation:
    """One row: what is done, and which number it takes.

    Attributes
    ----------
    single, mix : one of them; what it is given must stay as it is, what it returns may share its memory. Neither, where
        what is drawn is what to read of a file: then the dataset does it.
    low, high : bounds of the number, both included.
    default : the number where none is given; None where one has to be.
    colours : whether it takes red, green and blue alone.
    """

    single: Single | None = None
    mix: Mix | None = None
    low: float = 0.0
    high: float = 1.0
    default: float | None = None
    colours: bool = False


def _flip(frames: Frames, draw: Draw, probability: float) -> Frames:
    """Mirror left and right with ``probability``."""
    return frames[..., ::-1] if draw.random() < probability else frames


AUGMENTATIONS: dict[str, Augmentation] = {
    "flip": Augmentation(_flip, default=0.5),
    "roll": Augmentation(augmentation.roll, low=1, high=4096),
    "translate": Augmentation(augmentation.translate, low=1, high=4096),
    "padded-crop": Augmentation(augmentation.padded_crop, low=1, high=4096),
    "rotate": Augmentation(augmentation.rotate, high=180),
    "scale": Augmentation(augmentation.scale, high=0.9),
    "cutout": Augmentation(augmentation.cutout, low=1, high=4096),
    "drop": Augmentation(augmentation.drop, default=0.9),
    "jitter": Augmentation(augmentation.jitter, low=1, high=4096),
    "colour": Augmentation(vision.colour, colours=True),
    "photometric": Augmentation(vision.photometric, default=0.5, colours=True),
    "erase": Augmentation(vision.erase, default=0.25),
    "randaugment": Augmentation(policies.randaugment, high=10.0, default=9.0, colours=True),
    "autoaugment": Augmentation(policies.autoaugment, high=0.0, default=0.0, colours=True),
    "mixup": Augmentation(mix=mixing.mixup, low=0.01, high=100.0, default=0.8),
    "cutmix": Augmentation(mix=mixing.cutmix, low=0.01, high=100.0, default=1.0),
    "mixup-or-cutmix": Augmentation(mix=mixing.mixup_or_cutmix, low=0.01, high=100.0, default=0.8),
    "resized-crop": Augmentation(low=0.01, default=0.08),
    "scaled-crop": Augmentation(high=0.0, default=0.0),
    "time-jitter": Augmentation(high=0.0, default=0.0),
}


def read_augmentations(entries: Sequence[str], file: str) -> tuple[tuple[str, float], ...]:
    """Return the names and numbers that ``entries`` of ``data.augment`` ask for.

    Raises :class:`UsageError`, naming ``file`` and entry, for an unknown name (with the nearest valid one), a missing
    number and one out of bounds.
    """
    return tuple(_read(entry, f"{file}: data.augment.{index}") for index, entry in enumerate(entries))


def _read(entry: str, subject: str) -> tuple[str, float]:
    name, colon, text = entry.partition(":")
    if name not in AUGMENTATIONS:
        raise UsageError(subject, f"{name!r} is no augmentation", nearest(name, AUGMENTATIONS))
    kind = AUGMENTATIONS[name]
    if not colon:
        if kind.default is None:
            raise UsageError(subject, f"{name!r} has no number", f'write "{name}:{kind.low:g}" or up to {kind.high:g}')
        return name, kind.default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not kind.low <= number <= kind.high:
        raise UsageError(
            subject, f"{text!r} is no number from {kind.low:g} to {kind.high:g}", f"correct what stands behind {name!r}"
        )
    return name, number


def refuse(entries: Sequence[str], name: str, dataset: str, why: str) -> None:
    """Raise :class:`UsageError` where ``entries`` ask for ``name``, which would make samples of ``dataset`` wrong."""
    if any(entry.partition(":")[0] == name for entry in entries):
        raise UsageError(f"data.augment: {name!r}", f"is not for {dataset}: {why}", "leave it out")


def check_augmentations(entries: Sequence[str], channels: int, *, from_files: bool) -> None:
    """Raise :class:`UsageError` for an entry that cannot be done to frames of so many channels, or without files."""
    for name, _ in read_augmentations(entries, "recipe"):
        kind = AUGMENTATIONS[name]
        if kind.colours and channels != 3:
            found = f"{name!r} is for red, green and blue, and these samples have {channels} channels"
            raise UsageError("data.augment", found, "leave it out")
        if kind.single is None and kind.mix is None and not from_files:
            found = f"{name!r} says what to read of files, and this dataset is not read from pictures"
            raise UsageError("data.augment", found, "leave it out")


def augment_of(entries: Sequence[str], classes: int) -> Augment | None:
    """Return what does all of ``entries``, in their order, to samples of so many classes; None for no entries.

    A sample's result depends on it, its generator and, where something mixes, on the samples beside it.
    """
    steps = [(AUGMENTATIONS[name], number) for name, number in read_augmentations(entries, "recipe")]
    if not steps:
        return None

    def augment(samples: Samples, draws: Sequence[Draw]) -> Samples:
        for kind, number in steps:
            if kind.single is not None:
                samples = _each(kind.single, samples, draws, number)
            if kind.mix is not None:
                samples = kind.mix(_soft(samples, classes), draws, number)
        return samples

    return augment


def _each(single: Single, samples: Samples, draws: Sequence[Draw], number: float) -> Samples:
    frames = [single(one, draw, number) for one, draw in zip(samples.spikes, draws, strict=True)]
    return replace(samples, spikes=np.stack(frames))


def _soft(samples: Samples, classes: int) -> Samples:
    """Return ``samples`` with soft labels, from their labels where there are none yet."""
    if samples.targets is not None:
        return samples
    return replace(samples, targets=np.eye(classes, dtype=np.float32)[samples.labels])
