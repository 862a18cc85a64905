"""Refuses payloads for which sums of the golden model, which are 64 bits wide, could overflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.events import EventInput
from neurodeploy.fixedpoint import REGISTER_MAX
from neurodeploy.network import Network, largest_sum
from neurodeploy.neurons import input_shift

#: Sums up to this leave room for the state that they are added to.
_LIMIT = 1 << 62


def loudest(values: npt.NDArray[Any]) -> int:
    """Return the largest size of any value."""
    return max(-int(values.min()), int(values.max())) if values.size else 0


def holds_wide(dtype: np.dtype[Any]) -> bool:
    """Return whether values of an integer type may exceed 32 bits."""
    return dtype.itemsize > 4 or dtype == np.uint32


def require_exact(network: Network, spikes: Mapping[str, Any]) -> None:
    """Raise :class:`InputError` where payloads from a port could make a sum beyond 64 bits.

    Payloads of 32 bits cannot: sums of weights are bounded so that those of payload 1 fit into 32 bits.
    """
    given = {name: values.payload if isinstance(values, EventInput) else values for name, values in spikes.items()}
    wide = {name: loudest(values) for name, values in given.items() if values is not None and holds_wide(values.dtype)}
    if max(wide.values(), default=0) <= REGISTER_MAX:
        return
    for population in network.populations:
        paths = [p for p in network.into(population.name) if wide.get(p.source, 0) > REGISTER_MAX]
        for path in paths:
            largest = largest_sum(path.connection) << max(path.weight_exponent, 0)
            reach = (wide[path.source] * largest * len(paths)) << input_shift(population.neuron)
            if reach > _LIMIT:
                found = (
                    f"a payload of {wide[path.source]:.10g} could carry population {population.name!r} to {reach:.10g}"
                )
                raise InputError(f"input {path.source!r}", f"{found}, sums hold {_LIMIT:.10g}", "scale payloads down")
