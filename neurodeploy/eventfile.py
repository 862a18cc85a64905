"""The event form of a data file: lists of events by port in place of dense arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.events import COLUMNS, EventInput, whole_numbers

Arrays = Mapping[str, npt.NDArray[Any]]


def event_ports(path: str, arrays: Arrays) -> dict[str, EventInput]:
    """Return port -> events of a file's arrays; none where it has no ``t``.

    Parameters
    ----------
    arrays : ``t`` and ``index``, and where wanted ``sample`` and ``payload``, or each of them with ``/<port>`` behind;
        the numbers ``samples`` and ``steps``. Without these, there are as many samples as labels or else as events
        tell, and steps up to that of the last event. Whole numbers may be stored as floats.

    Raises
    ------
    InputError : a column that is missing, or holds something other than whole numbers; an extent that is no number.
    """
    ports = {name.removeprefix("t").removeprefix("/") for name in arrays if name == "t" or name.startswith("t/")}
    columns = {port: _columns(path, arrays, port) for port in sorted(ports)}
    if not columns:
        return {}
    samples = _extent(path, arrays, "samples", [given["sample"] for given in columns.values()])
    steps = _extent(path, arrays, "steps", [given["t"] for given in columns.values()])
    return {port: EventInput(samples, steps, **given) for port, given in columns.items()}  # type: ignore[arg-type]


def _columns(path: str, arrays: Arrays, port: str) -> dict[str, npt.NDArray[Any] | None]:
    names = {column: f"{column}/{port}" if port else column for column in COLUMNS}
    if names["index"] not in arrays:
        raise InputError(path, f"holds {names['t']!r} but no {names['index']!r}", "store the cell of every event")
    found = {column: arrays.get(name) for column, name in names.items()}
    return {column: None if a is None else whole_numbers(path, column, a) for column, a in found.items()}


def _extent(path: str, arrays: Arrays, name: str, seen: list[npt.NDArray[Any] | None]) -> int:
    if name in arrays:
        if arrays[name].size != 1:
            raise InputError(path, f"its {name} has shape {list(arrays[name].shape)}", "store one number")
        return int(whole_numbers(path, name, arrays[name]).ravel()[0])
    if name == "samples" and "labels" in arrays:
        return len(np.atleast_1d(arrays["labels"]))
    return 1 + max((int(values.max()) for values in seen if values is not None and values.size), default=0)
