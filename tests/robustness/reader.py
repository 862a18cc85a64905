"""The child that reads mutated files: each ends in a result, one of our errors, or a line that says what went wrong.

Run as ``python -m tests.robustness.reader SUBJECT FOLDER``. It prints the number of each file before it is opened, so
that the parent knows which one took the process down.
"""

from __future__ import annotations

import resource
import signal
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

from neurodeploy.errors import NeurodeployError
from tests.robustness.subjects import SUBJECTS

#: A file may take this long, and this much memory beyond what the readers themselves need.
SECONDS, BYTES = 10, 1 << 30


class Hang(BaseException):
    """A file took too long; no reader may catch it."""


def _alarm(_signal: int, _frame: Any) -> None:
    raise Hang


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Read every file of a folder in the order of their numbers."""
    subject = next(s for s in SUBJECTS if s.name == sys.argv[1])
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _alarm)
    folder = Path(sys.argv[2])
    subject.read(folder / f"valid{subject.suffix}")
    peak = _peak()
    for path in sorted(folder.glob(f"[0-9]*{subject.suffix}")):
        print("open", path.stem, flush=True)
        signal.alarm(SECONDS)
        try:
            subject.read(path)
        except NeurodeployError as error:
            if not str(error).strip():
                print("bad", path.stem, "an error without a message", flush=True)
        except Hang:
            print("bad", path.stem, f"took over {SECONDS} s", flush=True)
        except BaseException as error:  # noqa: BLE001  # whatever escapes is what we look for
            place = traceback.extract_tb(error.__traceback__)[-1]
            print("bad", path.stem, f"{type(error).__name__}: {error} ({place.filename}:{place.lineno})", flush=True)
        finally:
            signal.alarm(0)
        if _peak() - peak > BYTES:
            print("bad", path.stem, f"took {(_peak() - peak) >> 20} MiB", flush=True)
            peak = _peak()
    print("done", flush=True)


if __name__ == "__main__":
    main()
