"""What a receptive field comes to in single numbers; no torch here."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

#: A pixel counts to the area where it has this share of the greatest.
AREA_LEVEL = 0.05
#: Shares of the greatest below which a lag says nothing of the decay.
_FAINT = 1e-6

FloatMap = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Scalars of one field; all 0 where nothing is heard at all.

    Attributes
    ----------
    sigma_rows, sigma_columns : roots of the spatial map's second central moments, in input pixels.
    area : pixels with at least a twentieth of the greatest.
    support : pixels above 0.
    entropy : of the map as a distribution over pixels, in bits; the binary logarithm of the pixels at most.
    energy_in_radius : share of the map within ``radius`` pixels of the site.
    mean_lag : steps between what is heard and the answer, weighted.
    decay : ratio from one lag to the next by least squares of logarithms; 0 where only one lag is heard.
    """

    sigma_rows: float
    sigma_columns: float
    area: int
    support: int
    entropy: float
    radius: float
    energy_in_radius: float
    mean_lag: float
    decay: float


@dataclass(frozen=True)
class ReceptiveField:
    """The field of one layer's output.

    Attributes
    ----------
    layer : its name, empty for the network's output.
    energy : float64 [steps, H, W], mean absolute gradient over runs, samples and input channels.
    step : of the output, counted from 0.
    site : row and column of the output; None where it has no places, or where all of them are heard.
    grid : rows and columns of the output; None where it has none.
    """

    layer: str
    energy: FloatMap
    step: int
    site: tuple[int, int] | None = None
    grid: tuple[int, int] | None = None

    @cached_property
    def spatial(self) -> FloatMap:
        """The sum over steps, [H, W]."""
        return np.asarray(self.energy.sum(axis=0))

    @cached_property
    def temporal(self) -> FloatMap:
        """The sum over places, [steps]."""
        return np.asarray(self.energy.sum(axis=(1, 2)))

    @property
    def centre(self) -> tuple[float, float]:
        """Where the site lies in the input; the middle where there is none."""
        sides = self.energy.shape[1:]
        if self.site is None or self.grid is None:
            return (sides[0] - 1) / 2, (sides[1] - 1) / 2
        row, column = (
            (place + 0.5) * side / of - 0.5 for place, side, of in zip(self.site, sides, self.grid, strict=True)
        )
        return row, column

    def summary(self, radius: float | None = None) -> Summary:
        """Return the scalars; ``radius`` is by default a quarter of the shorter side."""
        map_, chosen = self.spatial, min(self.energy.shape[1:]) / 4 if radius is None else radius
        total = float(map_.sum())
        if total == 0:
            return Summary(0.0, 0.0, 0, 0, 0.0, chosen, 0.0, 0.0, 0.0)
        share = map_ / total
        rows, columns = np.indices(map_.shape)
        row, column = self.centre
        near = (rows - row) ** 2 + (columns - column) ** 2 <= chosen**2
        present = share[share > 0]
        return Summary(
            sigma_rows=_spread(share.sum(axis=1)),
            sigma_columns=_spread(share.sum(axis=0)),
            area=int((map_ >= AREA_LEVEL * map_.max()).sum()),
            support=int((map_ > 0).sum()),
            entropy=float(-(present * np.log2(present)).sum()),
            radius=chosen,
            energy_in_radius=float(share[near].sum()),
            mean_lag=float(((self.step - np.arange(len(self.temporal))) * self.temporal).sum() / self.temporal.sum()),
            decay=_decay(self.temporal, self.step),
        )

    def as_dict(self, radius: float | None = None) -> dict[str, Any]:
        """Return maps and scalars for JSON."""
        return {
            "layer": self.layer,
            "step": self.step,
            "site": self.site,
            "grid": self.grid,
            "spatial": self.spatial.tolist(),
            "temporal": self.temporal.tolist(),
            **asdict(self.summary(radius)),
        }


def _spread(share: FloatMap) -> float:
    places = np.arange(len(share))
    middle = float((share * places).sum())
    return float(np.sqrt((share * (places - middle) ** 2).sum()))


def _decay(temporal: FloatMap, step: int) -> float:
    lags = np.arange(step + 1)
    heard = temporal[step::-1]
    clear = heard > _FAINT * heard.max()
    if clear.sum() < 2:
        return 0.0
    return float(np.exp(np.polyfit(lags[clear], np.log(heard[clear]), 1)[0]))
