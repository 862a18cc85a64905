"""What a run of the benchmark says: ratios, the share of the arithmetic floor, and which goals are met.

Floor of a sample: ``synaptic events / (8 x clock) + neuron updates / rate of updates``, that is one vector of eight
int32 additions a cycle and then the neurons, each at the rate that the machine reached in the same round. The stricter
one puts the rate of additions whose sums stay in registers in place of the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.contestants import EVENTS, FLOATS, LAVA, MANY, NENGO, ONE_THREAD, OURS, Contestant
from tests.benchmarks.rounds import Spread, ratios

#: int32 additions that the floor grants a cycle.
LANES = 8
SHARE_GOAL = 0.5
#: Share of its processors' cycles that a machine with nothing else to do has left, at least.
QUIET = 0.85
#: What -> how many times as long as ours it is to take, by workload, at least; with one sample or with many.
GOALS: dict[str, tuple[bool, dict[str, float]]] = {
    LAVA: (False, {"W1": 400, "W2": 700, "W3": 700, "W4": 400}),
    NENGO: (False, {"W1": 400, "W4": 400}),
    "best float library": (False, {"W1": 20, "W2": 10, "W3": 4, "W4": 25}),
    "best float library, many": (True, {"W1": 4, "W2": 6, "W3": 4, "W4": 3}),
}


@dataclass(frozen=True)
class Verdict:
    """A goal and what was measured; ``found`` is None where nothing was, ``who`` the library it was measured on."""

    what: str
    workload: str
    batch: int
    goal: float
    found: float | None
    who: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached, None where that is not known."""
        return None if self.found is None else self.found >= self.goal


def summarise(everyone: Sequence[Contestant], rates: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Return the result of a workload as JSON values: a row for each contestant that ran in every round.

    Parameters
    ----------
    rates : what the machine reached in each round: quantity -> threads -> per second.
    """
    ours = {one.batch: one.seconds for one in everyone if one.name == OURS and not one.problem}
    rows = []
    for one in everyone:
        if one.problem or not one.seconds:
            continue
        row: dict[str, Any] = {"name": one.name, "batch": one.batch, "seconds": one.seconds, **one.facts}
        row["spread"] = Spread.of(one.seconds).as_dict()
        if one.batch in ours:
            row["ratio"] = Spread.of(ratios(one.seconds, ours[one.batch])).as_dict()
        row |= {name: Spread.of([note[name] for note in one.notes]).median for name in (one.notes or [{}])[0]}
        if one.name in (OURS, EVENTS, ONE_THREAD) and rates:
            threads = 1 if one.name == ONE_THREAD else max(map(int, rates[0]["clock"]))
            row["floor"] = floor_shares(one, rates, threads)
        rows.append(row)
    found: dict[str, Any] = {"contestants": rows, "machine": list(rates), "disturbed": disturbed(rates)}
    if rates:
        medians = {name: {n: [r[name][n] for r in rates] for n in table} for name, table in rates[0].items()}
        found["rates"] = {
            name: {n: Spread.of(values).median for n, values in table.items()} for name, table in medians.items()
        }
    return found


def disturbed(rates: Sequence[Mapping[str, Mapping[str, float]]]) -> list[int]:
    """Return the rounds, counted from 1, in which the processors together had far fewer cycles than each alone."""
    found = []
    for nth, rate in enumerate(rates, start=1):
        clock = {int(threads): cycles for threads, cycles in rate["clock"].items()}
        if clock[max(clock)] < QUIET * max(clock) * clock[1]:
            found.append(nth)
    return found


def floor_shares(
    one: Contestant, rates: Sequence[Mapping[str, Mapping[str, float]]], threads: int
) -> dict[str, float | int]:
    """Return medians over rounds of the floor in seconds a sample and of the share of the time that it is."""
    key, floors, strict = str(threads), [], []
    for rate in rates:
        updates = one.facts["updates"] / rate["updates"][key]
        floors.append(one.facts["events"] / (LANES * rate["clock"][key]) + updates)
        strict.append(one.facts["events"] / rate["additions"][key] + updates)
    dense = [one.facts["multiplications"] / rate["multiplications"][key] for rate in rates]
    return {
        "threads": threads,
        "seconds": Spread.of(floors).median,
        "share": Spread.of(ratios(floors, one.seconds)).median,
        "strict_share": Spread.of(ratios(strict, one.seconds)).median,
        "dense_seconds": Spread.of(dense).median,
    }


def row_of(result: Mapping[str, Any], name: str, batch: int) -> dict[str, Any] | None:
    """Return the row of a contestant, None where it did not run."""
    return next((row for row in result["contestants"] if row["name"] == name and row["batch"] == batch), None)


def best_float(result: Mapping[str, Any], batch: int) -> dict[str, Any] | None:
    """Return the row of the fastest float library by the median of ratios."""
    rows = [row for name in FLOATS if (row := row_of(result, name, batch)) and "ratio" in row]
    return min(rows, key=lambda row: row["ratio"]["median"], default=None)


def verdicts(results: Mapping[str, Mapping[str, Any]]) -> list[Verdict]:
    """Return every goal of the workloads that were measured."""
    found = []
    for name, result in results.items():
        for what, (many, goals) in GOALS.items():
            if name not in goals:
                continue
            batch = MANY[name] if many else 1
            row = row_of(result, what, batch) if what in (LAVA, NENGO) else best_float(result, batch)
            ratio = row["ratio"]["median"] if row and "ratio" in row else None
            found.append(Verdict(what.split(",")[0], name, batch, goals[name], ratio, row["name"] if row else ""))
        for batch in (1, MANY[name]):
            row = row_of(result, ONE_THREAD, batch)
            share = row["floor"]["share"] if row and "floor" in row else None
            found.append(Verdict("share of the floor, one thread", name, batch, SHARE_GOAL, share))
    return found
