"""What quantization-aware training gives back: the recipe's and four frameworks' digits networks, few bits and ternary.

::

    python -m tests.benchmarks.quantized_training [-o figures.json] [--only norse]

Each network is quantized, then trained as integers on the digits that its test set lacks. The loss is in points of
accuracy against its float simulation; the test sets are small: one digit is 0.28 (recipe) or 0.5 points (the others).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from neurodeploy.conformance import read_case
from neurodeploy.conformance.files import read_declared
from neurodeploy.graph import Graph
from neurodeploy.loading import load
from neurodeploy.models.digits import load_digits as recipe_digits
from neurodeploy.models.finetune import FinetuneSettings
from neurodeploy.models.recipe import load_recipe
from neurodeploy.models.spikes import Samples
from neurodeploy.quantized_training import train_quantized
from neurodeploy.targets.chip import Chip, load_chip

TESTS = Path(__file__).parents[1]
FRAMEWORKS = ("snntorch", "norse", "sinabs", "spikingjelly")
#: Chip, bits of the weights (its widest where None), the points that may be lost after training, epochs and rate: few
#: levels are far from the float weights, and need more and longer steps.
WIDTHS = {
    "4 bits of loihi2": ("loihi2", 4, 0.5, 5, 0.01),
    "ternary": (str(TESTS / "chips" / "ternary.toml"), None, 2.0, 12, 0.05),
}


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


def networks(only: str = "") -> Iterator[tuple[str, Graph, Samples, Samples]]:
    """Yield name, float graph, training and test samples of each network."""
    if only in "recipe":
        data = recipe_digits(load_recipe("digits").data)
        yield "recipe", load(TESTS / "digits" / "digits.nir"), data.train, data.test
    images, labels = _unseen()
    for name in (n for n in FRAMEWORKS if only in n):
        case = read_case(TESTS / "conformance" / "cases" / f"{name}-digits")
        (spikes,) = case.inputs.values()
        yield (
            f"{name}",
            read_declared(case, case.file("net.nir")),
            Samples(_coded(images, spikes), labels),
            Samples(spikes, case.labels),
        )


def _unseen() -> tuple[np.ndarray, np.ndarray]:
    """Return the images [N, 64] and labels that no case tests on: SpikingJelly's shows the images as they are."""
    case = read_case(TESTS / "conformance" / "cases" / "spikingjelly-digits")
    (spikes,) = case.inputs.values()
    tested = {image.tobytes() for image in spikes.reshape(*spikes.shape[:2], 64)[:, 0].astype(np.uint8)}
    digits = load_digits()
    fresh = np.array([image.tobytes() not in tested for image in digits.data.astype(np.uint8)])
    return digits.data[fresh], digits.target[fresh].astype(np.int64)


def _coded(images: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Return images as the case codes them: each pixel's value in every step, or spikes drawn at its rate."""
    steps = like.shape[1]
    shown = np.repeat(images[:, np.newaxis], steps, axis=1)
    if like.max() == 1:
        shown = np.random.RandomState(0).random_sample(shown.shape) < shown / 16
    return shown.astype(np.uint8).reshape(len(images), steps, *like.shape[2:])


def measure(only: str = "") -> Iterator[Trained]:
    """Yield a row for every network and width."""
    for name, graph, train, test in networks(only):
        for weights, (target, bits, allowed, epochs, rate) in WIDTHS.items():
            chip: Chip = load_chip(target)
            settings = FinetuneSettings(epochs=epochs, learning_rate=rate)
            with tempfile.TemporaryDirectory() as folder:
                result = train_quantized(graph, chip, train, test, Path(folder), settings, weight_bits=bits)
            assert result.float_accuracy is not None
            assert result.rounded_accuracy is not None
            assert result.trained_accuracy is not None
            figures = (result.float_accuracy, result.rounded_accuracy, result.trained_accuracy)
            yield Trained(name, weights, *figures, allowed, result.seconds)


def main() -> None:
    """Print the table as it grows, and write it where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    print(f"{'network':14}{'weights':18}{'float':>8}{'rounded':>9}{'trained':>9}{'lost':>7}{'allowed':>9}  met")
    rows = []
    for row in measure(options.only):
        rows.append(row)
        print(
            f"{row.network:14}{row.weights:18}{row.full:8.2%}{row.rounded:9.2%}{row.trained:9.2%}{row.lost:7.2f}"
            f"{row.allowed:9.1f}  {'yes' if row.met else 'no'}",
            flush=True,
        )
    if options.output:
        table = [vars(row) | {"lost": row.lost, "met": row.met} for row in rows]
        document = {"date": datetime.now(UTC).date().isoformat(), "rows": table}
        options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
