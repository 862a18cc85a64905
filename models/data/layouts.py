"""Where the recordings of each published event dataset lie on disk, and what their authors say belongs to which side.

A layout is a function from the dataset's folder to its clips. It raises :class:`InputError` where the folder is not
laid out as it should be; :mod:`neurodeploy.models.data.recorded` adds what its place says.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from neurodeploy.errors import InputError
from neurodeploy.models.data.eventbytes import read_aedat2, read_aedat3, read_bin, turned_cifar10
from neurodeploy.models.data.framing import Events
from neurodeploy.models.data.listing import Place

TRAIN, TEST = 0, 1

#: The longest list or table of labels that is read; the real ones have some thousand bytes.
_LARGEST_TEXT = 1 << 20

#: No event comes later, in us.
_LATEST = 1 << 48


@dataclass(frozen=True)
class Clip:
    """One clip: the file, its class, its side (None where the authors gave no split), and from when to when, in us."""

    path: Path
    label: int
    side: int | None = None
    window: tuple[int, int] | None = None


@dataclass(frozen=True)
class Recorded:
    """A published event dataset.

    Attributes
    ----------
    place : where it is had, and how it lies on disk.
    sensor : height and width in pixels.
    classes : their number.
    folder : what its archives unpack to, which may be given in place of what holds it.
    clips : from the folder to its clips, in an order that is the same everywhere.
    read : from one file to its events.
    sided : why left and right must not be exchanged; empty where they may.
    """

    place: Place
    sensor: tuple[int, int]
    classes: int
    folder: str
    clips: Callable[[Path], Iterator[Clip]]
    read: Callable[[Path], Events]
    sided: str = ""


def _nmnist(root: Path) -> Iterator[Clip]:
    for side, name in ((TRAIN, "Train"), (TEST, "Test")):
        for label in range(10):
            for path in _files(root / name / str(label), "*.bin"):
                yield Clip(path, label, side)


def _ncaltech101(root: Path) -> Iterator[Clip]:
    # "Faces" holds the same people as "Faces_easy"; the published set leaves it out, some archives do not.
    folders = [folder for folder in _folders(root) if folder.name != "Faces"]
    if len(folders) != 101:
        raise InputError(str(root), f"holds {len(folders)} folders of classes where 101 are expected")
    for label, folder in enumerate(folders):
        for path in _files(folder, "*.bin"):
            yield Clip(path, label)


def _cifar10_dvs(root: Path) -> Iterator[Clip]:
    for label, name in enumerate(CIFAR10_CLASSES):
        for path in sorted(_files(root / name, "*.aedat"), key=_number):
            yield Clip(path, label)


def _gesture(root: Path) -> Iterator[Clip]:
    for side, name in ((TRAIN, "trials_to_train.txt"), (TEST, "trials_to_test.txt")):
        for line in _text(root / name).splitlines():
            if line.strip():  # the lists end in empty lines
                path = root / line.strip()
                if path.parent != root:
                    raise InputError(str(root / name), f"names {line.strip()!r}, which is no file of this folder")
                if not path.is_file():
                    raise InputError(str(path), f"is missing, though {name} names it")
                yield from _gestures(path, side)


def _gestures(path: Path, side: int) -> Iterator[Clip]:
    """Yield the gestures of one trial; times of neighbours may overlap, and each gets all that lies in its own."""
    table = path.with_name(f"{path.stem}_labels.csv")
    try:
        rows = list(csv.DictReader(_text(table).splitlines()))
    except csv.Error as error:
        raise InputError(str(table), f"is no table ({error})") from error
    for number, row in enumerate(rows, 2):
        try:
            label, start, end = (int(row[key]) for key in ("class", "startTime_usec", "endTime_usec"))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{table}:{number}", "is no row of class,startTime_usec,endTime_usec") from error
        if not 1 <= label <= 11 or not 0 <= start <= _LATEST or not 0 <= end <= _LATEST:
            found = f"class {label} from {start} to {end} us is none of 1 to 11 in a recording"
            raise InputError(f"{table}:{number}", found)
        yield Clip(path, label - 1, side, (start, end))


def _folders(root: Path) -> list[Path]:
    """Return the folders in ``root`` by name, without those that archivers and systems leave behind."""
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and entry.name[0] not in "._")


def _files(folder: Path, pattern: str) -> list[Path]:
    """Return a folder's files in the order of their names; none of them is an error."""
    found = sorted(folder.glob(pattern)) if folder.is_dir() else []
    if not found:
        raise InputError(str(folder), f"holds no {pattern}" if folder.is_dir() else "is missing")
    return found


def _number(path: Path) -> tuple[int, str]:
    """Return the number at the end of ``cifar10_<class>_<number>.aedat``, so that 10 comes after 9."""
    last = path.stem.rpartition("_")[2]
    return (int(last) if last.isdecimal() else -1, path.name)


def _text(path: Path) -> str:
    if not path.is_file():
        raise InputError(str(path), "is missing")
    with path.open("rb") as stream:
        raw = stream.read(_LARGEST_TEXT + 1)
    if len(raw) > _LARGEST_TEXT:
        raise InputError(str(path), f"has more than {_LARGEST_TEXT} bytes")
    return raw.decode("utf-8-sig", errors="replace")


def _read_cifar10_dvs(path: Path) -> Events:
    return turned_cifar10(read_aedat2(path))


#: In the order of their labels.
CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

#: The published event datasets by the name that a recipe's [data] gives them.
RECORDED: dict[str, Recorded] = {
    "nmnist": Recorded(
        place=Place(
            "N-MNIST",
            ("{Train,Test}/{0,...,9}/*.bin",),
            "https://www.garrickorchard.com/datasets/n-mnist (Train.zip and Test.zip)",
        ),
        sensor=(34, 34),
        classes=10,
        folder="N-MNIST",
        clips=_nmnist,
        read=read_bin,
        sided="a mirrored digit is another sign",
    ),
    "ncaltech101": Recorded(
        place=Place(
            "N-Caltech101",
            ("<one of 101 classes>/image_*.bin",),
            "https://www.garrickorchard.com/datasets/n-caltech101 (Caltech101.zip)",
        ),
        sensor=(180, 240),
        classes=101,
        folder="Caltech101",
        clips=_ncaltech101,
        read=read_bin,
    ),
    "dvs128-gesture": Recorded(
        place=Place(
            "DVS128 Gesture",
            ("trials_to_{train,test}.txt", "user*_*.aedat", "user*_*_labels.csv"),
            "https://ibm.ent.box.com/s/3hiq58ww1pbbjrinh367ykfdf60xsfm8 (DvsGesture.tar.gz)",
        ),
        sensor=(128, 128),
        classes=11,
        folder="DvsGesture",
        clips=_gesture,
        read=read_aedat3,
        sided="its classes tell the left hand from the right",
    ),
    "cifar10-dvs": Recorded(
        place=Place(
            "CIFAR10-DVS",
            ("{airplane,automobile,...,truck}/cifar10_*_*.aedat",),
            "https://figshare.com/articles/dataset/CIFAR10-DVS_New/4724671 (ten zip files)",
        ),
        sensor=(128, 128),
        classes=10,
        folder="CIFAR10DVS",
        clips=_cifar10_dvs,
        read=_read_cifar10_dvs,
    ),
}
