"""A contestant's side of the benchmark: one JSON document a line comes in, one goes out.

``{"do": "greet"}`` is answered with nothing, once everything is loaded; ``{"do": "prepare", "key": K, "job": {...}}``
makes what is to be run, runs it once and says what it computes; ``{"do": "run", "key": K, "least": S}`` runs it until S
seconds are full, once at least, and says how long each run took. An answer with ``error`` says why there is none. Only
the standard library is used, of Python 3.10 on.
"""

import json
import os
import sys
import time

#: Most repetitions that one request is answered with.
MOST = 1000


class Job:
    """One network on one batch of samples; ``run`` is what is timed."""

    def run(self):
        """Compute the network once and return what came out."""
        raise RuntimeError("what is run is said by those that inherit")

    def timed(self):
        """Return the seconds of a run, and what came out."""
        begin = time.perf_counter()
        result = self.run()
        return time.perf_counter() - begin, result

    def look(self, result):
        """Return what a result shows of the network that was computed, as JSON values."""
        return {}

    def notes(self):
        """Return what else the last run measured, as JSON values."""
        return {}

    def peak(self, baseline):
        """Return the most memory that was resident so far beyond ``baseline``, in MiB, or None if nobody knows."""
        now = memory("VmHWM")
        return None if now is None else now - baseline


def memory(field):
    """Return a field of the kernel's account of this process' memory in MiB; None where there is none."""
    try:
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))
    except (OSError, StopIteration):
        return None


def serve(make):
    """Answer requests until the input ends; ``make(**job)`` returns the :class:`Job` that a request describes."""
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    jobs, baseline = {}, memory("VmRSS") or 0.0
    for line in sys.stdin:
        try:
            answer = _answer(json.loads(line), make, jobs, baseline)
        except Exception as error:  # noqa: BLE001  # whatever it is, the one who asked has to hear it
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    os._exit(0)  # no library's own farewell may hold us up


def _answer(request, make, jobs, baseline):
    if request["do"] == "greet":
        return {}
    key = request["key"]
    if request["do"] == "prepare":
        jobs[key] = make(**request["job"])
        seconds, result = jobs[key].timed()
        return {"first": seconds, "peak_mib": jobs[key].peak(baseline), **jobs[key].look(result)}
    job, taken, notes = jobs[key], [], {}
    while len(taken) < MOST and (not taken or sum(taken) < request["least"]):
        seconds, _ = job.timed()
        taken.append(seconds)
        notes = job.notes()
    return {"seconds": taken, "notes": notes}
