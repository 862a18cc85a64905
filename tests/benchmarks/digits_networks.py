"""The trained digits networks on which quantization is measured: the recipe's, and those of four frameworks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits

from neurodeploy.conformance import read_case
from neurodeploy.conformance.files import read_declared
from neurodeploy.graph import Graph
from neurodeploy.loading import load
from neurodeploy.models.digits import load_digits as recipe_digits
from neurodeploy.models.recipe import load_recipe
from neurodeploy.models.spikes import Samples, stratified_pick

TESTS = Path(__file__).parents[1]
FRAMEWORKS = ("snntorch", "norse", "sinabs", "spikingjelly")
NAMES = ("recipe", *FRAMEWORKS)


@dataclass(frozen=True, eq=False)
class Digits:
    """A float network, the digits that it may be trained on, and those it is tested on."""

    name: str
    graph: Graph
    train: Samples
    test: Samples


def networks(only: str = "") -> Iterator[Digits]:
    """Yield each network whose name holds ``only``."""
    if only in "recipe":
        data = recipe_digits(load_recipe("digits").data)
        whole = [part.take(np.arange(len(part))) for part in (data.train, data.test)]
        yield Digits("recipe", load(TESTS / "digits" / "digits.nir"), *whole)
    images, labels = _unseen()
    for name in (n for n in FRAMEWORKS if only in n):
        case = read_case(TESTS / "conformance" / "cases" / f"{name}-digits")
        (spikes,) = case.inputs.values()
        assert case.labels is not None
        train = Samples(_coded(images, spikes), labels)
        yield Digits(name, read_declared(case, case.file("net.nir")), train, Samples(spikes, case.labels))


def validation(samples: Samples, share: float = 0.2, seed: int = 0) -> tuple[Samples, Samples]:
    """Return the samples to train on and those held back to choose by, each class in its share."""
    held = stratified_pick(samples.labels, round(share * len(samples)), seed)
    return samples.take(np.setdiff1d(np.arange(len(samples)), held)), samples.take(held)


def _unseen() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return the images [N, 64] and labels that no case tests on: SpikingJelly's shows the images as they are."""
    case = read_case(TESTS / "conformance" / "cases" / "spikingjelly-digits")
    (spikes,) = case.inputs.values()
    tested = {image.tobytes() for image in spikes.reshape(*spikes.shape[:2], 64)[:, 0].astype(np.uint8)}
    digits = load_digits()
    fresh = np.array([image.tobytes() not in tested for image in digits.data.astype(np.uint8)])
    return digits.data[fresh], digits.target[fresh].astype(np.int64)


def _coded(images: npt.NDArray[np.float64], like: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return images as the case codes them: each pixel's value in every step, or spikes drawn at its rate."""
    steps = like.shape[1]
    shown = np.repeat(images[:, np.newaxis], steps, axis=1)
    if like.max() == 1:
        shown = np.random.RandomState(0).random_sample(shown.shape) < shown / 16
    return shown.astype(np.uint8).reshape(len(images), steps, *like.shape[2:])
