"""The [method] table, what a run of it keeps, and what it refuses."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from neurodeploy.cli.train import train as train_command
from neurodeploy.errors import UsageError
from neurodeploy.models.checkpoint import load_checkpoint, load_model
from neurodeploy.models.convnet import build_model
from neurodeploy.models.dataset import dataset_kind, load_dataset
from neurodeploy.models.plan import plan_training
from neurodeploy.models.recipe import (
    DataSettings,
    Recipe,
    TrainingSettings,
    load_recipe,
    parse_recipe,
)
from neurodeploy.models.recipefiles import packaged_recipes
from neurodeploy.models.stdl.building import build_method
from neurodeploy.models.stdl.memory import made_again, unit_shapes
from neurodeploy.models.stdl.selection import groups_of, uniform
from neurodeploy.models.stdl.settings import AuglocalSettings, BpttSettings, StdlSettings
from neurodeploy.models.trainer import Trainer
from neurodeploy.models.training import TrainingInterrupted, train
from tests.models.stdl.nets import RESNET, recipe
from tests.models.systems import CONTEXT, SMALL, small

SHORT = RESNET.replace("blocks = 2", "blocks = 1")
METHOD = 'kind = "stdl"\nshare = 0.8\ngroups = 2'


def test_bptt_is_not_written_and_stdl_reads_back_equal():
    assert "[method]" not in load_recipe("digits").to_toml()
    assert recipe("").method == recipe('kind = "bptt"').method == BpttSettings()
    made = recipe(METHOD)
    assert made.method == StdlSettings(groups=2, share=0.8)
    assert parse_recipe(made.to_toml(), "again") == made


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ('kind = "sttl"', "method.kind: 'sttl' is no kind of method; did you mean 'stdl'"),
        ('kind = "bptt"\ngroups = 2', "method.groups: is no key of a recipe"),
        ('kind = "stdl"\nshare = 2.0', "method.share: 2.0 is outside 0.0 to 1.0"),
        ('kind = "stdl"\nshare = 0.5\nmemory_bytes = 9', "method.memory_bytes: stands beside share: two budgets"),
        ('kind = "ell"\ntemporal = "bptt"\nonline_update = true', "method.online_update: needs steps"),
        ('kind = "sltt"\ntemporal = "bptt"', "method.temporal: 'bptt' is not known"),
    ],
)
def test_a_method_that_cannot_be_is_named(method, message):
    with pytest.raises(UsageError, match=message):
        recipe(method)


@pytest.mark.parametrize(
    ("method", "net", "overrides", "message"),
    [
        ('kind = "ell"\ngroups = 9', RESNET, (), "method .ell.: cannot be used: 9 groups cannot be made of 5 units"),
        ('kind = "auglocal"\ndepth = 4', RESNET, (), "depth 4 leaves none of 5 units a group of its own"),
        ('kind = "ell"\nonline_update = true', RESNET, ("training.accumulate=2",), "training.accumulate is 2"),
        (
            'kind = "sltt"',
            '[model]\nkind = "sma-vgg"\nblocks = 3\nchannels = 4\ntime_reduction = 1\nchannel_reduction = 2\n',
            (),
            "attention looks at all steps of a sequence at once; set model.attention to 'none'",
        ),
    ],
)
def test_a_method_that_does_not_fit_its_network_is_refused(method, net, overrides, message):
    made = recipe(method, net, overrides=overrides)
    with pytest.raises(UsageError, match=message):
        Trainer(made, load_dataset(made.data))


@pytest.mark.parametrize("method", [METHOD, 'kind = "sltt"\ntemporal = "trace"\nonline_update = true'])
def test_a_stopped_run_goes_on_to_the_same_bytes(tmp_path: Path, method, monkeypatch):
    made = recipe(method, SHORT, steps=2)
    result = train(made, tmp_path / "whole")
    steps = []

    def stopped(self, *arguments, take=Trainer._take_step):
        steps.append(1)
        if len(steps) == 7:
            raise KeyboardInterrupt
        return take(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_take_step", stopped)
        with pytest.raises(TrainingInterrupted, match="after epoch 1"):
            train(made, tmp_path / "again")
    train(made, tmp_path / "again", resume=True)
    for name in ("model.safetensors", "last.safetensors", "metrics.jsonl"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    last, model = (load_checkpoint(result.files[name]) for name in ("last", "model"))
    assert bool(last.auxiliary) == (method == METHOD)
    assert not model.auxiliary
    assert load_model(result.files["model"])[0].state_dict().keys() == model.model.keys()


def test_networks_of_every_kind_learn_in_groups():
    from tests.models.stdl.nets import CHAIN, built, clip, learn

    stsep = '[model]\nkind = "stsep"\ndepth = 10\nstages = 2\nstem = "small"\nchannels = 4\n'
    vgg = '[model]\nkind = "sma-vgg"\nattention = "none"\nblocks = 3\nchannels = 4\nhidden = 8\n'
    plain = '[model]\nkind = "sma-resnet"\ndepth = 18\nattention = "none"\nchannels = 4\n'
    for net in (RESNET, CHAIN, stsep, vgg, plain):
        model, learning = built('kind = "stdl"\nmemory_bytes = 1_000_000_000', net)
        x, labels = clip()
        outputs, found = learn(model, learning, x, labels)
        assert outputs.shape == (3, 4, 10)
        assert found.keys() == dict(model.named_parameters()).keys()
        assert len(learning.groups) == len(model.local_units().units)
        assert [len(group.choice) for group in learning.groups[:-1]] == list(range(len(learning.groups) - 1, 0, -1))


def test_a_dry_run_tells_groups_budget_and_what_is_kept():
    plans = {n: plan_training(load_recipe("stdl-smoke", [f"data.steps={n}", "method.share=0.0"])) for n in (2, 8)}
    for plan in plans.values():
        method = plan.method
        assert method is not None
        assert (method.kind, method.temporal, len(method.groups)) == ("stdl", "detach", 3)
        assert [group.units for group in method.groups] == [("stem",), ("blocks.0",), ("blocks.1",)]
        assert [group.auxiliary is None for group in method.groups] == [False, False, True]
        assert all(0 < group.bytes <= method.budget_bytes for group in method.groups[:-1])
        assert plan.auxiliary_bytes == 4 * 4 * method.auxiliary_parameters > 0  # beside each weight three like it
        assert plan.total_bytes - plan.at(2 * plan.samples_at_once).total_bytes == -(plan.input_bytes + plan.kept_bytes)
    assert plans[2].kept_bytes == plans[8].kept_bytes < plans[8].activation_bytes / 4
    assert plans[8].activation_bytes == pytest.approx(4 * plans[2].activation_bytes, rel=0.01)
    whole = plan_training(load_recipe("stdl-smoke", ['method={kind="bptt"}']))
    assert whole.method is None
    assert whole.kept_bytes == whole.activation_bytes


def test_a_dry_run_prints_the_method_and_refuses_one_that_does_not_fit():
    printed = CliRunner().invoke(train_command, ["stdl-smoke", "--dry-run"])
    assert printed.exit_code == 0, printed.output
    assert "method stdl, time: detach; 3 groups, each in " in printed.stdout
    assert "  stem with blocks.0, blocks.1, classifier: " in printed.stdout
    assert "  blocks.1 with its own head: " in printed.stdout
    with pytest.raises(UsageError, match="9 groups cannot be made of 3 units"):
        train_command.main(["stdl-smoke", "--dry-run", "--set", "method.groups=9"], standalone_mode=False)


@pytest.mark.parametrize("name", ["meta-sdt", "meta-sdt, pointwise", "meta-sdt-v2"])
def test_meta_sdt_is_units_that_make_it_up_and_can_be_made_again(name):
    torch.manual_seed(0)
    model = small(name).eval()
    units = model.local_units()
    assert [unit.name.removeprefix("backbone.sections.") for unit in units.units] == [
        *("1a.0", "1a.1", "1b.0", "2.0", "2.1", "3.0", "3.1", "4.0")
    ]
    x = torch.randn(2, 2, 3, 32, 32)
    y = x
    for unit in units.units:
        y = unit.module(y)
    assert torch.equal(units.head(y), model(x))
    shapes = unit_shapes(units, (3, 32, 32), torch.device("cpu"))
    assert shapes == ((8, 16, 16), (8, 16, 16), (16, 8, 8), *[(16, 4, 4)] * 2, *[(16, 2, 2)] * 3) or shapes
    for unit, target in zip(units.units[1:], shapes[1:], strict=True):
        for source in shapes[:2]:
            made = unit.again(source, target).eval()
            assert made(torch.randn(1, 2, *source)).shape[2:] == target


def test_stdl_trains_meta_sdt():
    settings = SMALL["meta-sdt-v2"]
    made = Recipe(
        "local",
        0,
        DataSettings(steps=2),
        TrainingSettings(1, 0.01, batch_size=2),
        model=settings,
        method=StdlSettings(),
    )
    torch.manual_seed(0)
    model = small("meta-sdt-v2")
    method = build_method(made, model, model, CONTEXT)
    assert len(method.groups) == 8
    method.backward(torch.randn(2, 2, 3, 32, 32), torch.tensor([0, 1]), 1.0, lambda: None)
    # What comes behind the last neurons of a unit has no gradient where none of these comes near its threshold.
    missing = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not missing


LOCAL = [name for name in packaged_recipes() if not isinstance(load_recipe(name).method, BpttSettings)]


@pytest.mark.parametrize("name", LOCAL)
def test_units_of_packaged_recipes_can_be_made_again_behind_each_other(name):
    made = load_recipe(name)
    place, kind = torch.device("meta"), dataset_kind(made.data)
    with place:
        units = build_model(made).local_units()
        shapes = unit_shapes(units, kind.input_shape, place)
        number = len(units.units)
        assert len(groups_of(number, getattr(made.method, "groups", 0))) > 1
        if isinstance(made.method, AuglocalSettings):
            assert made.method.depth < number - 1
        for end in (0, number // 2):
            for unit in uniform(end, number, 2):
                again = made_again(units.units[unit], shapes[end], shapes[unit])
                assert again(torch.zeros(1, 2, *shapes[end])).shape[2:] == shapes[unit]
        assert units.head(torch.zeros(1, 2, *shapes[-1])).shape == (1, 2, kind.classes)


def test_every_dataset_and_predecessor_has_its_recipe():
    assert len(LOCAL) == 12
    assert {load_recipe(name).data.dataset for name in LOCAL} == {
        *("cifar10", "cifar100", "dvs128-gesture", "cifar10-dvs", "ncaltech101", "imagenet", "moving-digits")
    }
