"""Recipes for pixels and objects: from a folder in the published form to a trained network, stopped and resumed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from neurodeploy.cli.erf import command as erf
from neurodeploy.cli.estimate import command as estimate
from neurodeploy.cli.train import train as command
from neurodeploy.errors import InputError, UsageError
from neurodeploy.models.checkpoint import Checkpoint, load_model, save_checkpoint
from neurodeploy.models.convnet import build_model
from neurodeploy.models.dataset import load_samples
from neurodeploy.models.plan import plan_training
from neurodeploy.models.recipe import Recipe, load_recipe, parse_recipe
from neurodeploy.models.trainer import Trainer
from neurodeploy.models.training import TrainingInterrupted, train
from neurodeploy.npz import write_npz
from tests.models.data.test_detection import write_coco
from tests.models.data.test_segmentation import write_ade20k

SMALL = """
channels = [8, 8, 16, 16]
blocks = [1, 1, 1, 1, 1]
heads = 4
mixer = "srb"
expansion = 2
dropout = 0.0
"""
KINDS = {
    "ade20k": ('kind = "semantic-fpn"\nwidth = 8\n', "size = 32", "learning_rate = 0.01\nhead_rate = 2.0"),
    "coco": (
        'kind = "mask-rcnn"\nwidth = 8\nfeatures = 16\nproposals = 32\nregions = 16\n',
        "size = 64",
        "learning_rate = 0.01",
    ),
}
NAMES = ("AP", "AP50", "AP75")
WRITE = {"ade20k": write_ade20k, "coco": write_coco}


def recipe_for(dataset: str, folder: object, *overrides: str) -> Recipe:
    model, data, training = KINDS[dataset]
    text = f"""
name = "small"
seed = 3
[data]
dataset = "{dataset}"
steps = 1
{data}
[training]
epochs = 4
batch_size = 2
schedule = "poly"
warmup_steps = 2
warmup_from = 1e-6
weight_decay = 0.005
{training}
[model]
{model}{SMALL}"""
    return parse_recipe(text, "small.toml", [f'data.folder="{folder}"', *overrides])


@pytest.fixture(params=sorted(KINDS))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    return request.param, WRITE[request.param](tmp_path / "data")


def test_a_run_lowers_its_loss_and_resumes_to_the_same_bytes(case, tmp_path):
    dataset, folder = case
    recipe = recipe_for(dataset, folder)
    whole = train(recipe, tmp_path / "whole")
    lines = [json.loads(line) for line in whole.files["metrics"].read_text().splitlines()]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert all(0 <= line["test_accuracy"] <= 1 and line["train_accuracy"] is None for line in lines)
    assert lines[-1]["figures"] == dict(whole.figures)
    told = {
        "ade20k": {"pixel_accuracy"},
        "coco": {f"{of}_{name}" for of in ("box", "mask") for name in NAMES} - {"box_AP"},
    }
    assert set(whole.figures) == told[dataset]
    assert not {"test", "calibration"} & set(whole.files)
    assert {path.name for path in (tmp_path / "whole").glob("*.npz")} == set()

    def stop(metrics):
        if metrics.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(TrainingInterrupted):
        train(recipe, tmp_path / "parts", on_epoch=stop)
    parts = train(recipe, tmp_path / "parts", resume=True)
    for name in ("last", "model", "best", "metrics", "run"):
        assert parts.files[name].read_bytes() == whole.files[name].read_bytes(), name
    model, back = load_model(whole.files["model"])
    assert back == recipe
    assert sum(p.numel() for p in model.parameters()) == whole.parameters


def test_layers_run_in_half_precision_and_losses_do_not(case, tmp_path):
    dataset, folder = case
    losses = []
    for precision in ("float32", "bf16"):
        recipe = recipe_for(dataset, folder, "epochs=1", f"precision={precision}")
        losses.append(json.loads(train(recipe, tmp_path / precision).files["metrics"].read_text())["loss"])
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.1)


def test_the_command_names_what_the_network_is_judged_by(case, tmp_path):
    dataset, folder = case
    recipe = tmp_path / "small.toml"
    recipe.write_text(recipe_for(dataset, folder, "training.epochs=1").to_toml())
    printed = CliRunner().invoke(command, [str(recipe), "-o", str(tmp_path / "run"), "--quiet"], catch_exceptions=False)
    assert f"small: test {({'ade20k': 'mean IoU', 'coco': 'box AP'})[dataset]} " in printed.stdout
    with pytest.raises(UsageError, match=r"--quantize: is for classification, and small is for"):
        command.main([str(recipe), "--quantize", "loihi2", "-o", str(tmp_path / "no")], standalone_mode=False)


def test_operations_and_receptive_fields_are_told_of_maps_and_refused_of_detectors(case, tmp_path):
    dataset, folder = case
    result = train(recipe_for(dataset, folder, "epochs=1"), tmp_path / "run")
    file, data = str(result.files["model"]), tmp_path / "x.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (2, 1, 3, 32, 32), dtype=np.uint8)
    write_npz(data, {"spikes": pixels})
    estimated = CliRunner().invoke(estimate, [file, "--input", str(data), "--json"])
    mapped = CliRunner().invoke(erf, [file, "--runs", "1", "--json"])
    if dataset == "coco":
        for refused in (estimated, mapped):
            assert isinstance(refused.exception, UsageError)
            assert "is a detector, which takes images of any sizes" in str(refused.exception)
        return
    assert {"1a", "4", "pyramid", "scales", "classify"} <= {
        row["part"] for row in json.loads(estimated.stdout)["layers"]
    }
    assert [field["layer"] for field in json.loads(mapped.stdout)["fields"]] == ["1a", "1b", "2", "3", "4", "neuron"]


def test_a_missing_folder_is_one_error_that_shows_the_layout(case, tmp_path):
    dataset, _ = case
    for folder, error in (("", UsageError), (tmp_path / "nothing", InputError), (tmp_path, InputError)):
        with pytest.raises(error) as caught:
            train(recipe_for(dataset, folder), tmp_path / "run")
        assert "data.folder has to hold" in caught.value.advice
    assert not (tmp_path / "run").exists()


def test_a_plan_counts_layers_without_a_folder(case):
    dataset, _ = case
    plan = plan_training(recipe_for(dataset, "", "size=32"))
    assert plan.parameters == sum(p.numel() for p in build_model(recipe_for(dataset, "")).parameters())
    assert plan.macs > 0
    assert plan.activation_bytes > plan.input_bytes


@pytest.mark.parametrize(
    ("dataset", "override", "message"),
    [
        ("ade20k", 'data.dataset="coco"', r"model \(semantic-fpn\): is for segmentation, not detection"),
        ("coco", 'data.dataset="ade20k"', r"model \(mask-rcnn\): is for detection, not segmentation"),
        ("coco", 'data.dataset="moving-digits"', r"model \(mask-rcnn\): is for detection, not classification"),
        ("ade20k", "label_smoothing=0.1", r"training\.label_smoothing: is 0\.1, which is for classification"),
        ("ade20k", 'augment=["flip"]', r"data\.augment: is \('flip',\), and 'ade20k' is not a set of classes"),
        ("coco", "data.steps=2", r"data\.steps: is 2, and detectors see an image once"),
        ("coco", "head_rate=2.0", r"training\.head_rate: is 2, and MaskRcnn names no head"),
        ("ade20k", 'method.kind="sltt"', r"method \(sltt\): is for classification, and 'ade20k' is a dataset for segm"),
    ],
)
def test_what_does_not_fit_the_task_is_refused(dataset, override, message, tmp_path):
    folder = WRITE[dataset](tmp_path / "data")
    with pytest.raises(UsageError, match=message):
        train(recipe_for(dataset, folder, override), tmp_path / "run")


def test_the_head_learns_at_its_own_rate(tmp_path):
    """After one step of Adam every parameter has moved by its rate, whatever its gradient."""
    folder = write_ade20k(tmp_path / "data")
    overrides = ("epochs=1", "weight_decay=0.0", "warmup_steps=0", 'schedule="constant"')
    recipe = recipe_for("ade20k", folder, *overrides)
    torch.manual_seed(recipe.seed)
    before = build_model(recipe).state_dict()
    result = train(recipe, tmp_path / "run")
    after = load_model(result.files["model"])[0].state_dict()
    for name, rate in (("classify.bias", 0.02), ("pyramid.outputs.0.norm.bias", 0.01)):
        moved = (after[name] - before[name]).abs()
        assert moved.max() == pytest.approx(rate, rel=1e-3)


def classifier(path: Path, *overrides: str) -> dict[str, torch.Tensor]:
    """Write an untrained classifier on the small backbone and return its tensors."""
    data = '[data]\ndataset = "imagenet"\nsteps = 1\nsize = 32\n[training]\nepochs = 1\nlearning_rate = 0.1\n'
    recipe = parse_recipe(f'name = "c"\n{data}[model]\nkind = "meta-sdt"\n{SMALL}', "c.toml", overrides)
    torch.manual_seed(11)
    state = build_model(recipe).state_dict()
    save_checkpoint(path, Checkpoint(recipe, 1, state))
    return state


def test_a_backbone_begins_with_that_of_a_classifier(case, tmp_path):
    dataset, folder = case
    own, file = classifier(tmp_path / "c.safetensors"), tmp_path / "c.safetensors"
    recipe = recipe_for(dataset, folder, f'pretrained="{file}"', "ema=0.5")
    trainer = Trainer(recipe, load_samples(recipe.data))
    name = "backbone.sections.2.1.mixer.second.0.weight"
    there = name if dataset == "ade20k" else f"backbone.{name}"
    assert not torch.equal(trainer.model.state_dict()[there], own[name])
    trainer.begin()
    assert torch.equal(trainer.model.state_dict()[there], own[name])
    assert torch.equal(trainer.checkpoint().average[there], own[name])


def test_another_or_no_backbone_is_refused(tmp_path):
    folder, file = write_ade20k(tmp_path / "data"), tmp_path / "c.safetensors"
    classifier(file, 'model.mixer="conv"')
    with pytest.raises(
        InputError, match=r"another backbone: its 'backbone\.sections\.1a\.1\.mixer\.first\S+' does not"
    ):
        train(recipe_for("ade20k", folder, f'pretrained="{file}"'), tmp_path / "run")
    with pytest.raises(UsageError, match=r"training\.pretrained: names a file, and ConvNet has no backbone"):
        train(load_recipe("digits", [f'pretrained="{file}"']), tmp_path / "run")
    assert not (tmp_path / "run").exists()
