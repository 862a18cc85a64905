"""The packaged recipes of event datasets, from small folders of true files to a chip's integers."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from neurodeploy.cli import program
from neurodeploy.models.convnet import build_model
from neurodeploy.models.data.cache import CACHE_VARIABLE
from neurodeploy.models.data.layouts import RECORDED
from neurodeploy.models.recipe import load_recipe
from neurodeploy.npz import read_events
from tests.models.data import eventfiles

WRITE: dict[str, Callable[[Path], Path]] = {
    "nmnist": lambda root: eventfiles.n_mnist(root, train=6, test=2, number=400),
    "cifar10-dvs": eventfiles.cifar10_dvs,
    "ncaltech101": lambda root: eventfiles.n_caltech101(root, number=2),
    "dvs128-gesture": eventfiles.gestures,
}
#: So that a batch takes hundredths of a second; what a recipe says of its data stays.
SMALL = ["epochs=1", "batch_size=16", "calibration_samples=10", *(f"layers.{place}.channels=4" for place in (0, 3, 6))]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def call(*arguments: str) -> Result:
    result = CliRunner().invoke(program, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result


def train(recipe: str, folder: Path, output: str, *more: str) -> Result:
    sets = [word for each in (f"data.folder={str(folder)!r}", *SMALL, *more) for word in ("--set", each)]
    return call("train", recipe, "--json", "-o", output, *sets)


@pytest.mark.parametrize("recipe", list(RECORDED))
def test_the_recipe_of_every_dataset_trains_on_it(tmp_path: Path, recipe: str) -> None:
    asked = load_recipe(recipe)
    assert asked.data.dataset == recipe
    build_model(asked)  # at its full width
    result = train(recipe, WRITE[recipe](tmp_path / "files"), "run")
    assert f"{recipe}: sample" in result.stderr  # how far the making of its frames is
    document = json.loads(result.stdout)
    test = read_events(Path("run/test.npz"))
    record = json.loads(Path("run/run.json").read_text())["data"]
    assert (document["epochs"], record["dataset"]) == (1, recipe)
    assert record["test_samples"] == test.spikes[""].shape[0]


def test_what_is_changed_at_random_follows_from_the_seed(tmp_path: Path) -> None:
    folder = WRITE["dvs128-gesture"](tmp_path / "files")
    changes = "augment=['translate:9', 'rotate:20', 'scale:0.2', 'cutout:8', 'drop', 'jitter:1']"
    for output, change, seed in (("a", changes, 0), ("b", changes, 0), ("c", "augment=[]", 0), ("d", changes, 1)):
        train("dvs128-gesture", folder, output, change, f"seed={seed}", "name='one'")
    losses = [Path(output, "metrics.jsonl").read_text() for output in "abcd"]
    assert losses[0] == losses[1]
    assert len(set(losses)) == 3


def test_from_an_archive_of_events_to_a_chips_integers(tmp_path: Path) -> None:
    train("nmnist", WRITE["nmnist"](tmp_path / "files"), "run", "epochs=6", "learning_rate=0.02")
    call("export", "run/model.safetensors", "-o", "net.nir")
    calibration = "run/calibration.npz"
    call("quantize", "net.nir", "--target", "loihi2", "--calibrate", calibration, "-o", "chip.nir")
    told = call("simulate", "chip.nir", "--input", "run/test.npz", "--compare", "golden").stdout
    assert "equal over" in told
    accuracy = re.search(r"accuracy: ([\d.]+)%", told)
    assert accuracy is not None
    assert float(accuracy[1]) >= 50.0  # equal recordings of a digit, ten digits
    test = read_events(Path("run/test.npz"))
    assert test.labels is not None
    assert np.bincount(test.labels).tolist() == [2] * 10
