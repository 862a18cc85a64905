"""What rounds of training iterations say: medians, ratios within rounds, goals, and the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.rounds import Spread, ratios

OURS, PLAIN, TWIN = "ours", "neurons", "relu"
NETS = ("W2", "W3", "residual", "alone")
#: Network -> how many times as fast as the best peer (``alone``: as SpikingJelly) ours has to be.
SPEED_GOALS = {"W2": 1.6, "W3": 1.6, "residual": 1.3, "alone": 3.5}
#: Most of SpikingJelly's memory that ours may keep for the backward pass.
MEMORY_GOAL = 0.75
WITNESS = "spikingjelly"

_HOW = """\
One iteration is forward, cross-entropy, backward and SGD; `alone` is forward and backward of one neuron layer on 2.1
million values. Everyone has the same settings of malloc and may use the same processors; convolutions see all steps at
once for everyone, and each uses the memory layout that a trial found faster. Ratios are medians over rounds of those
within one, with quartiles. `ours` has each batch norm in one node with the neurons behind it, `neurons` has a neuron
layer alone in the place of theirs; `relu` is the same network with ReLU instead: it has no time and is no peer. Kept
is the size of distinct storages that autograd keeps for the backward pass, without parameters; peak is resident memory
beyond that of the loaded library."""


@dataclass(frozen=True)
class Verdict:
    """A goal, and what was found; ``least`` says whether more is better."""

    what: str
    goal: float
    found: float | None
    least: bool

    @property
    def met(self) -> bool | None:
        """Whether the goal is met, or None where it was not measured."""
        if self.found is None:
            return None
        return self.found >= self.goal if self.least else self.found <= self.goal

    def line(self) -> str:
        """Return it as a line for people."""
        outcome = {True: "met", False: "NOT MET", None: "not measured"}[self.met]
        found = "-" if self.found is None else f"{self.found:.2f}"
        return f"{self.what}: {found}, goal {'>=' if self.least else '<='} {self.goal:g}: {outcome}"


def summarise(everyone: Iterable[Any]) -> dict[str, Any]:
    """Return seconds, times slower than ours, and facts of everyone who ran in all rounds."""
    running = {one.name: one for one in everyone if not one.problem and one.seconds}
    rows = {}
    for name, one in running.items():
        rows[name] = {"seconds": Spread.of(one.seconds).as_dict(), **one.facts}
        if OURS in running:
            rows[name]["times_ours"] = Spread.of(ratios(one.seconds, running[OURS].seconds)).as_dict()
    return {"rows": rows, "left_out": {one.name: one.problem for one in everyone if one.problem}}


def verdicts(results: Mapping[str, Any]) -> list[Verdict]:
    """Return every goal of the networks that were measured."""
    found = []
    for net, result in results.items():
        rows = result["rows"]
        peers = {name: row for name, row in rows.items() if name not in (OURS, PLAIN, TWIN) and "times_ours" in row}
        slower = {name: row["times_ours"]["median"] for name, row in peers.items()}
        if net == "alone":
            found.append(Verdict(f"neuron alone, {WITNESS} / ours", SPEED_GOALS[net], slower.get(WITNESS), True))
        else:
            best = min(slower, key=lambda name: slower[name], default="best peer")
            found.append(Verdict(f"{net}, {best} / ours", SPEED_GOALS[net], slower.get(best), True))
        share = rows[OURS]["kept_mib"] / rows[WITNESS]["kept_mib"] if OURS in rows and WITNESS in rows else None
        found.append(Verdict(f"{net}, kept for backward, ours / {WITNESS}", MEMORY_GOAL, share, False))
    return found


def training_page(report: Mapping[str, Any]) -> str:
    """Return the page in Markdown."""
    lines = [
        "# Benchmarks of training on a CPU",
        "",
        f"Measured on {report['date'][:10]} on {report['processors']} processors of {report['processor']}, in "
        f"{report['rounds']} rounds, with\n`{report['command']}`.{_load(report)}",
        "",
        _HOW,
        "",
        "## Goals",
        "",
        *(f"* {verdict.line()}" for verdict in verdicts(report["results"])),
    ]
    for net, result in report["results"].items():
        lines += [
            "",
            f"## {net}",
            "",
            "| | ms | times ours | kept MiB | peak MiB | layout |",
            "|---|---|---|---|---|---|",
        ]
        lines += [_row(name, row) for name, row in result["rows"].items()]
        for name, said in result.get("agreement", {}).items():
            lines += [
                "",
                f"Against {name} on the same input: {said['spikes_differing']} spikes differ; the largest difference of"
                f"\ninput gradients is {said['gradient_difference']:.1e} where the largest gradient is "
                f"{said['gradient_largest']:.2f}.",
            ]
        lines += [f"\n{name} was left out: {why}." for name, why in result["left_out"].items()]
    return "\n".join(lines) + "\n"


def _load(report: Mapping[str, Any]) -> str:
    """Return what else ran; a report from before it was noted says nothing."""
    if "load" not in report:
        return ""
    return f"\nThe machine's load average was {report['load']:g} when it began; what else ran slowed all alike."


def _row(name: str, row: Mapping[str, Any]) -> str:
    title = f"{name} {row['version']}".strip()
    ratio = row.get("times_ours")
    times = "-" if ratio is None else f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"
    milliseconds = f"{1e3 * row['seconds']['median']:.1f}"
    peak = "-" if row["peak_mib"] is None else f"{row['peak_mib']:.0f}"
    return f"| {title} | {milliseconds} | {times} | {row['kept_mib']:.1f} | {peak} | {row['layout']} |"
