"""The golden run of a network: plain NumPy int64, step by step, all samples at once.

It is slow on purpose: nothing here is skipped, reordered or narrowed, so that it can be read beside
:mod:`neurodeploy.neuron` and trusted. Faster kernels are tested equal to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy import neuron
from neurodeploy.fixedpoint import shift
from neurodeploy.network import Connection, Convolution, Network, Projection
from neurodeploy.recording import Recording

Spikes = npt.NDArray[np.integer[Any]]
Sums = npt.NDArray[np.int64]


def run(network: Network, spikes: Mapping[str, Spikes], record: Collection[str] = ("s",)) -> Recording:
    """Simulate ``network``.

    Parameters
    ----------
    spikes : port -> integer [samples, steps, *shape].
    record : any of "u" and "v" for what to keep beside the spikes.
    """
    samples, steps = next(iter(spikes.values())).shape[:2]
    u = {p.name: np.zeros((samples, *p.shape), dtype=np.int64) for p in network.populations}
    v = {name: state.copy() for name, state in u.items()}
    sent: dict[str, npt.NDArray[Any]] = dict(spikes)
    for p in network.populations:
        sent[p.name] = np.zeros((samples, steps, *p.shape), dtype=np.uint8)
    kept_u, kept_v = _storage(network, "u" in record, samples, steps), _storage(network, "v" in record, samples, steps)
    wraps = dict.fromkeys(u, 0)
    clips = dict.fromkeys(u, 0)
    for t in range(steps):
        for population in network.order:
            name = population.name
            a = np.zeros((samples, *population.shape), dtype=np.int64)
            for projection in network.into(name):
                if (earlier := t - network.lag(projection)) >= 0:
                    a += arriving(projection, sent[projection.source][:, earlier]).reshape(a.shape)
            result = neuron.step(population.neuron, u[name], v[name], a)
            u[name], v[name], sent[name][:, t] = result.u, result.v, result.s
            wraps[name] += int(result.wrapped.sum())
            clips[name] += int(result.clipped.sum())
            for kept, state in ((kept_u, result.u), (kept_v, result.v)):
                if kept:
                    kept[name][:, t] = state
    return Recording(
        samples=samples,
        steps=steps,
        spikes={p.name: sent[p.name] for p in network.populations},
        outputs=network.outputs,
        backend="golden",
        versions={"numpy": np.__version__},
        u=kept_u,
        v=kept_v,
        inputs=dict(spikes),
        wraps=wraps,
        clips=clips,
    )


def _storage(network: Network, wanted: bool, samples: int, steps: int) -> dict[str, npt.NDArray[Any]]:
    if not wanted:
        return {}
    return {p.name: np.zeros((samples, steps, *p.shape), dtype=np.int32) for p in network.populations}


def arriving(projection: Projection, spikes: Spikes) -> Sums:
    """Return the weighted sum of one step's spikes at the target, int64 [samples, ...], in weight units."""
    return shift(weighted(projection.connection, spikes.astype(np.int64)), projection.weight_exponent)


def weighted(connection: Connection, spikes: Sums) -> Sums:
    """Return ``weight @ spikes`` for one step, int64 [samples, *target shape or flat]."""
    if isinstance(connection, Convolution):
        return _convolve(connection, spikes)
    return spikes.reshape(len(spikes), -1) @ connection.weight.astype(np.int64).T


def _convolve(connection: Convolution, spikes: Sums) -> Sums:
    """Sum shifted, strided views of the padded spikes, one kernel tap at a time."""
    (py, px), (sy, sx), (dy, dx) = connection.padding, connection.stride, connection.dilation
    padded = np.pad(spikes, ((0, 0), (0, 0), (py, py), (px, px)))
    out_channels, per_group, kernel_y, kernel_x = connection.weight.shape
    _, height, width = connection.output_shape(spikes.shape[1:])
    groups = connection.groups
    weight = connection.weight.astype(np.int64).reshape(groups, out_channels // groups, per_group, kernel_y, kernel_x)
    total = np.zeros((len(spikes), groups, out_channels // groups, height, width), dtype=np.int64)
    for ky in range(kernel_y):
        for kx in range(kernel_x):
            rows = slice(ky * dy, ky * dy + (height - 1) * sy + 1, sy)
            columns = slice(kx * dx, kx * dx + (width - 1) * sx + 1, sx)
            view = padded[:, :, rows, columns].reshape(len(spikes), groups, per_group, height, width)
            total += np.einsum("goi,sgihw->sgohw", weight[..., ky, kx], view)
    return total.reshape(len(spikes), out_channels, height, width)
