"""Proof on the device itself, once a process, that every way to a sum and the neurons' kernel equal NumPy.

The sums include odd ones beyond 2^24, which 24-bit accumulation loses, all kinds of geometry, and weights and payloads
of several digits. What fails is not used: the next way takes its place, with a warning that says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from neurodeploy import neuron
from neurodeploy.errors import BackendError
from neurodeploy.network import Convolution, Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif
from neurodeploy.state import State
from neurodeploy.targets.emulator import golden
from neurodeploy.targets.emulator.cuda import lif, synapses
from neurodeploy.targets.emulator.cuda.device import Device
from neurodeploy.targets.emulator.cuda.plan import Layer, channel_last, digits, make_plan

if TYPE_CHECKING:
    from torch import Tensor

Int64 = npt.NDArray[np.int64]

#: Way -> what is said when it fails. The last one must not.
WAYS = {
    "matrix": "torch._int_mm is not exact here: large dense layers use the Triton kernel",
    "tiles": "the Triton kernel for sums is not exact here: float64 products take its place, which is much slower",
    "double": "float64 products are not exact here",
}


@cache
def approved(device: Device) -> frozenset[str]:
    """Return the ways to sums that are exact on this device.

    Raises
    ------
    BackendError : no way is left, or the neurons' kernel differs from the golden model.
    """
    exact = frozenset(name for name in WAYS if _holds(_sums_equal, name, device))
    for name, message in WAYS.items():
        if name not in exact:
            warnings.warn(message, RuntimeWarning, stacklevel=2)
    if not exact - {"matrix"}:
        raise BackendError(f"device {device.title}", "computes no sum of synapses exactly", "run with --device cpu")
    if not _holds(_neurons_equal, "", device):
        raise BackendError(
            f"device {device.title}", "the neurons' kernel differs from the golden model", "run with --device cpu"
        )
    return exact


def _holds(check: Callable[[str, Device], bool], name: str, device: Device) -> bool:
    """Return whether a check is passed; a kernel that does not compile or launch passes none, whatever it raises."""
    try:
        return check(name, device)
    except Exception as error:  # noqa: BLE001
        warnings.warn(f"{name or 'neurons'}: {type(error).__name__}: {error}", RuntimeWarning, stacklevel=3)
        return False


def _sums_equal(way: str, device: Device) -> bool:
    return all(
        _sum_equal(way, device, connection, shape, x, exponent) for connection, shape, x, exponent in _cases(way)
    )


def _cases(way: str) -> Iterator[tuple[Dense | Convolution, tuple[int, ...], Int64, int]]:
    """Yield connections, source shapes, payloads [steps, *shape] and weight exponents."""
    rng = np.random.default_rng(20)
    # 1056 products of 127 * 127 are 2^24 and more; one weight less makes the sum odd.
    weight = np.full((256, 1056), 127)
    weight[:, 0] = np.arange(256) - 128
    payload = np.full((24, 1056), 127)
    payload[:, 0] = 1
    yield Dense(weight), (1056,), payload, 0
    yield Dense(rng.integers(-128, 128, (264, 256))), (256,), rng.integers(-128, 128, (40, 256)), 1
    if way == "matrix":
        return
    yield Dense(rng.integers(-30000, 30000, (5, 37))), (37,), rng.integers(-200, 200, (3, 37)), -2
    yield Convolution(rng.integers(-128, 128, (64, 64, 3, 3)), padding=(1, 1)), (64, 6, 5), _random(rng, 64, 6, 5), 0
    yield Convolution(rng.integers(-255, 256, (16, 2, 5, 5)), (2, 2), (1, 1)), (2, 9, 8), _random(rng, 2, 9, 8), 3
    yield (
        Convolution(rng.integers(-128, 128, (48, 16, 3, 2)), (1, 2), (2, 1), (2, 1), 3),
        (48, 8, 7),
        _random(rng, 48, 8, 7),
        0,
    )
    yield Convolution(rng.integers(-128, 128, (6, 1, 2, 2)), (2, 2), groups=6), (6, 4, 6), _random(rng, 6, 4, 6), -1


def _random(rng: np.random.Generator, *shape: int) -> Int64:
    return rng.integers(0, 2, (2, *shape))


def _sum_equal(
    way: str, device: Device, connection: Dense | Convolution, shape: tuple[int, ...], x: Int64, exponent: int
) -> bool:
    """Return whether one connection's sums, by this way, are those of the golden model."""
    target = connection.output_shape(shape) if isinstance(connection, Convolution) else (len(connection.weight),)
    silent = Lif(0, 0, 0)  # type: ignore[arg-type]
    projection = Projection("p", "in", "out", connection, exponent)
    network = Network((Port("in", shape),), (Population("out", target, silent, 1),), (projection,), ("out",))
    layer = make_plan(network).layers[0]
    loaded = synapses.load(layer.synapses[0], device)
    flat = channel_last(x.reshape(len(x), -1), shape)
    planes = torch.from_numpy(digits(flat)[:, :, None].copy()).to(device.name)
    out = torch.empty(len(x), 1, int(np.prod(target)), dtype=torch.int32, device=device.name)
    synapses.add(loaded, planes, out, first=True, device=device, approved={way})
    got = out.cpu().numpy()[:, 0].astype(np.int64) << (layer.shift - 6)
    wanted = golden.arriving(projection, x).reshape(len(x), -1)
    return bool((got == channel_last(wanted, target)).all())


def _neurons_equal(_way: str, device: Device) -> bool:
    """Return whether neurons at the edges of their range step as the golden model does."""
    rng = np.random.default_rng(21)
    cells, steps = 700, 11
    decays = np.array([0, 1, 7, 1024, 3071, 4095, 4096])
    model = Lif(
        threshold=rng.choice([0, 1, 300, 131071], cells),
        current_decay=rng.choice(decays, cells),
        voltage_decay=rng.choice(decays, cells),
        bias=rng.integers(-4095, 4096, cells),
        bias_exponent=7,
    )
    network = Network((Port("in", (1,)),), (Population("out", (cells,), model, 1),), (), ("out",))
    layer = make_plan(network).layers[0]
    a = rng.integers(-(1 << 18), 1 << 18, (steps, cells))
    start = rng.integers(-(1 << 23) + 1, 1 << 23, (2, cells))
    return all(_steps_equal(device, layer, model, a, start, wide=wide) for wide in (False, True))


def _steps_equal(device: Device, layer: Layer, model: Lif, a: Int64, start: Int64, *, wide: bool) -> bool:
    def on_device(values: Int64, dtype: torch.dtype) -> Tensor:
        return torch.from_numpy(values.copy()).to(device.name, dtype)

    steps, cells = a.shape
    states = on_device(np.concatenate([start, np.zeros_like(start)]), torch.int64 if wide else torch.int32)
    s = torch.empty(steps, 1, cells, dtype=torch.int8, device=device.name)
    kept = tuple(torch.empty(steps, 1, cells, dtype=torch.int32, device=device.name) for _ in range(2))
    tables = lif.load(layer, device, wide=wide)
    lif.advance(tables, on_device(a[:, None], torch.int32), s, states, kept, device)
    state: State = {"u": start[0], "v": start[1], "frozen": np.zeros_like(start[0])}
    wraps = clips = 0
    equal = True
    for t in range(steps):
        result = neuron.step(model, state, a[t][None])
        state = result.state
        wraps, clips = wraps + int(result.wrapped.sum()), clips + int(result.clipped.sum())
        found = [tensor[t, 0].cpu().numpy() for tensor in (*kept, s)]
        equal &= all((one == other).all() for one, other in zip(found, (state["u"], state["v"], result.s), strict=True))
    return equal and states[2:].sum(dim=1).tolist() == [wraps, clips]
