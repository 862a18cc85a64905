"""Optimizers, schedules and clipping of recipes: their arithmetic, and runs that go on to the same bytes."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from neurodeploy.errors import BackendError, InputError, UsageError
from neurodeploy.models.checkpoint import load_checkpoint
from neurodeploy.models.determinism import deterministic
from neurodeploy.models.optimizers import OPTIMIZERS, NamedOptimizer, moments_of
from neurodeploy.models.plan import plan_training
from neurodeploy.models.recipe import Recipe, TrainingSettings, load_recipe, parse_recipe
from neurodeploy.models.schedule import learning_rate
from neurodeploy.models.trainer import Trainer
from neurodeploy.models.training import TrainingInterrupted, train

#: Two epochs of four steps of a network that pools nothing.
TINY = [
    *("name=tiny", "epochs=2", "steps=2", "test_samples=1740", "calibration_samples=20", "batch_size=16"),
    "layers=[{kind='flatten'}, {kind='linear', features=10}, {kind='lif'}]",
]
CASES = {
    "adamw": (),
    "adam": ("optimizer=adam", "weight_decay=0.1"),
    "nadam": ("optimizer=nadam", "momentum_decay=0.001"),
    "momentum": ("optimizer=sgd", "momentum=0.9", "weight_decay=0.001"),
    "nesterov": ("optimizer=sgd", "nesterov=true", "clip_norm=0.05", "schedule=step", "milestones=[0.5, 1.25]"),
    "plain sgd": ("optimizer=sgd", "momentum=0", "schedule=poly", "warmup_steps=3", "warmup_from=0.001"),
}


def tiny(*settings: str) -> Recipe:
    return load_recipe("digits", [*TINY, *settings])


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.name in ("last.safetensors", "metrics.jsonl")
    }


@pytest.mark.parametrize("case", CASES)
def test_a_run_stopped_at_any_step_goes_on_to_the_same_bytes(case: str, tmp_path: Path, monkeypatch: Any) -> None:
    recipe = tiny(*CASES[case])
    train(recipe, tmp_path / "whole")
    whole, take_step = contents(tmp_path / "whole"), Trainer._take_step
    for stop in (1, 4, 6):
        taken: list[int] = []

        def stopping(trainer: Trainer, *arguments: Any, stop: int = stop, taken: list[int] = taken) -> Any:
            taken.append(1)
            result = take_step(trainer, *arguments)
            if len(taken) == stop:
                os.kill(os.getpid(), 15)
            return result

        monkeypatch.setattr(Trainer, "_take_step", stopping)
        with pytest.raises(TrainingInterrupted):
            train(recipe, tmp_path / "run", force=True)
        monkeypatch.setattr(Trainer, "_take_step", take_step)
        train(recipe, tmp_path / "run", resume=True)
        assert contents(tmp_path / "run") == whole, f"stopped after step {stop}"


def test_each_case_ends_elsewhere_and_keeps_what_its_optimizer_remembers(tmp_path: Path) -> None:
    ends = {}
    for case, settings in CASES.items():
        train(tiny(*settings), tmp_path / case)
        state = load_checkpoint(tmp_path / case / "last.safetensors")
        ends[case] = state.model["layers.1.weight"].numpy().tobytes()
        kind = OPTIMIZERS[tiny(*settings).training.optimizer]
        kept = (*moments_of(state.recipe.training), *kind.scalars)
        assert set(state.optimizer) == {f"layers.1.{p}/{key}" for p in ("weight", "bias") for key in kept}
    assert len(set(ends.values())) == len(CASES)


def stepped(settings: TrainingSettings, gradients: list[list[float]]) -> torch.Tensor:
    """Return a matrix of ones after one step along each of ``gradients``."""
    weight = torch.nn.Parameter(torch.ones(1, 2))
    optimizer = NamedOptimizer({"weight": weight}, settings)
    for gradient in gradients:
        weight.grad = torch.tensor([gradient])
        optimizer.step(0.1)
    return weight.detach()[0]


def sgd(**changes: Any) -> TrainingSettings:
    return TrainingSettings(**{"epochs": 1, "learning_rate": 1.0, "optimizer": "sgd", "weight_decay": 0.0} | changes)


def test_steps_are_those_of_their_equations() -> None:
    close = torch.testing.assert_close
    close(stepped(sgd(momentum=0.0), [[1.0, 2.0]]), torch.tensor([0.9, 0.8]))
    close(stepped(sgd(momentum=0.0, weight_decay=0.5), [[1.0, 2.0]]), torch.tensor([0.85, 0.75]))
    # v1 = g, v2 = 0.5 g + g
    close(stepped(sgd(momentum=0.5), [[1.0, 2.0]] * 2), torch.tensor([1 - 0.1 * 2.5, 1 - 0.2 * 2.5]))
    # Nesterov steps along g + 0.5 v
    close(stepped(sgd(momentum=0.5, nesterov=True), [[1.0, 2.0]]), torch.tensor([1 - 0.15, 1 - 0.3]))
    # A gradient of norm 5 is cut to 1, a small one is not.
    close(stepped(sgd(momentum=0.0, clip_norm=1.0), [[3.0, 4.0]]), torch.tensor([1 - 0.06, 1 - 0.08]))
    close(stepped(sgd(momentum=0.0, clip_norm=1.0), [[0.3, 0.4]]), torch.tensor([1 - 0.03, 1 - 0.04]))
    # The first step of Adam has the size of the rate; NAdam's is larger by its look ahead.
    close(stepped(sgd(optimizer="adam"), [[1.0, 2.0]]), torch.tensor([0.9, 0.9]))
    nadam = stepped(sgd(optimizer="nadam", momentum_decay=0.0), [[1.0, 2.0]])
    mu = 0.9 * (1 - 0.5)  # of torch's schedule without decay, at every step
    expected = 1 - 0.1 * ((1 - mu) / (1 - mu) + mu * 0.1 / (1 - mu * mu))
    close(nadam, torch.tensor([expected, expected]))


def test_vectors_do_not_decay() -> None:
    matrix, vector = (torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 2), (2,)))
    optimizer = NamedOptimizer({"m": matrix, "v": vector}, sgd(weight_decay=0.5, momentum=0.0))
    for parameter in (matrix, vector):
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step(0.1)
    assert torch.allclose(matrix, torch.full((2, 2), 0.95))
    assert torch.equal(vector, torch.ones(2))


def test_a_parameter_without_a_gradient_begins_as_it_would_have() -> None:
    def fresh() -> tuple[torch.nn.Parameter, NamedOptimizer]:
        parameter = torch.nn.Parameter(torch.ones(2, 2))
        return parameter, NamedOptimizer({"w": parameter}, sgd(optimizer="nadam"))

    ends = []
    for restored in (False, True):
        parameter, optimizer = fresh()
        if restored:
            state = optimizer.state()
            optimizer.check(state, "file")
            optimizer.restore(state)
        for _ in range(3):
            parameter.grad = torch.full((2, 2), 0.5)
            optimizer.step(0.1)
        ends.append(parameter.detach())
    assert torch.equal(*ends)


def test_another_optimizer_is_not_gone_on_from(tmp_path: Path) -> None:
    train(tiny("epochs=1"), tmp_path)
    with pytest.raises(UsageError, match="was started with another 'training'"):
        train(tiny("epochs=1", "optimizer=sgd"), tmp_path, resume=True)
    found = load_checkpoint(tmp_path / "last.safetensors").optimizer
    parameters = {"layers.1.weight": torch.nn.Parameter(torch.ones(10, 64))}
    with pytest.raises(InputError, match=r"x: tensor 'layers\.1.weight/momentum_buffer' is missing"):
        NamedOptimizer(parameters, sgd()).check(found, "x")


def test_a_plan_counts_what_the_optimizer_remembers() -> None:
    bytes_of = {case: plan_training(tiny(*settings)).optimizer_bytes for case, settings in CASES.items()}
    once = bytes_of["momentum"]
    assert once == 4 * (64 * 10 + 10)
    assert bytes_of == {
        "adamw": 2 * once, "adam": 2 * once, "nadam": 2 * once, "momentum": once, "nesterov": once, "plain sgd": 0,
    }  # fmt: skip


def rates(steps: int, *settings: str) -> list[float]:
    chosen = tiny("epochs=4", "learning_rate=1", *settings).training
    return [learning_rate(chosen, step, steps) for step in range(4 * steps)]


def test_a_rate_can_fall_in_steps_and_by_a_power() -> None:
    assert rates(2, "schedule=step", "milestones=[1, 2.5]", "gamma=0.5") == [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert rates(2, "schedule=poly") == [1 - k / 8 for k in range(8)]
    assert rates(2, "schedule=poly", "power=2") == [(1 - k / 8) ** 2 for k in range(8)]


def test_a_warm_up_can_be_counted_in_steps_and_begin_above_nothing() -> None:
    found = rates(2, "schedule=poly", "warmup_steps=4", "warmup_from=0.2")
    assert found[:4] == pytest.approx([0.4, 0.6, 0.8, 1.0])
    assert found[4:] == [1.0, 0.75, 0.5, 0.25]
    assert rates(2, "schedule=constant", "warmup_steps=100")[-1] == pytest.approx(0.08)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["nesterov=true"], "training.nesterov: is true beside optimizer 'adamw'"),
        (["nesterov=true", "optimizer=sgd", "momentum=0"], "beside optimizer 'sgd' and momentum 0"),
        (["milestones=[1]"], "training.milestones: has 1 epochs beside schedule 'cosine'"),
        (["schedule=step"], "training.milestones: has 0 epochs beside schedule 'step'"),
        (["schedule=step", "milestones=[-1]"], "training.milestones.0: -1.0 is outside"),
        (["schedule=step", "milestones=3"], "milestones: is a whole number .3., not a list of numbers"),
        (["schedule=step", 'milestones=["1"]'], "milestones.0: is a string .'1'., not a number"),
        (["optimizer=adamW"], "'adamW' is not known; did you mean 'adam'"),
    ],
)
def test_settings_that_contradict_each_other_are_named(settings: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        tiny(*settings)


def test_a_recipe_with_lists_reads_back_equal() -> None:
    recipe = tiny("schedule=step", "milestones=[1, 2.5]", "deterministic=true")
    assert "milestones = [1.0, 2.5]\n" in recipe.to_toml()
    assert parse_recipe(recipe.to_toml(), "again") == recipe


@pytest.fixture
def _settings_of_torch() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic
    yield
    assert before == (torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.deterministic)


@pytest.mark.usefixtures("_settings_of_torch")
def test_a_gpu_is_held_to_one_order_of_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    with deterministic(True, torch.device("cpu")), deterministic(False, torch.device("cuda")):
        assert not torch.are_deterministic_algorithms_enabled()
    with (
        pytest.raises(
            UsageError, match="CUBLAS_WORKSPACE_CONFIG, which is not set; start with CUBLAS_WORKSPACE_CONFIG=:4"
        ),
        deterministic(True, torch.device("cuda")),
    ):
        pass
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with deterministic(True, torch.device("cuda")):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark
    missing = "put_ does not have a deterministic implementation, but you set it. You can turn it off"
    with (
        pytest.raises(BackendError, match=r"put_ does not have a deterministic implementation.*exchange that layer"),
        deterministic(True, torch.device("cuda")),
    ):
        raise RuntimeError(missing)
    with pytest.raises(RuntimeError, match="another"), deterministic(True, torch.device("cuda")):
        raise RuntimeError("another")
