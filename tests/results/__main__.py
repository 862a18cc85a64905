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
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from neurodeploy.files import replacing
from tests.benchmarks.machine import processor_name
from tests.results.experiment import CLIPS, Experiment
from tests.results.page import Section, page
from tests.results.systems import SECTIONS, experiments_by_name, run_one

#: Experiment -> seed -> its recipe, figures and processor time.
Runs = dict[str, dict[str, dict[str, Any]]]


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
    experiments, pictures = experiments_by_name(SECTIONS), options.page.parent / "erf"
    runs: Runs = {name: by_seed for name, by_seed in before.get("runs", {}).items() if name in experiments}
    jobs = [(name, seed) for seed in range(options.seeds) for name in experiments if options.only in name]
    missing = [(name, seed) for name, seed in jobs if not _kept(runs, experiments[name], seed, pictures)]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for done, (name, seed, figures, picture, seconds) in enumerate(pool.imap_unordered(run_one, missing), start=1):
            recipe = experiments[name].recipe(seed)
            runs.setdefault(name, {})[str(seed)] = {"recipe": recipe, "figures": figures, "processor seconds": seconds}
            if picture:
                _write(picture_path(pictures, name), picture)
            _write(options.output, json.dumps(_document(runs, options.seeds), indent=1) + "\n")
            shown = ", ".join(f"{key} {value:.1f}" for key, value in figures.items())
            print(f"{done}/{len(missing)} {name}, seed {seed}: {shown} ({seconds:.0f} s)", file=sys.stderr, flush=True)
    sections = [_section(title, module, options.page) for title, module in SECTIONS]
    _write(options.page, page(sections, _document(runs, options.seeds) | {"figures": _table(runs)}))


def _document(runs: Runs, seeds: int) -> dict[str, Any]:
    seconds = sum(run["processor seconds"] for by_seed in runs.values() for run in by_seed.values())
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores ({processor_name()}), Python {platform.python_version()}",
        "processor minutes": seconds / 60,
        "seeds": list(range(seeds)),
        "clips": CLIPS,
        "runs": runs,
    }


def _section(title: str, module: ModuleType, page: Path) -> Section:
    names = tuple(experiment.name for experiment in module.EXPERIMENTS)
    return Section(title, module.CLAIMS, names, _shown(module, page), getattr(module, "TRIED", ""))


def _shown(module: ModuleType, page: Path) -> tuple[str, ...]:
    paths = (picture_path(page.parent / "erf", e.name) for e in module.EXPERIMENTS if e.picture)
    return tuple(path.relative_to(page.parent).as_posix() for path in paths if path.exists())


def picture_path(folder: Path, name: str) -> Path:
    """Return where the picture of an experiment lies."""
    return folder / f"{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}.svg"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text)


def _kept(runs: Runs, experiment: Experiment, seed: int, pictures: Path) -> bool:
    run = runs.get(experiment.name, {}).get(str(seed))
    if run is None or run["recipe"] != experiment.recipe(seed):
        return False
    return seed > 0 or experiment.picture is None or picture_path(pictures, experiment.name).exists()


def _table(runs: Runs) -> dict[str, dict[str, list[float]]]:
    return {
        name: {
            key: [run["figures"][key] for run in by_seed.values()] for key in next(iter(by_seed.values()))["figures"]
        }
        for name, by_seed in runs.items()
    }


if __name__ == "__main__":
    main()
