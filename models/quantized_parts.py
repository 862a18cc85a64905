"""The trainable twins of one projection and one population; :mod:`neurodeploy.models.quantized` joins them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neurodeploy import network as net
from neurodeploy.audit import Values
from neurodeploy.errors import Unsupported
from neurodeploy.models.straight_through import STATE_ONE, bursts, decayed, fires, floored, rounded, saturated, wrapped
from neurodeploy.neurons import Lif
from neurodeploy.scaling import grid, round_bias, sign_mode
from neurodeploy.targets.chip import Formats
from neurodeploy.widths import narrowed

Ints = npt.NDArray[np.int64]
Trained = frozenset[str]


class QuantizedProjection(nn.Module):
    """Synapses whose float weights become the chip's integers in every forward pass.

    ``weight`` has the shape of the connection's integers: [out, in], or [out, in / groups, kernel_h, kernel_w].
    """

    def __init__(
        self, projection: net.Projection, values: Values, network: net.Network, formats: Formats, *, learned: bool
    ) -> None:
        super().__init__()
        self.projection, connection = projection, projection.connection
        source, target = network.by_name[projection.source], network.by_name[projection.target]
        assert isinstance(target, net.Population)
        self._source, self._target = source.shape, target.shape
        if isinstance(connection, net.Sparse):
            raise Unsupported(projection.name, "its synapses are sparse", "train it as a dense or convolutional layer")
        self._unit = target.scale / 2.0**projection.weight_exponent
        narrow = narrowed(formats, projection.weight_bits) if projection.weight_bits < formats.weight_bits else formats
        self._grid = grid(sign_mode(values.original), narrow)
        self.weight = nn.Parameter(torch.from_numpy(_placed(values, connection.weight)), learned)
        self._leader: tuple[QuantizedProjection, ...] = ()  # in a tuple, so that torch does not count it twice

    def follow(self, leader: QuantizedProjection) -> None:
        """Let these weights be those of ``leader`` with the sign turned from now on, and train the latter alone."""
        (low, high, _), (least, most, step) = self._grid, leader._grid
        leader._grid = max(least, -high), min(most, -low), step
        self.weight.requires_grad = False
        self._leader = (leader,)

    def integers(self) -> Tensor:
        """Return the weights in weight units, whole numbers of the chip's grid."""
        for leader in self._leader:
            return -leader.integers()
        low, high, step = self._grid
        return rounded(self.weight * self._unit, low, high, step)

    def reach(self) -> float:
        """Return a bound on |sum| in weight units that one step of binary spikes can bring, for any weights."""
        fan_in = int(np.prod(self.weight.shape[1:]))
        low, high, _ = self._grid
        return float(fan_in * max(-low, high) * 2.0 ** max(self.projection.weight_exponent, 0))

    def forward(self, spikes: Tensor, weight: Tensor) -> Tensor:
        """Return the weighted sums [N, *target shape] of ``spikes`` [N, *source shape] with :meth:`integers`."""
        connection = self.projection.connection
        if isinstance(connection, net.Convolution):
            sums = F.conv2d(
                spikes.reshape(-1, *self._source),
                weight,
                None,
                connection.stride,
                connection.padding,
                connection.dilation,
                connection.groups,
            )
        else:
            sums = F.linear(spikes.flatten(1), weight)
        exponent = self.projection.weight_exponent
        shifted = sums * 2.0**exponent
        return (floored(shifted) if exponent < 0 else shifted).reshape(-1, *self._target)

    def connection(self) -> net.Connection:
        """Return the connection with the weights as they stand."""
        whole = self.integers().detach().cpu().numpy().astype(np.int64)
        connection = self.projection.connection
        assert not isinstance(connection, net.Sparse)
        return replace(connection, weight=whole)

    def values(self, stored: net.Projection, scale: float) -> Values:
        """Return the weights before and after; ``stored`` holds the integers, of a target with this ``scale``."""
        integer = net.stored_weights(stored.connection).astype(np.int64)
        restored = integer / (scale / 2.0**stored.weight_exponent)
        original = -_numpy(self._leader[0].weight) if self._leader else _numpy(self.weight)
        return Values(stored.target, f"weight {stored.name}", original, integer, restored)


def _placed(values: Values, stored: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.float64]:
    """Return the float weights with the zero taps that the stored kernel was padded with to become symmetric."""
    original = np.asarray(values.original, dtype=np.float64)
    missing = [a - b for a, b in zip(stored.shape, original.shape, strict=True)]
    for start in np.ndindex(*(m + 1 for m in missing)):
        place = tuple(slice(s, s + n) for s, n in zip(start, original.shape, strict=True))
        if np.array_equal(stored[place], values.integer):
            placed = np.zeros(stored.shape)
            placed[place] = original
            return placed
    raise ValueError("the quantization's values are of another network")


class QuantizedPopulation(nn.Module):
    """Leaky integrate-and-fire neurons whose float parameters become the chip's integers in every forward pass.

    ``threshold`` and ``bias`` are in float units of the membrane; ``lost_current`` and ``lost_voltage`` are what u and
    v lose of themselves in a step, 0 to 1.
    """

    def __init__(
        self, population: net.Population, values: Mapping[str, Values], formats: Formats, trained: Trained
    ) -> None:
        super().__init__()
        neuron = population.neuron
        if not isinstance(neuron, Lif) or neuron.lower_threshold is not None or neuron.refractory:
            raise Unsupported(
                population.name, "its neurons are of a kind that quantization does not make", "train LIF neurons"
            )
        self.population, self.neuron, self._formats = population, neuron, formats
        for name, parameter, kind in (
            ("threshold", "threshold", "threshold"),
            ("bias", "bias", "bias"),
            ("lost_current", "current_decay", "decay"),
            ("lost_voltage", "voltage_decay", "decay"),
        ):
            learned = kind in trained and (kind != "threshold" or self.neuron.spiking)
            setattr(self, name, nn.Parameter(_aligned(values[parameter].original), learned))
        lowest = neuron.lowest
        self._lowest = None if lowest is None else torch.tensor(lowest.astype(np.float64)) * STATE_ONE
        # Where the float model fires at equality the integer threshold is the next smaller one.
        self._strict = bool(
            (np.rint(values["threshold"].original * population.scale) == values["threshold"].integer).all()
        )

    threshold: Tensor
    bias: Tensor
    lost_current: Tensor
    lost_voltage: Tensor

    def integers(self) -> dict[str, Tensor]:
        """Return threshold, current_decay, voltage_decay and bias (with its exponent applied) as whole numbers."""
        scale, formats = self.population.scale, self._formats
        units = self.threshold * scale
        if not self._strict:
            units = units - 0.5 - 1e-9  # rounding this gives ceil(units) - 1
        one = float(formats.decay_one)
        mantissa, exponent = self._bias()
        return {
            "threshold": rounded(units, int(self.neuron.bursts), formats.threshold_maximum),
            "current_decay": rounded(self.lost_current * one, 0, one),
            "voltage_decay": rounded(self.lost_voltage * one, 0, one),
            "bias": floored(mantissa * 2.0**exponent),
        }

    def _bias(self) -> tuple[Tensor, int]:
        """Return mantissa and exponent; the exponent is the smallest at which all mantissas fit, as in scaling."""
        scale, limit = self.population.scale, self._formats.bias_maximum
        _, exponent = round_bias(self.bias.detach().cpu().double().numpy(), scale, self._formats)
        return rounded(self.bias * (scale * STATE_ONE / 2.0**exponent), -limit, limit), exponent

    def step(self, parts: Mapping[str, Tensor], u: Tensor, v: Tensor, a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return u, v and spikes after a step with the weighted sums ``a``; the equations of neurodeploy.neuron."""
        limit = self.neuron.state_limit
        u = wrapped(decayed(u, parts["current_decay"]) + a * STATE_ONE, limit)
        v = saturated(decayed(v, parts["voltage_decay"]) + u + parts["bias"], limit)
        if not self.neuron.spiking:
            return u, v, torch.zeros_like(v)
        s = bursts(v, parts["threshold"]) if self.neuron.bursts else fires(v, parts["threshold"])
        if self.neuron.reset == "zero":
            return u, v * (1 - s.detach()), s
        v = v - s.detach() * parts["threshold"] * STATE_ONE
        return u, v if self._lowest is None else torch.maximum(v, self._lowest.to(v)), s

    def lif(self) -> Lif:
        """Return the neurons with the integers as they stand."""
        whole = {name: part.detach().cpu().numpy().astype(np.int64) for name, part in self.integers().items()}
        mantissa, exponent = self._bias()
        return replace(
            self.neuron,
            threshold=whole["threshold"],
            current_decay=whole["current_decay"],
            voltage_decay=whole["voltage_decay"],
            bias=mantissa.detach().cpu().numpy().astype(np.int64),
            bias_exponent=exponent,
        )

    def values(self, stored: net.Population) -> list[Values]:
        """Return every parameter before and after; ``stored`` holds the integers."""
        neuron, one = stored.neuron, float(self._formats.decay_one)
        assert isinstance(neuron, Lif)
        unit = {
            "threshold": (self.threshold, neuron.threshold, stored.scale),
            "current_decay": (self.lost_current, neuron.current_decay, one),
            "voltage_decay": (self.lost_voltage, neuron.voltage_decay, one),
            "bias": (self.bias, neuron.bias, STATE_ONE * stored.scale / 2.0**neuron.bias_exponent),
        }
        return [
            Values(stored.name, name, _numpy(floats), whole.astype(np.int64), whole / size)
            for name, (floats, whole, size) in unit.items()
        ]


def _numpy(parameter: Tensor) -> npt.NDArray[np.float64]:
    return parameter.detach().cpu().double().numpy()


def _aligned(original: npt.NDArray[Any]) -> Tensor:
    """Return a float64 tensor of one value where all are equal, else of all."""
    array = np.asarray(original, dtype=np.float64)
    if array.size and (array == array.flat[0]).all():
        array = array.reshape(-1)[0]
    return torch.tensor(array)
