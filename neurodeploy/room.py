"""What a run of a network takes in memory, and the refusal of what would not fit, before anything runs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from neurodeploy.events import EventInput
from neurodeploy.headroom import free_memory, require_memory
from neurodeploy.network import Network, stored_weights

_ADVICE = (
    "write it to disk while it runs (simulate --stream -o FILE; in Python neurodeploy.stream), "
    "or record fewer states, samples or steps"
)
#: Bytes that a neuron's state, sums and parameters take while it runs, and a weight in the tables that are made of it.
_NEURON, _WEIGHT = 48, 8


def recorded_bytes(network: Network, record: Collection[str]) -> int:
    """Return how many bytes one step of one sample takes in a recording."""
    cells = sum(p.size for p in network.populations)
    spike = 4 if any(p.neuron.graded for p in network.populations) else 1
    answering = sum(p.size for p in network.populations if p.name in network.readouts)
    states = cells * ("u" in record) + (cells if "v" in record else answering)
    return cells * spike + 4 * states


def working_bytes(network: Network) -> int:
    """Return about how many bytes a network takes beside its recording while it runs."""
    weights = sum(int(stored_weights(p.connection).size) for p in network.projections)
    return _WEIGHT * weights + _NEURON * sum(p.size for p in network.populations)


def require_room(network: Network, spikes: Mapping[str, Any], record: Collection[str], *, dense: bool) -> None:
    """Raise :class:`InputError` where network, recording or dense input would not fit into what memory is free.

    Parameters
    ----------
    spikes : port -> array [samples, steps, *shape], or events, which are made dense where ``dense`` is set.
    """
    samples, steps = next(iter(spikes.values())).shape[:2]
    require_memory("network", working_bytes(network), "split it, or use a machine with more memory")
    shapes = {port.name: port.shape for port in network.ports}
    made = (
        [math.prod(shapes[name]) for name, values in spikes.items() if isinstance(values, EventInput)] if dense else []
    )
    if made:
        subject = f"events as arrays of {samples:,} samples of {steps:,} steps"
        require_memory(subject, samples * steps * sum(made), "give fewer samples, or use the backend emulator")
    kept = ", ".join(sorted({"s", *record}))
    subject = f"recording of {samples:,} samples of {steps:,} steps ({kept})"
    require_memory(subject, samples * steps * recorded_bytes(network, record) + working_bytes(network), _ADVICE)


def should_stream(network: Network, extent: tuple[int, int], record: Collection[str]) -> bool:
    """Return whether a recording would take more than half of the memory that is free."""
    return 2 * extent[0] * extent[1] * recorded_bytes(network, record) > free_memory()
