"""The default backend: the event-driven kernels, samples spread over threads; the golden model where it must be."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.network import Network
from neurodeploy.recording import Recording
from neurodeploy.targets.emulator import golden
from neurodeploy.targets.emulator.common import runs_in_chunks
from neurodeploy.targets.emulator.program import Program, compile_network
from neurodeploy.targets.emulator.stepwise_program import StepwiseProgram, compile_stepwise

Spikes = npt.NDArray[np.integer[Any]]
#: s, u and v as the kernels write them, and the first cell of v.
Outputs = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], int]

_PROGRAMS: weakref.WeakKeyDictionary[Network, Program | StepwiseProgram] = weakref.WeakKeyDictionary()


def compiled(network: Network) -> Program | StepwiseProgram:
    """Return the program of a network for the kernel that runs it, compiled once as long as the network lives."""
    if network not in _PROGRAMS:
        compiler = compile_network if runs_in_chunks(network) else compile_stepwise
        _PROGRAMS[network] = compiler(network)
    return _PROGRAMS[network]


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
    graded = any(p.neuron.graded for p in network.populations)
    out_s = np.empty((samples, steps, cells), dtype=np.int32 if graded else np.uint8)
    out_u = np.empty((samples, steps, cells if "u" in record else 0), dtype=np.int32)
    everyone = tuple(p.name for p in network.populations)
    answering = everyone if "v" in record else network.readouts
    kept = _span([program.cells[name] for name in answering])
    out_v = np.empty((samples, steps, kept.stop - kept.start), dtype=np.int32)

    def work(part: slice) -> npt.NDArray[np.int64]:
        return _run_part(program, inputs[part], (out_s[part], out_u[part], out_v[part], kept.start))

    with ThreadPoolExecutor(threads()) as pool:
        counts = list(pool.map(work, _chunks(samples, threads())))
    wraps, clips, _ = np.sum(counts, axis=0)
    if _largest_sent(network, np.max(counts, axis=0)[2]) > program.exact_payload:
        return golden.run(network, spikes, record)
    names = [population.name for population in network.order]
    return Recording(
        samples=samples,
        steps=steps,
        spikes=_spikes(network, _by_population(network, program, out_s, everyone)),
        outputs=network.outputs,
        backend="emulator",
        versions={"numpy": np.__version__, "numba": version("numba")},
        u=_by_population(network, program, out_u, everyone if "u" in record else ()),
        v=_by_population(network, program, out_v, answering, kept.start),
        inputs=dict(spikes),
        wraps={name: int(count) for name, count in zip(names, wraps, strict=True)},
        clips={name: int(count) for name, count in zip(names, clips, strict=True)},
        readouts=network.readouts,
    )


def _run_part(program: Program | StepwiseProgram, inputs: Spikes, out: Outputs) -> npt.NDArray[np.int64]:
    """Run some of the samples on this thread.

    Return wraps, clips and largest payload of each population in running order, int64 [3, populations].
    """
    if isinstance(program, StepwiseProgram):
        return _run_stepwise(program, inputs, out)
    return _run_in_chunks(program, inputs, out)


def _run_in_chunks(program: Program, inputs: Spikes, out: Outputs) -> npt.NDArray[np.int64]:
    """As :func:`_run_part` of a plain network, whose populations send 1 and nothing else."""
    from neurodeploy.targets.emulator import kernel, memory

    none, found = np.zeros(0, dtype=np.int32), np.zeros((len(program.cells), 2), dtype=np.int64)
    given = memory.Inputs(inputs, np.zeros(0, dtype=np.int64), none, none, cells=inputs.shape[2], width=0)
    own = memory.memory(program.tables, program.population_cells)
    s, u, v, first_v = out
    kernel.run_samples(program.tables, own, given, memory.Outputs(s, u, v, found, u.size > 0, first_v))
    return np.stack([*found.T, np.ones(len(found), dtype=np.int64)])


def _run_stepwise(program: StepwiseProgram, inputs: Spikes, out: Outputs) -> npt.NDArray[np.int64]:
    """As :func:`_run_part` of any network."""
    from neurodeploy.targets.emulator import stepwise_kernel as kernel

    sizes = program.tables.parts[: len(program.tables.parts) - len(program.cells), 0]
    ports = len(sizes)
    first = np.zeros((*inputs.shape[:2], ports + 1), dtype=np.int64)
    total = kernel.count_events(inputs, first, ports, sizes)
    indices, payloads = np.empty(total, dtype=np.int32), np.empty(total, dtype=np.int32)
    kernel.list_input_events(inputs, program.perm, indices, payloads)
    counters = np.zeros((3, len(program.cells)), dtype=np.int64)
    kernel.run_samples(program.tables, ports, (first, indices, payloads), *out, counters)
    return counters


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


def _spikes(network: Network, found: Mapping[str, Spikes]) -> dict[str, Spikes]:
    """Return spikes as uint8 where a population sends 0 and 1 only, beside others whose payloads take int32."""
    narrow = {p.name for p in network.populations if not p.neuron.graded}
    return {name: s.astype(np.uint8, copy=False) if name in narrow else s for name, s in found.items()}


def _span(cells: list[slice]) -> slice:
    """Return the smallest slice that holds all of these."""
    return slice(min((c.start for c in cells), default=0), max((c.stop for c in cells), default=0))


def _largest_sent(network: Network, largest: npt.NDArray[np.int64]) -> int:
    """Return the largest payload that reaches another population."""
    heard = {projection.source for projection in network.projections}
    sent = (int(size) for p, size in zip(network.order, largest, strict=True) if p.name in heard)
    return max(sent, default=0)


def _by_population(
    network: Network,
    program: Program | StepwiseProgram,
    values: npt.NDArray[Any],
    names: Collection[str],
    first: int = 0,
) -> dict[str, npt.NDArray[Any]]:
    """Cut the cell axis into populations and turn each back into torch order (a view where possible).

    Parameters
    ----------
    values : [samples, steps, cells], from the cell ``first`` on.
    names : the populations to return.
    """
    out = {}
    for population in network.populations:
        if population.name not in names:
            continue
        cells = program.cells[population.name]
        cut = values[:, :, cells.start - first : cells.stop - first]
        if len(population.shape) == 3:
            channels, height, width = population.shape
            out[population.name] = cut.reshape(*cut.shape[:2], height, width, channels).transpose(0, 1, 4, 2, 3)
        else:
            out[population.name] = cut.reshape(*cut.shape[:2], *population.shape)
    return out
