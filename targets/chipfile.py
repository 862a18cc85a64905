"""Read a chip file: TOML in which every number says its unit, its source and how far it can be trusted.

A number is a table::

    neurons = { value = 1024, unit = "neuron", class = "published", source = "nengo-loihi" }

``source`` names an entry of the file's ``[sources]``; ``low`` and ``high`` bound the value where it is uncertain. A
file that says ``base = "loihi2"`` is that chip, a packaged one or another file, except where it says otherwise.
:mod:`neurodeploy.targets.chipschema` lists the keys. A key that is missing, unknown, of the wrong unit or
contradictory is an :class:`~neurodeploy.errors.InputError` that names the file and the dotted key.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurodeploy.errors import InputError
from neurodeploy.files import require_file
from neurodeploy.targets.chipschema import (
    CLASSES,
    COSTS,
    NUMBER_KEYS,
    OPTIONAL,
    SCHEMA,
    SCHEMA_VERSION,
    Key,
    pattern_of,
)


@dataclass(frozen=True)
class Number:
    """A number with its unit, its origin and its bounds.

    Attributes
    ----------
    source : where it comes from, in words.
    source_class : one of :data:`neurodeploy.targets.chipschema.CLASSES`.
    low, high : bounds; equal to ``value`` where the file gives none.
    """

    value: float
    unit: str
    source: str
    source_class: str
    low: float
    high: float

    def __int__(self) -> int:
        return int(self.value)

    def as_dict(self) -> dict[str, Any]:
        """Return the number as a chip file spells it."""
        return {
            "value": self.value,
            "unit": self.unit,
            "class": self.source_class,
            "source": self.source,
            "low": self.low,
            "high": self.high,
        }


Section = dict[str, Any]


def read_chip_file(path: str | Path) -> dict[str, Section]:
    """Read and check a chip file; return section -> key -> Number, text, tuple of texts or bool.

    Raises
    ------
    InputError : no such file, no TOML, or a key that :data:`~neurodeploy.targets.chipschema.SCHEMA` does not allow.
    """
    path = require_file(path)
    return _check(path, _read_tree(path, ()))


def _read_tree(path: Path, seen: tuple[Path, ...]) -> Section:
    """Return a file's tables over those of its base, which is checked on its own first."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"is no TOML ({error})", "see a packaged chip file for an example") from error
    base = tree.pop("base", None)
    if base is None:
        return tree
    if not isinstance(base, str):
        raise InputError(str(path), f"base is {base!r}", "give a chip's name, or the path of its file, in quotes")
    beneath = _locate(path, base)
    if beneath.resolve() in (path.resolve(), *seen):
        raise InputError(str(path), f"base {base!r} leads back to a file that builds on it", "name another base")
    below = _read_tree(beneath, (path.resolve(), *seen))
    _check(beneath, below)
    own = {key: below[key] for key in below if key not in ("name", "title")}
    return _merge(own, tree)


def _locate(path: Path, base: str) -> Path:
    """Return the file of a base: a packaged chip of this name, or a path seen from the file that names it."""
    packaged = Path(__file__).parent / f"{base}.toml"
    found = packaged if packaged.is_file() and "/" not in base else path.parent / base
    if not found.is_file():
        raise InputError(str(path), f"base {base!r} is neither a packaged chip nor a file", "see neurodeploy targets")
    return found


def _merge(below: Section, above: Section) -> Section:
    """Return both trees as one; a number of ``above`` replaces that of ``below`` whole, with its source and bounds."""
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        if isinstance(value, dict) and isinstance(known, dict) and "value" not in {**known, **value}:
            merged[key] = _merge(known, value)
        else:
            merged[key] = value
    return merged


def _check(path: Path, tree: Section) -> dict[str, Section]:
    tables = {key: value for key, value in tree.items() if isinstance(value, dict) and key != "sources"}
    sections = {"": {key: value for key, value in tree.items() if not isinstance(value, dict)}}
    _flatten(tables, "", sections)
    _require_known(str(path), (name for name in sections if pattern_of(name) not in SCHEMA), set(SCHEMA) - {""})
    present = {pattern_of(name) for name in sections}
    costs = [pattern for pattern in COSTS if pattern in present]
    for pattern in SCHEMA:
        if pattern not in present and (pattern not in OPTIONAL or (costs and pattern in COSTS)):
            beside = f" beside [{costs[0]}]" if pattern in COSTS else ""
            advice = "see a packaged chip file for an example"
            raise InputError(str(path), f"section [{pattern}] is missing{beside}", advice)
    reader = _Reader(str(path), tree.get("sources", {}))
    return {name: reader.section(name, values) for name, values in sections.items()}


def _flatten(tree: Mapping[str, Any], prefix: str, sections: dict[str, Section]) -> None:
    """Collect the innermost tables that hold keys, under their dotted names."""
    for name, table in tree.items():
        dotted = f"{prefix}{name}"
        inner = {k: v for k, v in table.items() if isinstance(v, dict) and not set(v) & {"value", "unit", "source"}}
        leaves = {k: v for k, v in table.items() if k not in inner}
        if leaves or not inner:
            sections[dotted] = leaves
        _flatten(inner, f"{dotted}.", sections)


def _require_known(path: str, unknown: Iterable[str], known: Iterable[str]) -> None:
    for name in unknown:
        nearest = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.0)
        raise InputError(path, f"unknown key {name!r}", f"the nearest valid key is {nearest[0]!r}")


@dataclass(frozen=True)
class _Reader:
    path: str
    sources: Mapping[str, str]

    def section(self, name: str, values: Mapping[str, Any]) -> Section:
        keys = SCHEMA[pattern_of(name)]
        prefix = f"{name}." if name else ""
        _require_known(self.path, (prefix + k for k in values if k not in keys), (prefix + k for k in keys))
        for key, rule in keys.items():
            if rule.required and key not in values:
                raise InputError(self.path, f"key {prefix + key!r} is missing", f"add it, as {_example(rule)}")
        return {key: self._value(prefix + key, values[key], rule) for key, rule in keys.items() if key in values}

    def _value(self, key: str, value: Any, rule: Key) -> Any:
        if key == "schema":
            if value != SCHEMA_VERSION:
                self._fail(key, f"is {value!r}", f"this version reads schema {SCHEMA_VERSION}")
            return value
        if rule.kind == "number":
            return self._number(key, value, rule)
        if rule.kind == "flag" and not isinstance(value, bool):
            self._fail(key, f"is {value!r}", "true or false")
        if rule.kind == "text" and not isinstance(value, str):
            self._fail(key, f"is {value!r}", f"give {_example(rule)}")
        if rule.kind == "texts" and not (isinstance(value, list) and value and all(isinstance(v, str) for v in value)):
            self._fail(key, f"is {value!r}", f"give {_example(rule)}")
        for text in value if rule.kind == "texts" else [value]:
            if rule.choices and text not in rule.choices:
                self._fail(key, f"is {text!r}", f"one of {', '.join(rule.choices)}")
        return tuple(value) if isinstance(value, list) else value

    def _number(self, key: str, table: Any, rule: Key) -> Number:
        if not isinstance(table, dict):
            self._fail(key, f"is {table!r}, without unit and source", f"give {_example(rule)}")
        _require_known(
            self.path, (f"{key}.{k}" for k in table if k not in NUMBER_KEYS), (f"{key}.{k}" for k in NUMBER_KEYS)
        )
        for part in NUMBER_KEYS[:4]:
            if part not in table:
                raise InputError(self.path, f"key '{key}.{part}' is missing", f"add it, as {_example(rule)}")
        if table["unit"] != rule.unit:
            self._fail(f"{key}.unit", f"is {table['unit']!r}", f"give the value in {rule.unit!r}")
        if table["class"] not in CLASSES:
            self._fail(f"{key}.class", f"is {table['class']!r}", f"one of {', '.join(CLASSES)}")
        if table["source"] not in self.sources:
            self._fail(
                f"{key}.source", f"is {table['source']!r}, which [sources] does not explain", "add it to [sources]"
            )
        low, value, high = table.get("low", table["value"]), table["value"], table.get("high", table["value"])
        self._bounds(key, low, value, high, rule)
        return Number(value, rule.unit, self.sources[table["source"]], table["class"], low, high)

    def _bounds(self, key: str, low: Any, value: Any, high: Any, rule: Key) -> None:
        for part, number in (("low", low), ("value", value), ("high", high)):
            if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
                self._fail(f"{key}.{part}", f"is {number!r}", "a finite number")
            if rule.whole and number != int(number):
                self._fail(f"{key}.{part}", f"is {number!r}", "a whole number")
        if not low <= value <= high:
            self._fail(key, f"has low {low}, value {value}, high {high}", "low <= value <= high must hold")
        if value < 0 and not key.startswith("formats."):
            self._fail(key, f"is {value}", "a number of at least 0")

    def _fail(self, key: str, problem: str, advice: str) -> None:
        raise InputError(self.path, f"{key} {problem}", advice)


def _example(rule: Key) -> str:
    return {
        "number": f'{{ value = 1, unit = "{rule.unit}", class = "published", source = "a key of [sources]" }}',
        "text": f"one of {', '.join(rule.choices)}" if rule.choices else "a text in quotes",
        "texts": f"a list of {', '.join(rule.choices)}" if rule.choices else "a list of texts",
        "flag": "true or false",
    }[rule.kind]
