import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.checkpoint import Checkpoint, load_checkpoint, load_model, save_checkpoint
from neurodeploy.models.convnet import as_input
from neurodeploy.models.recipe import load_recipe
from neurodeploy.models.runfolder import FILES
from neurodeploy.models.trainer import EpochMetrics, Trainer
from neurodeploy.models.training import TrainingInterrupted, TrainingResult, train
from neurodeploy.npz import read_events

TINY = [
    "name=tiny",
    "epochs=4",
    "steps=4",
    "test_samples=1400",
    "calibration_samples=50",
    "layers.0.channels=2",
    "layers.4.channels=6",
    "layers.6.learn_beta=true",
    "learning_rate=0.02",
    "batch_size=32",
]
RECIPE = load_recipe("digits", TINY)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a run that equal training makes equal."""
    own = (path for path in folder.iterdir() if path.is_file() and path.name != "timings.jsonl")
    return {path.name: path.read_bytes() for path in own}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingResult]:
    """A run that nothing stopped."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return folder, train(RECIPE, folder)


def stop_after(epochs: int) -> Callable[[EpochMetrics], None]:
    def on_epoch(metrics: EpochMetrics) -> None:
        if metrics.epoch == epochs:
            raise KeyboardInterrupt

    return on_epoch


def test_a_run_leaves_what_it_promises(whole: tuple[Path, TrainingResult]) -> None:
    folder, result = whole
    assert {path.name for path in folder.iterdir() if path.is_file()} == set(FILES.values())
    assert result.files == {name: folder / file for name, file in FILES.items()}
    assert load_recipe(folder / "recipe.toml") == RECIPE
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert lines[-1]["test_accuracy"] == result.test_accuracy > 0.3  # chance is 0.1
    events = read_events(folder / "calibration.npz")
    assert (events.samples, events.steps) == (50, 4)


def test_one_epoch_of_the_packaged_recipe_learns_most_of_the_digits(tmp_path: Path) -> None:
    assert train(load_recipe("digits", ["epochs=1"]), tmp_path).test_accuracy > 0.6


def test_the_written_model_has_the_accuracy_that_was_reported(whole: tuple[Path, TrainingResult]) -> None:
    folder, result = whole
    model, recipe = load_model(folder / "model.safetensors")
    assert recipe == RECIPE
    assert sum(p.numel() for p in model.parameters()) == result.parameters
    events = read_events(folder / "test.npz")
    assert events.labels is not None
    with torch.no_grad():
        counts = model(as_input(events.spikes[""])).sum(0).numpy()
    assert np.mean(counts.argmax(1) == events.labels) == pytest.approx(result.test_accuracy, abs=2 / 1400)


def test_best_and_last_are_kept(whole: tuple[Path, TrainingResult]) -> None:
    folder, _ = whole
    last, best = load_checkpoint(folder / "last.safetensors"), load_checkpoint(folder / "best.safetensors")
    accuracies = [line["test_accuracy"] for line in last.history]
    assert last.epoch == 4
    assert accuracies[best.epoch - 1] == max(accuracies)


def test_the_same_seed_gives_the_same_bytes_and_leaves_torch_as_it_was(
    tmp_path: Path, whole: tuple[Path, TrainingResult]
) -> None:
    torch.manual_seed(99)
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    train(RECIPE, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(whole[0])
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    train(replace(RECIPE, seed=1), tmp_path / "again", force=True)
    assert contents(tmp_path / "again")["model.safetensors"] != contents(whole[0])["model.safetensors"]


@pytest.mark.parametrize("epochs", [1, 3, 4])
def test_a_run_that_ctrl_c_stopped_resumes_to_the_same_bytes(
    tmp_path: Path, whole: tuple[Path, TrainingResult], epochs: int
) -> None:
    with pytest.raises(TrainingInterrupted, match=f"interrupted after epoch {epochs}; continue with --resume"):
        train(RECIPE, tmp_path, on_epoch=stop_after(epochs))
    seen: list[int] = []
    train(RECIPE, tmp_path, resume=True, on_epoch=lambda metrics: seen.append(metrics.epoch))
    assert seen == list(range(epochs + 1, 5))
    assert contents(tmp_path) == contents(whole[0])


def test_a_stop_between_state_and_metrics_repeats_and_misses_no_epoch(
    tmp_path: Path, whole: tuple[Path, TrainingResult]
) -> None:
    with pytest.raises(TrainingInterrupted):
        train(RECIPE, tmp_path, on_epoch=stop_after(2))
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text(metrics.read_text().splitlines()[0] + "\n")
    train(RECIPE, tmp_path, resume=True)
    assert contents(tmp_path) == contents(whole[0])


def test_a_stop_in_the_first_epoch_resumes_from_the_start(
    tmp_path: Path, whole: tuple[Path, TrainingResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: Trainer) -> EpochMetrics:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_epoch", interrupt)
        with pytest.raises(TrainingInterrupted, match="after epoch 0"):
            train(RECIPE, tmp_path)
    train(RECIPE, tmp_path, resume=True)
    assert contents(tmp_path) == contents(whole[0])


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path, whole: tuple[Path, TrainingResult]) -> None:
    for name, data in contents(whole[0]).items():
        (tmp_path / name).write_bytes(data)
    result = train(RECIPE, tmp_path, resume=True)
    assert result.test_accuracy == whole[1].test_accuracy
    assert result.train_accuracy == whole[1].train_accuracy
    assert contents(tmp_path) == contents(whole[0])


def test_a_killed_process_resumes_to_the_bytes_of_an_unstopped_one(tmp_path: Path) -> None:
    recipe = load_recipe("digits", [*TINY, "epochs=30", "steps=3"])
    (tmp_path / "recipe.toml").write_text(recipe.to_toml())
    folder = tmp_path / "killed"
    code = "from neurodeploy.cli.train import train; train()"
    command = [sys.executable, "-c", code, str(tmp_path / "recipe.toml"), "-o", str(folder), "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 300
        while time.monotonic() < until and process.poll() is None:
            metrics = folder / "metrics.jsonl"
            if metrics.exists() and len(metrics.read_text().splitlines()) >= 3:
                break
            time.sleep(0.005)
    finally:
        process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (folder / "model.safetensors").exists()
    done = load_checkpoint(folder / "last.safetensors").epoch
    assert 3 <= done < 30
    (folder / ".last.safetensors.x1y2.part").write_bytes(b"what a killed write leaves")
    train(recipe, folder, resume=True)
    train(recipe, tmp_path / "unstopped")
    assert contents(folder) == contents(tmp_path / "unstopped")


def test_divergence_names_epoch_and_layer_and_keeps_the_last_good_state(tmp_path: Path) -> None:
    wild = load_recipe("digits", [*TINY, "learning_rate=1e30"])
    with pytest.raises(InputError, match=r"'tiny': training diverged in epoch 1: layers\.\d+.* is no longer finite"):
        train(wild, tmp_path / "wild")
    assert not (tmp_path / "wild" / "model.safetensors").exists()

    def poison(metrics: EpochMetrics) -> None:
        if metrics.epoch == 2:
            with torch.no_grad():
                trainers[0].model.layers[4].weight[0, 0, 0, 0] = torch.nan

    trainers: list[Trainer] = []
    original = Trainer.__init__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "__init__", lambda self, *a: (trainers.append(self), original(self, *a))[1])
        with pytest.raises(InputError, match=r"diverged in epoch 3: layers\.4\.weight is no.*after epoch 2 is kept"):
            train(RECIPE, tmp_path / "nan", on_epoch=poison)
    assert load_checkpoint(tmp_path / "nan" / "last.safetensors").epoch == 2


def test_a_folder_is_taken_only_with_leave(tmp_path: Path, whole: tuple[Path, TrainingResult]) -> None:
    with pytest.raises(UsageError, match="already exists; continue it with --resume, replace it with --force"):
        train(RECIPE, whole[0])
    with pytest.raises(UsageError, match="holds no run to resume"):
        train(RECIPE, tmp_path / "none", resume=True)
    with pytest.raises(UsageError, match="give one of them"):
        train(RECIPE, whole[0], resume=True, force=True)
    with pytest.raises(UsageError, match="was started with another 'seed'"):
        train(replace(RECIPE, seed=5), whole[0], resume=True)
    with pytest.raises(UsageError, match="was started with another 'training'"):
        train(load_recipe("digits", [*TINY, "epochs=5"]), whole[0], resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot hold a run"):
        train(RECIPE, tmp_path / "file")


def test_force_removes_the_old_run_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "last.safetensors").write_text("old")
    with pytest.raises(TrainingInterrupted):
        train(RECIPE, tmp_path, force=True, on_epoch=stop_after(1))
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert load_checkpoint(tmp_path / "last.safetensors").epoch == 1


def drop_moment(state: Checkpoint) -> Checkpoint:
    return replace(state, optimizer={k: v for k, v in state.optimizer.items() if k != "layers.0.weight/exp_avg"})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (drop_moment, "tensor 'layers.0.weight/exp_avg' is missing"),
        (lambda state: replace(state, rng=None), "holds no state of torch's generator"),
        (lambda state: replace(state, rng=torch.zeros(3, dtype=torch.uint8)), "holds no state of torch's generator"),
        (lambda state: replace(state, history=state.history[1:]), "its history does not count to epoch 4"),
        (lambda state: replace(state, history=({"epoch": 1},)), "its history is damaged"),
    ],
)
def test_a_state_that_cannot_be_gone_on_from_is_refused(
    tmp_path: Path, whole: tuple[Path, TrainingResult], damage: Callable[[Checkpoint], Checkpoint], message: str
) -> None:
    save_checkpoint(tmp_path / "last.safetensors", damage(load_checkpoint(whole[0] / "last.safetensors")))
    with pytest.raises(InputError, match=f"last.safetensors: {message}"):
        train(RECIPE, tmp_path, resume=True)
