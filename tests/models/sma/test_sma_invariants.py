"""What must hold of attention and zone-out whatever the weights: one test for each invariant, named after it."""

import pytest
import torch
from torch import nn

from neurodeploy.models.architectures import ModelContext
from neurodeploy.models.sma.attention import MultiscaleAttention
from neurodeploy.models.sma.networks import SmaResNet, SmaVgg
from neurodeploy.models.sma.settings import SmaResNetSettings, SmaVggSettings
from neurodeploy.models.sma.zoneout import ZoneOut
from neurodeploy.models.spiking.dynamics import spikingjelly_lif
from neurodeploy.models.spiking.layer import SpikingNeuron

STEPS, CHANNELS = 8, 8


def attention(kernels=(1, 3, 5, 7), *, light=False, zoneout=None, seed=0) -> MultiscaleAttention:
    torch.manual_seed(seed)
    module = MultiscaleAttention(
        CHANNELS, STEPS, kernels, (2, 2), lambda: SpikingNeuron(spikingjelly_lif()), light=light, zoneout=zoneout
    )
    for norm in module.norms:
        nn.init.constant_(norm.weight, 3.0)
        nn.init.constant_(norm.bias, 0.5)
    for layer in (*module.channel_expand, *module.time_expand, module.channel_squeeze, module.time_squeeze):
        nn.init.normal_(layer.weight)
    return module.eval()


def maps(seed=1, samples=3) -> torch.Tensor:
    return torch.randn(STEPS, samples, CHANNELS, 6, 6, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("light", [False, True])
def test_d1_weights_are_shares_of_the_scales(light):
    module = attention(light=light)
    over_channels, over_time = module.weights(module.branches(maps()))
    assert over_channels.shape == (4, 1 if light else STEPS, 3, CHANNELS)
    assert over_time.shape == (4, STEPS, 3)
    for weights in (over_channels, over_time):
        assert bool(((weights > 0) & (weights < 1)).all())
        assert torch.allclose(weights.sum(0), torch.ones_like(weights[0]), atol=1e-6)
        assert weights.std() > 0.01


def test_d2_the_output_is_a_share_and_nothing_where_no_branch_fires():
    module, x = attention(), maps()
    y, fired = module(x), module.branches(x).sum(0)
    assert 0 <= y.min() <= y.max() < 1
    assert y.max() > 0.1
    assert (fired == 0).any()
    assert not y[fired == 0].any()
    assert y[fired > 0].min() > 0


def test_d3_one_scale_is_passed_on_as_it_is():
    module, x = attention((3,)), maps()
    assert torch.equal(module(x), module.branches(x)[0])


def test_d4_equal_weights_give_the_mean_over_the_square_of_the_scales():
    module, x = attention(), maps()
    for expand in (*module.channel_expand, *module.time_expand):
        nn.init.zeros_(expand.weight)
        nn.init.zeros_(expand.bias)
    assert torch.allclose(module(x), module.branches(x).sum(0) / 16, atol=1e-6)


@pytest.mark.parametrize("kind", ["attention", "in-place", "random"])
def test_d5_zone_out_is_nothing_in_evaluation(kind):
    assert torch.equal(attention(zoneout=ZoneOut(kind, 2, 2))(maps()), attention()(maps()))


def weighed(seed=2, steps=STEPS, n=3):
    generator = torch.Generator().manual_seed(seed)
    attended = torch.rand(n, steps, 2, CHANNELS, 3, 3, generator=generator)
    over_time = torch.rand(n, steps, 2, generator=generator)
    return attended, over_time, torch.rand(n, steps, 2, CHANNELS, generator=generator)


def by_the_definition(attended, over_time, over_channels, n_c, n_t):
    """Return what the definition's loops make of it, and the steps and channels of each scale."""
    result, chosen = attended.clone(), []
    for i in range(len(attended)):
        times = sorted(range(over_time.shape[1]), key=lambda t: float(over_time[i, t].sum()))[:n_t]
        weight = [sum(float(over_channels[i, t, :, c].sum()) for t in times) for c in range(CHANNELS)]
        places = sorted(range(CHANNELS), key=weight.__getitem__)[:n_c]
        chosen.append((times, places))
        for t in times:
            for c in places:
                if t:
                    result[i, t, :, c] = attended[i, t - 1, :, c]
    return result, chosen


@pytest.mark.parametrize("seed", range(5))
def test_d6_d7_the_weakest_places_take_what_the_step_before_had(seed):
    attended, over_time, over_channels = weighed(seed)
    zoneout = ZoneOut("attention", 3, 3).train()
    expected, chosen = by_the_definition(attended, over_time, over_channels, CHANNELS // 3, STEPS // 3)
    assert torch.equal(zoneout(attended, over_time, over_channels), expected)
    for i, (times, _) in enumerate(chosen):
        weights = over_time[i].sum(1)
        rest = [t for t in range(STEPS) if t not in times]
        assert weights[times].max() <= weights[rest].min()
        changed = (expected[i] != attended[i]).flatten(3).any(-1).any(1)
        assert changed.sum() <= (CHANNELS // 3) * (STEPS // 3)


def test_d6_what_stays_the_same_over_time_is_not_changed():
    attended, over_time, over_channels = weighed()
    still = attended[:, :1].expand_as(attended).contiguous()
    for kind in ("attention", "in-place", "random"):
        assert torch.equal(ZoneOut(kind, 1, 1).train()(still, over_time, over_channels), still)


def test_d6_the_two_public_forms_differ_where_chosen_steps_are_neighbours():
    attended, over_time, over_channels = weighed()
    over_time = torch.arange(STEPS).float().reshape(1, -1, 1).expand_as(over_time)  # the first steps are weakest
    copied = ZoneOut("attention", 1, 2).train()(attended, over_time, over_channels)
    in_place = ZoneOut("in-place", 1, 2).train()(attended, over_time, over_channels)
    assert torch.equal(copied[:, 2], attended[:, 1])
    assert torch.equal(in_place[:, 2], attended[:, 0])  # step 1, itself replaced, is copied on


@pytest.mark.parametrize("kind", ["attention", "in-place", "random"])
def test_d8_the_first_step_and_empty_choices_change_nothing(kind):
    attended, over_time, over_channels = weighed()
    assert torch.equal(ZoneOut(kind, 1, 1).train()(attended, over_time, over_channels)[:, 0], attended[:, 0])
    for ratios in ((100, 1), (1, 100)):
        assert torch.equal(ZoneOut(kind, *ratios).train()(attended, over_time, over_channels), attended)
    only_first = torch.where(torch.arange(STEPS).reshape(1, -1, 1) == 0, 0.0, 1.0).expand_as(over_time)
    if kind != "random":
        assert torch.equal(ZoneOut(kind, 1, STEPS).train()(attended, only_first, over_channels), attended)


def test_zone_out_lets_gradients_through_its_copies():
    attended, over_time, over_channels = weighed()
    attended.requires_grad_()
    ZoneOut("attention", 1, 1).train()(attended, over_time, over_channels).sum().backward()
    assert torch.equal(attended.grad[:, 0], torch.full_like(attended[:, 0], 2.0))
    assert torch.equal(attended.grad[:, -1], torch.zeros_like(attended[:, -1]))


def test_d10_weights_of_a_step_know_all_steps_and_d11_those_of_channels_their_own():
    module = attention()
    branches = module.branches(maps())
    changed = branches.clone()
    changed[:, -1] = 1 - changed[:, -1]
    (channels, time), (channels2, time2) = module.weights(branches), module.weights(changed)
    assert not torch.equal(time[:, 0], time2[:, 0])
    assert torch.equal(channels[:, :-1], channels2[:, :-1])


def test_d12_a_sample_s_answer_does_not_depend_on_its_batch():
    torch.manual_seed(0)
    settings = SmaVggSettings(channels=4, blocks=3, hidden=8, time_reduction=2)
    model = SmaVgg(settings, ModelContext((2, 16, 16), 3, STEPS)).eval()
    x = torch.randint(0, 3, (STEPS, 4, 2, 16, 16), generator=torch.Generator().manual_seed(0)).float()
    assert torch.allclose(model(x)[:, 1:2], model(x[:, 1:2]), atol=1e-6)


def test_without_hidden_layers_the_classes_are_linear_in_the_pooled_spikes():
    torch.manual_seed(0)
    settings = SmaVggSettings(channels=4, blocks=3, hidden=0, time_reduction=2)
    model = SmaVgg(settings, ModelContext((2, 24, 24), 3, STEPS)).eval()
    assert [name for name, _ in model.head.named_parameters()] == ["linear3.weight", "linear3.bias"]
    pooled = torch.randint(0, 2, (STEPS, 2, 16, 3, 3)).float()
    answers, layer = model.head(pooled), model.head.linear3
    assert torch.allclose(answers, pooled.flatten(2) @ layer.weight.T + layer.bias, atol=1e-6)


def test_d13_another_number_of_steps_is_refused():
    with pytest.raises(ValueError, match="for 8 steps, the input has 7"):
        attention()(maps()[:7])


@pytest.mark.parametrize("kind", ["sma", "sma-l"])
@pytest.mark.parametrize("zoneout", ["off", "attention", "random"])
def test_networks_train(kind, zoneout):
    torch.manual_seed(0)
    settings = SmaVggSettings(kind, zoneout=zoneout, channels=4, blocks=3, hidden=8, time_reduction=2, dropout=0.2)
    model = SmaVgg(settings, ModelContext((2, 16, 16), 3, STEPS)).train()
    model(torch.randint(0, 3, (STEPS, 2, 2, 16, 16)).float()).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(("branches", "depth"), [("relu", 18), ("lif-ms", 18), ("relu", 104)])
def test_image_networks_train(branches, depth):
    torch.manual_seed(0)
    settings = SmaResNetSettings(depth, branches=branches, channels=4, time_steps_kept=1, dropout=0.1)
    model = SmaResNet(settings, ModelContext((3, 16, 16), 5, 2)).train()
    answers = model(torch.rand(1, 3, 3, 16, 16).expand(2, -1, -1, -1, -1))
    assert answers.shape == (2, 3, 5)
    answers.square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: SmaVgg(SmaVggSettings(), ModelContext((2, 24, 24), 8, 8)), "5 poolings leave nothing of 24 x 24"),
        (lambda: SmaVgg(SmaVggSettings(), ModelContext((2, 64, 64), 8, 3)), "3 steps are reduced to 32 and 0"),
        (lambda: SmaVgg(SmaVggSettings(hidden=1), ModelContext((2, 64, 64), 8, 8)), "hidden 1 leaves the second"),
        (lambda: SmaResNet(SmaResNetSettings(depth=50), ModelContext((3, 64, 64), 8, 3)), "depth 50 is none of 18"),
    ],
)
def test_networks_that_cannot_be_are_named(build, message):
    with pytest.raises(ValueError, match=message), torch.device("meta"):
        build()


def test_the_attention_s_own_multiplications():
    module = attention()
    assert module.attention_macs(6, 6) == 8 * 2 * 5 + 2 * 5 + 2 * 4 * 8 * 36
