"""Runs netlists on Lava: ``python engine.py FOLDER SHARED_MEMORY_PREFIX ENGINE COUNT``.

ENGINE is "runtime" (Lava's own, a process of the operating system for each of Lava's) or "threads" (the same models in
threads of this process). Reads FOLDER/0/netlist.npz to FOLDER/COUNT-1/netlist.npz and writes the tapes beside each;
FOLDER/progress ("done total" in steps of all) and, last, FOLDER/done.json; or FOLDER/error.txt, with the first
exception of any of Lava's processes.
"""

import json
import os
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

from guard import EXIT_CODE, ErrorFile, die_with_parent, keep_sockets_short, name_shared_memory


def main(folder, prefix, engine, count):
    """Run the netlists in ``folder``; never returns, because a Python exit would wait for Lava's threads."""
    errors = ErrorFile(folder / "error.txt")
    try:
        die_with_parent()
        name_shared_memory(prefix)
        keep_sockets_short(folder)
        versions = execute(folder, ENGINES[engine](errors), count)
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


def execute(folder, step_through, count):
    """Run everything the netlists ask for and return the versions of what ran."""
    import numpy
    from build import build

    jobs = [load(folder / str(index)) for index in range(count)]
    total, done = sum(run["steps"] for spec, _ in jobs for run in spec["runs"]), 0
    for index, (spec, arrays) in enumerate(jobs):
        for run in spec["runs"]:
            processes = build(spec, arrays, run, folder / str(index))
            step_through(processes, run["steps"], partial(tell, folder, total, done))
            done += run["steps"]
    return {"python": sys.version.split()[0], "numpy": numpy.__version__, "lava-nc": version("lava-nc")}


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
    main(Path(sys.argv[1]).absolute(), sys.argv[2], sys.argv[3], int(sys.argv[4]))
