"""Video retrieval: whether the clips nearest to a query show what it shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

#: The ranks that the literature on UCF101 and HMDB51 reports.
RANKS = (1, 5, 10, 20, 50)

Features = npt.NDArray[np.floating]
Labels = npt.NDArray[np.integer]


def recall(
    queries: Features, labels: Labels, gallery: Features, gallery_labels: Labels, ranks: Sequence[int] = RANKS
) -> dict[int, float]:
    """Return R@k for each k of ``ranks``: the share of queries that have one of their class among the k nearest.

    ``queries`` [Q, N] are features of the test split, ``gallery`` [G, N] of the training split; near is a large cosine,
    the earlier clip first among equals. A feature of zeros has cosine 0 to all. Raises :class:`ValueError` where k
    exceeds the gallery, or there is no query.
    """
    if not len(queries) or max(ranks) > len(gallery):
        raise ValueError(f"R@{max(ranks)} of {len(queries)} queries in a gallery of {len(gallery)}")
    near = np.argsort(-(_unit(queries) @ _unit(gallery).T), axis=1, kind="stable")[:, : max(ranks)]
    hits = gallery_labels[near] == labels[:, np.newaxis]
    return {rank: float(hits[:, :rank].any(axis=1).mean()) for rank in ranks}


def _unit(features: Features) -> Features:
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(length == 0, 1, length)
