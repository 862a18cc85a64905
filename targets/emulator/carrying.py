"""A run of the emulator that goes on where it stopped: each sample keeps its kernel's memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from neurodeploy.carried import Carried
from neurodeploy.events import EventInput
from neurodeploy.exactness import loudest
from neurodeploy.network import Network
from neurodeploy.recording import Recording
from neurodeploy.targets.emulator import golden
from neurodeploy.targets.emulator.feeding import Spikes
from neurodeploy.targets.emulator.memory import Inputs, Memory, Outputs, memory
from neurodeploy.targets.emulator.program import Program
from neurodeploy.targets.emulator.run import attempt, compiled, dense_view, threads
from neurodeploy.targets.emulator.snapshot import restored, snapshot
from neurodeploy.targets.emulator.stepwise_program import StepwiseMemory, StepwiseProgram, stepwise_memory
from neurodeploy.targets.emulator.workers import Counts, run_in_chunks, run_stepwise


class Carrier:
    """Samples of a network between two runs.

    Where payloads grow beyond what the kernels take, the golden model goes on from the state before them, for good.
    """

    def __init__(self, network: Network, start: Carried) -> None:
        self._network, self._program = network, compiled(network)
        self._chunked: list[Memory] = []
        self._stepwise: list[StepwiseMemory] = []
        for _ in range(start.samples):
            if isinstance(self._program, StepwiseProgram):
                self._stepwise.append(stepwise_memory(self._program))
            else:
                self._chunked.append(memory(self._program.tables, self._program.population_cells))
        self._steps = start.steps
        self._golden: Carried | None = None
        heard = {projection.source for projection in network.projections}
        self._sends_payloads = any(p.neuron.graded and p.name in heard for p in network.populations)
        if start.steps:
            restored(network, self._program, self._chunked or self._stepwise, start)

    def run(self, spikes: Mapping[str, Spikes | EventInput], record: Collection[str]) -> Recording:
        """Simulate the next steps of every sample; parameters as of the backend's run."""
        before = self._golden
        if before is None:
            loud = self._loudest(spikes) > self._program.exact_payload
            before = self.carried() if loud or self._sends_payloads else None
            found = None if loud else attempt(self._network, spikes, record, self._execute)
            if found is not None:
                self._steps += found.steps
                return found
        assert before is not None, "only payloads make a sum overflow"
        recording, self._golden = golden.advance(self._network, dense_view(self._network, spikes), record, before)
        return recording

    def _loudest(self, spikes: Mapping[str, Spikes | EventInput]) -> int:
        """Return the largest payload; 0 where the types of the inputs show that none is too large."""
        given = [values.payload if isinstance(values, EventInput) else values for values in spikes.values()]
        sent = [values for values in given if values is not None]
        wide = [values for values in sent if np.iinfo(values.dtype).max > self._program.exact_payload]
        return max(map(loudest, wide), default=0)

    def carried(self) -> Carried:
        """Return the state after the steps so far."""
        own = self._chunked or self._stepwise
        return self._golden or snapshot(self._network, self._program, own, self._steps)

    def _execute(self, program: Program | StepwiseProgram, inputs: Inputs, outputs: Outputs) -> Counts:
        here = outputs._replace(first_t=self._steps)
        if isinstance(program, StepwiseProgram):
            return run_stepwise(program, inputs, here, threads(), self._stepwise)
        return run_in_chunks(program, inputs, here, threads(), self._chunked)
