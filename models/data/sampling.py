"""Which frames of a video a clip of ``steps`` frames consists of, in whole numbers.

Without a generator the choice is the one for testing, the centre; with one it is drawn. (Wang et al., "Temporal Segment
Networks", ECCV 2016, has the segments; dense clips are those of Simonyan and Zisserman, NeurIPS 2014, and after.)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def segments(frames: int, steps: int, draw: np.random.Generator | None = None) -> Indices:
    """Return one frame of each of ``steps`` equal segments of a video of ``frames`` frames, int64 [steps].

    Segment i is the frames from floor(i frames / steps) up to floor((i + 1) frames / steps), or the first of these
    where that is none, as in a video of fewer frames than steps. Its centre frame is taken, or a drawn one.
    """
    edges = np.arange(steps + 1) * frames // steps
    if draw is None:
        return np.asarray((2 * np.arange(steps) + 1) * frames // (2 * steps))
    lengths = np.maximum(np.diff(edges), 1)
    return np.asarray(edges[:-1] + draw.integers(lengths), np.int64)


def dense(frames: int, steps: int, stride: int, draw: np.random.Generator | None = None) -> Indices:
    """Return ``steps`` frames that are ``stride`` apart, int64 [steps], in the middle or from a drawn beginning on.

    A video that is too short for this begins again after its end.
    """
    room = max(frames - ((steps - 1) * stride + 1), 0)
    start = room // 2 if draw is None else int(draw.integers(room + 1))
    return np.asarray((start + np.arange(steps) * stride) % frames, np.int64)
