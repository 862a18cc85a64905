"""Run a network: one function, whichever backend executes it.

Bad input is refused before anything runs. Every backend is given the same arrays and answers with the same
:class:`~neurodeploy.recording.Recording`, so that :mod:`neurodeploy.comparison` can hold any two against each other.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError, UsageError
from neurodeploy.events import Densified, EventInput, check_events, unusual_numbers
from neurodeploy.exactness import loudest, require_exact
from neurodeploy.graph import Graph, Input
from neurodeploy.network import Network, Shape
from neurodeploy.netxfile import NetxFile, host_driven
from neurodeploy.recording import Recording
from neurodeploy.room import always_fit, require_dense_room, require_room
from neurodeploy.state_width import narrow_populations, run_narrow
from neurodeploy.verify_network import verify_network

Spikes = npt.NDArray[Any]
Simulated = Network | Graph | NetxFile
Runner = Callable[[Any, Mapping[str, Any], Collection[str]], Recording]

_LARGEST = (1 << 63) - 1024  # the largest float below 2^63
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


def _netx() -> Runner:
    from neurodeploy.targets.lava.netx_run import run

    return run


def _onnx() -> Runner:
    from neurodeploy.targets.onnxruntime import run

    return run


def _float() -> Runner:
    from neurodeploy.targets.reference.record import record_run

    return record_run


#: Backend -> what loads its runner, and the value it executes. Loading is late: torch, numba and Lava are not for all.
BACKENDS: dict[str, tuple[Callable[[], Runner], type[Simulated]]] = {
    "emulator": (_emulator, Network),
    "golden": (_golden, Network),
    "lava": (_lava, Network),
    "netx": (_netx, NetxFile),
    "onnx": (_onnx, Network),
    "float": (_float, Graph),
}

#: Value a backend executes -> what it is called, and how a user comes to one.
_VALUES: dict[type[Simulated], tuple[str, str]] = {
    Network: ("an integer network", "quantize the .nir first"),
    NetxFile: ("a .net file", "neurodeploy convert FILE -o OUT.net; in Python, neurodeploy.loading.load_netx"),
    Graph: ("a float graph", "give the float .nir it was made from"),
}

#: Device -> what loads the runner of the backend "emulator" there.
DEVICES: dict[str, Callable[[], Runner]] = {"cpu": _emulator, "cuda": _cuda}

#: What computes with registers of 24 bits, whatever a population says.
WIDE = (_emulator, _cuda, _lava)


def simulate(
    network: Simulated,
    spikes: Spikes | EventInput | Mapping[str, Spikes | EventInput],
    backend: str = "emulator",
    record: Collection[str] = ("s",),
    device: str = "cpu",
) -> Recording:
    """Simulate ``network`` on ``spikes`` and return what was recorded.

    Parameters
    ----------
    network : an integer Network; for the backend "float" a Graph, for "netx" a NetxFile.
    spikes : integer [samples, steps, *shape], or the same as :class:`~neurodeploy.events.EventInput`; a mapping from
        ports to either where there are several ports.
    backend : a key of :data:`BACKENDS`. All integer backends agree bit for bit.
    record : any of "s", "u", "v"; spikes are always recorded.
    device : a key of :data:`DEVICES`, for the backend "emulator"; the others run on the CPU.

    Raises
    ------
    UsageError : unknown backend, device or quantity, or a backend that does not execute this value, or not there.
    BackendMissing : the backend is not installed, or the device not there.
    InputError : spikes that do not fit the ports, hold NaN, fractions or nothing; a network that cannot be; a network
        or recording too large for the memory that is free (:func:`neurodeploy.stream` writes it to disk).
    """
    if backend == "emulator" and device == "cpu" and record == ("s",) and (known := _known(network, spikes)):
        return known.run(network, {known.port: spikes}, record)
    if backend not in BACKENDS:
        raise UsageError("--backend", f"{backend!r} is none", f"one of {', '.join(BACKENDS)}")
    check_quantities(record)
    load, executes = BACKENDS[backend]
    if device not in DEVICES:
        raise UsageError("--device", f"{device!r} is none", f"one of {', '.join(DEVICES)}")
    if device != "cpu" and load is not _emulator:
        raise UsageError("--device", f"the backend {backend} runs on the CPU alone", "use the backend emulator")
    if load is _emulator:
        load = DEVICES[device]
    if not isinstance(network, executes):
        found, (takes, way) = _VALUES[type(network)][0], _VALUES[executes]
        raise UsageError(f"backend {backend}", f"does not run {found} but {takes}", way)
    checked: Mapping[str, Spikes | EventInput] = check_spikes(ports(network), spikes)
    if isinstance(network, Network):
        verify_network(network)
        require_exact(network, checked)
        require_room(network, checked, record, dense=load is not _emulator)
    else:
        require_dense_room(ports(network), checked)
    if load is not _emulator:
        checked = Densified(checked, ports(network))
    if isinstance(network, Network) and load in WIDE and narrow_populations(network):
        return run_narrow(network, checked, tuple(record), load(), _golden() if load in DEVICES.values() else None)
    if isinstance(network, Network) and load is _emulator and len(network.ports) == 1:
        _KNOWN[network] = _Known(*ports(network).popitem(), always_fit(network), load())
    return load()(network, checked, tuple(record))


class _Known(NamedTuple):
    """What is left to hold plain bytes against before a network runs again: its port's name and shape, and extent.

    steps : so many of all samples together surely fit into memory.
    """

    port: str
    shape: Shape
    steps: int
    run: Runner


#: Networks that the emulator was found to run: to go through all checks again takes a quarter of a short run.
_KNOWN: weakref.WeakKeyDictionary[Network, _Known] = weakref.WeakKeyDictionary()
_BYTES = np.dtype(np.uint8)


def _known(network: Simulated, spikes: Any) -> _Known | None:
    """Return what is known of a network if nothing can be wrong with the spikes; None where all is to be checked."""
    known = _KNOWN.get(network) if type(network) is Network else None
    if known is None or type(spikes) is not np.ndarray or spikes.dtype is not _BYTES:
        return None
    extent = spikes.shape
    right = extent[2:] == known.shape and 0 < extent[0] * extent[1] <= known.steps
    return known if right and len(extent) >= 2 else None


def check_quantities(record: Collection[str]) -> None:
    """Raise :class:`UsageError` for a quantity that cannot be recorded."""
    if unknown := set(record) - set(QUANTITIES):
        raise UsageError("--record", f"{sorted(unknown)} cannot be recorded", f"any of {', '.join(QUANTITIES)}")


def ports(network: Simulated) -> dict[str, Shape]:
    """Return port name -> shape of one step."""
    if isinstance(network, NetxFile):
        return ports(network.network)
    if isinstance(network, Network):
        return {port.name: port.shape for port in network.ports}
    return {name: node.shape for name, node in network.nodes.items() if isinstance(node, Input)}


def with_resets(network: Simulated, interval: int, offset: int = 0) -> Simulated:
    """Return the network with a schedule of resets, as lava-dl's netx has it.

    Population k, counted from 0, clears its state before its update in step t, counted from 1, when
    ``t % interval == (1 + k + offset) % interval``. Steps are those of the chip; where the host drives the first
    population of a netx file, the chip's first step is the one in which it does.

    Raises
    ------
    UsageError : a float graph, which has no chip steps, or an interval below 1.
    """
    if interval < 1:
        raise UsageError("reset interval", f"is {interval}", "give a number of steps, 1 or more")
    if isinstance(network, NetxFile):
        return replace(network, network=_scheduled(network.network, interval, offset))
    if not isinstance(network, Network):
        raise UsageError("reset interval", "is of the chip's steps, a float graph has none", "quantize it first")
    return _scheduled(network, interval, offset)


def _scheduled(network: Network, interval: int, offset: int) -> Network:
    return replace(network, reset_interval=interval, reset_offset=(offset + host_driven(network)) % interval)


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


def _without_ones(shape: Shape) -> Shape:
    return tuple(extent for extent in shape if extent != 1)


def _check_port(name: str, shape: Shape, values: Spikes | EventInput) -> Spikes | EventInput:
    if isinstance(values, EventInput):
        events = check_events(name, shape, values)
        if events.payload is not None:
            _check_numbers(f"input {name!r}", events.payload)
        return events
    try:
        values = np.asarray(values)
    except ValueError as error:
        raise InputError(f"input {name!r}", f"is no array ({error})", "give rows of equal length") from error
    if values.shape[2:] != shape and _without_ones(values.shape[2:]) == _without_ones(shape):
        values = values.reshape(*values.shape[:2], *shape)  # (n,) for (n, 1, 1): the cells are the same
    if values.shape[2:] != shape or values.ndim != 2 + len(shape) or 0 in values.shape:
        expected = f"[samples, steps, {', '.join(map(str, shape))}]"
        raise InputError(f"input {name!r}", f"is {list(values.shape)}, the network takes {expected}", "reshape it")
    if values.dtype == np.bool_:
        return values.view(np.uint8)
    _check_numbers(f"input {name!r}", values)
    return values.astype(np.int64) if values.dtype.kind == "f" else values


def _check_numbers(subject: str, values: Spikes) -> None:
    """Raise :class:`InputError` unless all are whole numbers that 64 bits hold."""
    if values.dtype.kind not in "iuf":
        raise InputError(subject, f"is of type {values.dtype}", "give whole numbers, spikes are 0 and 1")
    if values.dtype.kind == "f":
        if (unusual := unusual_numbers(values)) is not None:
            raise InputError(subject, unusual, "give whole numbers")
        if (values != np.trunc(values)).any():
            raise InputError(subject, "holds fractions", "give whole numbers, spikes are 0 and 1")
    elif np.can_cast(values.dtype, np.int64):
        return
    if (largest := loudest(values)) > _LARGEST:
        raise InputError(subject, f"holds a payload of {largest:.10g}, 64 bits hold {_LARGEST:.10g}", "scale it")
