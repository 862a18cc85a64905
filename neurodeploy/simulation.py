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
from neurodeploy.graph import Graph, Input
from neurodeploy.network import Network, Shape
from neurodeploy.recording import Recording
from neurodeploy.verify_network import verify_network

Spikes = npt.NDArray[Any]
Runner = Callable[[Any, Mapping[str, Spikes], Collection[str]], Recording]

QUANTITIES = ("s", "u", "v")


def _emulator() -> Runner:
    from neurodeploy.targets.emulator.run import run

    return run


def _cuda() -> Runner:
    from neurodeploy.targets.emulator.cuda.run import run

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

#: Device -> what loads the runner of the backend "emulator" there.
DEVICES: dict[str, Callable[[], Runner]] = {"cpu": _emulator, "cuda": _cuda}


def simulate(
    network: Network | Graph,
    spikes: Spikes | Mapping[str, Spikes],
    backend: str = "emulator",
    record: Collection[str] = ("s",),
    device: str = "cpu",
) -> Recording:
    """Simulate ``network`` on ``spikes`` and return what was recorded.

    Parameters
    ----------
    network : an integer Network, or for the backend "float" a Graph.
    spikes : integer [samples, steps, *shape]; a mapping port -> array where there are several ports.
    backend : a key of :data:`BACKENDS`. All integer backends agree bit for bit.
    record : any of "s", "u", "v"; spikes are always recorded.
    device : a key of :data:`DEVICES`, for the backend "emulator"; the others run on the CPU.

    Raises
    ------
    UsageError : unknown backend, device or quantity, or a backend that does not execute this value, or not there.
    BackendMissing : the backend is not installed, or the device not there.
    InputError : spikes that do not fit the ports, hold NaN, fractions or nothing.
    """
    if backend not in BACKENDS:
        raise UsageError("--backend", f"{backend!r} is none", f"one of {', '.join(BACKENDS)}")
    if unknown := set(record) - set(QUANTITIES):
        raise UsageError("--record", f"{sorted(unknown)} cannot be recorded", f"any of {', '.join(QUANTITIES)}")
    load, executes = BACKENDS[backend]
    if device not in DEVICES:
        raise UsageError("--device", f"{device!r} is none", f"one of {', '.join(DEVICES)}")
    if device != "cpu" and load is not _emulator:
        raise UsageError("--device", f"the backend {backend} runs on the CPU alone", "use the backend emulator")
    if load is _emulator:
        load = DEVICES[device]
    if not isinstance(network, executes):
        found, way = ("a float graph", "quantize it first") if executes is Network else ("an integer network", "")
        raise UsageError(f"backend {backend}", f"does not run {found}", way or "give the float .nir it was made from")
    checked = check_spikes(ports(network), spikes)
    if isinstance(network, Network):
        verify_network(network)
    return load()(network, checked, tuple(record))


def ports(network: Network | Graph) -> dict[str, Shape]:
    """Return port name -> shape of one step."""
    if isinstance(network, Network):
        return {port.name: port.shape for port in network.ports}
    return {name: node.shape for name, node in network.nodes.items() if isinstance(node, Input)}


def check_spikes(shapes: Mapping[str, Shape], spikes: Spikes | Mapping[str, Spikes]) -> dict[str, Spikes]:
    """Return the spikes by port, with every array an integer [samples, steps, *shape of the port]."""
    given = {"": spikes} if not isinstance(spikes, Mapping) else dict(spikes)
    if set(given) == {""} and len(shapes) == 1:
        given = {next(iter(shapes)): given[""]}
    if set(given) != set(shapes):
        raise InputError(
            "input spikes", f"given for {_names(given)}, the network's ports are {_names(shapes)}", "name them alike"
        )
    checked = {name: _check_port(name, shape, np.asarray(given[name])) for name, shape in shapes.items()}
    if len({values.shape[:2] for values in checked.values()}) > 1:
        found = {name: values.shape[:2] for name, values in checked.items()}
        raise InputError("input spikes", f"ports differ in (samples, steps): {found}", "give all the same extent")
    return checked


def _names(values: Collection[str]) -> str:
    return ", ".join(name or "'spikes'" for name in values)


def _check_port(name: str, shape: Shape, values: Spikes) -> Spikes:
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
