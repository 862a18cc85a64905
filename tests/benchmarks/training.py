"""How fast networks train beside other libraries: ``python -m tests.benchmarks.training``.

A contestant computes one training iteration (forward, cross-entropy, backward, SGD) of the networks of
:mod:`tests.benchmarks.peers.training_nets`, and the neuron alone forward and backward. Everyone has one turn in every
round; a ratio is taken within a round, and the result is its median over rounds. All processes have the same settings
of malloc, for fresh pages from the system cost more than a neuron's arithmetic.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np

from neurodeploy.errors import NeurodeployError
from neurodeploy.files import replacing
from tests.benchmarks import environments, waiting
from tests.benchmarks.children import Child
from tests.benchmarks.contestants import processors, started
from tests.benchmarks.emulator import circumstances
from tests.benchmarks.rounds import interleave
from tests.benchmarks.training_results import NETS, OURS, PLAIN, TWIN, summarise, training_page, verdicts

#: Seconds of a turn, and most that any answer may take.
LEAST, LIMIT = 0.5, 120.0
#: Freed memory stays with every process.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
#: Name -> environment of its own, or none.
LIBRARIES: dict[str, environments.Recipe | None] = {
    OURS: None,
    PLAIN: None,
    "spikingjelly": environments.SPIKINGJELLY,
    "snntorch": None,
    "norse": None,
    "sinabs": environments.SINABS,
    TWIN: None,
}


@dataclass
class Entrant:
    """A library on one network, its process, and what it has shown."""

    name: str
    net: str
    child: Child
    save: Path
    batch: int = 1
    seconds: list[float] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    def prepare(self) -> None:
        """Have it make the network, choose the faster layout and say what it keeps."""
        job = {"net": self.net, "save": str(self.save), "threads": processors()}
        self.facts = self.child.ask(do="prepare", key=self.net, job=job)
        self.problem = self.facts.pop("error", "")

    def run(self, least: float) -> list[float]:
        """Have it train for some seconds; return seconds of each iteration, none if it fails."""
        answer = self.child.ask(do="run", key=self.net, least=least)
        self.problem = answer.get("error", "")
        return list(answer.get("seconds", ()))


#: Peers whose neuron is ours in every detail, and which of our gradients theirs is then.
SAME = {"spikingjelly": "grad", "snntorch": "grad_through_reset"}


def agreement(everyone: Sequence[Entrant]) -> dict[str, Any]:
    """Return how far spikes and input gradients of the others' lone neuron are from ours, largest magnitude beside."""
    saved = {one.name: np.load(one.save) for one in everyone if not one.problem and one.name in (OURS, *SAME)}
    if OURS not in saved:
        return {}
    ours = saved.pop(OURS)
    return {
        name: {
            "spikes_differing": int((other["spikes"] != ours["spikes"]).sum()),
            "gradient_difference": float(np.abs(other["grad"] - ours[SAME[name]]).max()),
            "gradient_largest": float(np.abs(ours[SAME[name]]).max()),
        }
        for name, other in saved.items()
    }


def measure(net: str, pythons: dict[str, Path], rounds: int) -> dict[str, Any]:
    """Return the result of one network as JSON values."""
    with tempfile.TemporaryDirectory(prefix="nd-bench-") as at, contextlib.ExitStack() as stack:
        everyone = []
        for name, python in pythons.items():
            folder = Path(at) / name
            folder.mkdir()
            child = stack.enter_context(started(python, ("training_peers.py", name), folder, LIMIT, MALLOC))
            everyone.append(Entrant(name, net, child, folder / "saved.npz"))
        for one in everyone:
            one.child.ask(do="greet")
        for one in everyone:
            one.prepare()
        interleave(everyone, rounds, LEAST)
        found = summarise(everyone)
        for one in everyone:
            if one.problem:
                click.echo(f"{net} {one.name}: left out, {one.problem}", err=True)
        return found | ({"agreement": agreement(everyone)} if net == "alone" else {})


def pythons(names: Sequence[str]) -> dict[str, Path]:
    """Return the interpreter of every library that can take part; say of every other why not."""
    found = {}
    for name in names:
        recipe = LIBRARIES[name]
        try:
            found[name] = Path(sys.executable) if recipe is None else environments.prepare(recipe, click.echo)
        except NeurodeployError as error:
            click.echo(f"{name}: left out, {error}", err=True)
    return found


@click.command()
@click.option("--only", multiple=True, type=click.Choice(NETS), help="A network; all by default.")
@click.option("--peers", multiple=True, type=click.Choice(tuple(LIBRARIES)[2:]), help="Who beside ours.")
@click.option("--rounds", default=7, show_default=True, type=click.IntRange(1))
@click.option("--processors", "count", default=2, show_default=True, type=click.IntRange(1), help="That all may use.")
@click.option("-o", "--output", default=Path("training.json"), show_default=True, type=click.Path(path_type=Path))
@click.option("--page", type=click.Path(path_type=Path), help="Also write the page of results here.")
def main(
    only: tuple[str, ...], peers: tuple[str, ...], rounds: int, count: int, output: Path, page: Path | None
) -> None:
    """Measure training iterations beside other libraries on the same networks, in one interleaved run."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    report = circumstances(rounds, " ".join(["python -m tests.benchmarks.training", *sys.argv[1:]]))
    report |= {"turn_seconds": LEAST, "malloc": MALLOC, "load": round(os.getloadavg()[0], 1)}
    chosen = pythons([OURS, PLAIN, *(peers or tuple(LIBRARIES)[2:])])
    report["results"] = {net: measure(net, chosen, rounds) for net in only or NETS}
    report["waiting"] = [] if only else [waiting.measure()]
    with replacing(output) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n")
    for verdict in [*verdicts(report["results"]), *map(waiting.verdict, report["waiting"])]:
        click.echo(verdict.line())
    if page:
        with replacing(page) as temporary:
            sections = map(waiting.section, report["waiting"])
            temporary.write_text("".join([training_page(report), *sections]))


if __name__ == "__main__":
    main()
