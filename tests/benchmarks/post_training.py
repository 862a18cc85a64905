"""What post-training quantization costs: the recipe's and four frameworks' digits networks at 8 and 4 bits.

::

    python -m tests.benchmarks.post_training [-o figures.json] [--only norse]

Every choice is left to the measurement, on few and on many of the training digits; accuracy is that of the test set.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from neurodeploy.choices import Choices
from neurodeploy.quantization import quantization
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import load_chip
from tests.benchmarks.digits_networks import networks
from tests.benchmarks.quantization_page import save

#: Numbers of calibration samples, and the points of accuracy that a width may cost.
SEEN, ALLOWED = (64, 512), {8: 0.5, 4: 2.0}


def measure(only: str = "", target: str = "loihi2") -> Iterator[dict[str, Any]]:
    """Yield a row for every network and width: shares of the test samples that are right, and that changed."""
    chip = load_chip(target)
    for digits in networks(only):
        labels = digits.test.labels
        real = simulate(digits.graph, digits.test.spikes, "float").predictions()
        for bits, seen in product(ALLOWED, SEEN):
            allowed = ALLOWED[bits]
            result = quantization(digits.graph, chip, digits.train.spikes[:seen], Choices(weight_bits=bits))
            whole = simulate(result.network, digits.test.spikes).predictions()
            right = [int((answers == labels).sum()) for answers in (real, whole)]
            lost = 100 * (right[0] - right[1]) / len(labels)
            yield {
                "network": digits.name,
                "weights": f"{bits} bits of {target}",
                "calibrated": seen,
                "tested": len(labels),
                "full": right[0] / len(labels),
                "rounded": right[1] / len(labels),
                "changed": float(np.mean(real != whole)),
                "lost": lost,
                "allowed": allowed,
                "met": lost <= allowed + 1e-9,
            }


def main() -> None:
    """Print the table as it grows, and write it where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    print(
        f"{'network':14}{'weights':18}{'seen':>5}{'float':>8}{'integer':>9}{'changed':>9}{'lost':>7}{'allowed':>9}  met"
    )
    rows = []
    for row in measure(options.only):
        rows.append(row)
        figures = f"{row['full']:8.2%}{row['rounded']:9.2%}{row['changed']:9.2%}{row['lost']:7.2f}{row['allowed']:9.1f}"
        print(
            f"{row['network']:14}{row['weights']:18}{row['calibrated']:5}{figures}  {'yes' if row['met'] else 'no'}",
            flush=True,
        )
    if options.output:
        save(options.output, rows)


if __name__ == "__main__":
    main()
