"""Keeps Lava started between runs, for whoever asks one small question after the other.

Lava takes a second to be imported, a small network on its threads some hundredths.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from neurodeploy.network import Network
from neurodeploy.recording import Recording
from neurodeploy.targets.lava.child import explain, job_folder, submit, supervised, time_limit
from neurodeploy.targets.lava.environment import require
from neurodeploy.targets.lava.netlist import write_netlist
from neurodeploy.targets.lava.witness import Spikes, counted, read_job
from neurodeploy.verify_network import verify_network

#: Seconds between two looks for an answer.
_LOOK = 0.002


class Session:
    """Lava's models in one process, which takes one network after the other.

    ::

        with Session() as lava:
            recording = lava.run(network, spikes)

    A failure ends the process, and the next run starts another.
    """

    def __init__(self) -> None:
        self._python = require().python
        self._resources = contextlib.ExitStack()
        self._folder: Path | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._jobs = 0

    def __enter__(self) -> Self:
        """Return itself; the process starts with the first run."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the process."""
        self.close()

    def close(self) -> None:
        """End the process, if there is one; the next run starts another."""
        self._folder, self._supervisor, self._jobs = None, None, 0
        self._resources.close()

    def run(
        self,
        network: Network,
        spikes: Spikes,
        record: Collection[str] = ("s", "u", "v"),
        timeout: float | None = None,
    ) -> Recording:
        """Simulate ``network``; see :func:`neurodeploy.targets.lava.run` for the parameters and what it raises."""
        verify_network(network)
        netlist = write_netlist(network, spikes, counted(record))
        folder, supervisor = self._started()
        job, self._jobs = job_folder(folder, self._jobs), self._jobs + 1
        limit = time_limit([netlist], timeout)
        deadline = time.monotonic() + limit
        submit(folder, self._jobs - 1, netlist)
        while not (job / "done.json").exists():
            late = time.monotonic() > deadline
            if late or supervisor.poll() is not None:
                error = explain(folder, limit if late else None)
                self.close()
                raise error
            time.sleep(_LOOK)
        versions: dict[str, str] = json.loads((job / "done.json").read_text())
        recording = read_job(network, spikes, netlist, job, record, versions)
        shutil.rmtree(job)
        return recording

    def _started(self) -> tuple[Path, subprocess.Popen[bytes]]:
        if self._folder is None or self._supervisor is None:
            folder = tempfile.TemporaryDirectory(prefix="nd-lava-", ignore_cleanup_errors=True)
            self._folder = Path(self._resources.enter_context(folder))
            self._supervisor = self._resources.enter_context(supervised(self._python, self._folder, ["threads"]))
        return self._folder, self._supervisor
