"""What holds in every integer network, checked before one is run, mapped or written."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from itertools import chain

import numpy as np

from neurodeploy.errors import InputError
from neurodeploy.fixedpoint import DECAY_ONE, INPUT_LIMIT, THRESHOLD_MAX
from neurodeploy.network import Convolution, Network, Population, Projection

Finding = tuple[str, str, str]

#: Largest delay of a projection beyond its own step, and largest power of two of weights and biases.
_DELAY_MAX, _EXPONENT_MAX = 62, 24
#: Parameter of a neuron -> its smallest and largest value.
_RANGES = {
    "threshold": (0, THRESHOLD_MAX),
    "current_decay": (0, DECAY_ONE),
    "voltage_decay": (0, DECAY_ONE),
    "bias": (-(1 << 15), (1 << 15) - 1),
}

_VERIFIED: weakref.WeakSet[Network] = weakref.WeakSet()


def verify_network(network: Network) -> None:
    """Raise :class:`InputError` for the first thing in ``network`` that cannot be.

    A network and its arrays never change, so that each is looked through once: that can take longer than running it.
    """
    if network in _VERIFIED:
        return
    for subject, problem, advice in chain.from_iterable(rule(network) for rule in RULES):
        raise InputError(subject, problem, advice)
    network.order  # noqa: B018  # raises where projections without lag form a loop
    _VERIFIED.add(network)


def _names(network: Network) -> Iterator[Finding]:
    names = [*(port.name for port in network.ports), *(p.name for p in network.populations)]
    for name in {name for name in names if names.count(name) > 1}:
        yield f"population {name!r}", "the name is taken twice", "give every port and population its own name"
    if not network.ports or not network.populations:
        yield "network", "has no port or no population", "it needs at least one of each"
    populations = {p.name for p in network.populations}
    for name in network.outputs:
        if name not in populations:
            yield f"output {name!r}", "is no population", f"one of {', '.join(sorted(populations))}"
    if not network.outputs:
        yield "network", "has no output", "name at least one population"
    for projection in network.projections:
        for end, known in ((projection.source, set(names)), (projection.target, populations)):
            if end not in known:
                yield f"projection {projection.name!r}", f"ends at {end!r}, which does not exist", "name a population"


def _parameters(network: Network) -> Iterator[Finding]:
    for population in network.populations:
        for name, (low, high) in _RANGES.items():
            values = getattr(population.neuron, name)
            if not _broadcasts(values.shape, population.shape):
                found = f"{name} has shape {list(values.shape)}, the population {list(population.shape)}"
                yield f"population {population.name!r}", found, "give one value, or one a neuron"
            elif values.min() < low or values.max() > high:
                found = f"{name} is {values.min()} to {values.max()}, allowed are {low} to {high}"
                yield f"population {population.name!r}", found, "scale it into range"
        if abs(population.neuron.bias_exponent) > _EXPONENT_MAX:
            yield f"population {population.name!r}", f"bias exponent {population.neuron.bias_exponent}", "at most 24"


def _broadcasts(values: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(values, shape) == shape
    except ValueError:
        return False


def _shapes(network: Network) -> Iterator[Finding]:
    for projection in network.projections:
        subject = f"projection {projection.name!r}"
        source, target = network.by_name[projection.source], network.by_name[projection.target]
        connection = projection.connection
        if isinstance(connection, Convolution):
            yield from _convolution(subject, connection, source.shape, target.shape)
        elif connection.weight.shape != (found := (int(np.prod(target.shape)), int(np.prod(source.shape)))):
            yield subject, f"weight is {list(connection.weight.shape)}, its ends make {list(found)}", "transpose it?"


def _convolution(
    subject: str, connection: Convolution, source: tuple[int, ...], target: tuple[int, ...]
) -> Iterator[Finding]:
    weight = connection.weight
    positive = (*connection.stride, *connection.dilation, connection.groups)
    if weight.ndim != 4 or min(positive) < 1 or min(connection.padding) < 0 or len(source) != 3:
        yield subject, f"kernel {list(weight.shape)} on a source {list(source)}", "both need (channels, height, width)"
    elif weight.shape[1] * connection.groups != source[0] or weight.shape[0] % connection.groups:
        yield (
            subject,
            f"kernel {list(weight.shape)} in {connection.groups} groups on {source[0]} channels",
            "match them",
        )
    elif connection.output_shape(source) != target:
        yield subject, f"gives {list(connection.output_shape(source))}, its target is {list(target)}", "match them"


def _times(network: Network) -> Iterator[Finding]:
    for projection in network.projections:
        subject = f"projection {projection.name!r}"
        if not 0 <= projection.delay <= _DELAY_MAX:
            yield subject, f"delay {projection.delay}, allowed are 0 to {_DELAY_MAX}", "shorten it"
        if abs(projection.weight_exponent) > _EXPONENT_MAX:
            yield subject, f"weight exponent {projection.weight_exponent}", f"at most {_EXPONENT_MAX}"
        if network.lag(projection) < 0:
            yield subject, "arrives before it is sent: the latencies of its ends contradict its delay", "correct them"


def _sums(network: Network) -> Iterator[Finding]:
    for population in network.populations:
        largest = sum(_largest_sum(projection) for projection in _into(network, population))
        if largest > INPUT_LIMIT:
            found = f"its inputs can sum to {largest:,}, a 32-bit register holds {INPUT_LIMIT:,}"
            yield f"population {population.name!r}", found, "lower the weight exponent"


def _into(network: Network, population: Population) -> list[Projection]:
    return network.into(population.name)


def _largest_sum(projection: Projection) -> int:
    weight = np.abs(projection.connection.weight.astype(np.int64))
    return int(weight.reshape(len(weight), -1).sum(axis=1).max(initial=0)) << max(projection.weight_exponent, 0)


#: The rules, each yielding (object, problem, advice).
RULES: tuple[Callable[[Network], Iterator[Finding]], ...] = (_names, _parameters, _shapes, _times, _sums)
