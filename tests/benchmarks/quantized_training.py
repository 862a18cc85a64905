"""What quantization-aware training gives back: the recipe's and four frameworks' digits networks, few bits and ternary.

::

    python -m tests.benchmarks.quantized_training [-o figures.json] [--only norse] [--choose]

Each network is quantized, then trained as integers on the digits that its test set lacks. The loss is in points of
accuracy against its float simulation; the test sets are small: one digit is 0.28 (recipe) or 0.5 points (the others).

Epochs and rates are not chosen on these test sets: ``--choose`` trains by every :data:`GRID` setting on four fifths of
the training digits and scores the fifth held back, and :data:`WIDTHS` holds the setting with the best mean over all
networks. Then the test sets are looked at once.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.choices import Choices
from neurodeploy.models.finetune import FinetuneSettings, finetune
from neurodeploy.quantization import quantization
from neurodeploy.quantized_training import CALIBRATION, train_quantized
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from tests.benchmarks.digits_networks import TESTS, Digits, networks, validation
from tests.benchmarks.quantization_page import save


@dataclass(frozen=True)
class Width:
    """Weights to train: a chip, their bits (its widest where None), and the points that may be lost."""

    name: str
    target: str
    bits: int | None
    allowed: float


FOUR = Width("4 bits of loihi2", "loihi2", 4, 0.5)
TERNARY = Width("ternary", str(TESTS / "chips" / "ternary.toml"), None, 2.0)
#: Width -> settings that are tried: epochs and rate. Few levels are far from the float weights.
GRID = {
    FOUR: ((5, 0.005), (5, 0.01), (5, 0.02), (10, 0.01)),
    TERNARY: ((12, 0.02), (12, 0.05), (12, 0.1), (24, 0.05)),
}
#: Width -> the setting chosen by ``--choose``.
WIDTHS = {FOUR: (10, 0.01), TERNARY: (12, 0.05)}


@dataclass(frozen=True)
class Trained:
    """One row of the table; accuracies are shares of the test samples."""

    network: str
    weights: str
    full: float
    rounded: float
    trained: float
    allowed: float
    seconds: float

    @property
    def lost(self) -> float:
        """Points lost after training; negative where the integers are better."""
        return 100 * (self.full - self.trained)

    @property
    def met(self) -> bool:
        """Whether the loss is within what is allowed."""
        return self.lost <= self.allowed + 1e-9

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"lost": self.lost, "met": self.met}


def measure(only: str = "") -> Iterator[Trained]:
    """Yield a row for every network and width, scored on its test set."""
    for digits in networks(only):
        for width, (epochs, rate) in WIDTHS.items():
            settings = FinetuneSettings(epochs=epochs, learning_rate=rate)
            chip = load_chip(width.target)
            with tempfile.TemporaryDirectory() as folder:
                result = train_quantized(
                    digits.graph, chip, digits.train, digits.test, Path(folder), settings, weight_bits=width.bits
                )
            assert result.float_accuracy is not None
            assert result.rounded_accuracy is not None
            assert result.trained_accuracy is not None
            figures = (result.float_accuracy, result.rounded_accuracy, result.trained_accuracy)
            yield Trained(digits.name, width.name, *figures, width.allowed, result.seconds)


@dataclass(frozen=True)
class Tried:
    """A setting on one network: shares right of the digits held back from training, float and trained."""

    network: str
    weights: str
    epochs: int
    rate: float
    full: float
    trained: float


def choose(only: str = "") -> Iterator[Tried]:
    """Yield a row for every network, width and setting, scored on digits held back from its training set."""
    for digits in networks(only):
        for width, settings in GRID.items():
            yield from _tried(digits, width, settings)


def _tried(digits: Digits, width: Width, settings: tuple[tuple[int, float], ...]) -> Iterator[Tried]:
    train, held = validation(digits.train)
    chip = load_chip(width.target)
    seen = train.take(np.arange(min(CALIBRATION, len(train)))).spikes
    start = quantization(digits.graph, chip, seen, Choices(scales="population", weight_bits=width.bits))
    full = simulate(digits.graph, held.spikes, "float").accuracy(held.labels)
    for epochs, rate in settings:
        found = finetune(start, chip, train, None, FinetuneSettings(epochs=epochs, learning_rate=rate)).network
        right = simulate(found, held.spikes).accuracy(held.labels)
        yield Tried(digits.name, width.name, epochs, rate, full, right)


def _show_trained(row: Trained) -> str:
    met = "yes" if row.met else "no"
    figures = f"{row.full:8.2%}{row.rounded:9.2%}{row.trained:9.2%}{row.lost:7.2f}{row.allowed:9.1f}"
    return f"{row.network:14}{row.weights:18}{figures}  {met}"


def _show_tried(row: Tried) -> str:
    return f"{row.network:14}{row.weights:18}{row.epochs:8}{row.rate:8}{row.full:9.2%}{row.trained:9.2%}"


def _printed(rows: Iterator[Any], show: Callable[[Any], str]) -> list[dict[str, Any]]:
    kept = []
    for row in rows:
        kept.append(row.as_dict() if isinstance(row, Trained) else asdict(row))
        print(show(row), flush=True)
    return kept


def main() -> None:
    """Print the table as it grows, and write it where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--choose", action="store_true", help="try settings on digits held back from training")
    options = parser.parse_args()
    if options.choose:
        print(f"{'network':14}{'weights':18}{'epochs':>8}{'rate':>8}{'float':>9}{'trained':>9}")
        rows = _printed(choose(options.only), _show_tried)
    else:
        print(f"{'network':14}{'weights':18}{'float':>8}{'rounded':>9}{'trained':>9}{'lost':>7}{'allowed':>9}  met")
        rows = _printed(measure(options.only), _show_trained)
    if options.output:
        save(options.output, rows)


if __name__ == "__main__":
    main()
