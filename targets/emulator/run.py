"""The default backend: the event-driven kernels on all processors; the golden model where it must be."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib.metadata import version

import numpy as np

from neurodeploy.events import Densified, EventInput
from neurodeploy.network import Network
from neurodeploy.recording import Recording
from neurodeploy.targets.emulator import golden
from neurodeploy.targets.emulator.common import runs_in_chunks
from neurodeploy.targets.emulator.feeding import Spikes, dense_inputs, event_inputs
from neurodeploy.targets.emulator.layout import Layout, layout
from neurodeploy.targets.emulator.lending import lend
from neurodeploy.targets.emulator.memory import CACHED, Inputs, Outputs, lined_up
from neurodeploy.targets.emulator.program import Program, compile_network
from neurodeploy.targets.emulator.stepwise_program import StepwiseProgram, compile_stepwise
from neurodeploy.targets.emulator.workers import Counts, run_in_chunks, run_stepwise

#: What runs a program on inputs into outputs, as :func:`execute`.
Executor = Callable[[Program | StepwiseProgram, Inputs, Outputs], Counts]

_PROGRAMS: weakref.WeakKeyDictionary[Network, Program | StepwiseProgram] = weakref.WeakKeyDictionary()


def compiled(network: Network) -> Program | StepwiseProgram:
    """Return the program of a network for the kernel that runs it, compiled once as long as the network lives."""
    program = _PROGRAMS.get(network)
    if program is None:
        program = (compile_network if runs_in_chunks(network) else compile_stepwise)(network)
        _PROGRAMS[network] = program
    return program


def run(network: Network, spikes: Mapping[str, Spikes | EventInput], record: Collection[str] = ("s",)) -> Recording:
    """Simulate ``network`` bit-exactly; parameters as in :func:`neurodeploy.targets.emulator.golden.run`.

    Ports may be given as events. Where a payload, given or sent by a population, was so large that a 32-bit sum could
    overflow, the golden model does it again: to look for one before would be a pass over all of the input.
    """
    found = attempt(network, spikes, record, execute)
    return found or golden.run(network, dense_view(network, spikes), record)


def execute(program: Program | StepwiseProgram, inputs: Inputs, outputs: Outputs) -> Counts:
    """Run all samples from cleared state; return wraps, clips and largest payload, int64 [populations, 3]."""
    if isinstance(program, StepwiseProgram):
        return run_stepwise(program, inputs, outputs, threads())
    return run_in_chunks(program, inputs, outputs, threads())


def dense_view(network: Network, spikes: Mapping[str, Spikes | EventInput]) -> Densified:
    """Return the inputs as arrays, made from events when asked for."""
    return Densified(spikes, {port.name: port.shape for port in network.ports})


def attempt(
    network: Network, spikes: Mapping[str, Spikes | EventInput], record: Collection[str], execute: Executor
) -> Recording | None:
    """Return what ``execute`` makes of the inputs, or nothing where a 32-bit sum could have overflowed."""
    program, dense = compiled(network), dense_view(network, spikes)
    where = layout(network, program)
    events = {name: values for name, values in spikes.items() if isinstance(values, EventInput)}
    every = len(events) == len(spikes)
    inputs = event_inputs(network, program.perm, events) if every else dense_inputs(network, dense)
    answering = where.everyone if "v" in record else where.answering
    first_v, end_v = where.kept(answering)
    extent = inputs.first.shape[:2]
    outputs = _outputs(program, where, extent, (first_v, end_v), keeps_u="u" in record)
    counts = execute(program, inputs, outputs).tolist()
    if max((counts[row][2] for row in where.heard), default=0) > program.exact_payload:
        return None
    found = dict(zip(program.cells, counts[len(network.ports) :], strict=True))
    return Recording(
        samples=extent[0],
        steps=extent[1],
        spikes=where.spikes(outputs.s),
        outputs=network.outputs,
        backend="emulator",
        versions={"numpy": np.__version__, "numba": _numba_version()},
        u=where.split(outputs.u, where.everyone if "u" in record else ()),
        v=where.split(outputs.v, answering, first_v),
        inputs=dense,
        wraps={name: wraps for name, (wraps, _, _) in found.items()},
        clips={name: clips for name, (_, clips, _) in found.items()},
        readouts=network.readouts,
    )


def threads() -> int:
    """Return how many threads may run: the processors this process is allowed on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _numba_version() -> str:
    """Return the version from the package's metadata, which take as long to read as a short run takes."""
    return version("numba")


def _outputs(
    program: Program | StepwiseProgram, where: Layout, extent: tuple[int, ...], kept: tuple[int, int], *, keeps_u: bool
) -> Outputs:
    """Return room for what a run writes; v has the cells ``kept``."""
    cells, cells_v = program.population_cells, kept[1] - kept[0]
    if isinstance(program, Program):
        cells, cells_v = lined_up(cells), lined_up(cells_v)
    s = lend((*extent, cells), np.int32 if where.graded else np.uint8)
    return Outputs(
        s=s,
        u=lend((*extent, cells if keeps_u else 0), np.int32),
        v=lend((*extent, cells_v), np.int32),
        found=np.zeros((len(program.tables.parts), 3), dtype=np.int64),
        keeps_u=keeps_u,
        first_v=kept[0],
        cells_v=cells_v,
        streams=s.nbytes > CACHED,
    )
