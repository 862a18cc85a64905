"""Proof on the device itself, once a process, that every way to a sum and the neurons' kernel equal NumPy.

The sums include odd ones beyond 2^24, which 24-bit accumulation loses, all kinds of geometry, and weights and payloads
of several digits. What fails is not used: the next way takes its place, with a warning that says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from neurodeploy import dynamics
from neurodeploy.errors import BackendError
from neurodeploy.network import Convolution, Dense, Network, Population, Port, Projection
from neurodeploy.neurons import Lif, Neuron, Resonator, SigmaDelta
from neurodeploy.state import State
from neurodeploy.targets.emulator import golden
from neurodeploy.targets.emulator.cuda import synapses, update
from neurodeploy.targets.emulator.cuda.device import Device
from neurodeploy.targets.emulator.cuda.plan import make_plan
from neurodeploy.targets.emulator.cuda.weights import channel_last, digits

if TYPE_CHECKING:
    from torch import Tensor

Int64 = npt.NDArray[np.int64]

#: Neurons and steps of the check of a neuron model.
_CELLS, _STEPS = 700, 11
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
    """Return whether plain neurons at the edges of their range step as the golden model does, in 32 and in 64 bits."""
    rng = np.random.default_rng(21)
    start = {name: rng.integers(-(1 << 23) + 1, 1 << 23, _CELLS) for name in ("u", "v")}
    return all(_steps_equal(device, _lif(rng), start, wide=wide) for wide in (False, True))


@cache
def models_hold(device: Device) -> None:
    """Check the kernel of the neuron models beyond the plain one.

    Raises
    ------
    BackendError : it differs from their golden models.
    """
    rng = np.random.default_rng(22)
    size, angle = _CELLS, rng.uniform(0, 6, _CELLS)
    lower = rng.choice([-900, -3, 0], size)
    bias = rng.integers(-300, 300, size)
    models = (
        replace(_lif(rng), lower_threshold=lower, reset="subtract", refractory=2),
        replace(_lif(rng), lower_threshold=lower),
        replace(_lif(rng), threshold=rng.choice([1, 300], size), reset="burst", lowest=np.minimum(lower, 0)),
        SigmaDelta(rng.choice([0, 3, 50], size), bias, cumulative_error=True, spike_exponent=6, state_exponent=6),
        SigmaDelta(rng.choice([0, 3, 50], size), stage="delta", spike_exponent=6),
        Resonator(rng.choice([1, 20000], size), (4000 * np.sin(angle)).astype(int), (4000 * np.cos(angle)).astype(int)),
        Resonator(np.array(300), np.array(-1000), np.array(3800), kind="izhikevich"),
    )
    if not all(_steps_equal(device, model, {}, wide=True) for model in models):
        raise BackendError(
            f"device {device.title}",
            "the kernel of other neuron models differs from the golden ones",
            "run with --device cpu",
        )


def _lif(rng: np.random.Generator) -> Lif:
    decays = np.array([0, 1, 7, 1024, 3071, 4095, 4096])
    return Lif(
        threshold=rng.choice([0, 1, 300, 131071], _CELLS),
        current_decay=rng.choice(decays, _CELLS),
        voltage_decay=rng.choice(decays, _CELLS),
        bias=rng.integers(-4095, 4096, _CELLS),
        bias_exponent=7,
    )


def _steps_equal(device: Device, model: Neuron, start: Mapping[str, Int64], *, wide: bool) -> bool:
    """Return whether a population of this model steps as its golden model does, from zero but for ``start``."""

    def on_device(values: Int64, dtype: torch.dtype) -> Tensor:
        return torch.from_numpy(values.copy()).to(device.name, dtype)

    population = Population("out", (_CELLS,), model, 1)
    layer = make_plan(Network((Port("in", (1,)),), (population,), (), ("out",))).layers[0]
    a = np.random.default_rng(23).integers(-(1 << 18), 1 << 18, (2, _STEPS, _CELLS))
    rows = np.zeros((update.state_rows(layer), _CELLS), dtype=np.int64)
    for row, name in zip(rows, model.states, strict=False):
        row += start.get(name, 0)
    states = on_device(rows, torch.int64 if wide else torch.int32)
    s = torch.empty(_STEPS, 1, _CELLS, dtype=torch.int32 if layer.model.loud else torch.int8, device=device.name)
    kept_u, kept_v = (torch.empty(_STEPS, 1, _CELLS, dtype=torch.int32, device=device.name) for _ in range(2))
    first, second = (on_device(part[:, None], torch.int32) for part in a)
    time = (torch.zeros(1, dtype=torch.int32, device=device.name), 0)
    update.advance(update.load(layer, 0, device, wide=wide), (first, second), s, states, (kept_u, kept_v), time, device)
    state: State = {name: np.zeros(_CELLS, dtype=np.int64) + start.get(name, 0) for name in model.states}
    counted, equal = np.zeros(2, dtype=np.int64), True
    for t in range(_STEPS):
        result = dynamics.step(population, state, a[: model.inputs, t])
        state = result.state
        counted += [result.wrapped.sum(), result.clipped.sum()]
        wanted = (*(state[name].astype(np.int32) for name in model.recorded), result.s)
        found = [tensor[t, 0].cpu().numpy() for tensor in (kept_u, kept_v, s)]
        equal &= all((one == other).all() for one, other in zip(found, wanted, strict=True))
    return bool(equal) and states[-2:].sum(dim=1).tolist() == counted.tolist()
