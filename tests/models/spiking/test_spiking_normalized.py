"""A batch norm and neurons as one node against the two modules one after the other."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from neurodeploy.models.spiking import fused
from neurodeploy.models.spiking.dynamics import soft_reset_lif, spikingjelly_lif
from neurodeploy.models.spiking.layer import SpikingNeuron
from neurodeploy.models.spiking.normalized import NormalizedNeuron, normalized_sequence

MODELS = {
    "sj": spikingjelly_lif(),
    "sj through its reset": replace(spikingjelly_lif(3.0), detach_reset=False),
    "soft": soft_reset_lif(),
}


def norm_of(channels=5, kind=nn.BatchNorm2d, **settings):
    torch.manual_seed(1)
    norm = kind(channels, **settings)
    if norm.affine:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias)
    return norm


def inputs(*shape, channels_last=False):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 2 + 1
    if channels_last:
        x = x.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, shape[:2])
    return x.requires_grad_()


def apart(norm, dynamics, x):
    return SpikingNeuron(dynamics)(norm(x.flatten(0, 1)).unflatten(0, x.shape[:2]))


def gradients(spikes, norm, x):
    weights = torch.randn(spikes.shape, generator=torch.Generator().manual_seed(3))
    return torch.autograd.grad(spikes, [x, *norm.parameters()], weights.to(x.dtype))


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dynamics", MODELS.values(), ids=MODELS)
def test_equals_the_norm_and_the_neurons(dynamics, channels_last):
    x, norm = inputs(6, 3, 5, 4, 4, channels_last=channels_last), norm_of()
    other = copy.deepcopy(norm)
    found, expected = normalized_sequence(norm, dynamics, x), apart(other, dynamics, x)
    assert 0.02 < found.mean() < 0.9
    assert torch.equal(found, expected)
    assert found.stride() == x.stride()
    for one, two in zip(gradients(found, norm, x), gradients(expected, other, x), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-5)
    for one, two in zip(norm.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize(
    ("kind", "shape", "settings"),
    [
        (nn.BatchNorm1d, (7, 4, 6), {"momentum": None}),
        (nn.BatchNorm2d, (5, 2, 6, 3, 3), {"affine": False}),
        (nn.BatchNorm2d, (5, 2, 6, 3, 3), {"track_running_stats": False}),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_every_setting_of_a_norm(kind, shape, settings, training):
    x, norm = inputs(*shape).detach().double().requires_grad_(), norm_of(6, kind, **settings).double().train(training)
    other = copy.deepcopy(norm)
    found, expected = (how(n, MODELS["sj"], x) for how, n in ((normalized_sequence, norm), (apart, other)))
    assert torch.equal(found, expected)
    for one, two in zip(gradients(found, norm, x), gradients(expected, other, x), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-10)
    for one, two in zip(norm.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(one, two)


def test_the_input_alone_is_kept():
    kept = []
    x, layer = inputs(8, 4, 5, 6, 6), NormalizedNeuron(norm_of(), MODELS["sj"])
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        layer(x)
    assert [t.data_ptr() for t in kept if t.numel() > 5] == [x.data_ptr()]


def test_threads_change_no_more_than_rounding(monkeypatch):
    monkeypatch.setattr(fused, "_VALUES_PER_THREAD", 64)
    x, before, results = inputs(4, 3, 5, 16, 16), torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            norm = norm_of()
            spikes = normalized_sequence(norm, MODELS["sj"], x)
            results.append((spikes, *gradients(spikes, norm, x)))
    finally:
        torch.set_num_threads(before)
    for one, two in zip(*results, strict=True):
        assert torch.equal(one, two)


def test_a_norm_of_other_channels_is_named():
    with pytest.raises(ValueError, match="the input has 4 channels, the batch norm 5"):
        normalized_sequence(norm_of(), MODELS["sj"], torch.zeros(2, 2, 4, 3, 3))


def test_norms_of_other_kinds_run_apart():
    x, norm = inputs(4, 3, 6, 4, 4), nn.GroupNorm(2, 6)
    assert torch.equal(normalized_sequence(norm, MODELS["sj"], x), apart(norm, MODELS["sj"], x))
