"""snnTorch networks in the several ways people write them."""

from __future__ import annotations

import snntorch as snn
import torch
from torch import nn


def lif(**options):
    return snn.Leaky(**{"beta": 0.8, "init_hidden": True, "reset_mechanism": "zero", "reset_delay": False, **options})


class Hidden(nn.Module):
    """Hidden states, a view instead of a Flatten, a residual sum, dropout and functional pooling."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.lif1 = lif()
        self.conv2 = nn.Conv2d(4, 4, 3, padding="same", bias=False)
        self.lif2 = lif(reset_mechanism="subtract", reset_delay=True)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(4 * 3 * 3, 5)
        self.lif3 = lif(beta=0.9)

    def forward(self, x):
        first = self.lif1(self.norm(self.conv1(x)))
        second = self.lif2(self.conv2(first) + first)
        pooled = nn.functional.avg_pool2d(self.drop(second), 2)
        return self.lif3(self.fc(pooled.view(pooled.size(0), -1)))


class Explicit(nn.Module):
    """States are given and returned, the membranes of two layers."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(6, 8)
        self.lif1 = snn.Leaky(beta=0.8)
        self.fc2 = nn.Linear(8, 4)
        self.lif2 = snn.Synaptic(alpha=0.5, beta=0.8)

    def forward(self, x, mem1, syn2, mem2):
        spk1, mem1 = self.lif1(self.fc1(x), mem1)
        spk2, syn2, mem2 = self.lif2(self.fc2(spk1), syn2, mem2)
        return spk2, mem1, syn2, mem2


class Readout(nn.Module):
    """The answer is the membrane of the last layer, which never resets."""

    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(6, 8), lif()
        self.fc2, self.li = nn.Linear(8, 3), snn.Leaky(beta=0.9, reset_mechanism="none")

    def forward(self, x):
        _, membrane = self.li(self.fc2(self.lif1(self.fc1(x))))
        return membrane


def lively(module, seed=0):
    """Return the module with weights that make its neurons fire now and then."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in module.named_parameters():
            if "weight" in name and value.ndim > 1:
                fan = value[0].numel()
                value.copy_(torch.randn(value.shape, generator=generator) / fan**0.5 + 1.2 / fan)
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.uniform_(-0.1, 0.1, generator=generator)
                part.running_var.uniform_(0.5, 1.5, generator=generator)
    return module.eval()
