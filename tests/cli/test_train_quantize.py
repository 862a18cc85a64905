"""``neurodeploy train --quantize``: from a recipe, from a .nir, and what is refused before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from neurodeploy.cli.train import train
from neurodeploy.errors import InputError, UsageError
from neurodeploy.loading import load
from neurodeploy.npz import read_events
from neurodeploy.simulation import simulate

FAST = ["epochs=1", "steps=4", "test_samples=1500", "calibration_samples=20", "layers.0.channels=2"]
SETS = [word for pair in FAST for word in ("--set", pair)]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(train, [*arguments, "--json", "--quiet"])
    if result.exception is not None:
        raise result.exception
    document = json.loads(result.stdout)
    assert isinstance(document, dict)
    return document


def test_a_recipe_goes_on_as_integers_and_its_nir_does_the_same() -> None:
    found = call("digits", *SETS, "-o", "run", "--quantize", "loihi2", "--quantize-epochs", "2")["quantized"]
    assert isinstance(found, dict)
    network, test = load("run/quantized.nir"), read_events(Path("run/test.npz"))
    assert network.target == "loihi2"
    assert test.labels is not None
    assert simulate(network, test.spikes).accuracy(test.labels) == found["trained_accuracy"]
    lines = [json.loads(line) for line in Path("run/finetuning.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert lines[-1]["test_accuracy"] == found["trained_accuracy"]
    with pytest.raises(UsageError, match=r"run.quantized\.nir: is quantized already, for loihi2"):
        call("run/quantized.nir", "--quantize", "loihi2", "--data", "run/test.npz")


def test_what_is_refused_is_refused_before_training() -> None:
    for arguments, message in (
        (("digits", "--quantize", "loihi3"), "loihi3"),
        (("digits", "--data", "train.npz"), "a recipe brings its own samples"),
        (("net.nir",), "is a trained network; say for which chip's integers"),
        (("net.nir", "--quantize", "loihi2"), "is a network, not a recipe; give its labelled training events"),
    ):
        with pytest.raises((UsageError, InputError), match=message):
            call(*arguments)
    assert not Path("runs").exists()
