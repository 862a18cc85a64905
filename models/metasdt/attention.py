"""Spike-driven attention: queries, keys and values are spikes, and there is no softmax."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from neurodeploy.models.metasdt.neurons import Neurons
from neurodeploy.models.metasdt.repconv import RepConvNorm
from neurodeploy.models.spiking.merged import merged

#: Makes a convolution and its norm from its numbers of channels.
Projection = Callable[[int, int], nn.Module]


def norm_conv(inputs: int, outputs: int) -> nn.Module:
    """Return V3's projection: a 1 x 1 convolution without bias, and a norm."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class LinearAttention(nn.Module):
    """``q (k^T v) scale`` by heads, for maps [N, C, H, W] of spikes; values may have more channels than queries.

    By associativity this is ``(q k^T) v``, at a cost that grows with the pixels and not with their square.
    """

    def __init__(self, heads: int, scale: float) -> None:
        super().__init__()
        self.heads, self.scale = heads, scale

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Return a map with the channels of ``v``."""
        rows = [self._rows(x) for x in (q, k, v)]
        answers = rows[0] @ (rows[1].transpose(-2, -1) @ rows[2]) * self.scale
        n, channels, *sides = v.shape
        # Channels of a pixel side by side, as convolutions have them.
        return answers.transpose(1, 2).reshape(n, *sides, channels).permute(0, 3, 1, 2)

    def _rows(self, x: Tensor) -> Tensor:
        """Return [N, heads, pixels, channels of a head]."""
        n, channels = x.shape[:2]
        return x.reshape(n, self.heads, channels // self.heads, -1).transpose(-2, -1)

    def products(self, q: Tensor, k: Tensor, v: Tensor) -> int:
        """Return the multiplications of activations with each other for these inputs."""
        pixels = q.shape[-2] * q.shape[-1]
        return int(pixels * len(q) * (k.shape[1] + q.shape[1]) * v.shape[1] // self.heads)


class SpikeAttention(nn.Module):
    """Neurons, three projections with neurons of their own, the product, neurons, a projection back.

    ``values`` is how many times wider values are than queries and keys.
    """

    def __init__(
        self, channels: int, heads: int, scale: float, neurons: Neurons, project: Projection, values: int
    ) -> None:
        super().__init__()
        wide = channels * values
        self.neuron = neurons.inner()
        self.q, self.q_neuron = project(channels, channels), neurons.inner()
        self.k, self.k_neuron = project(channels, channels), neurons.inner()
        self.v, self.v_neuron = project(channels, wide), neurons.inner()
        self.product = LinearAttention(heads, scale)
        self.product_neuron = neurons.attention()
        self.out = project(wide, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return potentials [T, B, C, H, W] for potentials ``x`` of that shape."""
        spikes = self.neuron(x)
        q = self.q_neuron(merged(self.q, spikes))
        k = self.k_neuron(merged(self.k, spikes))
        v = self.v_neuron(merged(self.v, spikes))
        y = self.product(*(part.flatten(0, 1) for part in (q, k, v)))
        return merged(self.out, self.product_neuron(y.reshape(v.shape)))


def v3_attention(channels: int, heads: int, neurons: Neurons) -> SpikeAttention:
    """Return V3's: values four times as wide, scaled by twice the root of what a head has."""
    return SpikeAttention(channels, heads, 2 * (channels / heads) ** -0.5, neurons, norm_conv, 4)


def v2_attention(channels: int, heads: int, neurons: Neurons) -> SpikeAttention:
    """Return V2's: re-parameterised projections and the scale 1/8 of its public code."""
    return SpikeAttention(channels, heads, 0.125, neurons, RepConvNorm, 1)


def quadratic(attention: LinearAttention, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return the same product computed as ``(q k^T) v``, to hold :class:`LinearAttention` against."""
    rows_q, rows_k, rows_v = (attention._rows(x) for x in (q, k, v))
    answers = torch.matmul(rows_q @ rows_k.transpose(-2, -1), rows_v) * attention.scale
    return answers.transpose(-2, -1).reshape(v.shape)
