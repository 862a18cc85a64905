"""Runs of either kernel spread over threads: samples side by side, or the stages of one sample."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from neurodeploy.targets.emulator import columns as c
from neurodeploy.targets.emulator.feeding import loudest
from neurodeploy.targets.emulator.memory import EVENTS, Inputs, Memory, Outputs, memory
from neurodeploy.targets.emulator.program import Program
from neurodeploy.targets.emulator.stepwise_program import StepwiseProgram

Counts = npt.NDArray[np.int64]
Span = tuple[int, int]

#: Neuron updates of a sample from which it is worth to look for stages.
STAGED = 2_000_000


def run_in_chunks(program: Program, inputs: Inputs, outputs: Outputs, workers: int) -> Counts:
    """Run all samples of a plain network, whose populations send 1 and nothing else.

    Samples are spread over threads; where there are fewer of them than threads, threads share each.

    Returns
    -------
    Wraps, clips and largest payload of each part, int64 [parts, 3]: the ports, then the populations in running order.
    """
    from neurodeploy.targets.emulator import kernel, stages

    def work(few: Span) -> Counts:
        found: Counts = np.zeros_like(outputs.found)
        own, stage = _borrow(program), (0, len(program.cells))
        kernel.run(program.tables, own, inputs, outputs._replace(found=found), few, (0, outputs.s.shape[1]), stage)
        program.spare.append(own)
        return found

    samples = len(outputs.s)
    if samples < workers and outputs.s[0].size >= STAGED:
        own = _borrow(program)
        for sample in range(samples):
            stages.run_sample(program.tables, own, inputs, outputs, sample, workers)
        program.spare.append(own)
        found = outputs.found
    else:
        found = _joined(_spread(work, samples, workers))
    found[-len(program.cells) :, 2] = 1
    return np.asarray(found)


def run_stepwise(program: StepwiseProgram, inputs: Inputs, outputs: Outputs, workers: int) -> Counts:
    """As :func:`run_in_chunks` of any network."""
    from neurodeploy.targets.emulator import stepwise_kernel as kernel

    sizes = program.tables.parts[: len(program.tables.parts) - len(program.cells), c.SIZE]
    dense = (inputs.dense, inputs.wide)[inputs.form] if inputs.form != EVENTS else inputs.wide

    def listed(part: slice) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        if inputs.form == EVENTS:
            return inputs.first[part], inputs.indices, inputs.payloads
        first = np.zeros((*dense[part].shape[:2], len(sizes) + 1), dtype=np.int64)
        total = kernel.count_events(dense[part], first, len(sizes), sizes)
        indices, payloads = np.empty(total, dtype=np.int32), np.empty(total, dtype=np.int32)
        kernel.list_input_events(dense[part], program.perm, indices, payloads)
        return first, indices, payloads

    def work(few: Span) -> Counts:
        part, counters = slice(*few), np.zeros((3, len(program.cells)), dtype=np.int64)
        out = (outputs.s[part], outputs.u[part], outputs.v[part], outputs.first_v)
        kernel.run_samples(program.tables, len(sizes), listed(part), *out, counters)
        return counters.T

    given = np.full((len(sizes), 3), [0, 0, loudest(inputs)], dtype=np.int64)
    return np.concatenate([given, _joined(_spread(work, len(outputs.s), workers))])


def _joined(counts: list[Counts]) -> Counts:
    return np.column_stack([np.sum(counts, axis=0)[:, :2], np.max(counts, axis=0)[:, 2]])


def _spread(work: Callable[[Span], Counts], samples: int, workers: int) -> list[Counts]:
    """Return what ``work`` finds in all samples, cut into contiguous pieces, a few per worker to even out."""
    if workers == 1 or samples == 1:
        return [work((0, samples))]
    edges = np.linspace(0, samples, min(samples, 4 * workers) + 1).astype(int).tolist()
    with ThreadPoolExecutor(min(workers, samples)) as pool:
        return list(pool.map(work, itertools.pairwise(edges)))


def _borrow(program: Program) -> Memory:
    """Return memory that no other thread uses; who has done with it puts it among the spare."""
    try:
        own: Memory = program.spare.pop()
    except IndexError:
        return memory(program.tables, program.population_cells)
    return own
