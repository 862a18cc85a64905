"""The load of every link of the mesh in every step, and how long the busiest one takes to carry it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from neurodeploy.counts import Seconds
from neurodeploy.fans import Fan
from neurodeploy.mesh import Link, links_between
from neurodeploy.network import Projection
from neurodeploy.placement import Placement

#: Steps are taken in portions of about so many messages between pairs of cores, to bound memory.
_PORTION = 1 << 23


class LinkLoads:
    """What the spikes of each projection put on the links; those of ports start nowhere and load none."""

    def __init__(self, placement: Placement, fans: Mapping[str, Fan]) -> None:
        self.placement, self.fans = placement, fans
        self.links: dict[tuple[str, Link], int] = {}
        inner = [p for p in placement.network.projections if p.source in placement.tilings]
        found = {p.name: self._carried(p) for p in inner}
        self.projections = [(p, sparse.csr_array(_matrix(*found[p.name], len(self.links)))) for p in inner]

    def _carried(self, projection: Projection) -> tuple[list[int], list[int], int]:
        """Return which pair of cores loads which link: indices of pairs and of links, and the number of pairs."""
        start, end = (
            self.placement.positions[self.placement.cores_of(n)] for n in (projection.source, projection.target)
        )
        pairs, links = [], []
        ways: dict[tuple[int, ...], list[int]] = {}
        for index, (source, target) in enumerate((s, t) for s in start.tolist() for t in end.tolist()):
            if source[0] != target[0] or source == target:
                continue
            key = (*source, *target)
            if key not in ways:
                ways[key] = [self.links.setdefault(link, len(self.links)) for link in links_between(source, target)]
            pairs += [index] * len(ways[key])
            links += ways[key]
        return pairs, links, len(start) * len(end)

    def busiest_seconds(self, flat: Mapping[str, npt.NDArray[np.bool_]]) -> Seconds:
        """Return how long the busiest link takes in each chip step, float64 [(low, nominal, high), samples, steps].

        Parameters
        ----------
        flat : population -> bool [samples, steps, neurons].
        """
        samples, steps = flat[next(iter(flat))].shape[:2]
        if not self.links:
            return np.zeros((3, samples, steps))
        loads = np.zeros((samples * steps, len(self.links)))
        for projection, matrix in self.projections:
            if matrix.nnz:
                latency = self.placement.network.latency(projection.source)
                spikes = np.roll(flat[projection.source], latency, axis=1).reshape(samples * steps, -1)
                rows = max(1, _PORTION // matrix.shape[0])
                for first in range(0, len(spikes), rows):
                    part = slice(first, first + rows)
                    loads[part] += self._traffic(projection, spikes[part]) @ matrix
        time = self.placement.chip.time
        found = []
        for bound in ("low", "value", "high"):
            of_link = np.array([getattr(time[f"hop_{axis}"], bound) for axis, _ in self.links])
            found.append((loads * of_link).max(axis=1).reshape(samples, steps))
        return np.stack(found)

    def _traffic(self, projection: Projection, spikes: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
        traffic = self.fans[projection.name].traffic(spikes, self.placement.tilings[projection.source])
        return traffic.reshape(len(spikes), -1)


def _matrix(pairs: list[int], links: list[int], count: int, width: int) -> Any:
    entries = (np.ones(len(pairs)), (np.array(pairs, dtype=np.int64), np.array(links, dtype=np.int64)))
    return sparse.coo_array(entries, shape=(count, width))
