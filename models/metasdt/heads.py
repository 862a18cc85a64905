"""The heads of Mask R-CNN with neurons in ReLU's place; keys are those of torchvision's heads.

Neurons stand before every layer, so that spikes feed all of them; between two proposals nothing is remembered.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from neurodeploy.models.metasdt.neurons import Neurons

#: Outputs of each linear layer of the box head, and how many convolutions the mask head has.
BOX_FEATURES, MASK_CONVS = 1024, 4


class Once(nn.Module):
    """Neurons that see one step: [K, ...] to spikes [K, ...]."""

    def __init__(self, neurons: Neurons) -> None:
        super().__init__()
        self.neuron = neurons.inner()

    def forward(self, x: Tensor) -> Tensor:
        """Return spikes of the shape of ``x``."""
        y: Tensor = self.neuron(x.unsqueeze(0)).squeeze(0)
        return y


class BoxHead(nn.Module):
    """Two linear layers between neurons, from regions [K, C, S, S] to spikes [K, features]."""

    def __init__(self, inputs: int, features: int, neurons: Neurons) -> None:
        super().__init__()
        self.fc6 = _live(nn.Linear(inputs, features), neurons)
        self.fc7 = _live(nn.Linear(features, features), neurons)
        self.neuron6, self.neuron7, self.neuron8 = (Once(neurons) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """Return what the predictor of classes and boxes is fed."""
        y = self.fc7(self.neuron7(self.fc6(self.neuron6(x.flatten(1)))))
        spikes: Tensor = self.neuron8(y)
        return spikes


def mask_head(channels: int, neurons: Neurons) -> nn.Sequential:
    """Return neurons and a 3 x 3 convolution, four times, on regions [K, channels, S, S]."""
    convs = [_live(nn.Conv2d(channels, channels, 3, padding=1), neurons) for _ in range(MASK_CONVS)]
    return nn.Sequential(*(nn.Sequential(OrderedDict({"neuron": Once(neurons), "0": conv})) for conv in convs))


def mask_predictor(channels: int, classes: int, neurons: Neurons) -> nn.Sequential:
    """Return the layers from regions [K, channels, S, S] to a mask for each class, [K, classes, 2 S, 2 S]."""
    parts: dict[str, nn.Module] = {
        "neuron1": Once(neurons),
        "conv5_mask": _live(nn.ConvTranspose2d(channels, channels, 2, 2), neurons),
        "neuron2": Once(neurons),
        "mask_fcn_logits": nn.Conv2d(channels, classes, 1),
    }
    return nn.Sequential(OrderedDict(parts))


def _live(layer: nn.Module, neurons: Neurons) -> nn.Module:
    """Draw weights that make potentials of about 1 of the spikes of such potentials: torch's own fade into silence."""
    assert isinstance(layer.weight, Tensor)
    assert isinstance(layer.bias, Tensor)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    with torch.no_grad():
        layer.weight /= neurons.unit
    nn.init.zeros_(layer.bias)
    return layer
