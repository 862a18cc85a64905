"""Run a network: one function, whichever backend executes it.

Bad input is refused before anything runs. Every backend is given the same arrays and answers with the same
:class:`~neurodeploy.recording.Recording`, so that :mod:`neurodeploy.comparison` can hold any two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError, UsageError
from neurodeploy.events import Densified, EventInput, check_events
from neurodeploy.graph import Graph, Input
from neurodeploy.network import Network, Shape
from neurodeploy.recording import Recording
from neurodeploy.verify_network import verify_network

Spikes = npt.NDArray[Any]
Runner = Callable[[Any, Mapping[str, Any], Collection[str]], Recording]

QUANTITIES = ("s", "u", "v")
#: Backends that take events as they are; for the others they are made dense.
_TAKE_EVENTS = frozenset({"emulator"})


def _emulator() -> Runner:
    from neurodeploy.targets.emulator.run import run

    return run


def _golden() -> Runner:
    from neurodeploy.targets.emulator.golden import run

    return run


def _lava() -> Runner:
    from neurodeploy.targets.lava import run

    return run


def _float() -> Runner:
    from neurodeploy.targets.reference.record import record_run

    return record_run


#: Backend -> what loads its runner, and the value it executes. Loading is late: torch, numba and Lava are not for all.
BACKENDS: dict[str, tuple[Callable[[], Runner], type[Network] | type[Graph]]] = {
    "emulator": (_emulator, Network),
    "golden": (_golden, Network),
    "lava": (_lava, Network),
    "float": (_float, Graph),
}


def simulate(
    network: Network | Graph,
    spikes: Spikes | EventInput | Mapping[str, Spikes | EventInput],
    backend: str = "emulator",
    record: Collection[str] = ("s",),
) -> Recording:
    """Simulate ``network`` on ``spikes`` and return what was recorded.

    Parameters
    ----------
    network : an integer Network, or for the backend "float" a Graph.
    spikes : integer [samples, steps, *shape], or the same as :class:`~neurodeploy.events.EventInput`; a mapping from
        ports to either where there are several ports.
    backend : a key of :data:`BACKENDS`. All integer backends agree bit for bit.
    record : any of "s", "u", "v"; spikes are always recorded.

    Raises
    ------
    UsageError : unknown backend or quantity, or a backend that does not execute this value.
    InputError : spikes that do not fit the ports, hold NaN, fractions or nothing.
    """
    if backend not in BACKENDS:
        raise UsageError("--backend", f"{backend!r} is none", f"one of {', '.join(BACKENDS)}")
    if unknown := set(record) - set(QUANTITIES):
        raise UsageError("--record", f"{sorted(unknown)} cannot be recorded", f"any of {', '.join(QUANTITIES)}")
    load, executes = BACKENDS[backend]
    if not isinstance(network, executes):
        found, way = ("a float graph", "quantize it first") if executes is Network else ("an integer network", "")
        raise UsageError(f"backend {backend}", f"does not run {found}", way or "give the float .nir it was made from")
    checked: Mapping[str, Spikes | EventInput] = check_spikes(ports(network), spikes)
    if backend not in _TAKE_EVENTS:
        checked = Densified(checked, ports(network))
    if isinstance(network, Network):
        verify_network(network)
    return load()(network, checked, tuple(record))


def ports(network: Network | Graph) -> dict[str, Shape]:
    """Return port name -> shape of one step."""
    if isinstance(network, Network):
        return {port.name: port.shape for port in network.ports}
    return {name: node.shape for name, node in network.nodes.items() if isinstance(node, Input)}


def check_spikes(
    shapes: Mapping[str, Shape], spikes: Spikes | EventInput | Mapping[str, Spikes | EventInput]
) -> dict[str, Spikes | EventInput]:
    """Return the spikes by port: events, or an integer array [samples, steps, *shape of the port]."""
    given = {"": spikes} if not isinstance(spikes, Mapping) else dict(spikes)
    if set(given) == {""} and len(shapes) == 1:
        given = {next(iter(shapes)): given[""]}
    if set(given) != set(shapes):
        raise InputError(
            "input spikes", f"given for {_names(given)}, the network's ports are {_names(shapes)}", "name them alike"
        )
    checked = {name: _check_port(name, shape, given[name]) for name, shape in shapes.items()}
    if len({values.shape[:2] for values in checked.values()}) > 1:
        found = {name: values.shape[:2] for name, values in checked.items()}
        raise InputError("input spikes", f"ports differ in (samples, steps): {found}", "give all the same extent")
    return checked


def _names(values: Collection[str]) -> str:
    return ", ".join(name or "'spikes'" for name in values)


def _check_port(name: str, shape: Shape, values: Spikes | EventInput) -> Spikes | EventInput:
    if isinstance(values, EventInput):
        return check_events(name, shape, values)
    values = np.asarray(values)
    if values.shape[2:] != shape or values.ndim != 2 + len(shape) or 0 in values.shape:
        expected = f"[samples, steps, {', '.join(map(str, shape))}]"
        raise InputError(f"input {name!r}", f"is {list(values.shape)}, the network takes {expected}", "reshape it")
    if values.dtype == np.bool_:
        return values.view(np.uint8)
    if np.issubdtype(values.dtype, np.floating):
        if not np.isfinite(values).all():
            raise InputError(f"input {name!r}", "holds NaN or infinity", "give whole numbers")
        if (values != np.trunc(values)).any():
            raise InputError(f"input {name!r}", "holds fractions", "give whole numbers, spikes are 0 and 1")
        return values.astype(np.int64)
    if not np.issubdtype(values.dtype, np.integer):
        raise InputError(f"input {name!r}", f"is of type {values.dtype}", "give whole numbers, spikes are 0 and 1")
    return values
