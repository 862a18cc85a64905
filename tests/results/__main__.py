"""Run the experiments and write the page: ``python -m tests.results [--seeds 3] [--only TEXT]``.

Runs that the file holds already are kept, so that a stopped command goes on; ``--again`` makes all anew. One process a
core, one thread each.
"""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from neurodeploy.files import replacing
from tests.results import metasdt, sma, stdl, stsep
from tests.results.experiment import CLIPS, Experiment, Figures
from tests.results.page import page

SECTIONS = (
    ("Memory by stages, and STSep", stsep),
    ("Multiscale attention and zone-out", sma),
    ("Channel mixers of Meta-SDT and their receptive fields", metasdt),
    ("Training in groups and steps (STDL)", stdl),
)


def _run(job: tuple[str, int]) -> tuple[str, int, Figures, float]:
    import torch

    torch.set_num_threads(1)
    began = time.monotonic()
    name, seed = job
    return name, seed, _experiments()[name].run(seed), time.monotonic() - began


def _experiments() -> dict[str, Experiment]:
    return {experiment.name: experiment for _, module in SECTIONS for experiment in module.EXPERIMENTS}


def main() -> None:
    """Parse the command line, run what is missing, write JSON and page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/results.json"))
    parser.add_argument("--page", type=Path, default=Path("docs/results.md"))
    options = parser.parse_args()
    before = json.loads(options.output.read_text()) if options.output.exists() and not options.again else {}
    runs: dict[str, dict[str, Any]] = before.get("runs", {})
    experiments = {name: one for name, one in _experiments().items() if options.only in name}
    wanted = [(name, seed) for seed in range(options.seeds) for name in experiments]
    missing = [(name, seed) for name, seed in wanted if not _kept(runs, experiments[name], seed)]
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for done, (name, seed, figures, seconds) in enumerate(pool.imap_unordered(_run, missing), start=1):
            recipe = experiments[name].recipe(seed)
            runs.setdefault(name, {})[str(seed)] = {"recipe": recipe, "figures": figures, "seconds": seconds}
            shown = ", ".join(f"{key} {value:.1f}" for key, value in figures.items())
            print(f"{done}/{len(missing)} {name}, seed {seed}: {shown} ({seconds:.0f} s)", file=sys.stderr, flush=True)
    document = {
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}",
        "minutes": before.get("minutes", 0.0) + (time.monotonic() - began) / 60,
        "seeds": list(range(options.seeds)),
        "clips": CLIPS,
        "runs": runs,
    }
    _write(options.output, json.dumps(document, indent=1) + "\n")
    sections = [(title, module.CLAIMS, tuple(e.name for e in module.EXPERIMENTS)) for title, module in SECTIONS]
    _write(options.page, page(sections, document | {"figures": _table(runs)}))


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text)


def _kept(runs: dict[str, dict[str, Any]], experiment: Experiment, seed: int) -> bool:
    run = runs.get(experiment.name, {}).get(str(seed))
    return run is not None and run["recipe"] == experiment.recipe(seed)


def _table(runs: dict[str, dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    return {
        name: {
            key: [run["figures"][key] for run in by_seed.values()] for key in next(iter(by_seed.values()))["figures"]
        }
        for name, by_seed in runs.items()
    }


if __name__ == "__main__":
    main()
