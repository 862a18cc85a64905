"""Read a chip file: TOML in which every number says its unit, its source and how far it can be trusted.

A number is a table::

    neurons = { value = 1024, unit = "neuron", class = "published", source = "nengo-loihi" }

``source`` names an entry of the file's ``[sources]``; ``low`` and ``high`` bound the value where it is uncertain.
:data:`SCHEMA` lists the keys. A key that is missing, unknown, of the wrong unit or contradictory is an
:class:`~neurodeploy.errors.InputError` that names the file and the dotted key.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from neurodeploy.errors import InputError
from neurodeploy.files import require_file

SCHEMA_VERSION = 1

#: How a number is known, from the firmest to the weakest.
CLASSES = ("measured", "published", "simulated", "derived", "extrapolated", "assumed")


@dataclass(frozen=True)
class Number:
    """A number with its unit, its origin and its bounds.

    Attributes
    ----------
    source : where it comes from, in words.
    source_class : one of :data:`CLASSES`.
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


@dataclass(frozen=True)
class Key:
    """What a chip file may say under one key: its kind, and for a number its unit and whether it is a whole one."""

    kind: Literal["number", "text", "texts", "flag"]
    unit: str = ""
    required: bool = True
    choices: tuple[str, ...] = ()
    whole: bool = False


def _count(unit: str, *, required: bool = True) -> Key:
    return Key("number", unit, required, whole=True)


def _quantity(unit: str) -> Key:
    return Key("number", unit)


POOL_USES = ("axon_in", "neuron", "synapse", "axon_map")

_EVENTS = (
    "synaptic_operation_dense",
    "synaptic_operation_convolution",
    "neuron_active",
    "neuron_idle",
    "spike",
    "message_out",
    "message_in",
    "hop_x",
    "hop_y",
)

_POOL = {"words": _count("word"), "uses": Key("texts", choices=POOL_USES)}

_ENCODING = {
    "rows": Key("text", choices=("source", "tap-set", "kernel-tap")),
    "packing": Key("text", choices=("entry", "row")),
    "pads_source": Key("flag"),
    "delay_in_synapse": Key("flag"),
    "header": _count("bit"),
    "index_least": _count("bit"),
    "index_most": _count("bit"),
    "entry_synapses": _count("synapse", required=False),
    "axon_in_per_source": _quantity("word"),
    "axon_in_per_core": _quantity("word"),
    "axon_map_per_neuron": _quantity("word"),
    "out_slots_per_axon": _count("slot"),
}

#: Section -> key -> what it may hold. A section whose name ends in ``.*`` may occur under any last name.
SCHEMA: dict[str, dict[str, Key]] = {
    "": {"schema": Key("number", whole=True), "name": Key("text"), "title": Key("text")},
    "chip": {
        "tiles_x": _count("tile"),
        "tiles_y": _count("tile"),
        "cores_per_tile": _count("core"),
        "usable_cores": _count("core"),
        "chips_max": _count("chip"),
        "process": _quantity("nm"),
    },
    "limits": {
        "neurons": _count("neuron"),
        "in_axons": _count("axon", required=False),
        "out_slots": _count("slot", required=False),
        "neuron_groups": _count("group", required=False),
        "words_per_axon": _count("word", required=False),
        "margin": _quantity("1"),
    },
    "pools.*": _POOL,
    "encoding": {
        "word": _count("bit"),
        "neuron": _count("word"),
        "tiling": Key("text", choices=("columns", "cheapest")),
        "weight_bits": Key("texts"),
    },
    "encoding.dense": _ENCODING,
    "encoding.convolution": _ENCODING,
    "formats": {
        "weight_bits": _count("bit"),
        "signed_minimum": _count("1"),
        "signed_maximum": _count("1"),
        "signed_step": _count("1"),
        "unsigned_maximum": _count("1"),
        "weight_exponent_minimum": _count("1"),
        "weight_exponent_maximum": _count("1"),
        "threshold_maximum": _count("1"),
        "decay_one": _count("1"),
        "bias_maximum": _count("1"),
        "bias_exponent_minimum": _count("1"),
        "bias_exponent_maximum": _count("1"),
        "delay_maximum": _count("step"),
        "resets": Key("texts", choices=("zero", "subtract", "value", "none")),
        "graded_spikes": Key("flag"),
    },
    "energy": {name: _quantity("J") for name in _EVENTS},
    "time": {name: _quantity("s") for name in (*_EVENTS, "step_minimum")},
    "barrier.*": {"time": _quantity("s")},
    "power": {"static": _quantity("W"), "management": _quantity("W")},
}

_NUMBER_KEYS = ("value", "unit", "source", "class", "low", "high")

Section = dict[str, Any]


def read_chip_file(path: str | Path) -> dict[str, Section]:
    """Read and check a chip file; return section -> key -> Number, text, tuple of texts or bool.

    Raises
    ------
    InputError : no such file, no TOML, or a key that :data:`SCHEMA` does not allow.
    """
    path = require_file(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(path), f"is no TOML ({error})", "see a packaged chip file for an example") from error
    reader = _Reader(str(path), document.pop("sources", {}))
    sections = {"": {key: value for key, value in document.items() if not isinstance(value, dict)}}
    _flatten({key: value for key, value in document.items() if isinstance(value, dict)}, "", sections)
    _require_known(str(path), (name for name in sections if _pattern(name) not in SCHEMA), set(SCHEMA) - {""})
    for pattern in SCHEMA:
        if not any(_pattern(name) == pattern for name in sections):
            raise InputError(str(path), f"section [{pattern}] is missing", "see a packaged chip file for an example")
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


def _pattern(name: str) -> str:
    wild = f"{name.rpartition('.')[0]}.*"
    return wild if wild in SCHEMA else name


def _require_known(path: str, unknown: Iterable[str], known: Iterable[str]) -> None:
    for name in unknown:
        nearest = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.0)
        raise InputError(path, f"unknown key {name!r}", f"the nearest valid key is {nearest[0]!r}")


@dataclass(frozen=True)
class _Reader:
    path: str
    sources: Mapping[str, str]

    def section(self, name: str, values: Mapping[str, Any]) -> Section:
        keys = SCHEMA[_pattern(name)]
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
            self.path, (f"{key}.{k}" for k in table if k not in _NUMBER_KEYS), (f"{key}.{k}" for k in _NUMBER_KEYS)
        )
        for part in _NUMBER_KEYS[:4]:
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
