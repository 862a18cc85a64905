"""How long a training loop waits for its samples: steps of a packaged recipe as ``neurodeploy train`` takes them."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import Any

from tests.benchmarks.training_results import Verdict

#: Steps that fill caches and compile, and steps that are then timed.
WARM, TIMED = 10, 100
RECIPE = "moving-digits"
#: Most of its time that the loop may wait.
GOAL = 0.05


def measure(
    recipe: str = RECIPE, warm: int = WARM, timed: int = TIMED, overrides: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return the seconds that ``timed`` steps took in all, and those of them that were spent waiting."""
    import torch

    from neurodeploy.models.dataset import load_dataset
    from neurodeploy.models.recipe import load_recipe
    from neurodeploy.models.threads import one_thread
    from neurodeploy.models.trainer import Trainer

    chosen = load_recipe(recipe, overrides)
    marks: list[tuple[float, float]] = []

    def mark() -> None:
        marks.append((time.perf_counter(), trainer.waited))
        if len(marks) == warm + timed + 1:
            raise KeyboardInterrupt

    with one_thread(), torch.random.fork_rng(devices=[]):
        trainer = Trainer(chosen, load_dataset(chosen.data))
        trainer.after_step = mark
        try:
            while True:
                trainer.run_epoch()
        except KeyboardInterrupt:
            if len(marks) <= warm + timed:  # someone else's
                raise
    (began, before), (ended, after) = marks[warm], marks[-1]
    seconds, waited = ended - began, after - before
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": round(os.getloadavg()[0], 1),
        "recipe": recipe,
        "steps": timed,
        "seconds": seconds,
        "waited": waited,
        "share": waited / seconds,
    }


def verdict(found: dict[str, Any]) -> Verdict:
    """Return whether the loop kept busy."""
    return Verdict(f"{found['recipe']}, share of the loop's time spent waiting", GOAL, found["share"], False)


def section(found: dict[str, Any]) -> str:
    """Return the part of the page."""
    rate, waited = found["steps"] / found["seconds"], 1e3 * found["waited"] / found["steps"]
    return (
        f"\n## Waiting for samples\n\nMeasured on {found['date'][:10]} at a load average of {found['load']:g}.\n"
        f"`{found['recipe']}` as `neurodeploy train` runs it, one thread that computes and one that makes batches "
        f"ahead:\n{found['steps']} steps at {rate:.2f} a second, each of which waited {waited:.2f} ms, "
        f"{found['share']:.2%} of the loop's time.\n\n* {verdict(found).line()}\n"
    )
