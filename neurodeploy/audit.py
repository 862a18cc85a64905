"""The account of a quantization: each array before and after, and a row of figures per population."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.neurons import Lif
from neurodeploy.scaling import Scaling, sign_mode

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Values:
    """One array before and after: ``restored`` is what the integers mean in float units."""

    population: str
    parameter: str
    original: Floats
    integer: npt.NDArray[np.int64]
    restored: Floats

    @property
    def error(self) -> Floats:
        """Restored minus original."""
        return self.restored - self.original


def account(name: str, neurons: int, neuron: Lif, scaling: Scaling, values: list[Values]) -> dict[str, Any]:
    """Return the account of one population as JSON values."""
    row: dict[str, Any] = {
        "name": name,
        "neurons": neurons,
        "scale": scaling.scale,
        "weight_exponent": scaling.exponent,
        "bias_exponent": neuron.bias_exponent,
        "weights": [],
    }
    for entry in values:
        summary = _summary(entry)
        if entry.parameter.startswith("weight "):
            name = entry.parameter.removeprefix("weight ")
            row["weights"].append({"projection": name, "sign_mode": sign_mode(entry.original), **summary})
        else:
            row[entry.parameter] = summary
    return row


def _summary(values: Values) -> dict[str, Any]:
    """Return range and error; the error relative to the root mean square of the originals."""
    size = float(np.sqrt(np.square(values.original).mean()))
    rms = float(np.sqrt(np.square(values.error).mean()))
    return {
        "float": _range(values.original),
        "integer": _range(values.integer),
        "largest_error": float(np.abs(values.error).max()),
        "relative_error": rms / size if size > 0 else 0.0,
        "count": int(values.original.size),
    }


def _range(values: npt.NDArray[Any]) -> Any:
    low, high = values.min().item(), values.max().item()
    return low if low == high else [low, high]


def every_value(values: tuple[Values, ...]) -> Iterator[tuple[str, str, str, float, int, float, float]]:
    """Yield population, parameter, index, float, integer, restored and error of every single value."""
    for entry in values:
        original = np.broadcast_to(entry.original, entry.integer.shape)
        for index in np.ndindex(entry.integer.shape):
            restored = float(entry.restored[index])
            place = ",".join(map(str, index))
            number = float(original[index])
            yield (
                entry.population,
                entry.parameter,
                place,
                number,
                int(entry.integer[index]),
                restored,
                restored - number,
            )
