"""Image files through Pillow: photographs as RGB, label images as their numbers."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.files import require_file
from neurodeploy.models.extras import require

_AGAIN = "take it from the archive again"

#: Pixels of an image at most; a header that promises more is taken for damage.
LARGEST_IMAGE = 1 << 28


def read_image(path: Path) -> npt.NDArray[np.uint8]:
    """Return an image as RGB, uint8 [height, width, 3], whatever it is kept in: some photographs are CMYK, some grey.

    Raises :class:`InputError` for a file that is no image, or that ends too early.
    """
    return _read(path, "RGB")


def read_numbers(path: Path) -> npt.NDArray[np.uint8]:
    """Return an image of one byte a pixel, such as a map of classes, as it is: uint8 [height, width]."""
    values = _read(path, None)
    if values.ndim != 2 or values.dtype != np.uint8:
        raise InputError(str(path), f"holds {values.dtype} of shape {list(values.shape)}, not one byte a pixel", _AGAIN)
    return values


def _read(path: Path, mode: str | None) -> npt.NDArray[np.uint8]:
    require("PIL", extra="video")
    from PIL import Image

    try:
        with Image.open(require_file(path)) as image:
            if image.width * image.height > LARGEST_IMAGE:
                raise InputError(str(path), f"says that it has {image.width} x {image.height} pixels", _AGAIN)
            return np.array(image if mode is None else image.convert(mode))
    except (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError) as error:
        raise InputError(str(path), f"cannot be decoded ({error})", _AGAIN) from error
