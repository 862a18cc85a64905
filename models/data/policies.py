"""RandAugment and AutoAugment: drawn sequences of operations on images, with Pillow.

Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search space", NeurIPS 2020, in the
form that recipes for vision transformers use: two operations, each done with probability 1/2, the magnitude of each
drawn around the given one, every operation stronger towards 10. Cubuk et al., "AutoAugment: Learning Augmentation
Policies from Data", CVPR 2019: the 25 pairs found for ImageNet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from neurodeploy.models.extras import require

if TYPE_CHECKING:
    from PIL import Image

Frames = npt.NDArray[np.uint8]
Draw = np.random.Generator

#: Magnitudes of RandAugment go from 0 to this, those of AutoAugment's policies to 9.
STRONGEST, _AUTO_STRONGEST = 10.0, 9.0

#: What a moved image shows where nothing was.
_FILL = (124, 116, 104)


def randaugment(frames: Frames, draw: Draw, magnitude: float) -> Frames:
    """Do two drawn operations, each with probability 1/2, at about ``magnitude`` of 10."""
    names = list(RANDAUGMENT)
    chosen: list[tuple[str, float]] = []
    for index in draw.integers(len(names), size=2):
        level = RANDAUGMENT[names[index]](min(max(draw.normal(magnitude, 0.5), 0.0), STRONGEST) / STRONGEST)
        done, sign = draw.random() < 0.5, draw.random() < 0.5
        if done:
            chosen.append((names[index], -level if sign else level))
    return applied(frames, chosen)


def autoaugment(frames: Frames, draw: Draw, _number: float = 0.0) -> Frames:
    """Do one of the pairs of operations that were found for ImageNet, each with its probability and magnitude."""
    chosen: list[tuple[str, float]] = []
    for name, probability, magnitude in AUTOAUGMENT[draw.integers(len(AUTOAUGMENT))]:
        level = _AUTO_LEVELS[name](magnitude / _AUTO_STRONGEST)
        done, sign = draw.random() < probability, draw.random() < 0.5
        if done:
            chosen.append((name, -level if sign else level))
    return applied(frames, chosen)


def applied(frames: Frames, chosen: list[tuple[str, float]]) -> Frames:
    """Return frames [steps, 3, height, width] after the operations ``chosen``, each with its signed level."""
    if not chosen:
        return frames
    require("PIL", extra="video")
    from PIL import Image

    made = []
    for frame in frames:
        image = Image.fromarray(np.ascontiguousarray(np.moveaxis(frame, 0, -1)))
        for name, level in chosen:
            image = OPERATIONS[name](image, level)
        made.append(np.moveaxis(np.asarray(image), -1, 0))
    return np.stack(made)


# --- the operations: an image and a signed level -> an image ---


def _moved(image: Image.Image, matrix: tuple[float, ...]) -> Image.Image:
    from PIL import Image

    way, sampling = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    return image.transform(image.size, way, matrix, sampling, fillcolor=_FILL)


def _rotate(image: Image.Image, degrees: float) -> Image.Image:
    from PIL import Image

    return image.rotate(degrees, Image.Resampling.BILINEAR, fillcolor=_FILL)


@dataclass(frozen=True)
class _Enhance:
    """One of Pillow's enhancers: level 0 leaves the image, level -1 takes all of the property away."""

    name: str

    def __call__(self, image: Image.Image, level: float) -> Image.Image:
        from PIL import ImageEnhance

        enhancer = getattr(ImageEnhance, self.name)
        made: Image.Image = enhancer(image).enhance(1.0 + level)
        return made


@dataclass(frozen=True)
class _Tonal:
    """One of Pillow's operations on tones; those that take a whole number get the level's size."""

    name: str
    takes_level: bool = False

    def __call__(self, image: Image.Image, level: float) -> Image.Image:
        from PIL import ImageOps

        operation = getattr(ImageOps, self.name)
        made: Image.Image = operation(image, round(abs(level))) if self.takes_level else operation(image)
        return made


def _add_to_dark(image: Image.Image, level: float) -> Image.Image:
    """Brighten the pixels below half by the level's size."""
    added = round(abs(level))
    return image.point([min(value + added, 255) if value < 128 else value for value in range(256)] * 3)


OPERATIONS: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "autocontrast": _Tonal("autocontrast"),
    "equalize": _Tonal("equalize"),
    "invert": _Tonal("invert"),
    "rotate": _rotate,
    "posterize": _Tonal("posterize", takes_level=True),
    "solarize": _Tonal("solarize", takes_level=True),
    "solarize-add": _add_to_dark,
    "color": _Enhance("Color"),
    "contrast": _Enhance("Contrast"),
    "brightness": _Enhance("Brightness"),
    "sharpness": _Enhance("Sharpness"),
    "shear-x": lambda image, level: _moved(image, (1.0, level, 0.0, 0.0, 1.0, 0.0)),
    "shear-y": lambda image, level: _moved(image, (1.0, 0.0, 0.0, level, 1.0, 0.0)),
    "translate-x": lambda image, level: _moved(image, (1.0, 0.0, level * image.width, 0.0, 1.0, 0.0)),
    "translate-y": lambda image, level: _moved(image, (1.0, 0.0, 0.0, 0.0, 1.0, level * image.height)),
}


def _no_level(_magnitude: float) -> float:
    return 0.0


#: Magnitude in 0..1 -> level, stronger throughout: degrees, bits that stay, the lowest tone that is inverted, shares.
RANDAUGMENT: dict[str, Callable[[float], float]] = {
    "autocontrast": _no_level,
    "equalize": _no_level,
    "invert": _no_level,
    "rotate": lambda m: 30.0 * m,
    "posterize": lambda m: max(4 - int(4 * m), 1),  # an image without bits is no image
    "solarize": lambda m: 256 - int(256 * m),
    "solarize-add": lambda m: int(110 * m),
    "color": lambda m: 0.9 * m,
    "contrast": lambda m: 0.9 * m,
    "brightness": lambda m: 0.9 * m,
    "sharpness": lambda m: 0.9 * m,
    "shear-x": lambda m: 0.3 * m,
    "shear-y": lambda m: 0.3 * m,
    "translate-x": lambda m: 0.45 * m,
    "translate-y": lambda m: 0.45 * m,
}

#: AutoAugment's own levels: they differ in the bits that stay, 8 to 4.
_AUTO_LEVELS: dict[str, Callable[[float], float]] = {**RANDAUGMENT, "posterize": lambda m: 8 - round(4 * m)}

_Pair = tuple[tuple[str, float, int], tuple[str, float, int]]

#: Name, probability and magnitude of both operations (table 9 of the paper).
AUTOAUGMENT: tuple[_Pair, ...] = (
    (("posterize", 0.4, 8), ("rotate", 0.6, 9)),
    (("solarize", 0.6, 5), ("autocontrast", 0.6, 5)),
    (("equalize", 0.8, 8), ("equalize", 0.6, 3)),
    (("posterize", 0.6, 7), ("posterize", 0.6, 6)),
    (("equalize", 0.4, 7), ("solarize", 0.2, 4)),
    (("equalize", 0.4, 4), ("rotate", 0.8, 8)),
    (("solarize", 0.6, 3), ("equalize", 0.6, 7)),
    (("posterize", 0.8, 5), ("equalize", 1.0, 2)),
    (("rotate", 0.2, 3), ("solarize", 0.6, 8)),
    (("equalize", 0.6, 8), ("posterize", 0.4, 6)),
    (("rotate", 0.8, 8), ("color", 0.4, 0)),
    (("rotate", 0.4, 9), ("equalize", 0.6, 2)),
    (("equalize", 0.0, 7), ("equalize", 0.8, 8)),
    (("invert", 0.6, 4), ("equalize", 1.0, 8)),
    (("color", 0.6, 4), ("contrast", 1.0, 8)),
    (("rotate", 0.8, 8), ("color", 1.0, 2)),
    (("color", 0.8, 8), ("solarize", 0.8, 7)),
    (("sharpness", 0.4, 7), ("invert", 0.6, 8)),
    (("shear-x", 0.6, 5), ("equalize", 1.0, 9)),
    (("color", 0.4, 0), ("equalize", 0.6, 3)),
    (("equalize", 0.4, 7), ("solarize", 0.2, 4)),
    (("solarize", 0.6, 5), ("autocontrast", 0.6, 5)),
    (("invert", 0.6, 4), ("equalize", 1.0, 8)),
    (("color", 0.6, 4), ("contrast", 1.0, 8)),
    (("equalize", 0.8, 8), ("equalize", 0.6, 3)),
)
