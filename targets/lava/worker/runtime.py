"""Runs a built network on Lava's own runtime, which forks a process of the operating system for each of Lava's."""

from guard import DeathWatch, report_exceptions
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.runtime import runtime
from taped import NEURONS

#: Steps are handed to Lava in this many portions, so that there is progress to show.
PORTIONS = 40


class Runtime:
    """Lava's runtime, watched: an exception or a death in any of its processes is the run's error."""

    def __init__(self, errors):
        report_exceptions(runtime, errors)
        self.watch = DeathWatch(errors)

    def step_through(self, processes, steps, progress):
        """Run the processes for ``steps`` steps with Lava's bit-accurate models."""
        for process in processes:
            # Lava runs what is connected: a network in two pieces takes two turns.
            if type(process) in NEURONS and not process.is_compiled:
                self.run_connected(process, steps, progress)

    def run_connected(self, process, steps, progress):
        """Run one process, all that is in it, and all that it is connected to."""
        config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=NEURONS)
        portion = -(-steps // PORTIONS)
        self.watch.armed = True
        for start in range(0, steps, portion):
            process.run(condition=RunSteps(num_steps=min(portion, steps - start)), run_cfg=config)
            progress(min(start + portion, steps))
        self.watch.armed = False
        process.stop()
