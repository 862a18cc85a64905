"""The [method] table, what a run of it keeps, and what it refuses."""

from pathlib import Path

import pytest

from neurodeploy.errors import UsageError
from neurodeploy.models.checkpoint import load_checkpoint, load_model
from neurodeploy.models.dataset import load_dataset
from neurodeploy.models.recipe import load_recipe, parse_recipe
from neurodeploy.models.stdl.settings import BpttSettings, StdlSettings
from neurodeploy.models.trainer import Trainer
from neurodeploy.models.training import TrainingInterrupted, train
from tests.models.stdl.nets import RESNET, recipe

SMALL = RESNET.replace("blocks = 2", "blocks = 1")
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
    made = recipe(method, SMALL, steps=2)
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
