"""What holds in every integer network, checked before one is run, mapped or written."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator
from itertools import chain
from numbers import Integral

import numpy as np

from neurodeploy.errors import InputError
from neurodeploy.fixedpoint import DECAY_ONE, REGISTER_MAX, STATE_BITS, STATE_LIMIT, STATE_SHIFT, THRESHOLD_MAX
from neurodeploy.network import Convolution, Network, Population, Sparse, largest_sum, stored_weights
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta, input_limit

Finding = tuple[str, str, str]

#: Largest delay of a projection beyond its own step, and largest power of two of weights and biases.
_DELAY_MAX, _EXPONENT_MAX = 62, 24
#: Most bits of a weight: those of the register that it is added to.
_WEIGHT_BITS_MAX = 32
#: Most steps that a neuron may be refractory, and most binary places of a resonator's factors.
_REFRACTORY_MAX, _DECAY_BITS_MAX = 1 << 15, 16
#: Model -> parameter -> its smallest and largest value.
_RANGES: dict[type[Neuron], dict[str, tuple[int, int]]] = {
    Lif: {
        "threshold": (0, THRESHOLD_MAX),
        "current_decay": (0, DECAY_ONE),
        "voltage_decay": (0, DECAY_ONE),
        "bias": (-(1 << 15), (1 << 15) - 1),
        "lower_threshold": (-THRESHOLD_MAX, THRESHOLD_MAX),
        "lowest": (-THRESHOLD_MAX, 0),
        "bias_exponent": (-_EXPONENT_MAX, _EXPONENT_MAX),
        "refractory": (0, _REFRACTORY_MAX),
        "state_bits": (STATE_SHIFT + 2, STATE_BITS),
    },
    SigmaDelta: {
        "threshold": (0, REGISTER_MAX),
        "bias": (-REGISTER_MAX, REGISTER_MAX),
        "spike_exponent": (0, _EXPONENT_MAX),
        "state_exponent": (0, _EXPONENT_MAX),
    },
    Resonator: {
        "threshold": (1 - STATE_LIMIT, STATE_LIMIT - 1),
        "sine": (-(1 << _DECAY_BITS_MAX), 1 << _DECAY_BITS_MAX),
        "cosine": (-(1 << _DECAY_BITS_MAX), 1 << _DECAY_BITS_MAX),
        "decay_bits": (0, _DECAY_BITS_MAX),
        "state_exponent": (0, _EXPONENT_MAX),
    },
}
#: Model -> what its words must be.
_WORDS: dict[type[Neuron], dict[str, tuple[str, ...]]] = {
    Lif: {"reset": ("zero", "subtract", "burst")},
    SigmaDelta: {"stage": ("delta", "sigma", "sigma-delta"), "activation": ("unit", "relu")},
    Resonator: {"kind": ("phase", "izhikevich")},
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


def _kinds(network: Network) -> Iterator[Finding]:
    """Check that what counts is whole, and what measures is a number."""
    counts: list[tuple[str, str, object]] = [
        ("network", name, getattr(network, name)) for name in ("reset_interval", "reset_offset")
    ]
    for name, part in network.by_name.items():
        subject = f"population {name!r}"
        counts += [(subject, "an extent", extent) for extent in part.shape]
        if any(isinstance(extent, Integral) and extent < 1 for extent in part.shape):
            yield subject, f"has the shape {list(part.shape)}", "every extent is at least 1"
    for population in network.populations:
        subject, neuron = f"population {population.name!r}", population.neuron
        named = {name: getattr(neuron, name) for name in _RANGES[type(neuron)] if name not in neuron.parameters}
        counts += [(subject, name, value) for name, value in {**named, "latency": population.latency}.items()]
    for projection in network.projections:
        subject = f"projection {projection.name!r}"
        counts += [(subject, name, getattr(projection, name)) for name in ("delay", "weight_exponent", "weight_bits")]
        if isinstance(connection := projection.connection, Convolution):
            geometry = (*connection.stride, *connection.padding, *connection.dilation, connection.groups)
            counts += [(subject, "stride, padding, dilation or groups", value) for value in geometry]
    for subject, name, value in counts:
        if not isinstance(value, Integral):
            yield subject, f"{name} is {value!r}", "give a whole number"
    scales = [(f"population {p.name!r}", "scale", p.scale) for p in network.populations]
    for subject, name, number in [("network", "dt", network.dt), *scales]:
        if not (math.isfinite(number) and number > 0):
            yield subject, f"{name} is {number}", "give a positive number"


def _parameters(network: Network) -> Iterator[Finding]:
    for population in network.populations:
        subject, neuron = f"population {population.name!r}", population.neuron
        for name, words in _WORDS[type(neuron)].items():
            if getattr(neuron, name) not in words:
                yield subject, f"{name} is {getattr(neuron, name)!r}", f"one of {', '.join(words)}"
        for name, (low, high) in _RANGES[type(neuron)].items():
            if (value := getattr(neuron, name)) is None:
                continue
            values = np.asarray(value)
            if not _broadcasts(values.shape, population.shape):
                found = f"{name} has shape {list(values.shape)}, the population {list(population.shape)}"
                yield subject, found, "give one value, or one a neuron"
            elif values.min() < low or values.max() > high:
                found = f"{name} is {values.min()} to {values.max()}, allowed are {low} to {high}"
                yield subject, found, "scale it into range"


def _together(network: Network) -> Iterator[Finding]:
    """Check what parameters have to be to each other."""
    for population in network.populations:
        subject, neuron = f"population {population.name!r}", population.neuron
        if isinstance(neuron, Lif) and neuron.lower_threshold is not None:
            if (neuron.lower_threshold > neuron.threshold).any():
                yield subject, "a lower threshold is above the upper one", "swap them"
            elif not neuron.spiking:
                yield subject, "has a lower threshold and never fires", "leave the lower threshold out"
        if isinstance(neuron, Lif):
            yield from ((subject, problem, advice) for problem, advice in _registers(neuron))
        if isinstance(neuron, SigmaDelta):
            for name in ("threshold", "bias"):
                largest = int(np.abs(getattr(neuron, name).astype(np.int64)).max())
                if largest << (neuron.spike_exponent + neuron.state_exponent) > REGISTER_MAX:
                    found = f"{name} {largest} times 2^{neuron.spike_exponent + neuron.state_exponent}"
                    yield subject, f"{found} exceeds a 32-bit register", "lower an exponent"
    if network.reset_interval < 0:
        yield "network", f"reset interval {network.reset_interval}, the least is 1", "give 0 for no resets"


def _registers(neuron: Lif) -> Iterator[tuple[str, str]]:
    """Check what goes with bursts, and with narrow registers."""
    if (reached := int(neuron.threshold.max()) << STATE_SHIFT) >= neuron.state_limit:
        yield f"threshold {reached >> STATE_SHIFT} is beyond a membrane of {neuron.state_bits} bits", "scale it down"
    if not neuron.bursts:
        if neuron.lowest is not None:
            yield f"has a lowest membrane and the reset {neuron.reset!r}", "only bursting neurons have one"
    elif not neuron.spiking or neuron.lower_threshold is not None:
        yield "bursts and is ternary or never fires", "give it a reset to zero or by subtraction"
    elif (neuron.threshold < 1).any():
        yield "bursts at a threshold of 0, which fits into any membrane without end", "at least 1"


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
        ends = (int(np.prod(target.shape)), int(np.prod(source.shape)))
        if isinstance(connection, Convolution):
            yield from _convolution(subject, connection, source.shape, target.shape)
        elif isinstance(connection, Sparse):
            yield from _sparse(subject, connection, ends)
        elif connection.weight.shape != ends:
            yield subject, f"weight is {list(connection.weight.shape)}, its ends make {list(ends)}", "transpose it?"
        if projection.imaginary and isinstance(target, Population) and target.neuron.inputs < 2:
            yield subject, f"drives the imaginary part of {target.name!r}, which has none", "target a resonator"


def _sparse(subject: str, connection: Sparse, ends: tuple[int, int]) -> Iterator[Finding]:
    """Check compressed rows; what follows the first finding may have no meaning."""
    indptr, indices, data = connection.indptr, connection.indices, connection.data
    if tuple(connection.shape) != ends:
        yield subject, f"weight is {list(connection.shape)}, its ends make {list(ends)}", "transpose it?"
    elif indptr.shape != (ends[0] + 1,) or indices.ndim != 1 or indices.shape != data.shape:
        yield subject, f"indptr {indptr.shape}, indices {indices.shape}, data {data.shape} are no compressed rows", ""
    elif indptr[0] != 0 or indptr[-1] != len(data) or (np.diff(indptr) < 0).any():
        yield subject, f"indptr does not rise from 0 to the {len(data)} synapses", "give compressed rows"
    elif len(indices) and not (indices.min() >= 0 and indices.max() < ends[1]):
        yield subject, f"indices are {indices.min()} to {indices.max()}, its source has {ends[1]} cells", "correct them"
    elif (np.diff(connection.rows * ends[1] + indices) <= 0).any():
        yield subject, "indices do not rise within a row", "sort them and join synapses between the same two neurons"


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


def _formats(network: Network) -> Iterator[Finding]:
    """Check weights of a network made for a chip against the bits that they take there.

    Those of one sign need no bit for it, and those that are multiples of a number none for what it divides out: of
    -256, -224 .. 224, four bits tell all apart.
    """
    if not network.target:
        return
    for projection in network.projections:
        subject, bits = f"projection {projection.name!r}", projection.weight_bits
        if not 1 <= bits <= _WEIGHT_BITS_MAX:
            yield subject, f"weight_bits is {bits}, allowed are 1 to {_WEIGHT_BITS_MAX}", "give what a synapse takes"
            continue
        weights, limit = stored_weights(projection.connection), 1 << bits
        unit = max(int(np.gcd.reduce(weights, axis=None)), 1) if weights.size else 1
        if weights.size and not (weights.min() >= -limit * unit and weights.max() < limit * unit):
            found = f"weights are {weights.min()} to {weights.max()} in steps of {unit}, {bits} bits hold "
            found += f"{-limit * unit} to {(limit - 1) * unit}"
            yield subject, found, "scale them, or declare more weight_bits"


def _times(network: Network) -> Iterator[Finding]:
    for population in network.populations:
        if population.latency < 0:
            yield f"population {population.name!r}", f"latency {population.latency}, the least is 0", "correct it"
    for projection in network.projections:
        subject = f"projection {projection.name!r}"
        if not 0 <= projection.delay <= _DELAY_MAX:
            yield subject, f"delay {projection.delay}, allowed are 0 to {_DELAY_MAX}", "shorten it"
        if abs(projection.weight_exponent) > _EXPONENT_MAX:
            found = f"weight exponent {projection.weight_exponent}, allowed are {-_EXPONENT_MAX} to {_EXPONENT_MAX}"
            yield subject, found, "scale the weights instead"
        if network.lag(projection) < 0:
            yield subject, "arrives before it is sent: the latencies of its ends contradict its delay", "correct them"


def _sums(network: Network) -> Iterator[Finding]:
    for population in network.populations:
        paths = network.into(population.name)
        largest = sum(largest_sum(p.connection) << max(p.weight_exponent, 0) for p in paths)
        if largest > (limit := input_limit(population.neuron)):
            found = f"its inputs can sum to {largest:,}, a 32-bit register holds {limit:,}"
            yield f"population {population.name!r}", found, "lower the weight exponent"


#: The rules, each yielding (object, problem, advice).
RULES: tuple[Callable[[Network], Iterator[Finding]], ...] = (
    _names,
    _kinds,
    _parameters,
    _together,
    _shapes,
    _formats,
    _times,
    _sums,
)
