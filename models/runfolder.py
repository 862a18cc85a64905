"""The folder of a training run: which files it holds, and when it may be started, continued or replaced."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path

from neurodeploy.errors import UsageError
from neurodeploy.files import replacing
from neurodeploy.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from neurodeploy.models.progress import EpochTiming
from neurodeploy.models.recipe import Recipe
from neurodeploy.models.trainer import EpochMetrics

#: What a finished run holds; all but ``timings`` follows from recipe, data and versions, byte for byte. ``last`` is the
#: state to go on from; ``best`` has the highest test accuracy of all epochs, an optimistic figure, and ``model`` is the
#: network of the last epoch whatever its figure.
FILES: dict[str, str] = {
    "model": "model.safetensors",
    "best": "best.safetensors",
    "last": "last.safetensors",
    "metrics": "metrics.jsonl",
    "timings": "timings.jsonl",
    "run": "run.json",
    "recipe": "recipe.toml",
    "test": "test.npz",
    "calibration": "calibration.npz",
}

#: What a step after training may have put beside it; an older run's is removed with that run.
DERIVED = ("quantized.nir", "finetuning.jsonl")

#: States of earlier epochs, where the recipe keeps several, and what TensorBoard reads, where it is installed.
_EPOCHS = "epoch-*.safetensors"
TENSORBOARD = "tensorboard"


class RunFolder:
    """A run's folder and the paths of its files by name."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.files = {name: self.folder / file for name, file in FILES.items()}

    def start(self, recipe: Recipe, *, force: bool) -> None:
        """Make the folder and write the recipe; with ``force`` remove an older run's files, and no others.

        Raises :class:`UsageError` when something is there and ``force`` is not set, or no folder can be made.
        """
        if self.folder.is_dir() and any(self.folder.iterdir()) and not force:
            advice = "continue it with --resume, replace it with --force, or choose another folder with -o"
            raise UsageError(str(self.folder), "already exists", advice)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            own = (*self.files.values(), *(self.folder / name for name in DERIVED), *self.folder.glob(_EPOCHS))
            for path in (*own, *(self.folder / TENSORBOARD).glob("events.out.tfevents.*")):
                path.unlink(missing_ok=True)
            self._sweep()
        except OSError as error:
            problem = f"cannot hold a run ({error.strerror})"
            raise UsageError(str(self.folder), problem, "choose another folder with -o") from error
        self.write_text("recipe", recipe.to_toml())

    def resume(self, recipe: Recipe, *, write: bool = True) -> Checkpoint | None:
        """Return the state to go on from, or None when the run was stopped before it wrote one.

        Only one process of a run may ``write``, that is, clear up what a killed process left.

        Raises :class:`UsageError` when there is no run, or it is one of another recipe or seed, and
        :class:`neurodeploy.errors.InputError` when its state is damaged.
        """
        if not self.files["last"].exists():
            if not self.files["recipe"].exists():
                raise UsageError(str(self.folder), "holds no run to resume", "leave out --resume to start one")
            if write:
                self.write_text("recipe", recipe.to_toml())
            return None
        if write:
            self._sweep()
        last = load_checkpoint(self.files["last"])
        for part in (f.name for f in fields(Recipe)):
            if getattr(last.recipe, part) != getattr(recipe, part):
                advice = "resume with the same recipe, --set and --seed, or start again with --force"
                raise UsageError(str(self.folder), f"was started with another {part!r}", advice)
        return last

    def _sweep(self) -> None:
        """Remove the half-written temporary files that a killed process left."""
        for name in (*FILES.values(), _EPOCHS):
            for leftover in self.folder.glob(f".{name}.*.part"):
                leftover.unlink(missing_ok=True)

    def keep(self, state: Checkpoint, number: int) -> None:
        """Keep ``state``, of a whole epoch, as one of the last ``number``; 1 keeps ``last`` alone."""
        if number > 1:
            save_checkpoint(self.folder / f"epoch-{state.epoch:05d}.safetensors", state)
        for older in sorted(self.folder.glob(_EPOCHS))[: -number if number > 1 else None]:
            older.unlink(missing_ok=True)

    def write_text(self, name: str, text: str) -> None:
        """Write the text file ``name`` whole or not at all."""
        with replacing(self.files[name]) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")

    def write_metrics(self, history: Iterable[EpochMetrics]) -> None:
        """Write one JSON line an epoch, always all of them: a resumed run repeats none and misses none."""
        self.write_text("metrics", "".join(json.dumps(line.as_line()) + "\n" for line in history))

    def add_timing(self, timing: EpochTiming) -> None:
        """Add one JSON line; lines of the same epoch or later, from before a run was resumed, go."""
        path, kept = self.files["timings"], list[str]()
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            with contextlib.suppress(ValueError, LookupError, TypeError):  # a line that someone damaged is not kept
                if json.loads(line)["epoch"] < timing.epoch:
                    kept.append(line)
        self.write_text("timings", "\n".join([*kept, json.dumps(asdict(timing))]) + "\n")
