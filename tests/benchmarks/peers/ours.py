"""The emulator through the call that a user makes: ``neurodeploy.simulate`` of an integer network."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

import neurodeploy
from neurodeploy.network import Dense, Network, Population, Port, Projection
from neurodeploy.neurobench import neurobench
from neurodeploy.neurons import Lif
from neurodeploy.recording import Recording
from tests.benchmarks.peers.serving import Job, serve
from tests.benchmarks.workloads import workload


class Ours(Job):
    """A workload on dense or listed input, on all processors or the first."""

    def __init__(self, workload_name: str, batch: int, form: str, threads: int | None) -> None:
        if threads is not None:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
        load = workload(workload_name)
        self.batch, self.network, self.dense = batch, load.network(), load.spikes(batch)
        self.spikes: Any = self.dense if form == "dense" else listed(self.dense)

    def run(self) -> Recording:
        return neurodeploy.simulate(self.network, self.spikes)

    def look(self, result: Recording) -> dict[str, Any]:
        counts = neurobench(self.network, result)
        populations = self.network.populations
        return {
            "shapes": [list(p.shape) for p in populations],
            "spikes": [int(result.spikes[p.name].sum()) / self.batch for p in populations],
            "events": counts.synops_hw,
            "multiplications": counts.synaptic_operations.dense,
            "updates": sum(result.spikes[p.name].size for p in populations) / self.batch,
        }


def listed(dense: np.ndarray) -> Any:
    """Return the same spikes as events, sorted by sample and step."""
    from neurodeploy.events import EventInput

    samples, steps = dense.shape[:2]
    sample, t, index = np.nonzero(dense.reshape(samples, steps, -1))
    return EventInput(samples, steps, t.astype(np.int32), index.astype(np.int32), sample.astype(np.int32))


def wake() -> None:
    """Have the kernels loaded, as other libraries are by their import, before memory is looked at."""
    synapse = Projection("synapse", "in", "neuron", Dense(np.ones((1, 1), np.int32)))
    network = Network((Port("in", (1,)),), (Population("neuron", (1,), Lif(1, 0, 0)),), (synapse,), ("neuron",))
    neurodeploy.simulate(network, np.ones((1, 1, 1), np.uint8))


if __name__ == "__main__":
    wake()
    serve(Ours)
