"""Recipes of networks: few numbers and words that hypothesis draws, shrinks and prints, and what is built from them.

``Recipe(...).build()`` gives the same network and input each time, so a printed recipe reproduces a failure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neurodeploy.network import Connection, Convolution, Dense, Network, Population, Port, Projection, Shape, Sparse
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta

DECAYS = (0, 1, 2, 7, 1024, 3071, 4094, 4095, 4096)
THRESHOLDS = (0, 1, 2, 40, 300, 5000, 131070, 131071)
BIASES = (-32768, -4096, -1, 0, 0, 1, 4095, 32767)
WEIGHTS = (-256, -255, -254, -128, -2, -1, 0, 1, 2, 127, 128, 254, 255)
#: What sigma-delta and bursting neurons send are sums that grow from layer to layer: small weights keep 32 bits.
SMALL_WEIGHTS = (-3, -2, -1, 0, 1, 2, 3)
#: How the names of neurons begin that send sums, or numbers of spikes.
SUMMING = ("delta", "sigma", "burst")


@dataclass(frozen=True)
class Geometry:
    """A convolution's, pairs (height, width); ``out`` is channels a group."""

    out: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


@dataclass(frozen=True)
class Synapses:
    """A projection; ``source`` 0 is the port, i the i-th layer."""

    source: int
    kind: str = "dense"
    exponent: int = 0
    delay: int = 0
    imaginary: bool = False


@dataclass(frozen=True)
class Layer:
    """A population and what drives it first; a geometry decides its shape."""

    neuron: str
    shape: Shape
    drive: Synapses
    geometry: Geometry | None = None
    per_neuron: bool = False
    bias_exponent: int = 0
    refractory: int = 0
    exponents: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Recipe:
    """A network and its input; ``extra`` are (target layer, synapses), among them skips and loops."""

    seed: int
    port: Shape
    layers: tuple[Layer, ...]
    extra: tuple[tuple[int, Synapses], ...] = ()
    chip_time: bool = False
    reset: tuple[int, int] = (0, 0)
    samples: int = 1
    steps: int = 8
    payload: int = 1

    def build(self) -> tuple[Network, dict[str, np.ndarray]]:
        """Return the network and its input."""
        rng = np.random.default_rng(self.seed)
        shapes = [self.port]
        projections, populations, latencies = [], [], [0]
        for index, layer in enumerate(self.layers, start=1):
            source = shapes[layer.drive.source]
            connection, shape = self._connection(rng, layer.drive, source, layer)
            shapes.append(shape)
            latencies.append(0 if self.chip_time else self._latency(index, latencies))
            populations.append(Population(f"l{index}", shape, _neuron(rng, layer, shape), latencies[-1]))
            projections.append(_projection(f"p{index}", index, layer.drive, connection))
        for number, (target, synapses) in enumerate(self.extra):
            source, shape = shapes[synapses.source], shapes[target]
            connection = _flat(rng, synapses.kind, self._values(synapses), np.prod(shape), np.prod(source))
            if synapses.source >= target:  # a loop: it acts a step later at the earliest
                ahead = latencies[target] - latencies[synapses.source]
                synapses = replace(synapses, delay=max(synapses.delay, ahead))
            projections.append(_projection(f"x{number}", target, synapses, connection))
        interval, offset = self.reset
        network = Network(
            (Port("l0", self.port),),
            tuple(populations),
            tuple(projections),
            (f"l{len(self.layers)}",),
            reset_interval=interval,
            reset_offset=offset,
        )
        return network, {"l0": self._input(rng)}

    def in_chip_time(self) -> Recipe:
        """Return the same with all latencies 0."""
        return replace(self, chip_time=True)

    def _latency(self, index: int, latencies: list[int]) -> int:
        """Return the most steps that leave no projection from before its time; loops are left aside."""
        forward = [s for target, s in self.extra if target == index and s.source < index]
        return min(1 + s.delay + latencies[s.source] for s in [self.layers[index - 1].drive, *forward])

    def _values(self, synapses: Synapses) -> tuple[int, ...]:
        graded = synapses.source and self.layers[synapses.source - 1].neuron.startswith(SUMMING)
        return SMALL_WEIGHTS if graded else WEIGHTS

    def _connection(
        self, rng: np.random.Generator, synapses: Synapses, source: Shape, layer: Layer
    ) -> tuple[Connection, Shape]:
        values, geometry = self._values(synapses), layer.geometry
        if geometry is None:
            return _flat(rng, synapses.kind, values, np.prod(layer.shape), np.prod(source)), layer.shape
        shape = (geometry.out * geometry.groups, source[0] // geometry.groups, *geometry.kernel)
        weight = _weights(rng, values, shape)
        connection = Convolution(weight, geometry.stride, geometry.padding, geometry.dilation, geometry.groups)
        return connection, connection.output_shape(source)

    def _input(self, rng: np.random.Generator) -> np.ndarray:
        shape = (self.samples, self.steps, *self.port)
        fired = rng.random(shape) < rng.choice([0.1, 0.5, 0.9])
        if self.payload == 1:
            return fired.astype(np.uint8)
        return (fired * rng.integers(-self.payload, self.payload + 1, shape)).astype(np.int32)


def _projection(name: str, target: int, synapses: Synapses, connection: Connection) -> Projection:
    ends = f"l{synapses.source}", f"l{target}"
    return Projection(name, *ends, connection, synapses.exponent, synapses.delay, imaginary=synapses.imaginary)


def _weights(rng: np.random.Generator, values: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    """Return weights, half of them from the edges and half from all over the range."""
    between = rng.integers(min(values), max(values) + 1, shape)
    return np.where(rng.random(shape) < 0.5, rng.choice(values, shape), between)


def _flat(rng: np.random.Generator, kind: str, values: tuple[int, ...], out: int, into: int) -> Connection:
    weight = _weights(rng, values, (int(out), int(into)))
    if kind == "sparse":
        return Sparse.from_dense(weight * (rng.random(weight.shape) < 0.4))
    return Dense(weight)


def _neuron(rng: np.random.Generator, layer: Layer, shape: Shape) -> Neuron:
    size = shape if layer.per_neuron else ()
    first, second = layer.exponents
    if layer.neuron in ("phase", "izhikevich"):
        turn = rng.uniform(0, 2 * np.pi, size)
        factors = [np.trunc(rng.choice([1, 0.9, 0.5]) * f(turn) * (1 << first)) for f in (np.sin, np.cos)]
        least = rng.choice([1, 100, 5000], size) << second
        return Resonator(least, *(np.asarray(f).astype(int) for f in factors), layer.neuron, first, second)
    if layer.neuron.startswith(("delta", "sigma")):
        stage, _, cumulative = layer.neuron.partition("+")
        bias = rng.choice([-9, 0, 1, 300], size)
        activation = str(rng.choice(["unit", "relu"]))
        return SigmaDelta(rng.choice([0, 1, 40, 900], size), bias, stage, activation, bool(cumulative), first, second)
    lif = Lif(
        rng.choice(THRESHOLDS, size),
        rng.choice(DECAYS, size),
        rng.choice(DECAYS, size),
        rng.choice(BIASES, size),
        layer.bias_exponent,
        refractory=layer.refractory,
    )
    lower = rng.choice([-131071, -5000, -40, -1, 0], size)
    if layer.neuron.startswith("burst"):
        lif = replace(lif, threshold=np.maximum(lif.threshold, 40))
    return replace(
        lif,
        **{
            name: {"lower_threshold": lower, "lowest": lower}.get(name, value) for name, value in VARIANTS[layer.neuron]
        },
    )


#: Kind of leaky integrate-and-fire -> what is different from the plain one.
VARIANTS: dict[str, tuple[tuple[str, object], ...]] = {
    "lif": (),
    "ternary": (("lower_threshold", None),),
    "subtract": (("reset", "subtract"),),
    "burst": (("reset", "burst"), ("lowest", None)),
    "ternary-subtract": (("lower_threshold", None), ("reset", "subtract")),
    "integrator": (("spiking", False),),
}
NEURONS = (*VARIANTS, "delta", "sigma", "sigma-delta", "sigma-delta+cumulative", "phase", "izhikevich")
