"""The default backend: the event-driven kernel on all processors; the golden model where it must be."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from neurodeploy.events import Densified, EventInput
from neurodeploy.network import Network
from neurodeploy.recording import Recording
from neurodeploy.targets.emulator import golden, kernel
from neurodeploy.targets.emulator.feeding import Spikes, dense_inputs, event_inputs, loudest
from neurodeploy.targets.emulator.memory import Inputs, Memory, Outputs, memory
from neurodeploy.targets.emulator.program import Program, compiled
from neurodeploy.targets.emulator.stages import STAGED, run_sample

Counts = npt.NDArray[np.int64]


def run(network: Network, spikes: Mapping[str, Spikes | EventInput], record: Collection[str] = ("s",)) -> Recording:
    """Simulate ``network`` bit-exactly; parameters as in :func:`neurodeploy.targets.emulator.golden.run`.

    Ports may be given as events. Payloads so large that a 32-bit sum could overflow go through the golden model.
    """
    program, dense = compiled(network), Densified(spikes, {port.name: port.shape for port in network.ports})
    events = {name: values for name, values in spikes.items() if isinstance(values, EventInput)}
    every = len(events) == len(spikes)
    inputs = event_inputs(network, program, events) if every else dense_inputs(network, dense)
    if loudest(inputs, program.exact_payload) > program.exact_payload:
        return golden.run(network, dense, record)
    samples, steps = inputs.first.shape[:2]
    cells = program.population_cells
    outputs = Outputs(
        s=np.empty((samples, steps, cells), dtype=np.uint8),
        u=np.empty((samples, steps, cells if "u" in record else 0), dtype=np.int32),
        v=np.empty((samples, steps, cells if "v" in record else 0), dtype=np.int32),
        found=np.zeros((len(program.cells), 2), dtype=np.int64),
        keeps_u="u" in record,
        keeps_v="v" in record,
    )
    found = dict(zip(program.cells, _run(program, inputs, outputs).tolist(), strict=True))
    return Recording(
        samples=samples,
        steps=steps,
        spikes=_by_population(network, program, outputs.s),
        outputs=network.outputs,
        backend="emulator",
        versions={"numpy": np.__version__, "numba": numba.__version__},
        u=_by_population(network, program, outputs.u) if "u" in record else {},
        v=_by_population(network, program, outputs.v) if "v" in record else {},
        inputs=dense,
        wraps={name: wraps for name, (wraps, _) in found.items()},
        clips={name: clips for name, (_, clips) in found.items()},
    )


def _run(program: Program, inputs: Inputs, outputs: Outputs) -> Counts:
    """Run all samples; return wraps and clips of each population in running order, int64 [populations, 2].

    Samples are spread over threads; where there are fewer of them than threads, threads share each.
    """
    samples, workers = len(outputs.s), threads()
    if samples < workers and outputs.s[0].size >= STAGED:
        own = _borrow(program)
        for sample in range(samples):
            run_sample(program.tables, own, inputs, outputs, sample, workers)
        program.spare.append(own)
        return np.asarray(outputs.found)

    def work(few: tuple[int, int]) -> Counts:
        found: Counts = np.zeros_like(outputs.found)
        own, stage = _borrow(program), (0, len(program.cells))
        kernel.run(program.tables, own, inputs, outputs._replace(found=found), few, (0, outputs.s.shape[1]), stage)
        program.spare.append(own)
        return found

    if workers == 1 or samples == 1:
        return work((0, samples))
    with ThreadPoolExecutor(min(workers, samples)) as pool:
        return np.asarray(sum(pool.map(work, _chunks(samples, workers))))


def _borrow(program: Program) -> Memory:
    """Return memory that no other thread uses; who has done with it puts it among the spare."""
    try:
        own: Memory = program.spare.pop()
    except IndexError:
        return memory(program.tables, program.population_cells)
    return own


def threads() -> int:
    """Return how many threads may run: the processors this process is allowed on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _chunks(samples: int, workers: int) -> list[tuple[int, int]]:
    """Cut the samples into contiguous pieces, a few per worker so that uneven ones even out."""
    edges = np.linspace(0, samples, min(samples, 4 * workers) + 1).astype(int)
    return list(itertools.pairwise(edges.tolist()))


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
