"""The golden run of a network: plain NumPy int64, step by step, all samples at once.

It is slow on purpose: nothing here is skipped, reordered or narrowed, so that it can be read beside
:mod:`neurodeploy.neuron` and its likes and trusted. Faster kernels are tested equal to it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy import dynamics
from neurodeploy.carried import Carried, at_start, latest
from neurodeploy.events import Densified, EventInput
from neurodeploy.fixedpoint import shift
from neurodeploy.network import Connection, Convolution, Network, Population, Projection, Sparse
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
    return advance(network, spikes, record, at_start(network, len(next(iter(spikes.values())))))[0]


def advance(
    network: Network, spikes: Mapping[str, Spikes], record: Collection[str], before: Carried
) -> tuple[Recording, Carried]:
    """Simulate the steps that follow ``before``; return what was recorded in them, and the state after them."""
    samples, steps = next(iter(spikes.values())).shape[:2]
    states = dict(before.neurons)
    sent: dict[str, npt.NDArray[Any]] = dict(spikes)
    for p in network.populations:
        sent[p.name] = np.zeros((samples, steps, *p.shape), dtype=np.int32 if p.neuron.graded else np.uint8)
    kept = _storage(network, record, samples, steps)
    wraps = {p.name: 0 for p in network.populations}
    clips = dict(wraps)
    for t in range(steps):
        for population in network.order:
            name = population.name
            if _resets(network, name, before.steps + t):
                states[name] = dynamics.cleared(population, samples)
            result = dynamics.step(population, states[name], _gather(network, population, (before.sent, sent), t))
            states[name], sent[name][:, t] = result.state, result.s
            wraps[name] += int(result.wrapped.sum())
            clips[name] += int(result.clipped.sum())
            for quantity, part in zip(("u", "v"), population.neuron.recorded, strict=True):
                if name in kept[quantity]:
                    kept[quantity][name][:, t] = result.state[part]
    recording = Recording(
        samples=samples,
        steps=steps,
        spikes={p.name: sent[p.name] for p in network.populations},
        outputs=network.outputs,
        backend="golden",
        versions={"numpy": np.__version__},
        u=kept["u"],
        v=kept["v"],
        inputs=dict(spikes),
        wraps=wraps,
        clips=clips,
        readouts=network.readouts,
    )
    return recording, Carried(
        before.steps + steps, states, {name: latest(older, sent[name]) for name, older in before.sent.items()}
    )


class Carrier:
    """Samples of a network between two runs."""

    def __init__(self, network: Network, start: Carried) -> None:
        self._network, self._carried = network, start

    def run(self, spikes: Mapping[str, Spikes | EventInput], record: Collection[str]) -> Recording:
        """Simulate the next steps of every sample; parameters as of :func:`run`."""
        dense = Densified(spikes, {port.name: port.shape for port in self._network.ports})
        recording, self._carried = advance(self._network, dense, record, self._carried)
        return recording

    def carried(self) -> Carried:
        """Return the state after the steps so far."""
        return self._carried


def _resets(network: Network, name: str, t: int) -> bool:
    """Return whether a population is cleared before step t, counted from 0."""
    return bool(network.reset_interval) and t % network.reset_interval == network.reset_phases[name]


def _storage(
    network: Network, record: Collection[str], samples: int, steps: int
) -> dict[str, dict[str, npt.NDArray[Any]]]:
    """Return zeros for u and v of what is recorded: all where asked for, v of outputs that answer by it always."""
    wanted = {"u": "u" in record, "v": "v" in record}
    return {
        quantity: {
            p.name: np.zeros((samples, steps, *p.shape), dtype=np.int32)
            for p in network.populations
            if everything or (quantity == "v" and p.name in network.readouts)
        }
        for quantity, everything in wanted.items()
    }


def _gather(
    network: Network, population: Population, sent: tuple[Mapping[str, Spikes], Mapping[str, Spikes]], t: int
) -> Sums:
    """Return what arrives at each input of a population in step t, int64 [inputs, samples, *shape], in weight units.

    sent : what was sent before the first of these steps, whose last step is the one before, and in them.
    """
    before, now = sent
    samples = len(next(iter(now.values())))
    a = np.zeros((population.neuron.inputs, samples, *population.shape), dtype=np.int64)
    for projection in network.into(population.name):
        target, earlier = a[int(projection.imaginary)], t - network.lag(projection)
        source = (now if earlier >= 0 else before)[projection.source]
        target += arriving(projection, source[:, earlier]).reshape(target.shape)
    return a


def arriving(projection: Projection, spikes: Spikes) -> Sums:
    """Return the weighted sum of one step's spikes at the target, int64 [samples, ...], in weight units."""
    return shift(weighted(projection.connection, spikes.astype(np.int64)), projection.weight_exponent)


def weighted(connection: Connection, spikes: Sums) -> Sums:
    """Return ``weight @ spikes`` for one step, int64 [samples, *target shape or flat]."""
    if isinstance(connection, Convolution):
        return _convolve(connection, spikes)
    if isinstance(connection, Sparse):
        return _sparse(connection, spikes.reshape(len(spikes), -1))
    return spikes.reshape(len(spikes), -1) @ connection.weight.astype(np.int64).T


def _sparse(connection: Sparse, spikes: Sums) -> Sums:
    """Add synapse by synapse."""
    total = np.zeros((len(spikes), connection.shape[0]), dtype=np.int64)
    added = connection.data.astype(np.int64) * spikes[:, connection.indices]
    for sample, each in zip(total, added, strict=True):
        np.add.at(sample, connection.rows, each)
    return total


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
