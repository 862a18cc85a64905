"""The [model] table of a recipe, the network behind it, and what a run of it says and does."""

import sys
from pathlib import Path

import pytest
import torch

from neurodeploy.errors import InputError, UsageError
from neurodeploy.export.ours import open_checkpoint
from neurodeploy.models.architectures import ModelContext, ResNetSettings
from neurodeploy.models.checkpoint import load_model
from neurodeploy.models.convnet import build_model
from neurodeploy.models.plan import plan_training
from neurodeploy.models.recipe import Recipe, load_recipe, parse_recipe
from neurodeploy.models.residual import SpikingResNet
from neurodeploy.models.spiking.streaming import streaming
from neurodeploy.models.synchronised import SyncBatchNorm, synchronise
from neurodeploy.models.trainer import Trainer
from neurodeploy.models.training import train
from neurodeploy.proof import prove

TEXT = """
name = "residual"
seed = 3
[data]
steps = 3
test_samples = 1600
calibration_samples = 20
[training]
epochs = 1
batch_size = 40
learning_rate = 0.02
readout = "mean"
[model]
kind = "resnet"
blocks = 1
channels = 4
"""


def residual(*overrides: str) -> Recipe:
    return parse_recipe(TEXT, "r.toml", overrides)


def test_a_recipe_of_a_model_reads_back_equal_and_writes_no_layers() -> None:
    recipe = residual("model.neuron=lif-sj")
    assert recipe.model == ResNetSettings(blocks=1, channels=4, neuron="lif-sj")
    assert recipe.layers == ()
    assert parse_recipe(recipe.to_toml(), "again") == recipe
    assert "[[layers]]" not in recipe.to_toml()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.kind=resent", "model.kind: 'resent' is no kind of model; did you mean 'resnet'"),
        ("model.chanels=3", "model.chanels: is no key of a recipe; did you mean 'channels'"),
        ("model.stages=9", "model.stages: 9 is outside 1 to 4"),
        ("model=3", "model: is a whole number .3., not a table"),
        ('layers=[{kind="flatten"}]', "model: stands beside layers: two networks"),
    ],
)
def test_a_model_that_cannot_be_is_named(override: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        residual(override)


def test_a_recipe_without_a_network_is_refused() -> None:
    with pytest.raises(UsageError, match=r"layers: is missing; add \[\[layers\]\] tables or a \[model\] table"):
        parse_recipe(TEXT[: TEXT.index("[model]")], "r.toml")


def test_a_model_that_does_not_fit_its_data_is_refused() -> None:
    with pytest.raises(UsageError, match=r"model \(resnet\): cannot be built: 4 stages leave nothing of 8 x 8"):
        build_model(residual("model.stages=4", "model.stem_stride=2"))


def test_an_untrained_block_passes_its_input_on() -> None:
    torch.manual_seed(0)
    settings = ResNetSettings(stages=2, blocks=2, channels=4)
    net = SpikingResNet(settings, ModelContext((2, 9, 9), 5, 3))
    x = torch.rand(3, 2, 2, 9, 9)
    assert net(x).shape == (3, 2, 5)
    first, down = net.blocks[0], net.blocks[2]
    y = torch.rand(3, 2, 4, 9, 9)
    assert torch.equal(first(y), y)
    assert down(y).shape == (3, 2, 8, 5, 5)


def test_a_step_of_the_network_hears_nothing_of_later_ones() -> None:
    torch.manual_seed(0)
    net = SpikingResNet(ResNetSettings(stages=1, channels=4), ModelContext((1, 8, 8), 3, 4)).eval()
    for norm in (m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        torch.nn.init.constant_(norm.weight, 1.0)
    x = torch.rand(4, 2, 1, 8, 8) * 4
    whole, early = net(x), net(torch.cat([x[:2], 9 * x[2:]]))
    assert torch.equal(whole[:2], early[:2])
    assert not torch.equal(whole[2:], early[2:])


def test_a_network_fed_step_by_step_answers_with_the_same_bits() -> None:
    torch.manual_seed(0)
    net = SpikingResNet(ResNetSettings(stages=1, blocks=2, channels=4), ModelContext((1, 8, 8), 3, 4))
    for parameter in net.parameters():  # coarse weights: sums are exact, in whatever order they are taken
        parameter.data = torch.round(parameter.data * 16) / 8
    for norm in (m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        torch.nn.init.constant_(norm.weight, 1.0)
    x = torch.randint(0, 4, (5, 3, 1, 8, 8)).float()
    net(x)  # gives the norms statistics
    net.eval()
    with torch.no_grad(), streaming(net):
        steps = torch.cat([net(step[None]) for step in x])
    with torch.no_grad():
        assert torch.equal(net(x), steps)
        assert not torch.equal(net(x[1:2])[0], steps[1])


def test_a_model_trains_to_the_same_bytes_and_is_exported(tmp_path: Path) -> None:
    recipe = residual()
    result = train(recipe, tmp_path / "run")
    model, back = load_model(result.files["model"])
    assert (back, type(model)) == (recipe, SpikingResNet)
    assert result.parameters == sum(p.numel() for p in model.parameters())
    live = open_checkpoint(result.files["model"])
    assert prove(live.graph, {"input": (drawn := live.draw(2, 0))}, live.record(drawn)).equal
    again = train(residual("epochs=1"), tmp_path / "again")
    assert again.files["last"].read_bytes() == result.files["last"].read_bytes()
    with pytest.raises(UsageError, match="was started with another 'model'"):
        train(residual("model.blocks=2"), tmp_path / "run", resume=True)


def test_a_plan_of_a_model_counts_every_parameter_and_layer() -> None:
    plan = plan_training(residual())
    assert plan.parameters == sum(p.numel() for p in build_model(residual()).parameters())
    names = [layer.name for layer in plan.layers]
    assert names[:4] == ["stem.0", "stem.1", "blocks.0.neurons", "blocks.0.conv1"]
    rows = {layer.name: layer for layer in plan.layers}
    assert rows["blocks.1.neurons1"].shape == (8, 4, 4)
    assert rows["stem.0"].macs == 3 * 9 * 4 * 64
    assert rows["head"].macs == 3 * 8 * 10


def test_a_layer_that_stops_being_finite_is_named_by_its_place_in_the_model() -> None:
    from neurodeploy.models.dataset import load_dataset

    trainer = Trainer(residual(), load_dataset(residual().data))
    with torch.no_grad():
        trainer.model.get_parameter("blocks.0.conv2.weight").fill_(float("nan"))
    with pytest.raises(InputError, match=r"training diverged in epoch 1: blocks\.0\.conv2\.weight is no longer finite"):
        trainer.run_epoch()


def test_reading_a_model_loads_no_torch() -> None:
    import subprocess

    code = f"import sys; from neurodeploy.models.recipe import parse_recipe; parse_recipe({TEXT!r}, 'r')"
    code += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_packaged_recipe_stays_a_chain_of_layers() -> None:
    assert load_recipe("digits").model is None


def test_a_model_trains_in_half_precision_too() -> None:
    from neurodeploy.models.dataset import load_dataset

    recipe = residual("precision=bf16", "test_samples=1700")
    metrics = Trainer(recipe, load_dataset(recipe.data)).run_epoch()
    assert 0 < metrics.loss < 10


def test_norms_inside_neurons_are_synchronised_as_others_are() -> None:
    torch.manual_seed(0)
    net = SpikingResNet(ResNetSettings(stages=1, blocks=1, channels=4), ModelContext((1, 8, 8), 3, 4)).eval()
    x, keys = torch.rand(4, 2, 1, 8, 8) * 4, list(net.state_dict())
    before = net(x)
    synchronise(net)
    assert sum(isinstance(module, SyncBatchNorm) for module in net.modules()) == 3
    assert list(net.state_dict()) == keys
    torch.testing.assert_close(net(x), before)
