"""The backend ``emulator`` on ``device cuda``: cut samples and steps to the memory there is, copy in and out."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import Unsupported
from neurodeploy.network import Convolution, Dense, Network, Population
from neurodeploy.neurons import Lif
from neurodeploy.recording import Recording
from neurodeploy.targets.emulator import golden
from neurodeploy.targets.emulator.cuda.device import Device, open_device
from neurodeploy.targets.emulator.cuda.plan import Plan, planned

if TYPE_CHECKING:
    from torch import Tensor

    from neurodeploy.targets.emulator.cuda.session import Engine, Extent, Session

Spikes = npt.NDArray[np.integer[Any]]

#: Cells of a buffer at most: the kernels count in 32 bits, and in rows of four.
_CELLS = (1 << 29) - 1
#: Bytes that samples and steps are cut to: beyond it a larger batch is no faster.
BUDGET = 1 << 30

_ENGINES: weakref.WeakKeyDictionary[Network, Engine] = weakref.WeakKeyDictionary()


def require_plain(network: Network) -> None:
    """Raise :class:`Unsupported` for what the kernels on the GPU do not know yet."""
    advice = "run it with --device cpu"
    for population in network.populations:
        if not (isinstance(population.neuron, Lif) and population.neuron.plain):
            raise Unsupported(f"population {population.name!r}", "is no plain LIF, which is all the GPU runs", advice)
    for projection in network.projections:
        if not isinstance(projection.connection, Dense | Convolution):
            raise Unsupported(f"projection {projection.name!r}", "is sparse, which the GPU does not run", advice)
    if network.reset_interval:
        raise Unsupported("reset interval", "is a schedule that the GPU does not run", advice)


def run(network: Network, spikes: Mapping[str, Spikes], record: Collection[str] = ("s",)) -> Recording:
    """Simulate ``network`` bit-exactly; parameters as in :func:`neurodeploy.targets.emulator.golden.run`.

    Payloads so large that a 32-bit sum could overflow go through the golden model instead.

    Raises
    ------
    BackendMissing : no GPU that can do it, see :func:`neurodeploy.targets.emulator.cuda.device.open_device`.
    BackendError : the device does not compute what NumPy does.
    """
    require_plain(network)
    device, plan = open_device(), planned(network)
    payloads = {name: _largest(values) for name, values in spikes.items()}
    if max(payloads.values()) > plan.exact_payload:
        return golden.run(network, spikes, record)
    engine = engine_of(network)
    samples, steps = next(iter(spikes.values())).shape[:2]
    kept = {q: {} for q in ("s", *sorted({"u", "v"} & set(record)))}  # type: dict[str, dict[str, npt.NDArray[Any]]]
    for layer in plan.layers:
        for quantity, arrays in kept.items():
            dtype = np.uint8 if quantity == "s" else np.int32
            arrays[layer.population.name] = np.empty((steps, samples, layer.population.size), dtype=dtype)
    counts = np.zeros((len(plan.layers), 2), dtype=np.int64)
    extent = fit(plan, device, (samples, steps), payloads, record)
    for part, session in _sessions(engine, extent, samples):
        for at in range(0, steps, extent.window):
            rows = slice(at, min(at + extent.window, steps))
            for port in plan.ports:
                session.load(port, _uploaded(spikes[port.name][part, rows], device))
            session.advance(rows.stop - rows.start)
            _download(session, plan, kept, rows, part)
        counts += np.array(list(session.counts().values()), dtype=np.int64)
    names = [layer.population.name for layer in plan.layers]
    arranged = {
        q: {p.name: _in_torch_order(arrays[p.name], p) for p in network.populations} for q, arrays in kept.items()
    }
    return Recording(
        samples=samples,
        steps=steps,
        spikes=arranged["s"],
        outputs=network.outputs,
        backend="cuda",
        versions={"numpy": np.__version__, **device.versions},
        u=arranged.get("u", {}),
        v=arranged.get("v", {}),
        inputs=dict(spikes),
        wraps={name: int(count) for name, count in zip(names, counts[:, 0], strict=True)},
        clips={name: int(count) for name, count in zip(names, counts[:, 1], strict=True)},
    )


def engine_of(network: Network) -> Engine:
    """Return the network on the opened device, loaded once as long as the network lives."""
    from neurodeploy.targets.emulator.cuda import selftest
    from neurodeploy.targets.emulator.cuda.session import start

    if network not in _ENGINES:
        device = open_device()
        _ENGINES[network] = start(planned(network), device, selftest.approved(device))
    return _ENGINES[network]


def fit(
    plan: Plan, device: Device, wanted: tuple[int, int], payloads: Mapping[str, int], record: Collection[str]
) -> Extent:
    """Return how many samples and steps run at once: as many as fit, all steps before more samples."""
    from neurodeploy.targets.emulator.cuda import session

    samples, steps = wanted
    graded = tuple(sorted((name, _rounded(largest)) for name, largest in payloads.items() if largest > 1))
    keep = {"keep_u": "u" in record, "keep_v": "v" in record}
    each = session.bytes_per_step(plan, session.Extent(1, 1, graded, **keep))
    history = max(plan.history.values(), default=0)
    budget = max(1, min(BUDGET, device.free_bytes()))
    cells = _CELLS // session.largest_part(plan)
    window = max(1, min(steps, budget // each - history, cells - history))
    together = max(1, min(samples, budget // (each * (window + history)), cells // (window + history)))
    # Equal parts, so that all but the last run the same recorded graph.
    parts = -(-samples // together)
    return session.Extent(-(-samples // parts), window, graded, **keep)


def _rounded(largest: int) -> int:
    """Return the next ``2^n - 1``: inputs that differ little share their buffers."""
    return (1 << largest.bit_length()) - 1


def _largest(values: Spikes) -> int:
    return max(1, int(values.max()), -int(values.min()))


def _sessions(engine: Engine, extent: Extent, samples: int) -> Iterator[tuple[slice, Session]]:
    from dataclasses import replace

    for begin in range(0, samples, extent.samples):
        end = min(begin + extent.samples, samples)
        yield slice(begin, end), engine.session(replace(extent, samples=end - begin))


def _uploaded(values: Spikes, device: Device) -> Tensor:
    import torch

    if values.dtype not in (np.uint8, np.int8, np.int16, np.int32, np.int64):
        values = values.astype(np.int64)
    return torch.from_numpy(np.require(values, requirements=["C", "W"])).to(device.name)


def _download(
    session: Session, plan: Plan, kept: Mapping[str, dict[str, npt.NDArray[Any]]], rows: slice, part: slice
) -> None:
    """Copy what the steps just run left on the device into the arrays of the recording."""
    steps = rows.stop - rows.start
    for layer in plan.layers:
        name = layer.population.name
        u, v = session.kept(name, steps)
        for quantity, tensor in (("s", session.spikes(name, steps)), ("u", u), ("v", v)):
            if quantity in kept and tensor is not None:
                kept[quantity][name][rows, part] = tensor.cpu().numpy()


def _in_torch_order(values: npt.NDArray[Any], population: Population) -> npt.NDArray[Any]:
    """Return [steps, samples, size] in channel-last order as a view [samples, steps, *shape]."""
    first = values.transpose(1, 0, 2)
    if len(population.shape) != 3:
        return first.reshape(*first.shape[:2], *population.shape)
    channels, height, width = population.shape
    return first.reshape(*first.shape[:2], height, width, channels).transpose(0, 1, 4, 2, 3)
