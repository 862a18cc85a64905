"""UCF101, HMDB51 and Something-Something V2 as they are published: where files lie, and which side each is on.

A layout is a function from the dataset's folder and a split's number to files and labels of both sides. It raises
:class:`InputError` where a list names what is not there, or says of a class what it cannot be.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurodeploy.errors import InputError
from neurodeploy.models.data.listing import Place, Published, Side, read_json, read_text

_AGAIN = "take the lists from the archive again"

UCF101 = Place(
    "UCF101",
    (
        "UCF-101/<Class>/v_<Class>_gXX_cYY.avi",
        "ucfTrainTestlist/classInd.txt",
        "ucfTrainTestlist/{trainlist,testlist}0{1,2,3}.txt",
    ),
    "https://www.crcv.ucf.edu/data/UCF101.php",
)
HMDB51 = Place(
    "HMDB51",
    ("hmdb51_org/<class>/*.avi", "testTrainMulti_7030_splits/<class>_test_split{1,2,3}.txt"),
    "https://serre.lab.brown.edu/hmdb51.html",
)
SSV2 = Place(
    "Something-Something V2",
    ("20bn-something-something-v2/<id>.webm", "labels/{train,validation,labels}.json"),
    "https://www.qualcomm.com/developer/software/something-something-v-2-dataset",
)


def ucf101(root: Path, split: int) -> tuple[Side, Side]:
    """Return both sides of UCF101's split 1, 2 or 3.

    Lists and files do not agree on capitals in ``HandstandPushups``, so capitals do not matter.
    """
    lists = UCF101.require(root, "ucfTrainTestlist")
    videos = UCF101.require(root, "UCF-101")
    classes: dict[str, int] = {}
    for line in read_text(lists / "classInd.txt", UCF101, root).split("\n"):
        number, _, name = line.strip().partition(" ")
        if name and number.isdecimal():
            classes[name.casefold()] = int(number) - 1
    files = _folded(videos)

    def side(kind: str) -> Side:
        path = lists / f"{kind}list0{split}.txt"
        names, labels = [], []
        for number, line in enumerate(read_text(path, UCF101, root).split("\n"), 1):
            entry, _, label = line.strip().partition(" ")
            if not entry:
                continue
            expected = classes.get(entry.rpartition("/")[0].casefold())
            if expected is None or (label and label != str(expected + 1)):
                raise InputError(f"{path}:{number}", f"{line.strip()!r} does not agree with classInd.txt", _AGAIN)
            names.append(_found(files, entry, videos, UCF101))
            labels.append(expected)
        return names, labels

    return side("train"), side("test")


def hmdb51(root: Path, split: int) -> tuple[Side, Side]:
    """Return both sides of HMDB51's split 1, 2 or 3: what its lists mark with 1 and with 2; 0 is on neither side."""
    lists = HMDB51.require(root, "testTrainMulti_7030_splits", "test_train_splits")
    videos = HMDB51.require(root, "hmdb51_org")
    suffix = f"_test_split{split}.txt"
    tables = sorted(path for path in lists.iterdir() if path.name.endswith(suffix))
    if not tables:
        raise HMDB51.missing(lists / f"<class>{suffix}", root)
    files = _folded(videos)
    sides: dict[str, Side] = {"0": ([], []), "1": ([], []), "2": ([], [])}
    for label, table in enumerate(tables):
        folder = table.name.removesuffix(suffix)
        for number, line in enumerate(read_text(table, HMDB51, root).split("\n"), 1):
            name, _, side = line.strip().rpartition(" ")  # names hold no spaces, but all kinds of other signs
            if not line.strip():
                continue
            if side not in sides:
                raise InputError(f"{table}:{number}", f"{line.strip()!r} does not end in 0, 1 or 2", _AGAIN)
            if side != "0":
                sides[side][0].append(_found(files, f"{folder}/{name.strip()}", videos, HMDB51))
                sides[side][1].append(label)
    return sides["1"], sides["2"]


def ssv2(root: Path, _split: int) -> tuple[Side, Side]:
    """Return training and validation side of Something-Something V2; labels of the test side are not public.

    A video's class is its template without brackets, not its label, in which the objects are filled in.
    """
    videos = SSV2.require(root, "20bn-something-something-v2")

    def table(name: str) -> tuple[Path, Any]:
        path = SSV2.require(root, f"labels/{name}.json", f"something-something-v2-{name}.json")
        return path, read_json(path, SSV2, root)

    path, raw = table("labels")
    try:
        classes = {str(name): int(number) for name, number in raw.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(str(path), "is no table of templates and numbers", _AGAIN) from error
    files = {entry.name for entry in videos.iterdir()}

    def side(name: str) -> Side:
        path, entries = table(name)
        names, labels = [], []
        for number, entry in enumerate(entries):
            try:
                video = f"{entry['id']}.webm"
                labels.append(classes[entry["template"].replace("[", "").replace("]", "")])
            except (KeyError, TypeError, AttributeError) as error:
                raise InputError(
                    f"{path}: entry {number}", "has no id, or no template of labels.json", _AGAIN
                ) from error
            if video not in files:
                raise SSV2.missing(videos / video, root)
            names.append(f"{videos.name}/{video}")
        return names, labels

    return side("train"), side("validation")


def _folded(videos: Path) -> dict[str, str]:
    """Return ``class/file`` of all files two levels below ``videos``, by themselves without capitals."""
    found = {}
    for folder in videos.iterdir():
        if folder.is_dir():
            for file in folder.iterdir():
                name = f"{folder.name}/{file.name}"
                found[name.casefold()] = name
    return found


def _found(files: dict[str, str], entry: str, videos: Path, place: Place) -> str:
    name = files.get(entry.casefold())
    if name is None:
        raise place.missing(videos / entry, videos.parent)
    return f"{videos.name}/{name}"


#: Mirrored, "from left to right" would be the other way round in Something-Something.
VIDEO_SETS: dict[str, Published] = {
    "ucf101": Published(UCF101, 101, ucf101, splits=3, moving=True),
    "hmdb51": Published(HMDB51, 51, hmdb51, splits=3, moving=True),
    "ssv2": Published(SSV2, 174, ssv2, may_flip=False, moving=True),
}
