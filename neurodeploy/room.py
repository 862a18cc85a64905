"""What a run of a network takes in memory, and the refusal of what would not fit, before anything runs."""

from __future__ import annotations

import math
import weakref
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from neurodeploy.events import EventInput
from neurodeploy.headroom import ALWAYS, free_memory, require_memory
from neurodeploy.network import Network, Shape, stored_weights

_ADVICE = (
    "write it to disk while it runs (simulate --stream -o FILE; in Python neurodeploy.stream), "
    "or record fewer states, samples or steps"
)
#: Bytes that a neuron's state, sums and parameters take while it runs, and a weight in the tables that are made of it.
_NEURON, _WEIGHT = 48, 8


class _Account(NamedTuple):
    """What of a network decides how much memory it takes: its cells, those of read-outs, weights, bytes of a spike."""

    cells: int
    answering: int
    weights: int
    spike: int


_ACCOUNTS: weakref.WeakKeyDictionary[Network, _Account] = weakref.WeakKeyDictionary()


def _account(network: Network) -> _Account:
    """Return the account of a network, made once: a short run takes no longer than this."""
    found = _ACCOUNTS.get(network)
    if found is None:
        found = _ACCOUNTS[network] = _Account(
            cells=sum(p.size for p in network.populations),
            answering=sum(p.size for p in network.populations if p.name in network.readouts),
            weights=sum(int(stored_weights(p.connection).size) for p in network.projections),
            spike=4 if any(p.neuron.graded for p in network.populations) else 1,
        )
    return found


def recorded_bytes(network: Network, record: Collection[str]) -> int:
    """Return how many bytes one step of one sample takes in a recording."""
    its = _account(network)
    states = its.cells * ("u" in record) + (its.cells if "v" in record else its.answering)
    return its.cells * its.spike + 4 * states


def working_bytes(network: Network) -> int:
    """Return about how many bytes a network takes beside its recording while it runs."""
    its = _account(network)
    return _WEIGHT * its.weights + _NEURON * its.cells


def always_fit(network: Network) -> int:
    """Return how many steps of all samples together, of which spikes are recorded, surely fit into memory."""
    return (ALWAYS - working_bytes(network)) // recorded_bytes(network, ("s",))


def require_room(network: Network, spikes: Mapping[str, Any], record: Collection[str], *, dense: bool) -> None:
    """Raise :class:`InputError` where network, recording or dense input would not fit into what memory is free.

    Parameters
    ----------
    spikes : port -> array [samples, steps, *shape], or events, which are made dense where ``dense`` is set.
    """
    samples, steps = next(iter(spikes.values())).shape[:2]
    working = working_bytes(network)
    require_memory("network", working, "split it, or use a machine with more memory")
    if dense:
        require_dense_room({port.name: port.shape for port in network.ports}, spikes)
    kept = ", ".join(sorted({"s", *record}))
    subject = f"recording of {samples:,} samples of {steps:,} steps ({kept})"
    require_memory(subject, samples * steps * recorded_bytes(network, record) + working, _ADVICE)


def require_dense_room(shapes: Mapping[str, Shape], spikes: Mapping[str, Any]) -> None:
    """Raise :class:`InputError` where those of the inputs that are events would not fit as arrays.

    Parameters
    ----------
    shapes : port -> shape of one step.
    """
    samples, steps = next(iter(spikes.values())).shape[:2]
    if made := [math.prod(shapes[name]) for name, values in spikes.items() if isinstance(values, EventInput)]:
        subject = f"events as arrays of {samples:,} samples of {steps:,} steps"
        require_memory(subject, samples * steps * sum(made), "give fewer samples, or use the backend emulator")


def should_stream(network: Network, extent: tuple[int, int], record: Collection[str]) -> bool:
    """Return whether a recording would take more than half of the memory that is free."""
    return 2 * extent[0] * extent[1] * recorded_bytes(network, record) > free_memory()
