"""Stopping within an epoch, by a kill or a signal, and going on to the bytes of a run that nothing stopped."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from neurodeploy.models.recipe import load_recipe
from neurodeploy.models.trainer import Trainer
from neurodeploy.models.training import TrainingInterrupted, train

SETTINGS = [
    *("name=tiny", "epochs=2", "steps=3", "test_samples=1600", "calibration_samples=20", "layers.0.channels=2"),
    *("layers.4.channels=4", "batch_size=32", "ema=0.9", "accumulate=2", "warmup_epochs=0.5", "keep_last=2"),
    "checkpoint_every_steps=2",
]
RECIPE = load_recipe("digits", SETTINGS)  # 197 training samples: 7 steps an epoch

KILLED = """
import os, signal, sys
from neurodeploy.models import training
from neurodeploy.models.recipe import load_recipe
save, written = training.save_checkpoint, []
def save_and_die(path, state):
    save(path, state)
    written.append(path)
    if len(written) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
training.save_checkpoint = save_and_die
training.train(load_recipe(sys.argv[1]), sys.argv[2])
"""


def contents(folder: Path) -> dict[str, bytes]:
    own = (path for path in folder.iterdir() if path.is_file() and path.name != "timings.jsonl")
    return {path.name: path.read_bytes() for path in own}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing stopped."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(RECIPE, folder)
    return folder


def signal_at(monkeypatch: pytest.MonkeyPatch, number: int, step: int) -> None:
    """Send this process the signal ``number`` while it takes its ``step``-th optimizer step."""
    take_step, taken = Trainer._take_step, list[int]()

    def signalled(trainer: Trainer, *arguments: Any) -> tuple[float, int]:
        taken.append(1)
        if len(taken) == step:
            os.kill(os.getpid(), number)
        return take_step(trainer, *arguments)

    monkeypatch.setattr(Trainer, "_take_step", signalled)


def test_a_process_killed_within_an_epoch_resumes_to_the_same_bytes(tmp_path: Path, whole: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.to_toml())
    command = [sys.executable, "-c", KILLED, str(tmp_path / "recipe.toml"), str(tmp_path / "run")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
    state = load_checkpoint(tmp_path / "run" / "last.safetensors")
    assert (state.epoch, (state.partial or {})["step"]) == (0, 6)
    train(RECIPE, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(whole)


@pytest.mark.parametrize(
    ("number", "step", "epoch", "within"),
    [(signal.SIGTERM, 3, 0, 3), (signal.SIGINT, 7, 0, 7), (signal.SIGUSR1, 12, 1, 5)],
)
def test_a_signal_ends_the_step_and_keeps_it(
    tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch, number: int, step: int, epoch: int, within: int
) -> None:
    before = signal.getsignal(number)
    with monkeypatch.context() as patch:
        signal_at(patch, number, step)
        with pytest.raises(TrainingInterrupted, match=f"epoch {epoch} and {within} steps of the next; continue with"):
            train(RECIPE, tmp_path)
    assert signal.getsignal(number) is before
    seen: list[int] = []
    train(RECIPE, tmp_path, resume=True, on_epoch=lambda metrics: seen.append(metrics.epoch))
    assert seen == list(range(epoch + 1, 3))
    assert contents(tmp_path) == contents(whole)
    timings = [json.loads(line) for line in (tmp_path / "timings.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in timings] == [1, 2]
    assert all(line["seconds"] > 0 and line["memory_bytes"] > 1e6 for line in timings)
    assert all(0 <= line["waited_seconds"] <= line["seconds"] for line in timings)


def test_the_last_states_and_the_averaged_network_are_kept(whole: Path) -> None:
    names = sorted(path.name for path in whole.glob("epoch-*"))
    assert names == ["epoch-00001.safetensors", "epoch-00002.safetensors"]
    last, model = (load_checkpoint(whole / f"{name}.safetensors") for name in ("last", "model"))
    assert (whole / names[1]).read_bytes() == (whole / "last.safetensors").read_bytes()
    for name, value in last.average.items():
        assert value.equal(model.model[name])
        assert not value.equal(last.model[name])


def test_a_run_on_other_data_is_not_resumed(tmp_path: Path, whole: Path) -> None:
    for name, data in contents(whole).items():
        (tmp_path / name).write_bytes(data)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["seed"] == 0
    assert record["data"]["train_samples"] == 197
    assert load_recipe(whole / "recipe.toml").to_toml() == record["recipe"]
    record["data"]["sha256"] = "0" * 64
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match=r"was started on data of SHA-256 000000000000\.\.\., now they have"):
        train(RECIPE, tmp_path, resume=True)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(InputError, match=r"run\.json: is no record of a run"):
        train(RECIPE, tmp_path, resume=True)


def without_average(state: Checkpoint) -> Checkpoint:
    return replace(state, average={})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without_average, "tensor 'layers.0.weight' is missing"),
        (
            lambda s: replace(s, epoch=1, history=s.history[:1], partial={"step": 8}),
            r"within an epoch at \{'step': 8\}",
        ),
        (lambda s: replace(s, partial={"step": 1, "loss": 0.5, "correct": 3}), "which its recipe does not have"),
    ],
)
def test_a_damaged_state_within_an_epoch_is_refused(
    tmp_path: Path, whole: Path, damage: Callable[[Checkpoint], Checkpoint], message: str
) -> None:
    save_checkpoint(tmp_path / "last.safetensors", damage(load_checkpoint(whole / "last.safetensors")))
    with pytest.raises(InputError, match=message):
        train(RECIPE, tmp_path, resume=True)


def test_a_checkpoint_of_another_network_is_named(tmp_path: Path, whole: Path) -> None:
    (tmp_path / "last.safetensors").write_bytes((whole / "last.safetensors").read_bytes())
    with pytest.raises(UsageError, match="was started with another 'layers'"):
        train(load_recipe("digits", [*SETTINGS, "layers.4.channels=5"]), tmp_path, resume=True)
