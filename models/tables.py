"""TOML tables as frozen dataclasses: every key, type and bound is checked, and a refusal names the nearest valid key.

A field's annotation (``int``, ``float``, ``bool``, ``str`` or ``tuple[..., ...]`` of one of these) is its TOML type;
:func:`bounded` and :func:`one_of` give it limits. What :func:`read_table` accepts, :func:`write_table` writes so that
reading it again gives an equal value.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from neurodeploy.errors import UsageError

T = TypeVar("T")

_WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a string",
    dict: "a table",
    list: "a list",
    tuple[str, ...]: "a list of strings",
    tuple[float, ...]: "a list of numbers",
}


def bounded(low: float, high: float, default: Any = dataclasses.MISSING) -> Any:
    """Return a dataclass field for a number from ``low`` to ``high``, both included."""
    return dataclasses.field(default=default, metadata={"low": low, "high": high})


def one_of(choices: Iterable[str], default: Any = dataclasses.MISSING) -> Any:
    """Return a dataclass field for a string out of ``choices``."""
    return dataclasses.field(default=default, metadata={"choices": tuple(choices)})


def unwritten(spec: Any) -> Any:
    """Return the dataclass field ``spec`` as one that :func:`write_table` leaves out where it has its default."""
    return dataclasses.field(default=spec.default, metadata={**spec.metadata, "unwritten": True})


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return advice that names the valid name closest to ``name``, or all of them when none is close."""
    names = list(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"valid: {', '.join(names)}"


def require_table(
    raw: object, valid: Iterable[str], where: str, file: str, elsewhere: Iterable[str] = ()
) -> dict[str, Any]:
    """Return ``raw`` as a table that holds only ``valid`` keys, or raise :class:`UsageError` naming file and key.

    ``elsewhere`` are full names of keys in other tables, which the advice may point at.
    """
    if not isinstance(raw, Mapping):
        raise UsageError(f"{file}: {where}", f"is {describe(raw)}, not a table", f"write it as a [{where}] table")
    names = list(valid)
    for key in raw:
        if key not in names:
            raise UsageError(f"{file}: {join(where, key)}", "is no key of a recipe", nearest(key, [*names, *elsewhere]))
    return dict(raw)


def read_table(cls: type[T], raw: object, where: str, file: str) -> T:
    """Return the dataclass ``cls`` from the table ``raw`` found at ``where`` in ``file``.

    Raises :class:`UsageError` for an unknown key, a missing key, a wrong type or a value out of bounds.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    table = require_table(raw, fields, where, file)
    types = typing.get_type_hints(cls)
    for name, field in fields.items():
        if name in table:
            table[name] = _read_value(table[name], types[name], field.metadata, f"{file}: {join(where, name)}")
        elif field.default is dataclasses.MISSING:
            raise UsageError(f"{file}: {join(where, name)}", "is missing", f"give it {_WORDS[types[name]]}")
    return cls(**table)


def write_table(value: Any) -> str:
    """Return the ``key = value`` lines of a dataclass in the order of its fields; :func:`unwritten` says which not."""
    pairs = [(f, getattr(value, f.name)) for f in dataclasses.fields(value)]
    shown = [(f.name, v) for f, v in pairs if not (f.metadata.get("unwritten") and v == f.default)]
    return "".join(f"{name} = {write_value(v)}\n" for name, v in shown)


def write_value(value: bool | int | float | str | tuple[str, ...] | tuple[float, ...]) -> str:
    """Return one value as TOML; strings must be printable."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(write_value, value))}]"
    return repr(value) if type(value) in (int, float) else json.dumps(value, ensure_ascii=False)


def join(where: str, key: str) -> str:
    """Return the dotted name of ``key`` inside the table ``where``, which is empty for the whole file."""
    return f"{where}.{key}" if where else key


def describe(value: object) -> str:
    """Return what a TOML value is, for a message: its type in words and, for a plain value, itself."""
    word = _WORDS.get(type(value), f"a {type(value).__name__}")
    return f"{word} ({value!r})" if isinstance(value, bool | int | float | str) else word


def _read_value(value: object, kind: Any, limits: Mapping[str, Any], subject: str) -> object:
    if typing.get_origin(kind) is tuple:
        return _read_list(value, kind, limits, subject)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise UsageError(subject, f"is {describe(value)}, not {_WORDS[kind]}", "correct the value")
    if kind is str and not str(value).isprintable():
        raise UsageError(subject, f"{value!r} cannot be printed", "use letters, digits and signs")
    if "choices" in limits and value not in limits["choices"]:
        raise UsageError(subject, f"{value!r} is not known", nearest(str(value), limits["choices"]))
    if "low" in limits and isinstance(value, int | float):
        low, high = limits["low"], limits["high"]
        if not (math.isfinite(value) and low <= value <= high):
            raise UsageError(subject, f"{value} is outside {low} to {high}", "give a value inside")
    return value


def _read_list(value: object, kind: Any, limits: Mapping[str, Any], subject: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise UsageError(subject, f"is {describe(value)}, not {_WORDS[kind]}", "write it between [ and ]")
    of = typing.get_args(kind)[0]
    return tuple(_read_value(one, of, limits, f"{subject}.{index}") for index, one in enumerate(value))
