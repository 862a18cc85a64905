"""The blocks of both backbones; each takes and returns potentials [T, B, C, H, W]."""

from __future__ import annotations

from torch import Tensor, nn

from neurodeploy.models.metasdt.neurons import Neurons
from neurodeploy.models.spiking.merged import merged


class SepConv(nn.Module):
    """Pointwise, depthwise and pointwise convolutions with norms, and neurons before each: the token mixer.

    V2 has neither norm nor neurons behind the depthwise convolution (``plain``).
    """

    def __init__(self, channels: int, kernel: int, neurons: Neurons, *, plain: bool = False) -> None:
        super().__init__()
        wide = 2 * channels
        self.neuron1 = neurons.inner()
        self.expand = nn.Sequential(nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide))
        self.neuron2 = neurons.inner()
        self.depthwise = nn.Sequential(nn.Conv2d(wide, wide, kernel, padding=kernel // 2, groups=wide, bias=False))
        self.neuron3: nn.Module = nn.Identity()
        if not plain:
            self.depthwise.append(nn.BatchNorm2d(wide))
            self.neuron3 = neurons.inner()
        self.project = nn.Sequential(nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return what is added to ``x``."""
        y = merged(self.expand, self.neuron1(x))
        y = merged(self.depthwise, self.neuron2(y))
        return merged(self.project, self.neuron3(y))


class ConvBlock(nn.Module):
    """A token mixer and a channel mixer, each added to its input."""

    def __init__(self, sep_conv: nn.Module, mixer: nn.Module) -> None:
        super().__init__()
        self.sep_conv, self.mixer = sep_conv, mixer

    def forward(self, x: Tensor) -> Tensor:
        """Return potentials."""
        x = x + self.sep_conv(x)
        y: Tensor = x + self.mixer(x)
        return y


class Mlp(nn.Module):
    """Neurons and a linear layer over channels with bias and norm, twice."""

    def __init__(self, channels: int, hidden: int, neurons: Neurons) -> None:
        super().__init__()
        self.neuron1, self.neuron2 = neurons.inner(), neurons.inner()
        self.first = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.BatchNorm2d(hidden))
        self.second = nn.Sequential(nn.Conv2d(hidden, channels, 1), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return what is added to ``x``."""
        return merged(self.second, self.neuron2(merged(self.first, self.neuron1(x))))


class TransformerBlock(nn.Module):
    """V3's separable convolution, where there is one, attention and linear layers, each added to its input."""

    def __init__(self, sep_conv: nn.Module | None, attn: nn.Module, mlp: nn.Module) -> None:
        super().__init__()
        self.sep_conv, self.attn, self.mlp = sep_conv, attn, mlp

    def forward(self, x: Tensor) -> Tensor:
        """Return potentials."""
        if self.sep_conv is not None:
            x = x + self.sep_conv(x)
        x = x + self.attn(x)
        y: Tensor = x + self.mlp(x)
        return y


class Downsample(nn.Module):
    """Neurons, but in the first section, a convolution with bias, and a norm."""

    def __init__(self, inputs: int, outputs: int, stride: int, neurons: Neurons, *, first: bool) -> None:
        super().__init__()
        kernel = 7 if first else 3
        self.neuron = nn.Identity() if first else neurons.inner()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return potentials on the grid of the stride."""
        return merged(self.norm, merged(self.conv, self.neuron(x)))
