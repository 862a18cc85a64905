"""How fast the emulator is beside Lava, nengo-loihi and float libraries: ``python -m tests.benchmarks.emulator``.

``make bench`` runs everything, keeps all figures as JSON and writes docs/benchmarks.md from them. Every contestant runs
once in every round, so that whatever else the machine does meets all of them; a result is the median over rounds of the
ratio within a round. Ours is timed from the input to the recording, through ``neurodeploy.simulate``.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from neurodeploy.files import replacing
from tests.benchmarks.contestants import (
    GROUPS,
    KINDS,
    MANY,
    OURS,
    Contestant,
    Kind,
    Say,
    find_pythons,
    here,
    processors,
    started,
)
from tests.benchmarks.machine import processor_name
from tests.benchmarks.page import write_page
from tests.benchmarks.rounds import interleave
from tests.benchmarks.summary import summarise, verdicts
from tests.benchmarks.workloads import NAMES, workload

#: Seconds of a turn, and most that any answer may take.
LEAST, LIMIT = 0.25, 300.0
MACHINE = Kind("machine", "machine", here, ("ceilings.py",), lambda *_: {})


def measure(name: str, pythons: dict[str, Path], rounds: int, say: Say) -> dict[str, Any]:
    """Return the result of one workload as JSON values."""
    load, began = workload(name), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="nd-bench-") as at, contextlib.ExitStack() as stack:
        everyone: list[Contestant] = []
        for kind in (MACHINE, *KINDS):
            if kind is not MACHINE and (kind.name not in pythons or name not in kind.workloads):
                continue
            folder = Path(at) / str(len(everyone))
            folder.mkdir()
            python = pythons.get(kind.name, Path(sys.executable))
            child = stack.enter_context(started(python, kind.script, folder, LIMIT))
            for batch in (1, MANY[name]) if kind.batched and kind is not MACHINE else (1,):
                everyone.append(Contestant(kind, batch, child, kind.describe(load, batch, folder, processors())))
        for one in everyone:
            one.child.ask(do="greet")  # until all are loaded: nobody is prepared while others are at work
        for one in everyone:
            one.prepare()
        hold_together(everyone)
        say(f"{name}: ready after {time.monotonic() - began:.0f} s")
        for one in everyone:
            if one.problem:
                say(f"{name} {one.name}, batch {one.batch}: left out, {one.problem}")

        def tell(nth: int, one: Contestant) -> None:
            if one.problem:
                say(f"{name} {one.name}, batch {one.batch}: dropped in round {nth + 1}, {one.problem}")
            elif one.name == OURS and one.batch == 1:
                say(f"{name}: round {nth + 1} of {rounds}, {time.monotonic() - began:.0f} s", passing=True)

        interleave(everyone, rounds, LEAST, tell)
    machine = next(one for one in everyone if one.kind is MACHINE)
    found = summarise([one for one in everyone if one is not machine], [] if machine.problem else machine.notes)
    if found["disturbed"]:
        say(f"{name}: other work disturbed the machine in {len(found['disturbed'])} of {rounds} rounds")
    return found


def hold_together(everyone: list[Contestant]) -> None:
    """Leave out who claims to compute our integers and fires otherwise, or whose populations have another shape."""
    ours = next((one for one in everyone if one.name == OURS and one.batch == 1), None)
    for one in everyone:
        if ours is None or ours.problem or one.problem or one.kind is MACHINE:
            continue
        cells = [_size(shape) for shape in one.facts["shapes"]]
        if cells != [_size(shape) for shape in ours.facts["shapes"]]:
            one.problem = f"has populations of {cells} neurons"
        elif one.kind.exact and one.batch == 1 and one.facts["spikes"] != ours.facts["spikes"]:
            one.problem = f"fires {one.facts['spikes']} times, ours {ours.facts['spikes']}"


def _size(shape: list[int]) -> int:
    size = 1
    for extent in shape:
        size *= extent
    return size


def circumstances(rounds: int, command: str) -> dict[str, Any]:
    """Return when, on what and how it was measured."""
    return {
        "schema": 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": processor_name(),
        "processors": processors(),
        "system": platform.system(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in ("numpy", "numba")}},
        "rounds": rounds,
        "turn_seconds": LEAST,
        "command": command,
    }


@click.command()
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="A workload; all by default.")
@click.option("--peers", multiple=True, type=click.Choice(GROUPS), help="Who beside ours; all by default.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--processors", "count", default=2, show_default=True, type=click.IntRange(1), help="That all may use.")
@click.option("-o", "--output", default=Path("bench.json"), show_default=True, type=click.Path(path_type=Path))
@click.option("--page", type=click.Path(path_type=Path), help="Also write the page of results here.")
@click.option("--render", type=click.Path(path_type=Path, exists=True), help="Measure nothing: results of this JSON.")
def main(
    only: tuple[str, ...],
    peers: tuple[str, ...],
    rounds: int,
    count: int,
    output: Path,
    page: Path | None,
    render: Path | None,
) -> None:
    """Measure the emulator beside others on the same networks, in one interleaved run."""
    notes: list[str] = []

    def say(line: str, *, passing: bool = False) -> None:
        if "left out" in line or "dropped" in line:
            notes.append(line)
        click.echo(line, err=True)

    if render:
        report = json.loads(render.read_text())
    else:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
        command = " ".join(["python -m tests.benchmarks.emulator", *sys.argv[1:]])
        pythons = find_pythons(set(peers or GROUPS), say)
        report = circumstances(rounds, command)
        report["results"] = {name: measure(name, pythons, rounds, say) for name in only or NAMES}
        report["notes"] = notes
        with replacing(output) as temporary:
            temporary.write_text(json.dumps(report, indent=1) + "\n")
    for verdict in verdicts(report["results"]):
        outcome = {True: "met", False: "NOT MET", None: "not measured"}[verdict.met]
        found = "-" if verdict.found is None else f"{verdict.found:.3g}"
        what = f"{verdict.workload} batch {verdict.batch} {verdict.what}"
        click.echo(f"{what}: {found}, goal {verdict.goal:g}: {outcome}")
    if page:
        with replacing(page) as temporary:
            temporary.write_text(write_page(report))


if __name__ == "__main__":
    main()
