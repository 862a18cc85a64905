"""Runs of either kernel spread over threads: samples side by side, or the stages of one sample."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from neurodeploy.targets.emulator import columns as c
from neurodeploy.targets.emulator import job, stages
from neurodeploy.targets.emulator.feeding import loudest
from neurodeploy.targets.emulator.memory import EVENTS, Inputs, Memory, Outputs, memory
from neurodeploy.targets.emulator.pool import pool
from neurodeploy.targets.emulator.program import Program
from neurodeploy.targets.emulator.stepwise_program import StepwiseMemory, StepwiseProgram, stepwise_memory

Counts = npt.NDArray[np.int64]
Span = tuple[int, int]

#: Neuron updates of a sample from which it is worth to wake other threads for it.
STAGED = 1_000_000


def run_in_chunks(
    program: Program, inputs: Inputs, outputs: Outputs, workers: int, carried: Sequence[Memory] = ()
) -> Counts:
    """Run all samples of a plain network, whose populations send 1 and nothing else.

    Samples are spread over threads; where there are fewer of them than threads, threads share each.

    Parameters
    ----------
    carried : the memory of each sample, where a run goes on; else any memory serves.

    Returns
    -------
    Wraps, clips and largest payload of each part, int64 [parts, 3]: the ports, then the populations in running order.
    """
    samples = len(outputs.s)

    def work(few: Span) -> Counts:
        if carried:
            return _joined([alone(carried[sample], (sample, sample + 1)) for sample in range(*few)])
        own = _taken(program)
        found = alone(own, few)
        program.spare.append(own)
        return found

    def alone(own: Memory, few: Span) -> Counts:
        job.run(program.tables, own, inputs, outputs, few)
        found: Counts = own.found.copy()
        return found

    def share(sample: int) -> Counts:
        own = carried[sample] if carried else _taken(program)
        stages.run_sample(program, own, inputs, outputs, sample, workers)
        found: Counts = own.found.copy()
        if not carried:
            program.spare.append(own)
        return found

    if samples < workers and outputs.s[0].size >= STAGED:
        found = _joined([share(sample) for sample in range(samples)])
    else:
        found = _joined(_spread(work, samples, workers))
    found[-len(program.cells) :, 2] = 1
    return found


def _taken(program: Program) -> Memory:
    """Return memory that no other thread uses, from the spare if there is any."""
    try:
        own: Memory = program.spare.pop()
    except IndexError:
        own = memory(program.tables, program.population_cells)
    return own


def run_stepwise(
    program: StepwiseProgram, inputs: Inputs, outputs: Outputs, workers: int, carried: Sequence[StepwiseMemory] = ()
) -> Counts:
    """As :func:`run_in_chunks` of any network."""
    from neurodeploy.targets.emulator import stepwise_kernel as kernel

    tables = program.tables
    sizes = tables.parts[: len(tables.parts) - len(program.cells), c.SIZE]
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
        events, out = listed(part), (outputs.s[part], outputs.u[part], outputs.v[part])
        own = carried[part] or [stepwise_memory(program)] * (few[1] - few[0])
        for nth, its in enumerate(own):
            kernel.run_sample(tables, len(sizes), events, nth, outputs.first_t, out, outputs.first_v, its, counters)
        return counters.T

    given = np.full((len(sizes), 3), [0, 0, loudest(inputs)], dtype=np.int64)
    return np.concatenate([given, _joined(_spread(work, len(outputs.s), workers))])


def _joined(counts: list[Counts]) -> Counts:
    if len(counts) == 1:
        return counts[0]
    return np.column_stack([np.sum(counts, axis=0)[:, :2], np.max(counts, axis=0)[:, 2]])


def _spread(work: Callable[[Span], Counts], samples: int, workers: int) -> list[Counts]:
    """Return what ``work`` finds in all samples, cut into contiguous pieces, a few per worker to even out."""
    if workers == 1 or samples == 1:
        return [work((0, samples))]
    edges = np.linspace(0, samples, min(samples, 4 * workers) + 1).astype(int).tolist()
    return list(pool(workers).map(work, itertools.pairwise(edges)))
