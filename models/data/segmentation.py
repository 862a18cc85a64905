"""Images with a class for every pixel: ADE20K as it is published, and what recipes do to an image and its map alike.

Steps of training are pure functions ``(sample, draw) -> sample``; a map of classes is resized by its nearest pixels and
never mixes classes. (Recipe: Semantic FPN on ADE20K, crops of 512 x 512, as in Kirillov et al., CVPR 2019, and after.)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.models.data.crops import resized
from neurodeploy.models.data.decoding import in_threads
from neurodeploy.models.data.imagefile import read_image, read_numbers
from neurodeploy.models.data.listing import Place
from neurodeploy.models.data.vision import photometric
from neurodeploy.models.extras import require

Draw = np.random.Generator

#: The class of pixels that neither train nor count.
IGNORED = 255

#: Classes of SceneParse150.
ADE20K_CLASSES = 150

ADE20K = Place(
    "ADE20K (SceneParse150)",
    (
        "ADEChallengeData2016/images/{training,validation}/*.jpg",
        "ADEChallengeData2016/annotations/{training,validation}/*.png",
    ),
    "http://sceneparsing.csail.mit.edu",
)

#: The side of crops as published, and that of the other one of images of which they are cut, 2048 pixels, to it.
SIDE, _LONGER = 512, 4

#: What stands where a crop is larger than its image: the mean colour of natural images.
_MEAN_COLOUR = (124, 116, 104)


@dataclass(frozen=True, eq=False)
class Segmented:
    """An image uint8 [3, height, width] and its ``classes`` uint8 [height, width], 255 where a pixel is ignored.

    ``classes`` keep the file's own size where only the image is resized: predictions are compared at that size.
    """

    image: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.uint8]
    name: str


@dataclass(frozen=True)
class SegmentationSet:
    """The images of one side, read from files when they are taken.

    Attributes
    ----------
    root : the folder that holds images and annotations.
    side : ``training`` or ``validation``.
    names : of the files, without their endings.
    size : height and width of the crops for training, and the shorter side of the images that are tested; other than
        512, it scales all sizes of this module in proportion.
    """

    root: Path
    side: str
    names: tuple[str, ...]
    size: int = SIDE

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> Segmented:
        """Return an image and its map as their files hold them, classes counted from 0 and 255 for "other".

        Raises :class:`InputError` for a file that cannot be decoded, or a map of another size than its image.
        """
        name = self.names[index]
        path = self.root / "annotations" / self.side / f"{name}.png"
        image, numbers = read_image(self.root / "images" / self.side / f"{name}.jpg"), read_numbers(path)
        if numbers.shape != image.shape[:2]:
            found = f"has {numbers.shape[1]} x {numbers.shape[0]} pixels, its image {image.shape[1]} x {image.shape[0]}"
            raise InputError(str(path), found, "take both from the archive again")
        if (largest := int(numbers.max())) > ADE20K_CLASSES:
            raise InputError(str(path), f"holds class {largest} of {ADE20K_CLASSES}", "is it SceneParse150's?")
        # 0 becomes 255 and k becomes k - 1, in bytes.
        return Segmented(np.ascontiguousarray(np.moveaxis(image, -1, 0)), numbers - np.uint8(1), name)

    def take(self, indices: npt.NDArray[np.integer[Any]]) -> list[Segmented]:
        """Return images as tests see them, whole and with a shorter side of 512, beside maps of the files' own size."""
        return in_threads(lambda index: for_testing(self.read(int(index)), self.size), indices)

    def draw(self, indices: npt.NDArray[np.integer[Any]], draws: Sequence[Draw]) -> list[Segmented]:
        """Return crops as training sees them, each drawn from its own generator, all of one size."""
        pairs = list(zip(indices.tolist(), draws, strict=True))
        return in_threads(lambda pair: for_training(self.read(pair[0]), pair[1], self.size), pairs)

    def fingerprint(self) -> bytes:
        """Return bytes that tell these samples from others, by the names and sizes of their files."""
        files = [
            self.root / kind / self.side / f"{name}.{ending}"
            for kind, ending in (("images", "jpg"), ("annotations", "png"))
            for name in self.names
        ]
        sizes = in_threads(lambda file: file.stat().st_size, files)
        told = json.dumps([self.side, self.names, sizes, self.size])
        return hashlib.sha256(told.encode()).digest()


def load_ade20k(folder: str, size: int = SIDE) -> tuple[SegmentationSet, SegmentationSet]:
    """Return training and validation side of ADE20K, 20,210 and 2,000 images, found in ``folder``.

    Raises :class:`InputError` where the folder does not hold the dataset or an image has no map.
    """
    home = ADE20K.root(folder)
    root = ADE20K.require(home, "ADEChallengeData2016")
    return _side(home, root, "training", size), _side(home, root, "validation", size)


def _side(home: Path, root: Path, side: str, size: int) -> SegmentationSet:
    images, maps = (ADE20K.require(root, f"{kind}/{side}") for kind in ("images", "annotations"))
    names = sorted(path.stem for path in images.glob("*.jpg"))
    if not names:
        raise ADE20K.missing(images / "*.jpg", home)
    without = sorted(set(names) - {path.stem for path in maps.glob("*.png")})
    if without:
        raise ADE20K.missing(maps / f"{without[0]}.png", home)
    return SegmentationSet(root, side, tuple(names), size)


def stacked(samples: Sequence[Segmented]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return samples of one size as images [samples, 3, height, width] and classes [samples, height, width]."""
    return np.stack([sample.image for sample in samples]), np.stack([sample.classes for sample in samples])


def for_testing(sample: Segmented, size: int = SIDE) -> Segmented:
    """Return the image fitted into 2048 x 512, and the map as it is."""
    height, width = fitted(sample.image.shape[1], sample.image.shape[2], _LONGER * size, size)
    return replace(sample, image=resized(np.moveaxis(sample.image, 0, -1), height, width))


def for_training(sample: Segmented, draw: Draw, size: int) -> Segmented:
    """Return a drawn crop of ``size`` x ``size``: scaled, cut, mirrored, distorted in colour, filled up."""
    return padded(distorted(mirrored(cut(scaled(sample, draw, size), draw, size), draw), draw), size)


def fitted(height: int, width: int, longest: float, shortest: float) -> tuple[int, int]:
    """Return the largest height and width in the same proportion that exceed neither side's limit."""
    factor = min(longest / max(height, width), shortest / min(height, width))
    return max(int(height * factor + 0.5), 1), max(int(width * factor + 0.5), 1)


def scaled(sample: Segmented, draw: Draw, size: int = SIDE) -> Segmented:
    """Resize image and map to fit into 2048 x 512 times a drawn factor of 0.5 to 2."""
    short = size * draw.uniform(0.5, 2.0)
    height, width = fitted(sample.image.shape[1], sample.image.shape[2], _LONGER * short, short)
    image = resized(np.moveaxis(sample.image, 0, -1), height, width)
    return replace(sample, image=image, classes=nearest(sample.classes, height, width))


def nearest(numbers: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """Return a map of numbers in another size, each pixel the nearest of the old ones."""
    require("PIL", extra="video")
    from PIL import Image

    return np.asarray(Image.fromarray(numbers).resize((width, height), Image.Resampling.NEAREST))


def cut(sample: Segmented, draw: Draw, size: int, most: float = 0.75) -> Segmented:
    """Cut a drawn part of at most ``size`` x ``size``: the first of ten in which no class has ``most`` of it."""
    height, width = sample.classes.shape
    for _ in range(10):
        top, left = (int(draw.integers(max(extent - size, 0) + 1)) for extent in (height, width))
        part = sample.classes[top : top + size, left : left + size]
        counts = np.bincount(part.ravel(), minlength=IGNORED + 1)[:IGNORED]
        if np.count_nonzero(counts) > 1 and counts.max() < most * counts.sum():
            break
    return replace(sample, image=sample.image[:, top : top + size, left : left + size], classes=part)


def mirrored(sample: Segmented, draw: Draw, probability: float = 0.5) -> Segmented:
    """Mirror image and map left and right with ``probability``."""
    if draw.random() >= probability:
        return sample
    return replace(sample, image=sample.image[..., ::-1], classes=sample.classes[..., ::-1])


def distorted(sample: Segmented, draw: Draw) -> Segmented:
    """Distort the image's colours; see :func:`neurodeploy.models.data.vision.photometric`."""
    return replace(sample, image=photometric(sample.image[np.newaxis], draw, 0.5)[0])


def padded(sample: Segmented, size: int) -> Segmented:
    """Fill up to ``size`` x ``size`` below and to the right: mean colour in the image, ignored pixels in the map."""
    height, width = sample.classes.shape
    image = np.empty((3, size, size), np.uint8)
    image[:] = np.array(_MEAN_COLOUR, np.uint8)[:, np.newaxis, np.newaxis]
    image[:, :height, :width] = sample.image
    classes = np.full((size, size), IGNORED, np.uint8)
    classes[:height, :width] = sample.classes
    return replace(sample, image=image, classes=classes)
