"""Files that must be refused: the verdict, the words and the limits that a case demands, in a process of its own.

The process never imports a framework, so that its memory is that of reading, and is ended when it takes too long.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from neurodeploy.conformance.case import Case
from neurodeploy.conformance.row import Row

#: The step that these files were made for: with it a file is refused for its fault, not for saying nothing of time.
PLAIN_DT = 1e-4

#: Limits where a case states none.
_SECONDS, _MEGABYTES = 5.0, 500.0
#: A verdict with one of these words allows that the file is read; all but the first need a note.
_READING = ("accept-cleanly", "accept", "warn", "repair", "read-as")

_PROGRAM = "from neurodeploy.conformance.worker import main; main()"


class Reader:
    """A process that reads files one after the other, and is started again when one of them breaks it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop()

    def read(self, path: Path, *, seconds: float, **options: Any) -> dict[str, Any]:
        """Return how reading ``path`` ended: ``outcome`` (accepted, refused, crashed, hung), ``text``, and its cost.

        Parameters
        ----------
        seconds : after this time the process is ended.
        options : ``dt`` and ``semantics`` of :func:`neurodeploy.nirfile.read_graph`.
        """
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps({"path": str(path), "options": options}) + "\n")
            process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            answered = selector.select(seconds)
        line = process.stdout.readline() if answered else ""
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        self._stop()
        text = f"no answer within {seconds:g} s" if not answered else f"the process ended ({process.returncode})"
        return {"outcome": "hung" if not answered else "crashed", "text": text, "seconds": seconds, "megabytes": 0.0}

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            home = str(Path(__file__).resolve().parents[2])
            path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": path},
            )
            assert self._process.stdout is not None
            self._process.stdout.readline()  # its imports are done; the time of a file starts after them
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def check_malformed(case: Case, reader: Reader) -> Iterator[Row]:
    """Yield the rows of a file that must be refused: with a reading given, and with nothing said."""
    path = case.file("net.nir")
    must = case.document.get("importer_must") or {}
    if path is None:
        yield Row(case.name, "malformed", "fails", "the case has no net.nir")
        return
    seconds, megabytes = _limits(str(must.get("limits", "")))
    before = _listing(case.folder)
    found = reader.read(path, seconds=seconds, dt=PLAIN_DT, semantics="nir")
    problem = _judge(found, must, megabytes)
    yield _row(case, "malformed", found, problem or _touched(case, before))
    bare = reader.read(path, seconds=seconds)
    yield _row(case, "bare", bare, _judge(bare, {"verdict": "refuse-or-warn"}, megabytes) or _touched(case, before))


def _row(case: Case, door: str, found: dict[str, Any], problem: str) -> Row:
    said = f"{found['outcome']}: {found['text']}"
    return Row(case.name, door, "fails" if problem else "holds", f"{problem}; {said}" if problem else said)


def _judge(found: dict[str, Any], must: dict[str, Any], megabytes: float) -> str:
    """Return what is wrong with an outcome, or nothing."""
    wanted, outcome = str(must.get("verdict", "refuse")), str(found["outcome"])
    words = [] if "cleanly" in wanted else [str(word) for word in must.get("message_should_mention", ())]
    if outcome in ("hung", "crashed"):
        return outcome
    if outcome == "refused" and "refuse" not in wanted:
        return f"refused, but the case says {wanted}"
    if outcome == "accepted":
        allowing = next((word for word in _READING if word in wanted), None)
        if allowing is None:
            return f"accepted, but the case says {wanted}"
        if not found["text"] and wanted not in ("accept", "refuse-or-accept-cleanly"):
            return "accepted without a note"
    if missing := [word for word in words if word.lower() not in found["text"].lower()]:
        return f"does not mention {', '.join(missing)}"
    if found["megabytes"] > megabytes:
        return f"takes {found['megabytes']:.0f} MB of {megabytes:.0f}"
    return ""


def _limits(text: str) -> tuple[float, float]:
    """Return seconds and megabytes from the words of a case."""
    seconds = re.search(r"([\d.]+) *s(?:econds?)?\b", text)
    megabytes = re.search(r"([\d.]+) *MB\b", text)
    return float(seconds[1]) if seconds else _SECONDS, float(megabytes[1]) if megabytes else _MEGABYTES


def _listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(folder.rglob("*")) if p.is_file()}


def _touched(case: Case, before: dict[str, tuple[int, int]]) -> str:
    return "" if _listing(case.folder) == before else "files of the case were changed"
