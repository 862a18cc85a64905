"""The training networks of the benchmark, with whatever neuron a library has; nothing of neurodeploy is imported.

Convolutions and batch norm see time merged into the batch, for every library: they cost all the same, and every library
computes the same network.

========  =======================================================================================  ===  ===
name      layers; each convolution has no bias and a batch norm                                      T    B
========  =======================================================================================  ===  ===
W2        2 x 34 x 34: conv 5x5/2 (16), neuron, conv 3x3 (32), neuron, average 2, linear 10          16   16
W3        2 x 128 x 128: four of conv 3x3/2 (16, 32, 64, 64) and neuron, linear 11                   10    4
residual  2 x 16 x 16: conv 3x3 (64), two blocks of twice neuron and conv 3x3 (64), linear 10         8    8
========  =======================================================================================  ===  ===
"""

import torch
from torch import nn

#: Name -> (steps, samples, input shape, classes).
SIZES = {"W2": (16, 16, (2, 34, 34), 10), "W3": (10, 4, (2, 128, 128), 11), "residual": (8, 8, (2, 16, 16), 10)}
#: Steps and samples of the neuron alone: 2.1 million values.
ALONE = (16, 16, (32, 16, 16))


class Merged(nn.Module):
    """Stateless layers on [T, B, ...] (or [B, T, ...]) as one batch."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def convolution(into, out, kernel, stride=1):
    padding = 1
    return [nn.Conv2d(into, out, kernel, stride, padding, bias=False), nn.BatchNorm2d(out)]


class Block(nn.Module):
    """A residual block whose shortcut carries potentials."""

    def __init__(self, fire, width):
        super().__init__()
        self.body = nn.Sequential(*(part for _ in range(2) for part in fire(None, convolution(width, width, 3))))

    def forward(self, x):
        return x + self.body(x)


def plain(neuron):
    """Return the layer pair of a library that offers no more than a neuron: (layers before it, layers behind it)."""

    def fire(before, behind):
        parts = [Merged(*before)] if before else []
        parts.append(neuron())
        return [*parts, Merged(*behind)] if behind else parts

    return fire


def network(name, fire, time):
    """Return a network from [T, B, ...] to the mean over time [B, classes]; ``fire`` as :func:`plain` returns it.

    ``time`` is the dimension of time in what the library takes, 0 or 1.
    """
    classes = SIZES[name][3]
    if name == "W2":
        body = [*fire(convolution(2, 16, 5, 2), None), *fire(convolution(16, 32, 3), None)]
        head, cells = [nn.AvgPool2d(2)], 32 * 8 * 8
    elif name == "W3":
        sizes = ((2, 16), (16, 32), (32, 64), (64, 64))
        body = [part for into, out in sizes for part in fire(convolution(into, out, 3, 2), None)]
        head, cells = [], 64 * 8 * 8
    else:
        body = [Merged(*convolution(2, 64, 3)), Block(fire, 64), Block(fire, 64), *fire(None, None)]
        head, cells = [nn.AvgPool2d(16)], 64
    return nn.Sequential(*body, Merged(*head, nn.Flatten(), nn.Linear(cells, classes)), Mean(time))


class Mean(nn.Module):
    """The mean over time."""

    def __init__(self, time):
        super().__init__()
        self.time = time

    def forward(self, x):
        return x.mean(self.time)


def data(name, time):
    """Return spikes of 10 % density, in the library's order, and labels."""
    steps, samples, shape, classes = SIZES[name]
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(steps, samples, *shape, generator=generator) < 0.1).float()
    labels = torch.randint(classes, (samples,), generator=generator)
    return (x.transpose(0, 1) if time else x).contiguous(), labels
