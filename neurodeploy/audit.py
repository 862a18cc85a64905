"""The account of a quantization: each array before and after, and a row of figures per population."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.neurons import Lif
from neurodeploy.scaling import Scaling, sign_mode

#: Values that are summed up at a time.
_BLOCK = 1 << 20

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Values:
    """One array before and after.

    Attributes
    ----------
    before : the array before, float64, or what computes it; then it is computed each time, and not kept.
    integer : the array after.
    after : what the integers mean in float units, likewise.
    """

    population: str
    parameter: str
    before: Floats | Callable[[], Floats]
    integer: npt.NDArray[np.integer[Any]]
    after: Floats | Callable[[], Floats]

    @property
    def original(self) -> Floats:
        """The array before."""
        return self.before() if callable(self.before) else self.before

    @property
    def restored(self) -> Floats:
        """What the integers mean in float units."""
        return self.after() if callable(self.after) else self.after

    @property
    def error(self) -> Floats:
        """Restored minus original."""
        return self.restored - self.original

    def summary(self) -> dict[str, Any]:
        """Return range and error as JSON values; the error relative to the root mean square of the originals.

        Of a decay also ``time_constant_error``, the largest relative error of the time constant in steps, where it is
        finite before and after.
        """
        original, restored = self.original, self.restored
        size = rms = largest = 0.0
        for rows in _blocks(original):
            error = restored[rows] - original[rows]
            size += float(np.square(original[rows]).sum())
            rms += float(np.square(error).sum())
            largest = max(largest, float(np.abs(error).max()))
        row = {
            "float": _range(original),
            "integer": _range(self.integer),
            "largest_error": largest,
            "relative_error": float(np.sqrt(rms / size)) if size > 0 else 0.0,
            "count": int(original.size),
        }
        felt = _time_constant_error(original, restored) if self.parameter.endswith("_decay") else None
        return row if felt is None else {**row, "time_constant_error": felt}


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
            row["weights"].append({"projection": name, "sign_mode": _sign_mode(summary["float"]), **summary})
        else:
            row[entry.parameter] = summary
    return row


def _blocks(values: npt.NDArray[Any]) -> Iterator[Any]:
    """Yield indices that cut an array into pieces of about a million values."""
    if not values.ndim:
        yield ...
        return
    rows = max(1, _BLOCK * len(values) // values.size)
    yield from (slice(start, start + rows) for start in range(0, len(values), rows))


def _sign_mode(span: Any) -> str:
    return sign_mode(np.asarray(span, dtype=np.float64))


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
        everywhere = entry.restored
        for index in np.ndindex(entry.integer.shape):
            restored = float(everywhere[index])
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
