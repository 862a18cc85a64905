"""Processes that serve :mod:`tests.benchmarks.peers.serving`, as the benchmark sees them."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from neurodeploy.targets.lava.supervisor import end_group

#: Seconds a process gets to end after its input has.
_FAREWELL = 5


class Child:
    """A process that answers requests one line each, in a session of its own.

    Parameters
    ----------
    command : its interpreter and script.
    environment : all of its environment variables.
    limit : most seconds an answer may take.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], limit: float) -> None:
        self.limit, self._rest, self._ended = limit, b"", ""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process, and the group of all that it starts."""
        return self._process.pid

    def ask(self, **request: Any) -> dict[str, Any]:
        """Return the answer; one with ``error`` alone where the process fails, ends or takes too long."""
        if self._ended:
            return {"error": self._ended}
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            answer: dict[str, Any] = json.loads(self._line(time.monotonic() + self.limit))
        except TimeoutError:
            return self._give_up(f"no answer within {self.limit:g} s")
        except (BrokenPipeError, EOFError):
            return self._give_up("its process ended" + self._exit_code())
        except json.JSONDecodeError:
            return self._give_up("what it answers is no JSON")
        return answer

    def _line(self, deadline: float) -> bytes:
        assert self._process.stdout
        stream = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            ready, _, _ = select.select([stream], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            more = os.read(stream, 1 << 16)
            if not more:
                raise EOFError
            self._rest += more
        line, self._rest = self._rest.split(b"\n", 1)
        return line

    def _exit_code(self) -> str:
        """The exit code of a process that has closed its pipes, where it ends by itself soon after."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return f" with exit code {self._process.wait(_FAREWELL)}"
        return ""

    def _give_up(self, why: str) -> dict[str, Any]:
        """End the process; return why, and the last thing it wrote."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        why += f" ({lines[-1].strip()})" if lines else ""
        self.close(patience=0)
        self._ended = why
        return {"error": why}

    def close(self, patience: float = _FAREWELL) -> None:
        """End the process and all that it started; it may do so by itself within ``patience`` seconds."""
        if self._ended:
            return
        self._ended = "it was ended"
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        end_group(self._process.pid)
        self._process.wait()
        self._process.stdout.close()
        self._log.close()
