"""The default backend: the event-driven kernels on all processors; the golden model where it must be."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib.metadata import version
from typing import cast

import numpy as np
import numpy.typing as npt

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

#: Network -> its program, and how what that writes becomes a recording.
_PLANS: weakref.WeakKeyDictionary[Network, tuple[Program | StepwiseProgram, Layout]] = weakref.WeakKeyDictionary()


def planned(network: Network) -> tuple[Program | StepwiseProgram, Layout]:
    """Return a network's program and layout, made once as long as the network lives."""
    plan = _PLANS.get(network)
    if plan is None:
        program = (compile_network if runs_in_chunks(network) else compile_stepwise)(network)
        plan = _PLANS[network] = program, layout(network, program)
    return plan


def compiled(network: Network) -> Program | StepwiseProgram:
    """Return the program of a network for the kernel that runs it."""
    return planned(network)[0]


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
    program, where = planned(network)
    dense = Densified(spikes, where.ports)
    extent = next(iter(spikes.values())).shape[:2]
    answering = where.everyone if "v" in record else where.answering
    first_v, end_v = where.kept(answering)
    outputs = _outputs(program, where, extent, (first_v, end_v), keeps_u="u" in record)
    counts = execute(program, _inputs(network, program, spikes, dense), outputs).tolist()
    if max([counts[row][2] for row in where.heard], default=0) > program.exact_payload:
        return None
    wraps, clips, _ = zip(*counts[len(network.ports) :], strict=True)
    return Recording(
        samples=extent[0],
        steps=extent[1],
        spikes=where.spikes(outputs.s),
        outputs=network.outputs,
        backend="emulator",
        versions=dict(_versions()),
        u=where.split(outputs.u, where.everyone) if "u" in record else {},
        v=where.split(outputs.v, answering, first_v) if answering else {},
        inputs=dense,
        wraps=dict(zip(program.cells, wraps, strict=True)),
        clips=dict(zip(program.cells, clips, strict=True)),
        readouts=network.readouts,
    )


def _inputs(
    network: Network, program: Program | StepwiseProgram, spikes: Mapping[str, Spikes | EventInput], dense: Densified
) -> Inputs:
    """Return what enters as events where all of it comes so, else as arrays."""
    if all(isinstance(values, EventInput) for values in spikes.values()):
        return event_inputs(network, program.perm, cast("Mapping[str, EventInput]", spikes))
    return dense_inputs(network, dense)


def threads() -> int:
    """Return how many threads may run: the processors this process is allowed on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    """Return who computed; to read numba's version from its metadata takes as long as a short run takes."""
    return ("numpy", np.__version__), ("numba", version("numba"))


def _outputs(
    program: Program | StepwiseProgram, where: Layout, extent: tuple[int, ...], kept: tuple[int, int], *, keeps_u: bool
) -> Outputs:
    """Return room for what a run writes; v has the cells ``kept``."""
    cells, cells_v = program.population_cells, kept[1] - kept[0]
    if isinstance(program, Program):
        cells, cells_v = lined_up(cells), lined_up(cells_v)
    s = lend((*extent, cells), np.int32 if where.graded else np.uint8)
    u, v = (_states((*extent, size), program) for size in (cells if keeps_u else 0, cells_v))
    return Outputs(s, u, v, keeps_u, kept[0], cells_v, streams=s.nbytes > CACHED)


def _states(extent: tuple[int, ...], program: Program | StepwiseProgram) -> npt.NDArray[np.int32] | None:
    """Return room for currents or membranes; the kernel of any network is compiled for an array."""
    return lend(extent, np.int32) if extent[-1] or isinstance(program, StepwiseProgram) else None
