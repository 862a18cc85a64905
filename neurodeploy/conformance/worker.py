"""The process that reads malformed files: one JSON request a line on stdin, one JSON answer a line on stdout."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from neurodeploy.errors import NeurodeployError
from neurodeploy.nirfile import read_graph

#: Address space of the process, so that a file that gets through cannot take the machine with it.
_ADDRESS_SPACE = 8 << 30


def main() -> None:
    """Answer requests until stdin ends."""
    _bound()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        request = json.loads(line)
        _reset_peak()
        begin = time.perf_counter()
        outcome, text = _read(request["path"], request["options"])
        taken = time.perf_counter() - begin
        answer = {"outcome": outcome, "text": text, "seconds": taken, "megabytes": _peak()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _read(path: str, options: dict[str, Any]) -> tuple[str, str]:
    try:
        graph = read_graph(path, **options)
    except NeurodeployError as refusal:
        return "refused", str(refusal)
    except Exception as error:  # noqa: BLE001  # what a user would see as a traceback is what is looked for here
        return "crashed", f"{type(error).__name__}: {error}"
    return "accepted", "; ".join(graph.notes)


def _bound() -> None:
    try:
        import resource
    except ImportError:  # not on this platform; the limits on what a file may hold remain
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    low = _ADDRESS_SPACE if hard == resource.RLIM_INFINITY else min(hard, _ADDRESS_SPACE)
    resource.setrlimit(resource.RLIMIT_AS, (low, hard))


def _reset_peak() -> None:
    """Forget the peak of the file before; Linux alone can, elsewhere the peak is that of all files so far."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak() -> float:
    """Return the largest resident memory in megabytes, 0 where the platform does not tell."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM")), "VmHWM: 0 kB")
    return float(line.split()[1]) / 1000.0
