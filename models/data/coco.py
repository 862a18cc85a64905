"""COCO as it is published: images, and objects as boxes with polygons or run lengths, through pycocotools."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.models.data.decoding import in_threads
from neurodeploy.models.data.detection import SHORTER, Detected, for_testing, for_training
from neurodeploy.models.data.imagefile import read_image
from neurodeploy.models.data.listing import Place, read_json
from neurodeploy.models.extras import require

Draw = np.random.Generator

COCO = Place(
    "COCO 2017",
    ("{train,val}2017/*.jpg", "annotations/instances_{train,val}2017.json"),
    "https://cocodataset.org/#download",
)

COCO_CLASSES = 80

#: Images with a shorter side than this are not trained on.
SMALLEST_SIDE = 32

_AGAIN = "take the annotations from the archive again"


@dataclass(frozen=True)
class Picture:
    """One image of the table: its number, file name, height and width, and its annotations as the table has them."""

    image_id: int
    name: str
    size: tuple[int, int]
    objects: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class DetectionSet:
    """The images of one side, read from files when they are taken.

    Attributes
    ----------
    folder : of the images.
    annotations : the table that they come from, which evaluation reads again.
    pictures : one an image.
    categories : the dataset's number of each class, in the order of the labels: COCO's go from 1 to 90 with gaps.
    shorter : the shorter side of images that are tested, and the longest of those that training draws.
    """

    folder: Path
    annotations: Path
    pictures: tuple[Picture, ...]
    categories: tuple[int, ...]
    shorter: int = SHORTER

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, index: int) -> Detected:
        """Return an image with its objects, crowds left out, as its file holds it.

        Raises :class:`InputError` for a file that cannot be decoded or has another size than the table says, and for an
        annotation that makes no mask.
        """
        picture = self.pictures[index]
        path = self.folder / picture.name
        image = read_image(path)
        if image.shape[:2] != picture.size:
            height, width = picture.size
            found = (
                f"has {image.shape[1]} x {image.shape[0]} pixels, not {width} x {height} as in {self.annotations.name}"
            )
            raise InputError(str(path), found, "take it from the archive again")
        boxes = [_corners(each["bbox"]) for each in picture.objects]
        masks = [self._mask(each, picture) for each in picture.objects]
        return Detected(
            np.ascontiguousarray(np.moveaxis(image, -1, 0)),
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array([self.categories.index(each["category_id"]) for each in picture.objects], np.int64),
            np.stack(masks) if masks else np.zeros((0, *picture.size), np.bool_),
            picture.image_id,
            picture.size,
        )

    def take(self, indices: npt.NDArray[np.integer[Any]]) -> list[Detected]:
        """Return images as tests see them."""
        return in_threads(lambda index: for_testing(self.read(int(index)), self.shorter), indices)

    def draw(self, indices: npt.NDArray[np.integer[Any]], draws: Sequence[Draw]) -> list[Detected]:
        """Return images as training sees them, each drawn from its own generator."""
        pairs = list(zip(indices.tolist(), draws, strict=True))
        return in_threads(lambda pair: for_training(self.read(pair[0]), pair[1], self.shorter), pairs)

    def fingerprint(self) -> bytes:
        """Return bytes that tell these samples from others, by the table and the names of their files."""
        with self.annotations.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
        digest.update(json.dumps([[each.name for each in self.pictures], self.shorter]).encode())
        return digest.digest()

    def _mask(self, annotation: Mapping[str, Any], picture: Picture) -> npt.NDArray[np.bool_]:
        try:
            return mask_of(annotation["segmentation"], *picture.size)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            subject = f"{self.annotations}: annotation {annotation.get('id')}"
            raise InputError(subject, f"makes no mask ({error})", _AGAIN) from error


def load_coco(folder: str, shorter: int = SHORTER) -> tuple[DetectionSet, DetectionSet]:
    """Return training and validation side of COCO 2017, found in ``folder``, images with sides of ``shorter`` or less.

    Training leaves out images without objects and those with a side below 32 pixels; validation keeps all 5,000.

    Raises :class:`InputError` where the folder does not hold the dataset or a table is damaged.
    """
    root = COCO.root(folder)
    train, val = _side(root, "train2017", shorter, training=True), _side(root, "val2017", shorter, training=False)
    if train.categories != val.categories:
        raise InputError(str(val.annotations), f"has other categories than {train.annotations.name}", _AGAIN)
    return train, val


def _side(root: Path, side: str, shorter: int, *, training: bool) -> DetectionSet:
    images = COCO.require(root, side)
    table = root / "annotations" / f"instances_{side}.json"
    document = read_json(table, COCO, root)
    try:
        categories = tuple(sorted(int(each["id"]) for each in document["categories"]))
        objects: dict[int, list[Mapping[str, Any]]] = {}
        for each in document["annotations"]:
            if _counts(each, categories):
                objects.setdefault(int(each["image_id"]), []).append(each)
        pictures = [_picture(each, objects.get(int(each["id"]), [])) for each in document["images"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(str(table), f"is no table of instances ({type(error).__name__}: {error})", _AGAIN) from error
    if len(categories) > COCO_CLASSES:
        raise InputError(str(table), f"has {len(categories)} categories, and COCO {COCO_CLASSES}", _AGAIN)
    if training:
        pictures = [each for each in pictures if each.objects and min(each.size) >= SMALLEST_SIDE]
    if not pictures:
        raise InputError(str(table), "names no image that could be used", COCO.advice(root))
    for each in pictures:
        if Path(each.name).name != each.name:
            raise InputError(str(table), f"names {each.name!r}, which is no file of {images}", _AGAIN)
    return DetectionSet(images, table, tuple(pictures), categories, shorter)


def _picture(entry: Mapping[str, Any], objects: list[Mapping[str, Any]]) -> Picture:
    return Picture(
        int(entry["id"]), str(entry["file_name"]), (int(entry["height"]), int(entry["width"])), tuple(objects)
    )


def _counts(annotation: Mapping[str, Any], categories: tuple[int, ...]) -> bool:
    """Whether an annotation is an object: no crowd, and of a pixel at least."""
    _, _, width, height = annotation["bbox"]
    if annotation["category_id"] not in categories:
        raise ValueError(f"annotation {annotation.get('id')} is of category {annotation['category_id']}, which is none")
    return not annotation.get("iscrowd") and annotation["area"] > 0 and min(width, height) >= 1


def _corners(box: Sequence[float]) -> tuple[float, float, float, float]:
    left, top, width, height = box
    return left, top, left + width, top + height


def mask_of(segmentation: Any, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Return the mask bool [height, width] of a list of polygons, of run lengths, or of compressed run lengths."""
    require("pycocotools", extra="video")
    from pycocotools import mask

    if isinstance(segmentation, list):
        runs = mask.merge(mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        runs = mask.frPyObjects(segmentation, height, width)
    else:
        runs = segmentation
    if list(runs["size"]) != [height, width]:
        raise ValueError(f"run lengths of {runs['size']} for an image of {[height, width]}")
    return np.asarray(mask.decode(runs), np.bool_)
