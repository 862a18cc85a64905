"""The page of results, written from the JSON of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.benchmarks.contestants import EVENTS, ONE_THREAD, OURS
from tests.benchmarks.summary import LANES, Verdict, verdicts
from tests.benchmarks.workloads import workload

_MET = {True: "met", False: "**not met**", None: "not measured"}

_HOW = f"""\
How it was measured. In every round every contestant has a turn, each round beginning with another; a turn is repeated
runs for {{turn}} s, one at least, and counts as their median. A figure is the median over rounds, with quartiles in
brackets; a ratio is taken within a round. All may use the same {{processors}} processors.

* `{OURS}` is `neurodeploy.simulate` of a network on a dense uint8 array, from the call to the recording of every
  population: checks, event extraction and all. A network that ran before is not checked again when it is given plain
  bytes, as here after the first run. `{EVENTS}` takes the same spikes as `EventInput`.
* Lava runs its own runtime and its bit-accurate models (`fixed_pt`), a process of the operating system for each of its
  processes; the clock runs after the first step, with which it compiles and forks. That is its start-up below.
* nengo-loihi's emulator is given our integers block by block and fires exactly our spikes, so no scaling for different
  activity is needed. The clock runs during its steps alone.
* Float libraries get float32 input in their own order before the clock starts, run without gradients and answer with
  the last population's spikes. snnTorch's Synaptic and Norse have a current as our neurons do; the others are plain
  leaky neurons, whose thresholds are divided by what a current brings in all. Their cost does not depend on activity.
  Each computes on one thread or on all, whichever a trial found faster; OpenMP waits without spinning
  (`OMP_WAIT_POLICY`).
* Lava, nengo-loihi and all of ours are left out if any population fires other than `{OURS}` does, everyone if a
  population has another size.
* Memory is the most that was resident beyond what the libraries took when loaded; for Lava it is what all processes
  hold at the end, shared pages divided among them."""

_FLOOR = f"""\
Floor of a sample: `synaptic events / ({LANES} x clock) + neuron updates / rate of updates`, one vector of {LANES} int32
additions a cycle and then the neurons in the nearest cache, with what the machine reached in the same round. The strict
floor puts the rate of additions whose sums stay in registers in the place of `{LANES} x clock`. Wider vectors, and sums
of 16 bits where weights allow them, can take a share beyond 100 %. The dense floor is that of a float32 matrix product
over all synapses in all steps."""


def write_page(report: Mapping[str, Any]) -> str:
    """Return the page in Markdown."""
    results = report["results"]
    versions = _versions(report)
    parts = [
        "# Benchmarks of the CPU emulator",
        f"Measured on {report['date'][:10]} on {report['processors']} processors of {report['processor']} "
        f"({report['system']}), in {report['rounds']} rounds, with\n`{report['command']}`.\n"
        f"{', '.join(f'{name} {number}' for name, number in versions.items())}.",
        "Written from the JSON beside it by the same command; `make bench` measures anew.",
        "## Goals",
        _goals(verdicts(results)),
        _HOW.format(turn=report["turn_seconds"], processors=report["processors"]),
        *(_workload(name, result) for name, result in results.items()),
        "## The arithmetic floor",
        _FLOOR,
        _floors(results),
        "What the machine reached, in thousand millions a second on one thread and on all:",
        _rates(results),
    ]
    if report["notes"]:
        parts += ["## Left out", "\n".join(f"* {note}" for note in report["notes"])]
    return "\n\n".join(parts) + "\n"


def _table(head: str, rows: Iterable[Iterable[Any]]) -> str:
    columns = head.count("|") + 1
    lines = [f"| {head} |", "|" + "---|" * columns]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def _versions(report: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = dict(report["versions"])
    for result in report["results"].values():
        for row in result["contestants"]:
            found |= row.get("versions", {})
    return found


def _goals(all_verdicts: Iterable[Verdict]) -> str:
    rows = []
    for verdict in all_verdicts:
        share = "share" in verdict.what
        goal = f"{verdict.goal:.0%}" if share else f"{verdict.goal:g}x"
        found = "-" if verdict.found is None else f"{verdict.found:.1%}" if share else _short(verdict.found) + "x"
        what = verdict.what + (f" ({verdict.who})" if verdict.who and "float" in verdict.what else "")
        rows.append((verdict.workload, verdict.batch, what, goal, found, _MET[verdict.met]))
    return _table("workload | batch | against | goal | measured | ", rows)


def _workload(name: str, result: Mapping[str, Any]) -> str:
    load, rows = workload(name), []
    for row in result["contestants"]:
        peak = row.get("peak_mib")
        rows.append(
            (
                row["name"],
                row["batch"],
                _spread(row["spread"], 1e3),
                _spread(row["ratio"], 1) if "ratio" in row else "-",
                "-" if peak is None else f"{peak:.0f}",
                ", ".join(f"{count:,.0f}" for count in row["spikes"]),
            )
        )
    shapes = " -> ".join(
        "x".join(map(str, shape)) for shape in (load.shape, *(p.shape for p in load.network().populations))
    )
    title = f"## {name}\n\n{shapes}, {load.steps} steps, {load.density:.0%} of the input spikes."
    head = "contestant | batch | ms a sample | times ours | memory, MiB | spikes a sample, by population"
    starts = [f"Lava took {row['start_seconds']:.2f} s to start, {row['stop_seconds']:.2f} s to stop." for row in
              result["contestants"] if "start_seconds" in row]  # fmt: skip
    if rounds := result.get("disturbed"):
        starts.append(f"**Other work disturbed the machine** in round {', '.join(map(str, rounds))}.")
    return "\n\n".join([title, _table(head, rows), *starts])


def _floors(results: Mapping[str, Any]) -> str:
    rows = []
    for name, result in results.items():
        for row in result["contestants"]:
            if row["name"] in (OURS, ONE_THREAD) and "floor" in row:
                floor = row["floor"]
                times = [f"{1e3 * seconds:.3g}" for seconds in (floor["seconds"], floor["dense_seconds"])]
                shares = [f"{floor[key]:.0%}" for key in ("share", "strict_share")]
                events = f"{row['events'] / 1e6:.3g}", f"{row['updates'] / 1e6:.3g}"
                measured = _short(1e3 * row["spread"]["median"])
                rows.append((name, row["batch"], floor["threads"], *events, times[0], measured, *shares, times[1]))
    head = (
        "workload | batch | threads | events, M | updates, M | floor, ms | ours, ms | share | share of the strict floor"
        " | dense floor, ms"
    )
    return _table(head, rows)


def _rates(results: Mapping[str, Any]) -> str:
    rows = []
    for name, result in results.items():
        for what, table in result.get("rates", {}).items():
            rows.append((name, what, ", ".join(f"{rate / 1e9:.3g}" for rate in table.values())))
    return _table("during | of | rate", rows)


def _spread(spread: Mapping[str, float], factor: float) -> str:
    median, low, high = (_short(factor * spread[name]) for name in ("median", "low", "high"))
    return f"{median} ({low} - {high})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
