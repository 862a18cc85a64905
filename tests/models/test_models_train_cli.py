import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from neurodeploy.cli.train import train
from neurodeploy.errors import BackendMissing, InputError, UsageError
from neurodeploy.models import extras
from neurodeploy.models.trainer import EpochMetrics, Trainer

FAST = ["epochs=2", "steps=4", "test_samples=1500", "calibration_samples=20", "layers.0.channels=2"]


def call(*arguments: str) -> Result:
    sets = [word for pair in FAST for word in ("--set", pair)]
    return CliRunner().invoke(train, ["digits", *sets, *arguments])


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_json_is_one_document_and_nothing_else() -> None:
    result = call("--json", "--seed", "7")
    document = json.loads(result.stdout)
    assert list(document) == [
        "schema",
        "recipe",
        "seed",
        "epochs",
        "parameters",
        "train_accuracy",
        "test_accuracy",
        "seconds",
        "files",
    ]
    assert (document["schema"], document["recipe"], document["seed"], document["epochs"]) == (1, "digits", 7, 2)
    assert all(Path(path).is_file() for path in document["files"].values())
    assert document["files"]["model"] == "runs/digits/model.safetensors"
    assert "epoch" in result.stderr


def test_the_summary_is_one_line_and_quiet_shows_no_progress() -> None:
    result = call("--quiet", "-o", "here")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1
    assert "digits: test accuracy" in result.stdout
    assert "2 epochs" in result.stdout
    assert Path("here/model.safetensors").is_file()


def test_ctrl_c_says_how_to_go_on_and_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    run_epoch = Trainer.run_epoch

    def interrupted(trainer: Trainer) -> EpochMetrics:
        if trainer.history:
            raise KeyboardInterrupt
        return run_epoch(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "run_epoch", interrupted)
        stopped = call("--json")
    assert stopped.exit_code == 130
    assert stopped.stdout == ""
    assert "interrupted after epoch 1; continue with --resume" in stopped.stderr
    resumed = call("--json", "--resume")
    assert resumed.exit_code == 0
    whole = call("--json", "-o", "whole")
    assert whole.exit_code == 0
    assert Path("runs/digits/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["-o", "taken"], UsageError, "taken: already exists"),
        (["--resume"], UsageError, "holds no run to resume"),
        (["--set", "epoch=1"], UsageError, r"digits\.toml: epoch: .*did you mean 'training\.epochs'"),
        (["--set", "dataset=digit"], UsageError, "dataset 'digit': is not known"),
    ],
)
def test_errors_reach_the_caller_and_leave_nothing(arguments: list[str], error: type, message: str) -> None:
    Path("taken").mkdir()
    Path("taken/model.safetensors").write_text("")
    with pytest.raises(error, match=message):
        raise call(*arguments).exception or AssertionError("no error")
    assert not Path("runs").exists()


def test_a_missing_recipe_and_a_missing_torch_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml: no such recipe file"):
        train.main(["nowhere.toml"], standalone_mode=False)
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendMissing, match=r'torch: is not installed here; run: pip install "neurodeploy\[models\]"'):
        train.main(["digits"], standalone_mode=False)
