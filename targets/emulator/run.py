"""The default backend: the event-driven kernel, samples spread over threads; the golden model where it must be."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.network import Network
from neurodeploy.recording import Recording
from neurodeploy.targets.emulator import golden
from neurodeploy.targets.emulator.program import Program, compiled

Spikes = npt.NDArray[np.integer[Any]]


def run(network: Network, spikes: Mapping[str, Spikes], record: Collection[str] = ("s",)) -> Recording:
    """Simulate ``network`` bit-exactly; parameters as in :func:`neurodeploy.targets.emulator.golden.run`.

    Payloads so large that a 32-bit sum could overflow go through the golden model instead.
    """
    program = compiled(network)
    inputs = _inputs(network, spikes)
    if _largest(inputs, program.exact_payload) > program.exact_payload:
        return golden.run(network, spikes, record)
    samples, steps = inputs.shape[:2]
    cells = program.population_cells
    out_s = np.empty((samples, steps, cells), dtype=np.uint8)
    out_u = np.empty((samples, steps, cells if "u" in record else 0), dtype=np.int32)
    out_v = np.empty((samples, steps, cells if "v" in record else 0), dtype=np.int32)

    def work(part: slice) -> npt.NDArray[np.int64]:
        return _run_part(program, inputs[part], (out_s[part], out_u[part], out_v[part]))

    with ThreadPoolExecutor(threads()) as pool:
        counts = list(pool.map(work, _chunks(samples, threads())))
    wraps, clips = np.sum(counts, axis=0).T
    names = [population.name for population in network.order]
    return Recording(
        samples=samples,
        steps=steps,
        spikes=_by_population(network, program, out_s),
        outputs=network.outputs,
        backend="emulator",
        versions={"numpy": np.__version__, "numba": version("numba")},
        u=_by_population(network, program, out_u) if "u" in record else {},
        v=_by_population(network, program, out_v) if "v" in record else {},
        inputs=dict(spikes),
        wraps={name: int(count) for name, count in zip(names, wraps, strict=True)},
        clips={name: int(count) for name, count in zip(names, clips, strict=True)},
    )


def _run_part(program: Program, inputs: Spikes, out: tuple[npt.NDArray[Any], ...]) -> npt.NDArray[np.int64]:
    """Run some of the samples on this thread; return wraps and clips, int64 [populations in running order, 2]."""
    from neurodeploy.targets.emulator import kernel, memory

    none, found = np.zeros(0, dtype=np.int32), np.zeros((len(program.cells), 2), dtype=np.int64)
    given = memory.Inputs(inputs, np.zeros(0, dtype=np.int64), none, none, cells=inputs.shape[2], width=0)
    try:
        own = program.spare.pop()
    except IndexError:
        own = memory.memory(program.tables, program.population_cells)
    wanted = memory.Outputs(*out, found, keeps_u=out[1].size > 0, keeps_v=out[2].size > 0)
    kernel.run_samples(program.tables, own, given, wanted)
    program.spare.append(own)
    return found


def threads() -> int:
    """Return how many threads may run: the processors this process is allowed on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _chunks(samples: int, workers: int) -> list[slice]:
    """Cut the samples into contiguous pieces, a few per worker so that uneven ones even out."""
    edges = np.linspace(0, samples, min(samples, 4 * workers) + 1).astype(int)
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def _inputs(network: Network, spikes: Mapping[str, Spikes]) -> Spikes:
    """Return all ports side by side, uint8 or int32 [samples, steps, cells] in torch order."""
    flat = [spikes[port.name].reshape(*spikes[port.name].shape[:2], -1) for port in network.ports]
    joined = flat[0] if len(flat) == 1 else np.concatenate(flat, axis=2)
    if joined.dtype == np.uint8:
        return np.ascontiguousarray(joined)
    low, high = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    return np.ascontiguousarray(joined.clip(low, high), dtype=np.int32)


def _largest(inputs: Spikes, enough: int) -> int:
    """Return a bound of the payloads, at least 1; exact only where the type alone does not show it is small enough."""
    by_type = np.iinfo(inputs.dtype).max
    return by_type if by_type <= enough else max(1, abs(int(inputs.min())), abs(int(inputs.max())))


def _by_population(network: Network, program: Program, values: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Cut the cell axis into populations and turn each back into torch order (a view where possible)."""
    out = {}
    for population in network.populations:
        cut = values[:, :, program.cells[population.name]]
        if len(population.shape) == 3:
            channels, height, width = population.shape
            out[population.name] = cut.reshape(*cut.shape[:2], height, width, channels).transpose(0, 1, 4, 2, 3)
        else:
            out[population.name] = cut.reshape(*cut.shape[:2], *population.shape)
    return out
