"""Attention against its equations written out one by one, outputs and gradients, with and without zone-out."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from neurodeploy.models.sma.attention import MultiscaleAttention
from neurodeploy.models.sma.zoneout import ZoneOut
from neurodeploy.models.spiking.dynamics import spikingjelly_lif
from neurodeploy.models.spiking.layer import SpikingNeuron

STEPS, CHANNELS, KERNELS = 8, 8, (1, 3, 5)


class _Fires(torch.autograd.Function):
    @staticmethod
    def forward(ctx, distance):
        ctx.save_for_backward(distance)
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, grad):
        (distance,) = ctx.saved_tensors
        return grad / (1 + (math.pi * distance) ** 2)


def lif(x: Tensor) -> Tensor:
    potential, spikes = torch.zeros_like(x[0]), []
    for now in x:
        charged = potential + (now - potential) / 2
        spikes.append(_Fires.apply(charged - 1))
        potential = (1 - spikes[-1].detach()) * charged
    return torch.stack(spikes)


def written_out(p: dict[str, Tensor], x: Tensor, zoneout: bool) -> Tensor:
    scales, branches = range(len(KERNELS)), []
    for i, kernel in enumerate(KERNELS):
        y = functional.conv2d(x.flatten(0, 1), p[f"convs.{i}.weight"], p[f"convs.{i}.bias"], padding=kernel // 2)
        y = (y - y.mean((0, 2, 3), keepdim=True)) / (y.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()
        y = y * p[f"norms.{i}.weight"][:, None, None] + p[f"norms.{i}.bias"][:, None, None]
        branches.append(lif(y.unflatten(0, x.shape[:2])))
    f = torch.stack(branches)
    pooled = f.sum(0).mean((3, 4))

    def dense(name: str, values: Tensor) -> Tensor:
        return functional.linear(values, p[f"{name}.weight"], p[f"{name}.bias"])

    m, g = dense("channel_squeeze", pooled).relu(), dense("time_squeeze", pooled.mean(2).T).relu()
    of_channels = torch.stack([dense(f"channel_expand.{i}", m) for i in scales]).softmax(0)
    of_steps = torch.stack([dense(f"time_expand.{i}", g).T for i in scales]).softmax(0)
    attended = torch.einsum("ntb,ntbc,ntbchw->ntbchw", of_steps, of_channels, f)
    result = attended.clone()
    for i in scales if zoneout else ():
        times = of_steps[i].sum(1).argsort()[: STEPS // 4].tolist()
        places = of_channels[i][times].sum((0, 1)).argsort()[: CHANNELS // 4].tolist()
        for t in times:
            for c in places:
                if t:
                    result[i, t, :, c] = attended[i, t - 1, :, c]
    return result.sum(0)


@pytest.mark.parametrize("zoneout", [False, True])
def test_outputs_and_gradients_are_those_of_the_equations(zoneout):
    torch.manual_seed(0)
    module = MultiscaleAttention(
        CHANNELS,
        STEPS,
        KERNELS,
        (2, 4),
        lambda: SpikingNeuron(spikingjelly_lif()),
        zoneout=ZoneOut("attention", 4, 4) if zoneout else None,
    ).to(torch.float64)
    for norm in module.norms:  # so that a good part of the neurons fires
        nn.init.constant_(norm.weight, 3.0)
        nn.init.constant_(norm.bias, 0.5)
    parameters = dict(module.named_parameters())
    x = torch.randn(STEPS, 2, CHANNELS, 6, 6, dtype=torch.float64, requires_grad=True)
    weighing = torch.randn_like(x)
    ours, theirs = module.train()(x), written_out(parameters, x, zoneout)
    assert ours.count_nonzero() > ours.numel() // 4
    assert torch.allclose(ours, theirs, atol=1e-12)
    wanted = [x, *parameters.values()]
    gradients = [torch.autograd.grad((y * weighing).sum(), wanted) for y in (ours, theirs)]
    assert all(torch.allclose(one, other, atol=1e-9) for one, other in zip(*gradients, strict=True))
    assert gradients[0][0].count_nonzero()
