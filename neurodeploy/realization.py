"""One population in integers: what a plan of bits, clipping, rounding and scales makes of its float values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from neurodeploy.audit import Values
from neurodeploy.clipping import Clipping, population_scaling
from neurodeploy.connections import connection
from neurodeploy.errors import Unsupported
from neurodeploy.fixedpoint import IntArray
from neurodeploy.graph import Convolution, Linear
from neurodeploy.membrane import FloatPopulation
from neurodeploy.moments import Moments
from neurodeploy.network import Connection, stored_weights
from neurodeploy.neurons import Lif, Reset
from neurodeploy.rounding import round_adaptively
from neurodeploy.scaling import (
    Floats,
    Ints,
    Scaling,
    grid,
    round_bias,
    round_decay,
    round_threshold,
    round_to_grid,
    round_weights,
    sign_mode,
)
from neurodeploy.targets.chip import Formats
from neurodeploy.widths import narrowed

Rounding = Literal["nearest", "adaptive"]


@dataclass(frozen=True)
class Plan:
    """How one population is quantized.

    Attributes
    ----------
    bits : width of its weights.
    groups : how many different scales its output channels may have.
    headroom : how many times its scale is halved, to keep its registers in their range.
    """

    bits: int
    clipping: Clipping = "mse"
    rounding: Rounding = "nearest"
    groups: int = 1
    headroom: int = 0


@dataclass(frozen=True, eq=False)
class Realization:
    """A population in integers: its neuron, a connection and weights a path, every value before and after."""

    population: FloatPopulation
    plan: Plan
    scaling: Scaling
    neuron: Lif
    connections: tuple[Connection, ...]
    weights: tuple[IntArray, ...]
    values: tuple[Values, ...]


def realize(
    population: FloatPopulation, plan: Plan, formats: Formats, moments: Mapping[str, Moments] | None = None
) -> Realization:
    """Return a population in integers.

    Parameters
    ----------
    formats : of the chip, with its widest weights.
    moments : projection -> moments of its sources, for adaptive rounding.

    Raises
    ------
    Unsupported : the weights have no value of a sign that they need.
    """
    formats = narrowed(formats, plan.bits)
    _require_signs(population, formats)
    groups = plan.groups if population.spiking else 1
    scaling = population_scaling(population, formats, plan.clipping, plan.headroom, groups)
    connections: list[Connection] = []
    weights: list[IntArray] = []
    for path, integer in zip(population.paths, _rounded(population, scaling, formats, plan, moments), strict=True):
        connections.append(connection(path.node, integer))
        stored = stored_weights(connections[-1])
        weights.append(stored if stored.shape == integer.shape else integer)  # a kernel may have been padded
    neuron, values = _neuron(population, scaling, formats)
    for place, (path, kept) in enumerate(zip(population.paths, weights, strict=True)):
        before = partial(population.weights.__getitem__, place)  # computed when asked for, and not kept in float64
        after = partial(np.divide, kept, scaling.of_weights(kept))
        values.append(Values(population.name, f"weight {path.name}", before, kept, after))
    return Realization(population, plan, scaling, neuron, tuple(connections), tuple(weights), tuple(values))


def with_headroom(plan: Plan) -> Plan:
    """Return the plan with its scale halved once more."""
    return replace(plan, headroom=plan.headroom + 1)


def _paths(population: FloatPopulation):  # type: ignore[no-untyped-def]
    return zip(population.paths, population.weights, strict=True)


def _require_signs(population: FloatPopulation, formats: Formats) -> None:
    for path, weight in _paths(population):
        low, high, _ = grid(sign_mode(weight), formats)
        if (high <= 0 and (weight > 0).any()) or (low >= 0 and (weight < 0).any()):
            problem = f"has weights of both signs, those of {formats.weight_bits} bits are {low} or {high}"
            raise Unsupported(f"projection {path.name!r}", problem, "take one bit more")


def _rounded(
    population: FloatPopulation,
    scaling: Scaling,
    formats: Formats,
    plan: Plan,
    moments: Mapping[str, Moments] | None,
) -> list[Ints]:
    """Return the integers of every path.

    Where a path takes back, a step later, what another has added, it has that one's integers with the sign turned:
    however they were rounded, an input that stands still cancels.
    """
    found: list[Ints] = []
    twins = _twins(population)
    for place, (path, weight) in enumerate(_paths(population)):
        other = twins.get(place)
        integer = None if other is None else -found[other]
        if integer is None or not np.array_equal(_on_grid(integer, weight, formats), integer):
            integer = _integers(path.name, weight, scaling, formats, plan, moments)
        if place in twins.values():
            integer = -_on_grid(-integer, -weight, formats)  # what its twin can hold as well
        found.append(integer)
    return found


def _on_grid(integer: Ints, weight: Floats, formats: Formats) -> Ints:
    """Return integers rounded to the grid that the signs of ``weight`` allow."""
    return round_to_grid(integer.astype(np.float64), grid(sign_mode(weight), formats)).astype(np.int64)


def _twins(population: FloatPopulation) -> dict[int, int]:
    """Return, for the place of a path with weights -W that acts a step late, that of an earlier one with W."""
    found: dict[int, int] = {}
    for place, path in enumerate(population.paths):
        for other, before in enumerate(population.paths[:place]):
            if path.lag == before.lag or not _same_geometry(path.node, before.node) or other in found:
                continue
            if other not in found.values() and np.array_equal(population.weights[place], -population.weights[other]):
                found[place] = other
                break
    return found


def _same_geometry(one: Linear | Convolution, other: Linear | Convolution) -> bool:
    if isinstance(one, Convolution) and isinstance(other, Convolution):
        facts = [(node.stride, node.padding, node.dilation, node.groups, node.weight.shape) for node in (one, other)]
        return facts[0] == facts[1]
    return type(one) is type(other) and one.weight.shape == other.weight.shape


def _integers(
    name: str, weight: Floats, scaling: Scaling, formats: Formats, plan: Plan, moments: Mapping[str, Moments] | None
) -> Ints:
    scale = scaling.of_weights(weight)
    if plan.rounding == "nearest" or moments is None:
        return round_weights(weight, scale, formats)
    return round_adaptively(weight * scale, moments[name], grid(sign_mode(weight), formats)).astype(np.int64)


def _neuron(population: FloatPopulation, scaling: Scaling, formats: Formats) -> tuple[Lif, list[Values]]:
    step, scale = population.step, scaling.of_neurons(population.shape)
    threshold = round_threshold(population.threshold, scale, strict=step.semantics.fire != ">=")
    bursts = population.spiking and step.semantics.fire == "floor-multi"
    if bursts:
        threshold = np.maximum(threshold, 1)  # one of 0 fits into any membrane without end
    kept_current = np.zeros(()) if step.beta is None else step.beta
    current_decay, voltage_decay = round_decay(kept_current, formats), round_decay(step.alpha, formats)
    bias, exponent = round_bias(population.bias, scale, formats)
    neuron = Lif(
        threshold=compact(threshold),
        current_decay=compact(current_decay),
        voltage_decay=compact(voltage_decay),
        bias=compact(bias),
        bias_exponent=exponent,
        reset=_reset(population, bursts=bursts),
        spiking=population.spiking,
        lowest=-compact(threshold) if bursts and step.v_floor is not None else None,
    )
    name = population.name
    return neuron, [
        Values(name, "threshold", population.threshold, threshold, threshold / scale),
        Values(name, "current_decay", 1 - kept_current, current_decay, current_decay / formats.decay_one),
        Values(name, "voltage_decay", 1 - step.alpha, voltage_decay, voltage_decay / formats.decay_one),
        Values(name, "bias", population.bias, bias, np.asarray(bias * 2.0**exponent / (64 * scale))),
    ]


def _reset(population: FloatPopulation, *, bursts: bool) -> Reset:
    """Return how a chip's neuron comes down from a spike."""
    if bursts:
        return "burst"
    return "subtract" if population.spiking and population.step.semantics.reset == "subtract" else "zero"


def compact(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return one number where all are equal, one a channel where each channel's are, else the array."""
    if (values == values.flat[0]).all():
        return np.array(values.flat[0])
    first = values.reshape(len(values), -1)[:, :1]
    if values.ndim > 1 and (values.reshape(len(values), -1) == first).all():
        return first.reshape(-1, *([1] * (values.ndim - 1)))
    return values
