"""Lava's own runtime on a netlist of our Lava backend: ``python lava_peer.py WORKER FOLDER PREFIX`` on Lava's Python.

Runs the processes that ``--backend lava`` runs, made by the same worker, with spikes alone written down. The first step
comes before the clock: with it Lava compiles and forks. A run is the steps after it, stretched to all of them.
"""

import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import numpy
from build import build
from engine import load
from guard import ErrorFile, die_with_parent, keep_sockets_short, name_shared_memory, report_exceptions
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.runtime import runtime
from serving import Job, serve
from taped import NEURONS


class Lava(Job):
    """The one run of a netlist of one sample."""

    def __init__(self, job):
        self.folder = Path(job)
        self.spec, self.arrays = load(self.folder)
        (self.run_spec,) = self.spec["runs"]
        self.found, self.most = {}, 0.0

    def timed(self):
        begin, steps = time.perf_counter(), self.run_spec["steps"]
        process = build(self.spec, self.arrays, self.run_spec, self.folder)[0]
        config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=NEURONS)
        process.run(condition=RunSteps(num_steps=1), run_cfg=config)
        started = time.perf_counter()
        process.run(condition=RunSteps(num_steps=steps - 1), run_cfg=config)
        ran = time.perf_counter()
        self.most = max(self.most, proportional(os.getpgrp()))
        done = time.perf_counter()
        process.stop()
        self.found = {"start_seconds": started - begin, "stop_seconds": time.perf_counter() - done}
        return (ran - started) * steps / (steps - 1), self.folder

    def look(self, result):
        tapes = [f"{self.run_spec['first']}.{index}.s.npy" for index in range(len(self.spec["populations"]))]
        spikes = [numpy.load(result / tape) for tape in tapes]
        return {
            "shapes": [list(each.shape[1:]) for each in spikes],
            "spikes": [float(each.sum()) for each in spikes],
            "versions": {"lava-nc": version("lava-nc")},
        }

    def notes(self):
        return self.found

    def peak(self, baseline):
        """Return what all processes of a run hold at its end, shared pages by their share, in MiB."""
        return self.most - baseline if self.most else super().peak(baseline)


def proportional(group):
    """Return the memory of a process group in MiB, each shared page divided among those who share it."""
    total = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(path.name)) == group:
                lines = (path / "smaps_rollup").read_text().splitlines()
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue  # it ended meanwhile
    return total / 1024


if __name__ == "__main__":
    folder, prefix = Path(sys.argv[2]), sys.argv[3]
    die_with_parent()
    name_shared_memory(prefix)
    keep_sockets_short(folder)
    report_exceptions(runtime, ErrorFile(folder / "error.txt"))
    serve(Lava)
