"""ImageNet-1K as it is published: where files lie, and which side each is on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from neurodeploy.errors import InputError
from neurodeploy.models.data.listing import Place, Published, Side, read_text

IMAGENET = Place(
    "ImageNet-1K",
    (
        "train/<wnid>/*.JPEG",
        "val/<wnid>/*.JPEG, or val/ILSVRC2012_val_*.JPEG with",
        "ILSVRC2012_devkit_t12/data/{meta.mat,ILSVRC2012_validation_ground_truth.txt}",
    ),
    "https://www.image-net.org/download.php",
)

_AGAIN = "take the devkit from the archive again"


def imagenet(root: Path, _split: int) -> tuple[Side, Side]:
    """Return training and validation side; a class's label is the place of its wnid among all of them in order."""
    train = IMAGENET.require(root, "train")
    classes = {wnid: label for label, wnid in enumerate(_folders(train))}
    if not classes:
        raise IMAGENET.missing(train / "<wnid>", root)
    names, labels = _sorted_into(train, classes)
    if not names:
        raise IMAGENET.missing(train / "<wnid>" / "*.JPEG", root)
    val = IMAGENET.require(root, "val")
    return (names, labels), _sorted_into(val, classes) if _folders(val) else _flat(root, val, classes)


def _sorted_into(side: Path, classes: dict[str, int]) -> Side:
    names: list[str] = []
    labels: list[int] = []
    for wnid in _folders(side):
        if wnid not in classes:
            raise InputError(str(side / wnid), "is no class of the training side", "are both sides of one dataset?")
        files = _images(side / wnid)
        names += [f"{side.name}/{wnid}/{file}" for file in files]
        labels += [classes[wnid]] * len(files)
    return names, labels


def _flat(root: Path, val: Path, classes: dict[str, int]) -> Side:
    """Return the validation side as it is downloaded: one folder, and a line of the devkit's list for each image.

    The list counts classes in an order of its own, which the devkit's table translates into wnids.
    """
    data = IMAGENET.require(root, "ILSVRC2012_devkit_t12") / "data"
    truth = data / "ILSVRC2012_validation_ground_truth.txt"
    wnids, images = _wnids(IMAGENET.require(data, "meta.mat")), _images(val)
    lines = read_text(truth, IMAGENET, root).split()
    if len(lines) != len(images):
        raise InputError(str(truth), f"has {len(lines)} lines for the {len(images)} images of {val}", _AGAIN)
    labels = []
    for number, line in enumerate(lines, 1):
        wnid = wnids.get(int(line)) if line.isdecimal() else None
        if wnid is None or wnid not in classes:
            raise InputError(f"{truth}:{number}", f"{line!r} is no class of the training side", _AGAIN)
        labels.append(classes[wnid])
    return [f"{val.name}/{image}" for image in images], labels


def _wnids(path: Path) -> dict[int, str]:
    """Return the wnid of each number of the devkit's ``meta.mat``."""
    from scipy.io import loadmat

    try:
        synsets = loadmat(path, squeeze_me=True)["synsets"]
        return {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in np.atleast_1d(synsets)}
    except Exception as error:  # of a damaged file, SciPy raises whatever its parser meets
        raise InputError(str(path), f"is no table of classes ({error})", _AGAIN) from error


def _folders(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _images(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.name.lower().endswith((".jpeg", ".jpg")))


#: By the name that a recipe gives them.
IMAGE_SETS: dict[str, Published] = {"imagenet": Published(IMAGENET, 1000, imagenet)}
