"""Runs a netlist on Lava: ``python engine.py FOLDER SHARED_MEMORY_PREFIX``.

Reads FOLDER/netlist.npz; writes the tapes, FOLDER/progress ("done total" in steps) and, last, FOLDER/done.json; or
FOLDER/error.txt, with the first exception of any of Lava's processes.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path

from guard import (
    EXIT_CODE,
    DeathWatch,
    ErrorFile,
    die_with_parent,
    keep_sockets_short,
    name_shared_memory,
    report_exceptions,
)

#: Steps are handed to Lava in this many portions, so that there is progress to show.
PORTIONS = 40


def main(folder, prefix, work=None):
    """Run the netlist in ``folder``; never returns, because a Python exit would wait for Lava's threads.

    ``work`` takes the folder and the error file and returns the versions of what ran, :func:`execute` by default.
    """
    errors = ErrorFile(folder / "error.txt")
    try:
        die_with_parent()
        name_shared_memory(prefix)
        keep_sockets_short(folder)
        versions = (work or execute)(folder, errors)
        replace(folder / "done.json", json.dumps(versions))
    except BaseException:  # noqa: BLE001  # whatever it is, the file is the only way to tell
        errors.write_exception()
        os._exit(EXIT_CODE)
    os._exit(0)


def execute(folder, errors):
    """Run everything the netlist asks for and return the versions of what ran."""
    import numpy
    from build import build
    from lava.magma.runtime import runtime

    report_exceptions(runtime, errors)
    watch = DeathWatch(errors)
    with numpy.load(folder / "netlist.npz", allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    spec = json.loads(str(arrays.pop("spec")))
    total, done = sum(run["steps"] for run in spec["runs"]), 0
    for run in spec["runs"]:
        for lif in build(spec, arrays, run, folder):
            if not lif.is_compiled:  # Lava runs what is connected: a network in two pieces takes two turns
                step_through(lif, run["steps"], watch, partial(tell, folder, total, done))
        done += run["steps"]
    return {"python": sys.version.split()[0], "numpy": numpy.__version__, "lava-nc": lava_version()}


def step_through(lif, steps, watch, progress):
    """Run ``lif`` and all that is connected to it on Lava's runtime with its bit-accurate models."""
    from build import Taped
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.lif.process import LIFReset

    config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map={LIFReset: Taped})
    portion = -(-steps // PORTIONS)
    watch.armed = True
    for start in range(0, steps, portion):
        lif.run(condition=RunSteps(num_steps=min(portion, steps - start)), run_cfg=config)
        progress(min(start + portion, steps))
    watch.armed = False
    lif.stop()


def lava_version():
    """Return the version of the installed lava-nc."""
    from importlib.metadata import version

    return version("lava-nc")


def tell(folder, total, before, steps):
    """Say how far the runs are: ``steps`` into the current one, after ``before`` in earlier ones."""
    replace(folder / "progress", f"{before + steps} {total}")


def replace(path, text):
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text)
    temporary.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), sys.argv[2])
