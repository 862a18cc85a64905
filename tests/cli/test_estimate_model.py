"""``neurodeploy estimate`` on the checkpoint of a float network."""

import json

import numpy as np
import pytest
import torch

from neurodeploy.cli import main
from neurodeploy.events import EventInput
from neurodeploy.models.checkpoint import Checkpoint, save_checkpoint
from neurodeploy.models.convnet import build_model
from neurodeploy.models.recipe import parse_recipe
from neurodeploy.npz import write_npz

TEXT = """
name = "small"
[data]
dataset = "moving-digits"
steps = 4
[training]
epochs = 1
learning_rate = 0.01
readout = "mean"
[model]
kind = "stsep"
depth = 10
stages = 1
stem = "small"
channels = 4
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    recipe = parse_recipe(TEXT, "small")
    torch.manual_seed(0)
    model = build_model(recipe)
    for name, value in model.state_dict().items():
        if "running_mean" in name:
            value.fill_(-1.0)  # so that untrained neurons fire
    save_checkpoint(folder / "model.safetensors", Checkpoint(recipe, 0, model.state_dict(), (), {}))
    rng = np.random.default_rng(0)
    dense = (rng.random((3, 4, 2, 24, 24)) < 0.1).astype(np.uint8)
    write_npz(folder / "dense.npz", {"spikes": dense})
    sample, t, index = np.nonzero(dense.reshape(3, 4, -1))
    assert np.array_equal(EventInput(3, 4, t, index, sample).dense((2, 24, 24)), dense)
    extent = {"samples": np.array(3), "steps": np.array(4)}
    write_npz(folder / "events.npz", {"t": t, "index": index, "sample": sample} | extent)
    write_npz(folder / "other.npz", {"spikes": dense[..., :9]})
    return folder


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["estimate", *map(str, arguments)])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_operations_and_rates_are_told_by_stage_and_branch(folder, capsys):
    found = []
    for name in ("dense.npz", "events.npz"):
        code, out, _ = run(capsys, folder / "model.safetensors", "--input", folder / name, "--json")
        assert code == 0
        found.append(json.loads(out))
    assert found[0] == found[1]
    parts = found[0]["parts"]
    assert {"stem", "1, spatial", "1, temporal"} <= parts.keys()
    assert parts["1, spatial"]["sops"] > 0
    assert found[0]["energy_joule"] == pytest.approx(sum(part["energy_joule"] for part in parts.values()))
    code, out, _ = run(capsys, folder / "model.safetensors", "--input", folder / "dense.npz", "--samples", 2)
    assert code == 0
    assert "2 samples of 4 steps" in out
    assert "1, temporal" in out


def test_what_does_not_fit_is_named(folder, capsys):
    code, _, err = run(capsys, folder / "model.safetensors", "--input", folder / "other.npz")
    assert code == 2
    assert "samples of shape (2, 24, 9), the network takes (2, 24, 24)" in " ".join(err.split())
    code, _, err = run(capsys, folder / "model.safetensors", "--input", folder / "dense.npz", "--target", "loihi2")
    assert code == 2
    assert "is a float network" in " ".join(err.split())
    code, _, err = run(capsys, "net.nir", "--input", folder / "dense.npz")
    assert code == 2
    assert "--target: is missing" in " ".join(err.split())
