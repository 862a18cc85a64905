"""The default backend: the event-driven kernels on all processors; the golden model where it must be."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Collection, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.events import Densified, EventInput
from neurodeploy.network import Network
from neurodeploy.recording import Recording
from neurodeploy.targets.emulator import golden
from neurodeploy.targets.emulator.common import runs_in_chunks
from neurodeploy.targets.emulator.feeding import Spikes, dense_inputs, event_inputs
from neurodeploy.targets.emulator.memory import Inputs, Outputs
from neurodeploy.targets.emulator.program import Program, compile_network
from neurodeploy.targets.emulator.stepwise_program import StepwiseProgram, compile_stepwise
from neurodeploy.targets.emulator.workers import Counts, run_in_chunks, run_stepwise

#: What runs a program on inputs into outputs, as :func:`execute`.
Executor = Callable[[Program | StepwiseProgram, Inputs, Outputs], Counts]

_PROGRAMS: weakref.WeakKeyDictionary[Network, Program | StepwiseProgram] = weakref.WeakKeyDictionary()


def compiled(network: Network) -> Program | StepwiseProgram:
    """Return the program of a network for the kernel that runs it, compiled once as long as the network lives."""
    if network not in _PROGRAMS:
        compiler = compile_network if runs_in_chunks(network) else compile_stepwise
        _PROGRAMS[network] = compiler(network)
    return _PROGRAMS[network]


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
    events = {name: values for name, values in spikes.items() if isinstance(values, EventInput)}
    every = len(events) == len(spikes)
    inputs = event_inputs(network, program.perm, events) if every else dense_inputs(network, dense)
    everyone = tuple(p.name for p in network.populations)
    answering = everyone if "v" in record else network.readouts
    kept = _span([program.cells[name] for name in answering])
    outputs = _outputs(network, program, inputs.first.shape[:2], kept, keeps_u="u" in record)
    counts = execute(program, inputs, outputs)
    if _largest(network, counts[:, 2]) > program.exact_payload:
        return None
    found = dict(zip(program.cells, counts[len(network.ports) :].tolist(), strict=True))
    return Recording(
        samples=inputs.first.shape[0],
        steps=inputs.first.shape[1],
        spikes=_spikes(network, _by_population(network, program, outputs.s, everyone)),
        outputs=network.outputs,
        backend="emulator",
        versions={"numpy": np.__version__, "numba": _numba_version()},
        u=_by_population(network, program, outputs.u, everyone if "u" in record else ()),
        v=_by_population(network, program, outputs.v, answering, kept.start),
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
    network: Network, program: Program | StepwiseProgram, extent: tuple[int, ...], kept: slice, *, keeps_u: bool
) -> Outputs:
    """Return room for what a run writes; v has the cells ``kept``."""
    cells, cells_v = program.population_cells, kept.stop - kept.start
    graded = any(p.neuron.graded for p in network.populations)
    return Outputs(
        s=np.empty((*extent, cells), dtype=np.int32 if graded else np.uint8),
        u=np.empty((*extent, cells if keeps_u else 0), dtype=np.int32),
        v=np.empty((*extent, cells_v), dtype=np.int32),
        found=np.zeros((len(program.tables.parts), 3), dtype=np.int64),
        keeps_u=keeps_u,
        first_v=kept.start,
        cells_v=cells_v,
    )


def _spikes(network: Network, found: Mapping[str, Spikes]) -> dict[str, Spikes]:
    """Return spikes as uint8 where a population sends 0 and 1 only, beside others whose payloads take int32."""
    narrow = {p.name for p in network.populations if not p.neuron.graded}
    return {name: s.astype(np.uint8, copy=False) if name in narrow else s for name, s in found.items()}


def _span(cells: list[slice]) -> slice:
    """Return the smallest slice that holds all of these."""
    return slice(min((c.start for c in cells), default=0), max((c.stop for c in cells), default=0))


def _largest(network: Network, largest: npt.NDArray[np.int64]) -> int:
    """Return the largest payload that reaches a population, of those that each part sent."""
    heard = {projection.source for projection in network.projections}
    names = [part.name for part in network.ports] + [part.name for part in network.order]
    sent = (int(size) for name, size in zip(names, largest, strict=True) if name in heard)
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
