"""Counts of events times what a chip file says of each, with bounds."""

from __future__ import annotations

from collections.abc import Mapping

from neurodeploy.bounds import Bounds
from neurodeploy.counting import CORE_EVENTS
from neurodeploy.counts import CoreActivity
from neurodeploy.targets.chipfile import Number
from neurodeploy.tiling import Counts


def core_events(cores: CoreActivity, where: slice | Counts = slice(None)) -> dict[str, int]:
    """Return how often each event of a chip file happened on these cores."""
    events = {event: int(getattr(cores, name)[where].sum()) for name, event in CORE_EVENTS.items()}
    return events | {"neuron_idle": int(cores.neuron_updates[where].sum()) - events["neuron_active"]}


def weigh(events: Mapping[str, float], constants: Mapping[str, Number]) -> Bounds:
    """Return the sum over events of their count times their constant."""
    return sum((bounds_of(constants[name]) * float(count) for name, count in events.items()), Bounds())


def bounds_of(number: Number) -> Bounds:
    """Return a number of a chip file with its bounds."""
    return Bounds(number.low, number.value, number.high)
