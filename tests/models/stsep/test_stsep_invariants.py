"""What must hold of the networks whatever their weights: one test for each invariant, named after it."""

import pytest
import torch
from torch import nn

from neurodeploy.errors import UsageError
from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.spiking.layer import SpikingNeuron, set_stateful
from neurodeploy.models.spiking.merged import merged
from neurodeploy.models.spiking.streaming import streaming
from neurodeploy.models.stsep.branches import CHARGES, neuron
from neurodeploy.models.stsep.difference import Difference
from neurodeploy.models.stsep.network import StsepNetwork
from neurodeploy.models.stsep.settings import StsepSettings
from tests.models.firing import let_fire

STEPS, CLASSES = 6, 5
SMALL = {"depth": 10, "stages": 2, "channels": 6, "stem": "small"}


def build(seed: int = 0, **options: object) -> StsepNetwork:
    """Return a small network in evaluation whose norms are such that its neurons fire."""
    torch.manual_seed(seed)
    model = StsepNetwork(StsepSettings(**SMALL | options), ModelContext((2, 12, 12), CLASSES, STEPS))
    return let_fire(model, 0.0, 0.8)


def clip(seed: int = 1, samples: int = 3) -> torch.Tensor:
    return torch.randint(0, 3, (STEPS, samples, 2, 12, 12), generator=torch.Generator().manual_seed(seed)).float()


def rates(model: nn.Module, x: torch.Tensor) -> dict[str, float]:
    """Return the firing rate of each population."""
    found: dict[str, float] = {}
    hooks = [
        module.register_forward_hook(lambda _m, _i, out, name=name: found.update({name: out.mean().item()}))
        for name, module in model.named_modules()
        if isinstance(module, SpikingNeuron)
    ]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return found


ORDER = torch.tensor([3, 0, 5, 1, 4, 2])


@pytest.mark.parametrize("charge", ["alpha", "sj"])
def test_a1_a_stateless_layer_hears_no_other_step(charge):
    layer, x = neuron(charge, stateful=False), 2 * torch.rand(STEPS, 3, 4, generator=torch.Generator().manual_seed(0))
    changed = x.clone()
    changed[2] = 5.0
    assert torch.equal(layer(changed)[3:], layer(x)[3:])
    assert torch.equal(layer(x[ORDER]), layer(x)[ORDER])
    stateful = neuron(charge, stateful=True)
    assert not torch.equal(stateful(x[ORDER]), stateful(x)[ORDER])


@pytest.mark.parametrize("shortcut", ["membrane", "spike"])
def test_a2_the_order_of_frames_is_nothing_to_a_network_without_memory(shortcut):
    model, x = build(block="plain", shortcut=shortcut), clip()
    assert all(0 < rate < 1 for rate in rates(model, x).values())
    assert not torch.allclose(model(x[ORDER]).mean(0), model(x).mean(0), atol=1e-3)
    set_stateful(model, list(model.stages), flag=False)
    assert torch.allclose(model(x[ORDER]).mean(0), model(x).mean(0), atol=1e-6)


@pytest.mark.parametrize("charge", ["alpha", "sj"])
def test_a3_the_gradient_decays_by_alpha_a_step_and_not_at_all_without_memory(charge):
    x = torch.full((STEPS, 1), 0.2, requires_grad=True)
    (grad,) = torch.autograd.grad(neuron(charge, stateful=True)(x)[-1].sum(), x)
    assert torch.allclose(grad[:-1] / grad[1:], torch.tensor(0.5), atol=1e-5)
    (grad,) = torch.autograd.grad(neuron(charge, stateful=False)(x)[-1].sum(), x)
    assert grad[-1] > 0
    assert torch.equal(grad[:-1], torch.zeros(STEPS - 1, 1))


@pytest.mark.parametrize("options", [{}, {"difference": "post-conv"}, {"rectify": True}])
def test_a4_a_still_clip_leaves_the_temporal_branch_nothing(options):
    model = build(temporal_state=False, **options)
    block = model.body["1"][0]
    seen = [torch.rand(1, 2, 6, 12, 12, generator=torch.Generator().manual_seed(s)).round() for s in (0, 1)]
    still = [frame.expand(STEPS, -1, -1, -1, -1) for frame in seen]
    d = Difference(rectify=bool(options.get("rectify")))(still[0])
    assert torch.equal(d, torch.zeros_like(d))
    assert not merged(block.temporal.convs[0], d).any() or "difference" in options
    answers = [block.temporal(frames) for frames in still]
    assert torch.equal(answers[0], answers[1])
    first, norm = block.temporal, block.temporal.norms[0]
    if "difference" not in options:
        constant = norm.bias - norm.weight * norm.running_mean / (norm.running_var + norm.eps).sqrt()
        assert torch.allclose(merged(norm, merged(first.convs[0], d))[0, 0, :, 3, 3], constant, atol=1e-6)
    assert torch.allclose(answers[0][..., 4:8, 4:8], answers[0][..., 5:6, 5:6].expand_as(answers[0][..., 4:8, 4:8]))


def test_a4_with_history_a_still_clip_is_heard_once():
    d = Difference(history=True)(torch.ones(STEPS, 1, 1, 2, 2))
    assert torch.equal(d.sum((1, 2, 3, 4)), torch.tensor([4.0, 0, 0, 0, 0, 0]))


def test_a5_differences_are_linear_and_forget_what_stays():
    x, difference = clip(), Difference()
    assert torch.equal(difference(x + 7.0), difference(x))
    assert torch.equal(difference(2 * x), 2 * difference(x))


def test_a5_before_or_after_a_convolution_without_norm_is_the_same():
    torch.manual_seed(0)
    conv, x, difference = nn.Conv2d(2, 4, 3, padding=1, bias=False), clip(), Difference()
    assert torch.allclose(difference(merged(conv, x)), merged(conv, difference(x)), atol=1e-6)


def test_a6_reversed_time_is_the_negated_difference():
    x, difference = clip(), Difference()
    assert torch.equal(difference(x.flip(0))[1:], -difference(x)[1:].flip(0))


def test_rectified_maps_are_what_appears_and_what_disappears():
    x = clip()
    appears, disappears = Difference(rectify=True)(x).split(2, dim=2)
    assert torch.equal(appears - disappears, Difference()(x))
    assert not (appears * disappears).any()


def test_a7_the_ends_of_the_balance_are_one_branch_alone():
    x, none, all_of_it = clip(), build(balance=0.0), build(balance=1.0)
    plain = build(seed=9, block="plain")
    spatial = {key: value for key, value in none.state_dict().items() if ".temporal." not in key}
    plain.load_state_dict(spatial)
    set_stateful(plain, None, flag=False)
    assert torch.equal(none(x), plain(x))
    before = all_of_it(x)
    with torch.no_grad():
        for name, parameter in all_of_it.named_parameters():
            if ".spatial." in name:
                parameter.mul_(3.0)
    assert torch.equal(all_of_it(x), before)


@pytest.mark.parametrize(("balance", "silent"), [(1.0, ".spatial."), (0.0, ".temporal.")])
def test_a8_a_branch_that_is_not_heard_learns_nothing(balance, silent):
    model = build(balance=balance).train()
    model(clip()).square().sum().backward()
    gradients = {name: float(p.grad.abs().sum()) for name, p in model.named_parameters() if p.grad is not None}
    assert {name for name, size in gradients.items() if silent in name and size} == set()
    other = {".spatial.": ".temporal.", ".temporal.": ".spatial."}[silent]
    assert all(size > 0 for name, size in gradients.items() if other in name and "conv" in name)


@pytest.mark.parametrize(
    "options",
    [
        {"block": "plain"},
        {},
        {"boundary": "history", "rectify": True},
        {"difference": "post-conv", "shortcut": "spike"},
        {"width": "split", "split": 0.34, "charge": "sj"},
        {"width": "shared", "fusion": "learned"},
    ],
)
def test_a10_frames_one_by_one_give_what_the_clip_gives(options):
    model, x = build(**options), clip()
    whole = model.stage_outputs(x)
    with streaming(model):
        pieces = [model.stage_outputs(frame.unsqueeze(0)) for frame in x]
    for name, output in whole.items():
        assert torch.equal(torch.cat([piece[name] for piece in pieces]), output), name
    assert torch.equal(model.stage_outputs(x)["2"], whole["2"])  # nothing is left of the stream
    with streaming(model):
        answers = torch.cat([model(frame.unsqueeze(0)) for frame in x])
    assert torch.allclose(answers, model(x), atol=1e-6)


@pytest.mark.parametrize("options", [{"block": "plain"}, {}, {"boundary": "history"}])
def test_a11_no_answer_knows_a_later_frame(options):
    model, x = build(**options), clip()
    changed = x.clone()
    changed[4:] = 2 - changed[4:]
    assert torch.equal(model(changed)[:4], model(x)[:4])
    assert not torch.equal(model(changed)[4:], model(x)[4:])


def test_only_the_stages_named_forget():
    model = build(block="plain", stateless=("1",))
    stateful = {
        name: [n.stateful for n in stage.modules() if isinstance(n, SpikingNeuron)]
        for name, stage in model.stages.items()
    }
    assert stateful == {"stem": [True], "1": [False, False], "2": [True, True, True]}
    assert set_stateful(model, ["1"], flag=True) == 2
    with pytest.raises(UsageError, match=r"stage '5': is none of this StsepNetwork"):
        set_stateful(model, ["5"], flag=False)


def test_stsep_remembers_in_its_temporal_branches_alone():
    states = {name: m.stateful for name, m in build().named_modules() if isinstance(m, SpikingNeuron)}
    assert {name for name, stateful in states.items() if stateful} == {name for name in states if ".temporal." in name}
    assert not any(m.stateful for m in build(temporal_state=False).modules() if isinstance(m, SpikingNeuron))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 19}, "depth 19 is none of 10, 18, 34, 50"),
        ({"stateless": ("5",)}, "stateless '5' is none of stem, 1"),
        ({"width": "shared", "rectify": True}, "two maps do not fit"),
        ({"width": "split", "split": 0.05}, "leaves a branch of 6 channels nothing"),
        ({"fusion": "learned", "balance": 1.0}, "cannot begin at 1.0"),
    ],
)
def test_options_that_contradict_each_other_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_the_charges_differ_without_memory_by_their_gain():
    x = torch.tensor([[1.5]])
    assert neuron("alpha", stateful=False)(x).item() == 1.0
    assert neuron("sj", stateful=False)(x).item() == 0.0
    assert CHARGES["alpha"].threshold == CHARGES["sj"].threshold == 1.0
