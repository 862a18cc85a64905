"""Runs netlists on Lava: ``python engine.py FOLDER SHARED_MEMORY_PREFIX ENGINE [COUNT]``.

ENGINE is "runtime" (Lava's own, a process of the operating system for each of Lava's) or "threads" (the same models in
threads of this process). Reads FOLDER/0/netlist.npz to FOLDER/COUNT-1/netlist.npz and writes the tapes and done.json
beside each; FOLDER/progress ("done total" in steps of all) and, last, FOLDER/done.json; or FOLDER/error.txt, with the
first exception of any of Lava's processes. Without COUNT it waits for each next netlist until it is ended.
"""

import itertools
import json
import os
import sys
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

from guard import EXIT_CODE, ErrorFile, die_with_parent, keep_sockets_short, name_shared_memory

#: Seconds between two looks for the next netlist.
LOOK = 0.002


def main(folder, prefix, engine, count=None, run=None):
    """Run the netlists in ``folder``; never returns, because a Python exit would wait for Lava's threads.

    ``engine`` takes the error file and returns what runs built processes, ``run`` is :func:`run_job` or one like it.
    """
    errors = ErrorFile(folder / "error.txt")
    try:
        die_with_parent()
        name_shared_memory(prefix)
        keep_sockets_short(folder)
        versions = execute(folder, engine(errors), count, run or run_job)
        replace(folder / "done.json", json.dumps(versions))
    except BaseException:  # noqa: BLE001  # whatever it is, the file is the only way to tell
        errors.write_exception()
        os._exit(EXIT_CODE)
    os._exit(0)


def _runtime(errors):
    from runtime import Runtime

    return Runtime(errors).step_through


def _threads(_):
    from threads import step_through

    return step_through


#: Name of an engine -> what makes its ``step_through(processes, steps, progress)``.
ENGINES = {"runtime": _runtime, "threads": _threads}


def execute(folder, step_through, count, run):
    """Run everything the netlists ask for and return the versions of what ran."""
    import numpy

    versions = {"python": sys.version.split()[0], "numpy": numpy.__version__, "lava-nc": version("lava-nc")}
    if count is None:
        for index in itertools.count():
            wait_for(folder / str(index))
            run(folder / str(index), *load(folder / str(index)), step_through, lambda _: None, versions)
    jobs = [load(folder / str(index)) for index in range(count)]
    total, done = sum(map(length, jobs)), 0
    for index, job in enumerate(jobs):
        run(folder / str(index), *job, step_through, partial(tell, folder, total, done), versions)
        done += length(job)
    return versions


def length(job):
    """Return the steps of all runs of a job."""
    spec, _ = job
    return sum(run["steps"] for run in spec["runs"])


def run_job(folder, spec, arrays, step_through, progress, versions):
    """Run one netlist."""
    from build import build

    done = 0
    for run in spec["runs"]:
        step_through(
            build(spec, arrays, run, folder), run["steps"], lambda steps, before=done: progress(before + steps)
        )
        done += run["steps"]
    replace(folder / "done.json", json.dumps(versions))


def wait_for(path):
    """Return when ``path`` is there."""
    while not path.exists():
        time.sleep(LOOK)


def load(folder):
    """Return the JSON document and the arrays of a netlist."""
    import numpy

    with numpy.load(folder / "netlist.npz", allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return json.loads(str(arrays.pop("spec"))), arrays


def tell(folder, total, before, steps):
    """Say how far the runs are: ``steps`` into the current one, after ``before`` in earlier ones."""
    replace(folder / "progress", f"{before + steps} {total}")


def replace(path, text):
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text)
    temporary.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), sys.argv[2], ENGINES[sys.argv[3]], *map(int, sys.argv[4:]))
