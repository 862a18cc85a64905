"""The invariants of decoupled learning (C1 to C6, C8, C10, C11)."""

import pytest
import torch
from torch import nn

from neurodeploy.models.convnet import build_model
from neurodeploy.models.losses import loss_of
from neurodeploy.models.spiking.streaming import streaming
from neurodeploy.models.stdl.auxiliary import Auxiliary
from neurodeploy.models.stdl.memory import counting_kept
from tests.models.stdl.nets import CHAIN, RESNET, built, clip, gradients, learn, recipe

STDL = 'kind = "stdl"\nshare = 0.9'
NETS = [RESNET, CHAIN]


def group_of(learning, model):
    """The number of the group that each parameter of ``model`` belongs to."""
    by_id = {id(p): k for k, part in enumerate(learning._parts) for p in part.parameters()}
    return {name: by_id[id(p)] for name, p in model.named_parameters()}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("temporal", ["detach", "trace", "bptt"])
def test_c1_a_group_learns_from_its_own_loss_alone(net, temporal):
    model, learning = built(f'{STDL}\ntemporal = "{temporal}"', net)
    x, labels = clip()
    _, before = learn(model, learning, x, labels)
    groups = group_of(learning, model)
    assert {groups[name] for name, g in before.items() if g.abs().sum() > 0} == set(range(len(learning.groups)))
    with torch.no_grad():
        for parameter in learning.auxiliary[0].parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    _, after = learn(model, learning, x, labels)
    changed = {groups[name] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {0}


def test_c2_nothing_reaches_the_group_before():
    model, learning = built(STDL)
    x, labels = clip()
    seen = []
    hooks = [part.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])) for part in learning._parts]
    learn(model, learning, x, labels)
    for hook in hooks:
        hook.remove()
    assert len(seen) == len(x) * len(learning.groups)
    assert not any(one.requires_grad for one in seen)


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("temporal", ["detach", "trace"])
def test_c3_the_state_is_kept_and_its_gradient_is_not(net, temporal):
    model, learning = built(f'kind = "sltt"\ntemporal = "{temporal}"', net)
    model.eval()  # statistics of a step would not be those of the sequence
    x, labels = clip()
    spikes = []
    last = model.neurons if net == RESNET else model.layers[-1]
    hook = last.register_forward_hook(lambda _module, _inputs, output: spikes.append(output.detach()))
    outputs, _ = learn(model, learning, x, labels)
    whole = model(x)
    hook.remove()
    assert torch.equal(torch.cat(spikes[:-1]), spikes[-1])
    assert torch.allclose(outputs, whole, atol=1e-6)
    assert not torch.allclose(model(x[2:])[0], whole[2])
    x.requires_grad_()
    with streaming(model, detached=True):
        last = [model(step) for step in x.split(1)][-1]
    (into,) = torch.autograd.grad(last.sum(), x)
    assert into[:2].abs().sum() == 0
    assert into[2].abs().sum() > 0
    (through,) = torch.autograd.grad(model(x)[2].sum(), x)
    assert through[:2].abs().sum() > 0


def peak(method, steps):
    model, learning = built(method, steps=steps)
    x, labels = clip(steps)
    with counting_kept((*model.parameters(), *learning.auxiliary.parameters())) as kept:
        learn(model, learning, x, labels)
    assert kept.now == 0
    return kept.peak


def bptt_peak(steps):
    model, _ = built(STDL, steps=steps)
    x, labels = clip(steps)
    with counting_kept(model.parameters()) as kept:
        loss_of(model(x), labels, recipe(STDL).training).backward()
    return kept.peak


@pytest.mark.parametrize("method", [STDL, 'kind = "sltt"\ntemporal = "trace"', 'kind = "ell"'])
def test_c4_what_is_kept_does_not_grow_with_the_steps(method):
    assert len({peak(method, steps) for steps in (2, 8, 32)}) == 1


def test_c4_stdl_keeps_a_quarter_of_bptt_at_most():
    assert 4 * peak(STDL, 16) <= bptt_peak(16)
    assert bptt_peak(16) == pytest.approx(2 * bptt_peak(8), rel=0.05)


@pytest.mark.parametrize("net", NETS)
def test_c5_without_cuts_it_is_back_propagation(net):
    for method, steps in (('kind = "sltt"', 1), ('kind = "ell"\ngroups = 1\ntemporal = "bptt"', 3)):
        model, learning = built(method, net, steps)
        x, labels = clip(steps)
        outputs, found = learn(model, learning, x, labels)
        model, _ = built(method, net, steps)
        answers = model(x)
        loss_of(answers, labels, recipe(method, net).training).backward()
        assert torch.allclose(outputs, answers, atol=1e-6)
        expected = gradients(model)
        assert found.keys() == expected.keys()
        for name, gradient in expected.items():
            assert torch.allclose(found[name], gradient, rtol=1e-4, atol=1e-6), name


def test_c6_gradients_of_steps_add_up_to_that_of_the_summed_losses():
    model, learning = built(STDL)
    x, labels = clip()
    _, found = learn(model, learning, x, labels)
    model, learning = built(STDL)
    training, losses = recipe(STDL).training, []
    with streaming(nn.ModuleList([*learning._parts, learning.auxiliary]), detached=True):
        for step in x.split(1):
            h = step
            for k, part in enumerate(learning._parts):
                h = part(h.detach())
                answer = learning.auxiliary[k](h) if k < len(learning.auxiliary) else h
                losses.append(loss_of(answer, labels, training) / len(x))
    torch.stack(losses).sum().backward()
    for name, gradient in gradients(model).items():
        assert torch.allclose(found[name], gradient, rtol=1e-4, atol=1e-7), name


def test_a_trace_is_the_exact_gradient_of_one_layer_that_does_not_fire():
    from neurodeploy.models.spiking.dynamics import Dynamics
    from neurodeploy.models.spiking.layer import SpikingNeuron
    from neurodeploy.models.stdl.traces import decays, tracing

    torch.manual_seed(0)
    neurons = SpikingNeuron(Dynamics("decay", 0.5, 50.0, surrogate="exponential", width=0.01))
    layer = nn.Linear(3, 2)
    net, x = nn.Sequential(layer, neurons), torch.rand(4, 5, 3)
    net(x)[-1].sum().backward()
    expected = [layer.weight.grad.clone(), layer.bias.grad.clone()]
    net.zero_grad()
    found_decays = decays(net, x[:1])  # before the stream, which this look at the network would begin
    with streaming(net, detached=True), tracing(found_decays):
        last = [net(step) for step in x.split(1)][-1]
    last.sum().backward()
    for found, wanted in zip((layer.weight.grad, layer.bias.grad), expected, strict=True):
        assert torch.allclose(found, wanted, rtol=1e-6)
    assert "forward" not in layer.__dict__


@pytest.mark.parametrize("net", NETS)
def test_c8_the_network_is_the_plain_one(net):
    model, learning = built(STDL, net)
    x, _ = clip()
    model.eval()
    before = model(x)
    again = build_model(recipe('kind = "bptt"', net)).eval()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(x), before)
    assert torch.allclose(learning.answers(x)[-1], before, atol=1e-6)
    del learning
    assert torch.equal(model(x), before)


@pytest.mark.parametrize("net", NETS)
def test_c10_auxiliary_maps_end_as_small_as_the_networks(net):
    model, learning = built('kind = "stdl"\nmemory_bytes = 1_000_000_000', net)
    x, _ = clip()
    h, ends = x, []
    with torch.no_grad():
        for part, auxiliary in zip(learning._parts, learning.auxiliary, strict=False):
            h = part(h)
            ends.append(auxiliary.features(h).shape)
        h = model.local_units().units[-1].module(h)
    assert ends
    assert {shape[2:] for shape in ends} == {h.shape[2:]}


def test_c11_evaluation_runs_no_auxiliary_network(monkeypatch):
    calls = []
    forward = Auxiliary.forward
    monkeypatch.setattr(Auxiliary, "forward", lambda self, x: (calls.append(1), forward(self, x))[1])
    model, learning = built(STDL)
    x, labels = clip()
    learn(model, learning, x, labels)
    assert len(calls) == len(x) * len(learning.auxiliary)
    calls.clear()
    model.zero_grad()
    model.eval()
    with torch.no_grad():
        assert not model(x).requires_grad
    assert calls == []
    assert gradients(model) == {}
