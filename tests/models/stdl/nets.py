"""Small networks and their methods, for the invariants."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurodeploy.models.architectures import ModelContext, ResNetSettings
from neurodeploy.models.convnet import build_model
from neurodeploy.models.recipe import Recipe, parse_recipe
from neurodeploy.models.residual import SpikingResNet
from neurodeploy.models.stdl.building import build_method
from neurodeploy.models.stdl.learning import Local

TEXT = """
name = "local"
[data]
steps = {steps}
test_samples = 1600
calibration_samples = 20
[training]
epochs = 2
batch_size = 40
learning_rate = 0.02
loss = "tet"
[method]
{method}
"""
RESNET = '[model]\nkind = "resnet"\nstages = 2\nblocks = 2\nchannels = 4\n'
CHAIN = """
[[layers]]
kind = "conv"
channels = 4
padding = 1
[[layers]]
kind = "lif"
beta = 0.5
threshold = 0.3
[[layers]]
kind = "avgpool"
kernel = 2
[[layers]]
kind = "conv"
channels = 6
stride = 2
kernel = 2
[[layers]]
kind = "batchnorm"
[[layers]]
kind = "lif"
beta = 0.75
reset = "subtract"
threshold = 0.1
[[layers]]
kind = "flatten"
[[layers]]
kind = "linear"
features = 12
[[layers]]
kind = "lif"
threshold = 0.1
[[layers]]
kind = "linear"
features = 10
[[layers]]
kind = "lif"
threshold = 0.1
"""


def recipe(method: str, net: str = RESNET, steps: int = 3, overrides: tuple[str, ...] = ()) -> Recipe:
    return parse_recipe(TEXT.format(method=method, steps=steps) + net, "local.toml", overrides)


def built(method: str, net: str = RESNET, steps: int = 3, seed: int = 0) -> tuple[nn.Module, Local]:
    """Return a network whose untrained blocks do something, and its method."""
    made = recipe(method, net, steps)
    torch.manual_seed(seed)
    model = build_model(made)
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.constant_(norm.weight, 1.0)
    for linear in (m for m in model.modules() if isinstance(m, nn.Linear)):
        nn.init.normal_(linear.weight, 0.3, 1.0)
    learning = build_method(made, model, model, ModelContext((1, 8, 8), 10, steps))
    assert isinstance(learning, Local)
    for norm in (m for m in learning.auxiliary.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.constant_(norm.weight, 1.0)
    model.train()
    return model, learning


def clip(steps: int = 3, samples: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = 4 * torch.rand(steps, samples, 1, 8, 8, generator=generator)
    return x, torch.arange(samples) % 10


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


def learn(model: nn.Module, learning: Local, x: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Return answers and fresh gradients of one step."""
    model.zero_grad()
    learning.auxiliary.zero_grad()
    outputs, _ = learning.backward(x, labels, 1.0, lambda: None)
    return outputs, gradients(model)


def plain(depth_blocks: int, channels: int = 16) -> SpikingResNet:
    """Return AugLocal's residual network on the meta device."""
    with torch.device("meta"):
        return SpikingResNet(
            ResNetSettings(stages=3, blocks=depth_blocks, channels=channels), ModelContext((3, 32, 32), 10, 1)
        )
