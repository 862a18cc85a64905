"""Mutate valid files of every format and read them: ``python -m tests.robustness.fuzz --count 20000``."""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.robustness.mutate import mutate
from tests.robustness.subjects import SUBJECTS, Subject


@dataclass(frozen=True)
class Failure:
    """A mutated file that ended in anything but a result or one of our errors."""

    subject: str
    number: int
    seed: int
    what: str


def fuzz(subject: Subject, count: int, seed: int, keep: Path | None = None) -> list[Failure]:
    """Read ``count`` mutations of a valid file; return those that crashed, hung, leaked or raised something foreign.

    A file is made from (seed, number) alone, so that a failure can be made again; ``keep`` gets a copy of each.
    """
    failures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        valid = folder / f"valid{subject.suffix}"
        subject.make(valid)
        data = valid.read_bytes()
        for number in range(count):
            rng = random.Random(f"{subject.name} {seed} {number}")
            (folder / f"{number:06d}{subject.suffix}").write_bytes(mutate(data, subject.suffix, rng))
        before = {path.name for path in folder.iterdir()}
        while (dead := _read_all(subject, folder, failures, seed)) is not None:
            (folder / f"{dead:06d}{subject.suffix}").unlink()
            before.discard(f"{dead:06d}{subject.suffix}")
        for extra in {path.name for path in folder.iterdir()} - before:
            failures.append(Failure(subject.name, -1, seed, f"left {extra} behind"))
        for failure in failures:
            if keep is not None and failure.number >= 0:
                source = folder / f"{failure.number:06d}{subject.suffix}"
                if source.exists():
                    shutil.copy(source, keep / f"{subject.name.replace(' ', '-')}-{seed}-{source.name}")
    return failures


def _read_all(subject: Subject, folder: Path, failures: list[Failure], seed: int) -> int | None:
    """Run the child over the folder; return the number of the file that took it down, or None."""
    command = [sys.executable, "-m", "tests.robustness.reader", subject.name, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    opened = -1
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        if word == "open":
            opened = int(rest)
        elif word == "bad":
            number, _, what = rest.partition(" ")
            failures.append(Failure(subject.name, int(number), seed, what))
        elif word == "done":
            return None
    what = f"the process ended with {done.returncode}: {done.stderr.strip()[-300:]}"
    failures.append(Failure(subject.name, opened, seed, what))
    if opened < 0:
        raise RuntimeError(what)
    return opened


def main() -> None:
    """Fuzz every format with an equal share of the files; exit 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="files in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for copies of the files that failed")
    arguments = parser.parse_args()
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    share = -(-arguments.count // len(SUBJECTS))
    failures: list[Failure] = []
    for subject in SUBJECTS:
        found = fuzz(subject, share, arguments.seed, arguments.keep)
        sys.stdout.write(f"{subject.name} ({subject.suffix}): {share} files, {len(found)} failed\n")
        for failure in found[:10]:
            sys.stdout.write(f"  {failure.number}: {failure.what}\n")
        failures += found
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
