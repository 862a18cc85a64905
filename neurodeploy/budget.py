"""A budget: what a network may cost on a chip, as a file that continuous integration holds every commit against.

::

    schema = 1
    target = "loihi2"              # or --target
    data = "test.npz"              # or --input; beside the budget; needed for all but cores, chips and utilisation
    share = false                  # whether several populations may share a core
    samples = 50                   # the first so many of the data; all if unset
    reference_accuracy = 0.972     # what accuracy_drop counts from; the earlier result's accuracy if unset

    [limits]                       # any of QUANTITIES
    cores = 20
    energy_joule = 2e-5

    [growth]                       # shares by which each may exceed the earlier result of --against
    spikes = 0.05
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neurodeploy.errors import UsageError
from neurodeploy.files import require_file

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Quantity:
    """Something a budget bounds from above: its unit, whether it takes data to measure, and what it is."""

    unit: str
    needs_data: bool
    meaning: str


QUANTITIES: dict[str, Quantity] = {
    "cores": Quantity("", False, "cores in use"),
    "chips": Quantity("", False, "chips in use"),
    "utilisation": Quantity("", False, "greatest share of any limit that any core uses"),
    "spikes": Quantity("", True, "spikes per inference, those of the input not among them"),
    "synaptic_operations": Quantity("", True, "synaptic operations per inference"),
    "energy_joule": Quantity("J", True, "energy per inference: dynamic, static and management"),
    "latency_second": Quantity("s", True, "time per inference, on the chip alone"),
    "accuracy_drop": Quantity("", True, "accuracy lost since the reference"),
}

#: Which bound of an estimate is held against a limit.
BOUNDS = ("low", "nominal", "high")

_TEXTS = ("target", "data", "optimize", "bound")
_NUMBERS = ("samples", "reference_accuracy")
_FLAGS = ("share",)
_TABLES = ("limits", "growth")


@dataclass(frozen=True)
class Budget:
    """What a network may cost.

    Attributes
    ----------
    target, data, samples : chip, event file and how many of its samples; None where the file leaves them open.
    optimize : objective of the mapping.
    bound : which bound of energy and latency is held against a limit.
    reference_accuracy : from which ``accuracy_drop`` counts; None for that of the earlier result.
    limits : quantity -> the most it may be.
    growth : quantity -> the share by which it may exceed the earlier result.
    share : whether the mapping puts several populations on a core.
    """

    path: str
    target: str | None = None
    data: Path | None = None
    samples: int | None = None
    optimize: str = "cores"
    bound: str = "nominal"
    reference_accuracy: float | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    growth: Mapping[str, float] = field(default_factory=dict)
    share: bool = False

    @property
    def needs_data(self) -> bool:
        """Whether any quantity that is bounded takes a simulation to measure."""
        return any(QUANTITIES[name].needs_data for name in (*self.limits, *self.growth))


def read_budget(path: str | Path) -> Budget:
    """Read a budget file.

    Raises
    ------
    InputError : no such file.
    UsageError : no TOML, an unknown key (the nearest valid one is named), or a value that makes no sense.
    """
    path = require_file(path)
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(str(path), f"is no TOML ({error})", "see docs/ci.md for an example") from error
    name = str(path)
    _require_known(name, "", tree, ("schema", *_TEXTS, *_NUMBERS, *_FLAGS, *_TABLES))
    if tree.get("schema") != SCHEMA_VERSION:
        raise UsageError(name, f"schema is {tree.get('schema')!r}", f"begin it with: schema = {SCHEMA_VERSION}")
    limits = _table(name, "limits", tree.get("limits", {}), tuple(QUANTITIES))
    growth = _table(name, "growth", tree.get("growth", {}), tuple(q for q in QUANTITIES if q != "accuracy_drop"))
    if not limits and not growth:
        raise UsageError(name, "bounds nothing", f"give [limits] some of {', '.join(QUANTITIES)}")
    texts = {key: _text(name, key, tree[key]) for key in _TEXTS if key in tree}
    numbers = {key: _number(name, key, tree[key]) for key in _NUMBERS if key in tree}
    bound, samples = texts.get("bound", "nominal"), numbers.get("samples")
    if bound not in BOUNDS:
        raise UsageError(name, f"bound is {bound!r}", f"one of {', '.join(BOUNDS)}")
    if samples is not None and (samples != int(samples) or samples < 1):
        raise UsageError(name, f"samples is {samples:g}", "give a whole number of at least 1")
    return Budget(
        name,
        target=texts.get("target"),
        data=path.parent / texts["data"] if "data" in texts else None,
        samples=None if samples is None else int(samples),
        optimize=texts.get("optimize", "cores"),
        bound=bound,
        reference_accuracy=numbers.get("reference_accuracy"),
        limits=limits,
        growth=growth,
        share=_flag(name, "share", tree.get("share", False)),
    )


def _require_known(path: str, prefix: str, given: Iterable[str], known: Iterable[str]) -> None:
    known = tuple(known)
    for key in given:
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise UsageError(path, f"unknown key {prefix + key!r}", f"the nearest valid key is {prefix + nearest!r}")


def _table(path: str, name: str, table: Any, known: tuple[str, ...]) -> dict[str, float]:
    if not isinstance(table, dict):
        raise UsageError(path, f"{name} is {table!r}", f"write a table: [{name}]")
    _require_known(path, f"{name}.", table, known)
    return {key: _number(path, f"{name}.{key}", value) for key, value in table.items()}


def _text(path: str, key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError(path, f"{key} is {value!r}", "give a text in quotes")
    return value


def _flag(path: str, key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise UsageError(path, f"{key} is {value!r}", "give true or false")
    return value


def _number(path: str, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise UsageError(path, f"{key} is {value!r}", "give a number of at least 0")
    return float(value)
