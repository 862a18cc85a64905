"""Says where Lava's 32-bit arithmetic could differ from exact integers, and proves after a run that it did not.

Lava shifts what arrives at a neuron by six bits and adds it to ``u`` in 32-bit registers, and ``u`` is wrapped only
once: sums beyond 2^18 in every step can carry it further and further out. What a sigma-delta neuron sends has no bound
known beforehand. In both cases the run itself decides: the first overflow would need values that the recording shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import Unsupported
from neurodeploy.fixedpoint import STATE_LIMIT, STATE_SHIFT, shift
from neurodeploy.network import Convolution, Network, Population, Projection, largest_sum
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta
from neurodeploy.targets.emulator.golden import arriving

Tapes = Mapping[str, npt.NDArray[Any]]

_REGISTER_MAX = (1 << 31) - 1
#: Sums up to this keep ``u`` within one wrap of its range for ever.
_SAFE_SUM = 2 * STATE_LIMIT >> STATE_SHIFT


def payloads(network: Network, source: str, spikes: Tapes) -> tuple[int | None, bool]:
    """Return the largest size of what a source sends, None if not known before, and whether it is beyond 0 and 1."""
    if source in spikes:
        low, high = int(spikes[source].min()), int(spikes[source].max())
        return max(abs(low), abs(high), 1), low < 0 or high > 1
    part = network.by_name[source]
    assert isinstance(part, Population)
    return None if _sends_sums(part.neuron) else 1, part.neuron.graded


def _sends_sums(neuron: Neuron) -> bool:
    """Return whether no bound on what a neuron sends is known before a run."""
    return isinstance(neuron, SigmaDelta) or (isinstance(neuron, Lif) and neuron.bursts)


def watches(network: Network, spikes: Tapes) -> list[str]:
    """Return the populations whose ``u`` must be recorded to prove that no register overflowed."""
    lifs = (p for p in network.populations if isinstance(p.neuron, Lif))
    return [population.name for population in lifs if (_bound(network, population, spikes) or 1 << 31) > _SAFE_SUM]


def verify_ranges(network: Network, spikes: Tapes, kept: Mapping[str, Tapes]) -> None:
    """Raise :class:`Unsupported` where a run may have left Lava's registers; ``kept`` is quantity -> population."""
    sent = {**spikes, **kept["s"]}
    for projection in network.projections:
        source = network.by_name[projection.source]
        if isinstance(source, Population) and _sends_sums(source.neuron):
            _verify_sums(projection, sent[projection.source])
    for population in network.populations:
        reached, limit = max(_reaches(network, population, sent, kept)), _REGISTER_MAX
        if reached > limit:
            found = f"its state may have reached {reached:,}, Lava's registers hold {limit:,}"
            raise Unsupported(f"population {population.name!r}", found, "smaller weights, payloads or exponents")


def _verify_sums(projection: Projection, sent: npt.NDArray[Any]) -> None:
    """Check what a connection process added up: a convolution, and what delays one, holds 24 bits, others 32."""
    convolution = isinstance(projection.connection, Convolution)
    limit = STATE_LIMIT - 1 if convolution else _REGISTER_MAX
    largest = _size(sent)
    if convolution and projection.delay and largest > limit:
        found = f"payloads of {largest:,}, a delayed convolution of Lava holds {limit:,}"
        raise Unsupported(f"projection {projection.name!r}", found, "lower the exponents")
    if _scaled(projection) * largest > limit:
        sums = (_size(arriving(projection, sent[:, t])) for t in range(sent.shape[1]))
        if (reached := max(sums)) > limit:
            found = f"its sums reach {reached:,}, Lava's process holds {limit:,}"
            raise Unsupported(f"projection {projection.name!r}", found, "smaller weights or exponents")


def _reaches(network: Network, population: Population, sent: Tapes, kept: Mapping[str, Tapes]) -> Iterator[int]:
    """Yield bounds on the registers of a population in the run."""
    neuron = population.neuron
    yield 0
    if isinstance(neuron, SigmaDelta):
        return  # its registers wrap in the golden model too
    arrived = sum(_scaled(p) * _size(sent[p.source]) for p in network.into(population.name))
    if isinstance(neuron, Resonator):
        yield arrived << neuron.state_exponent
    elif arrived > _SAFE_SUM:
        u = _size(kept["u"][population.name])
        yield u + (arrived << STATE_SHIFT)
        yield u + STATE_LIMIT + _size(shift(neuron.bias.astype(np.int64), neuron.bias_exponent))


def _bound(network: Network, population: Population, spikes: Tapes) -> int | None:
    """Return the largest sum that can arrive in a step, None where a payload is not known."""
    total = 0
    for projection in network.into(population.name):
        payload, _ = payloads(network, projection.source, spikes)
        if payload is None:
            return None
        total += _scaled(projection) * payload
    return total


def _scaled(projection: Projection) -> int:
    return largest_sum(projection.connection) << max(projection.weight_exponent, 0)


def _size(values: npt.NDArray[Any]) -> int:
    """Return the largest absolute value."""
    return max(abs(int(values.min())), abs(int(values.max())))
