"""The account of a quantization: each array before and after, and a row of figures per population."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

    def summary(self) -> dict[str, Any]:
        """Return range and error as JSON values; the error relative to the root mean square of the originals.

        Of a decay also ``time_constant_error``, the largest relative error of the time constant in steps, where it is
        finite before and after.
        """
        size = float(np.sqrt(np.square(self.original).mean()))
        rms = float(np.sqrt(np.square(self.error).mean()))
        row = {
            "float": _range(self.original),
            "integer": _range(self.integer),
            "largest_error": float(np.abs(self.error).max()),
            "relative_error": rms / size if size > 0 else 0.0,
            "count": int(self.original.size),
        }
        error = _time_constant_error(self.original, self.restored) if self.parameter.endswith("_decay") else None
        return row if error is None else {**row, "time_constant_error": error}


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
        summary = entry.summary()
        if entry.parameter.startswith("weight "):
            name = entry.parameter.removeprefix("weight ")
            row["weights"].append({"projection": name, "sign_mode": sign_mode(entry.original), **summary})
        else:
            row[entry.parameter] = summary
    return row


def _range(values: npt.NDArray[Any]) -> Any:
    low, high = values.min().item(), values.max().item()
    return low if low == high else [low, high]


def _time_constant_error(lost: Floats, restored: Floats) -> float | None:
    """Return the largest relative error of ``-1 / log(1 - lost)``; None where no time constant is finite."""
    before, after = np.broadcast_arrays(lost, restored)
    finite = (before > 0) & (before < 1) & (after > 0) & (after < 1)
    if not finite.any():
        return None
    return float(np.abs(np.log1p(-before[finite]) / np.log1p(-after[finite]) - 1).max())


def endless(values: Iterable[Values]) -> Iterator[str]:
    """Yield a sentence for each decay that was so slow that its integer is 0."""
    for entry in values:
        if entry.parameter.endswith("_decay") and ((entry.original > 0) & (entry.integer == 0)).any():
            kind = entry.parameter.removesuffix("_decay")
            yield f"{entry.population}: its {kind} leaks so slowly that the chip's decay is 0: it forgets nothing"


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
