"""The four networks that speed is measured on: deterministic integer weights and inputs.

======  ==============================================================================================  =====  =======
name    populations                                                                                     steps  density
======  ==============================================================================================  =====  =======
W1      784 -> 512 -> 512 -> 10, dense                                                                    100     10 %
W2      2 x 34 x 34 -> conv 5x5/2 (16) -> conv 3x3 (32) -> sum pool 2 -> dense 10                         100      3 %
W3      2 x 128 x 128 -> four 3x3/2 convolutions (16, 32, 64, 64) -> dense 11                              60      1 %
W4      256 -> 512 with recurrence -> 20, dense                                                           250      5 %
======  ==============================================================================================  =====  =======

Every population has a current decay of 1025 and a voltage decay of 512.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodeploy.network import Connection, Convolution, Dense, Network, Population, Port, Projection, Shape
from neurodeploy.neurons import Lif

NAMES = ("W1", "W2", "W3", "W4")
CURRENT_DECAY, VOLTAGE_DECAY = 1025, 512


@dataclass(frozen=True)
class Layer:
    """One population: its connection, threshold, and where given a recurrent connection."""

    connection: Connection
    threshold: int
    recurrent: Dense | None = None


@dataclass(frozen=True)
class Workload:
    """Input shape, steps, share of input cells that spike in a step, and the layers in order."""

    name: str
    shape: Shape
    steps: int
    density: float
    layers: tuple[Layer, ...]

    def network(self, *, chip_time: bool = True) -> Network:
        """Return the integer network; in chip time every hop takes a step, as in Lava."""
        populations, projections, source, shape = [], [], "in", self.shape
        for i, layer in enumerate(self.layers):
            name, connection = str(i), layer.connection
            flat = (len(connection.weight),)
            shape = connection.output_shape(shape) if isinstance(connection, Convolution) else flat
            lif = Lif(layer.threshold, CURRENT_DECAY, VOLTAGE_DECAY)
            populations.append(Population(name, shape, lif, 0 if chip_time else i + 1))
            projections.append(Projection(f"{source}-{name}", source, name, connection))
            if layer.recurrent is not None:
                projections.append(Projection(f"{name}-{name}", name, name, layer.recurrent))
            source = name
        return Network((Port("in", self.shape),), tuple(populations), tuple(projections), (source,))

    def spikes(self, samples: int, seed: int = 1) -> np.ndarray:
        """Return uint8 [samples, steps, *shape]."""
        rng = np.random.default_rng(seed)
        x = rng.random((self.steps, samples, *self.shape), dtype=np.float32) < self.density
        return np.ascontiguousarray(np.swapaxes(x, 0, 1)).astype(np.uint8)


def workload(name: str, seed: int = 0) -> Workload:
    """Return the workload of this name."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return (rng.integers(-60, 64, shape) * 2).astype(np.int32)

    def dense(out: int, into: int, threshold: int) -> Layer:
        return Layer(Dense(weights(out, into)), threshold)

    def conv(out: int, into: int, kernel: int, stride: int, threshold: int) -> Layer:
        return Layer(Convolution(weights(out, into, kernel, kernel), (stride, stride), (1, 1)), threshold)

    if name == "W1":
        layers = (dense(512, 784, 3000), dense(512, 512, 2600), dense(10, 512, 2500))
        return Workload(name, (784,), 100, 0.10, layers)
    if name == "W2":
        convolutions = (conv(16, 2, 5, 2, 700), conv(32, 16, 3, 1, 1000))
        pooled = weights(10, 2048).reshape(10, 32, 8, 8).repeat(2, 2).repeat(2, 3).reshape(10, 8192)
        return Workload(name, (2, 34, 34), 100, 0.03, (*convolutions, Layer(Dense(pooled), 2000)))
    if name == "W3":
        sizes = ((16, 2, 280), (32, 16, 600), (64, 32, 700), (64, 64, 900))
        convolutions4 = tuple(conv(out, into, 3, 2, threshold) for out, into, threshold in sizes)
        return Workload(name, (2, 128, 128), 60, 0.01, (*convolutions4, dense(11, 4096, 1500)))
    if name == "W4":
        first = Dense(weights(512, 256))
        recurrent = Dense(weights(512, 512) // 4 * 2)
        return Workload(name, (256,), 250, 0.05, (Layer(first, 2000, recurrent), dense(20, 512, 2000)))
    raise KeyError(name)
