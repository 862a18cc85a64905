"""From a file to what a network sees of it: which frames, which part of them, and what is changed at random.

Whatever is random here has a name in the recipe's ``augment``; without it training sees what tests see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurodeploy.models.data.crops import CROPS, Box, centre, cropped
from neurodeploy.models.data.imagefile import read_image
from neurodeploy.models.data.sampling import dense, segments
from neurodeploy.models.data.videofile import read_frames

Frames = npt.NDArray[np.uint8]
Draw = np.random.Generator

#: A change of one sample's frames that keeps their shape, and its number.
Change = tuple[Callable[[Frames, Draw, float], Frames], float]

#: In a recipe's ``augment``: which frames of a video are seen is drawn.
JITTER = "time-jitter"


@dataclass(frozen=True)
class View:
    """What of a file is seen: ``size`` pixels high and wide, and what is drawn where there is a generator.

    Attributes
    ----------
    crop : name in :data:`neurodeploy.models.data.crops.CROPS` and its number; None is the centre, as for tests.
    changes : functions of single samples, done in this order behind the crop.
    """

    size: int
    crop: tuple[str, float] | None = None
    changes: Sequence[Change] = ()

    def __call__(self, images: Frames, draw: Draw | None) -> Frames:
        """Return images [steps, height, width, 3] as frames [steps, 3, size, size]."""
        frames = cropped(images, self._box(images.shape[1], images.shape[2], draw), self.size)
        if draw is not None:
            for change, number in self.changes:
                frames = change(frames, draw, number)
        return frames

    def _box(self, height: int, width: int, draw: Draw | None) -> Box:
        if draw is None or self.crop is None:
            return centre(height, width)
        name, number = self.crop
        return CROPS[name](height, width, draw, number)


@dataclass(frozen=True)
class VideoView:
    """``steps`` frames of a video: one of each segment or, with a ``stride``, so many frames apart."""

    view: View
    steps: int
    stride: int = 0
    jitter: bool = False

    def __call__(self, path: Path, frames: int, draw: Draw | None) -> Frames:
        """Return [steps, 3, size, size] of a file that has ``frames`` frames."""
        when = draw if self.jitter else None
        stride = self.stride
        chosen = dense(frames, self.steps, stride, when) if stride else segments(frames, self.steps, when)
        return self.view(read_frames(path, chosen), draw)


@dataclass(frozen=True)
class ImageView:
    """An image, shown in every one of ``steps`` steps."""

    view: View
    steps: int

    def __call__(self, path: Path, _frames: int, draw: Draw | None) -> Frames:
        """Return [steps, 3, size, size]."""
        return np.repeat(self.view(read_image(path)[np.newaxis], draw), self.steps, axis=0)
