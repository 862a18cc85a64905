"""Untrained networks whose neurons fire."""

from typing import TypeVar

from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def let_fire(model: Model, least: float, most: float) -> Model:
    """Return a network in evaluation, with norms whose shares lie from ``least`` to ``most``."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 1.0, 2.0)
            nn.init.uniform_(module.bias, least, most)
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
    return model.eval()
