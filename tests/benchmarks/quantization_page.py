"""The page of what quantization costs, made from the figures of four benchmarks: ``make bench-quantization``.

::

    python -m tests.benchmarks.quantization_page FOLDER --page docs/quantization.md

FOLDER holds ``post_training.json``, ``settings.json``, ``training.json`` and ``time.json``, as the benchmarks' ``-o``
writes them: rows, and when, on what and by which command they were measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neurodeploy.files import replacing
from tests.benchmarks.emulator import circumstances

Row = Mapping[str, Any]

#: Seconds that quantizing W2 with 512 samples may take.
LIMIT = 60.0
_OPENING = """# What quantization costs

Five trained networks for handwritten digits: that of the recipe (360 test samples, one is 0.28 points) and those that
four frameworks trained (200 test samples each, one is 0.5 points). Accuracy is that of the test samples, in the float
network and in the chip's integers, executed by the emulator; lost is the difference in points, negative where the
integers are better. Calibration, training and the choice of its settings take digits of the training sets only.
"""


def save(path: Path, rows: Sequence[Row]) -> None:
    """Write rows with when, on what and by which command they were measured."""
    spec = sys.modules["__main__"].__spec__
    command = " ".join(["python -m", "" if spec is None else spec.name, *sys.argv[1:]])
    known = circumstances(1, command)
    document = {key: known[key] for key in ("date", "processor", "processors", "versions", "command")}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({**document, "rows": list(rows)}, indent=1) + "\n", encoding="utf-8")


def page(parts: Mapping[str, Row]) -> str:
    """Return the page in Markdown; ``parts`` is the content of each file by its stem."""
    sections = [_post_training(parts["post_training"]), _training(parts["training"])]
    sections += [_settings(parts["settings"]), _time(parts["time"])]
    return "\n".join([_OPENING, *sections])


def _measured(part: Row) -> str:
    return (
        f"Measured on {part['date'][:10]} on {part['processors']} processors of {part['processor']} with\n"
        f"`{part['command']}`.\n"
    )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _verdict(row: Row) -> list[str]:
    return [f"{row['lost']:.2f}", f"{row['allowed']:.1f}", "yes" if row["met"] else "**no**"]


def _shares(row: Row, *names: str) -> list[str]:
    return [f"{row[name]:.2%}" for name in names]


def _post_training(part: Row) -> str:
    rows = [
        [r["network"], r["weights"], str(r["calibrated"]), *_shares(r, "full", "rounded", "changed"), *_verdict(r)]
        for r in part["rows"]
    ]
    headings = ("network", "weights", "calibrated on", "float", "integer", "changed", "lost", "allowed", "met")
    text = (
        "Without training: every choice is left to the measurement, on few and on many of the training digits. Few\n"
        "do not tell the plans apart well enough; changed is the share of answers that are others.\n"
    )
    return "\n".join(["## After training\n", text, _measured(part), _table(headings, rows)])


def _training(part: Row) -> str:
    rows = [[r["network"], r["weights"], *_shares(r, "full", "rounded", "trained"), *_verdict(r)] for r in part["rows"]]
    headings = ("network", "weights", "float", "rounded", "trained", "lost", "allowed", "met")
    text = "Trained as integers on the training digits, from the integers of the column before.\n"
    return "\n".join(["## With quantization-aware training\n", text, _measured(part), _table(headings, rows)])


def _settings(part: Row) -> str:
    names = list(dict.fromkeys(row["network"] for row in part["rows"]))
    found: dict[tuple[str, int, float], dict[str, float]] = {}
    for row in part["rows"]:
        found.setdefault((row["weights"], row["epochs"], row["rate"]), {})[row["network"]] = row["trained"]
    means = {key: sum(right.values()) / len(right) for key, right in found.items()}
    best = {max((key for key in means if key[0] == weights), key=means.__getitem__) for weights, *_ in means}
    rows = []
    for key, right in found.items():
        weights, epochs, rate = key
        mean = f"**{means[key]:.2%}**" if key in best else f"{means[key]:.2%}"
        rows.append([weights, str(epochs), f"{rate:g}", *(f"{right[name]:.2%}" for name in names), mean])
    text = (
        "Epochs and rate are chosen on a fifth of the training digits, held back with each class in its share; the\n"
        "setting with the best mean over the networks is the one that trains on all of them above.\n"
    )
    headings = ("weights", "epochs", "rate", *names, "mean")
    return "\n".join(["## How the settings were chosen\n", text, _measured(part), _table(headings, rows)])


def _time(part: Row) -> str:
    rows = [
        [
            r["network"],
            str(r["samples"]),
            str(r["weight_bits"]),
            f"{r['wall_second']:.1f} s",
            f"{r['cpu_second']:.1f} s",
            str(r["plans"]),
            "yes" if r["wall_second"] < LIMIT else "**no**",
        ]
        for r in part["rows"]
    ]
    text = (
        f"W2 of the emulator's benchmark, every choice left to the measurement; at most {LIMIT:.0f} s. Wall time\n"
        "grows with whatever else the machine does, the time of the processors hardly.\n"
    )
    headings = ("network", "samples", "bits", "wall", "processors", "plans measured", "met")
    return "\n".join(["## Time\n", text, _measured(part), _table(headings, rows)])


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--page", type=Path, required=True)
    options = parser.parse_args()
    names = ("post_training", "settings", "training", "time")
    text = page({name: json.loads((options.folder / f"{name}.json").read_text(encoding="utf-8")) for name in names})
    with replacing(options.page) as temporary:
        temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
