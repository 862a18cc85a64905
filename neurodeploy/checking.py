"""Hold a network against a budget: measure what the budget bounds, and judge every quantity.

What is measured depends on the budget alone: without a limit that takes data nothing is simulated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodeploy.activity import count_activity
from neurodeploy.budget import QUANTITIES, Budget
from neurodeploy.energy import Estimate, estimate
from neurodeploy.errors import InputError, UsageError
from neurodeploy.files import require_file
from neurodeploy.mapping import map_network
from neurodeploy.network import Network
from neurodeploy.npz import Events
from neurodeploy.placement import Placement
from neurodeploy.simulation import simulate
from neurodeploy.targets.chip import Chip

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Row:
    """One quantity: what was measured, the most it may be, and what an earlier result had.

    Attributes
    ----------
    measured : None where it could not be measured, since the network does not fit or the data have no labels.
    limit : the smaller of the budget's limit and what its growth allows; None where it is only reported.
    before : of the earlier result; None without one.
    passed : whether it keeps its limit; a bounded quantity that could not be measured does not.
    """

    name: str
    unit: str
    measured: float | None
    limit: float | None
    before: float | None
    passed: bool

    @property
    def change(self) -> float | None:
        """The share by which it grew since the earlier result."""
        if self.measured is None or not self.before:
            return None
        return self.measured / self.before - 1

    def as_dict(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {**vars(self), "change": self.change}


@dataclass(frozen=True)
class Verdict:
    """The answer of a check: whether everything is within the budget, row by row, and what does not fit at all.

    Attributes
    ----------
    measured : every quantity, None where it was not measured.
    source_class, significant_digits : the weakest class of a number behind energy and latency, and how many of their
        digits mean anything; changes are told more finely, for the same numbers stand behind both results.
    """

    target: str
    rows: tuple[Row, ...]
    misfits: tuple[str, ...]
    measured: Mapping[str, float | None]
    accuracy: float | None
    source_class: str | None
    significant_digits: int

    @property
    def passed(self) -> bool:
        """Whether the network fits the chip and keeps every limit."""
        return not self.misfits and all(row.passed for row in self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON values; give it to a later check as the earlier result."""
        return {
            "schema": SCHEMA_VERSION,
            "kind": "check",
            "passed": self.passed,
            "target": self.target,
            "rows": [row.as_dict() for row in self.rows],
            "misfits": list(self.misfits),
            "measured": dict(self.measured),
            "accuracy": self.accuracy,
            "source_class": self.source_class,
            "significant_digits": self.significant_digits,
        }


def check(
    network: Network, chip: Chip, budget: Budget, events: Events | None, earlier: Mapping[str, Any] | None = None
) -> Verdict:
    """Measure what the budget bounds and judge it.

    Parameters
    ----------
    events : data to simulate; needed where the budget bounds what depends on them.
    earlier : the document of an earlier check, as :func:`read_earlier` returns it.

    Raises
    ------
    UsageError : the budget bounds what cannot be measured: no data, no labels, no reference accuracy, no energies; or
        the earlier result is for another chip.
    """
    if earlier is not None and earlier.get("target") != chip.name:
        advice = "compare results for one chip"
        raise UsageError("--against", f"is a result for {earlier.get('target')}, not for {chip.name}", advice)
    if budget.needs_data and events is None:
        raise UsageError(budget.path, "bounds what takes a simulation", "name the event file: data = ..., or --input")
    placement = map_network(network, chip, optimize=budget.optimize, share=budget.share)
    misfits = tuple(
        f"{v.population} needs {v.found:,} {v.limit}, {chip.name} allows {v.allowed:,}; {v.advice}"
        for v in placement.violations
    )
    measured: dict[str, float | None] = dict.fromkeys(QUANTITIES)
    measured |= {
        "cores": float(placement.cores_used),
        "chips": float(placement.chips_used),
        "utilisation": max(core.tightest[1] for core in placement.cores),
    }
    accuracy, cost = None, None
    if placement.fits and events is not None and budget.needs_data:
        found, accuracy, cost = _simulate(network, placement, budget, events)
        measured |= found
        measured["accuracy_drop"] = _drop(budget, accuracy, earlier)
    rows = tuple(_row(name, measured[name], budget, earlier) for name in QUANTITIES if _shown(name, measured, budget))
    known = (cost.source_class, cost.significant_digits) if cost else (None, 0)
    return Verdict(chip.name, rows, misfits, measured, accuracy, *known)


def read_earlier(path: str | Path) -> dict[str, Any]:
    """Read the document of an earlier check.

    Raises
    ------
    InputError : no such file, or not such a document.
    """
    path = require_file(path)
    try:
        document: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(str(path), f"is no JSON ({error})", "give what an earlier check wrote with -o") from error
    wrong = not isinstance(document, dict) or document.get("kind") != "check"
    if wrong or document.get("schema") != SCHEMA_VERSION or not isinstance(document.get("measured"), dict):
        raise InputError(str(path), "is not the result of a check", "give what an earlier check wrote with -o")
    for name, value in (*document["measured"].items(), ("accuracy", document.get("accuracy"))):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise InputError(str(path), f"measured.{name} is {value!r}", "give what an earlier check wrote with -o")
    return dict(document)


def _simulate(
    network: Network, placement: Placement, budget: Budget, events: Events
) -> tuple[dict[str, float | None], float | None, Estimate | None]:
    """Return spikes, operations, energy and latency per inference, accuracy, and the estimate where there is one."""
    recording = simulate(network, events.spikes, record=("s",))
    activity = count_activity(network, recording, placement)
    found: dict[str, float | None] = {
        name: activity.total(name) / activity.samples for name in ("spikes", "synaptic_operations")
    }
    accuracy = None if events.labels is None else recording.accuracy(events.labels)
    bounded = {"energy_joule", "latency_second"} & {*budget.limits, *budget.growth}
    if not placement.chip.has_costs and not bounded:
        return found, accuracy, None
    cost = estimate(activity, placement, placement.chip)
    found["energy_joule"] = getattr(cost.total, budget.bound)
    found["latency_second"] = getattr(cost.latency, budget.bound)
    return found, accuracy, cost


def _drop(budget: Budget, accuracy: float | None, earlier: Mapping[str, Any] | None) -> float | None:
    """Return the accuracy lost since the reference, at least 0; None where nothing is bounded or known."""
    reference = budget.reference_accuracy
    if reference is None and earlier is not None:
        reference = earlier.get("accuracy")
    if "accuracy_drop" in budget.limits:
        if accuracy is None:
            raise UsageError(budget.path, "limits accuracy_drop, and the data have no labels", "add labels to the data")
        if reference is None:
            advice = "set reference_accuracy, or give an earlier result with --against"
            raise UsageError(budget.path, "limits accuracy_drop, from no reference", advice)
    return None if accuracy is None or reference is None else max(0.0, reference - accuracy)


def _shown(name: str, measured: Mapping[str, float | None], budget: Budget) -> bool:
    return measured[name] is not None or name in budget.limits or name in budget.growth


def _row(name: str, measured: float | None, budget: Budget, earlier: Mapping[str, Any] | None) -> Row:
    before = None if earlier is None else earlier["measured"].get(name)
    limits = [budget.limits[name]] if name in budget.limits else []
    if name in budget.growth and before is not None:
        limits.append(before * (1 + budget.growth[name]))
    limit = min(limits, default=None)
    passed = limit is None or (measured is not None and measured <= limit)
    return Row(name, QUANTITIES[name].unit, measured, limit, before, passed)
