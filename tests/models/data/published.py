"""Writes small datasets of videos and images in the folders, lists and formats of the published ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.models.data.videos import write_video


def write_ucf101(folder: Path, classes: int = 2, groups: int = 6, frames: int = 12) -> Path:
    """Write classes that differ in the way a square moves; groups 1 and 2 are tested in split 1, as in the original."""
    names = ["ApplyEyeMakeup", "HandstandPushups", "YoYo"][:classes]
    lists = folder / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    (lists / "classInd.txt").write_text("".join(f"{i} {n}\r\n" for i, n in enumerate(names, 1)))
    sides: dict[str, list[str]] = {f"{side}list0{split}": [] for side in ("train", "test") for split in (1, 2, 3)}
    for label, name in enumerate(names):
        for group in range(1, groups + 1):
            # The archive's own disagreement: the folder has one capital less than the files.
            spelled = name.replace("HandstandPushups", "HandStandPushups")
            file = f"{name}/v_{spelled}_g{group:02}_c01.avi"
            write_video(folder / "UCF-101" / file, frames, moving=1 - 2 * (label % 2))
            listed = file.replace("v_HandStand", "v_Handstand")
            for split in (1, 2, 3):
                if group in (2 * split - 1, 2 * split):
                    sides[f"testlist0{split}"].append(f"{listed}\n")
                else:
                    sides[f"trainlist0{split}"].append(f"{listed} {label + 1}\n")
    for side, lines in sides.items():
        (lists / f"{side}.txt").write_text("".join(lines))
    return folder


def write_hmdb51(folder: Path) -> Path:
    """Write two classes of three videos, one of them on neither side, under names with all kinds of signs."""
    lists = folder / "testTrainMulti_7030_splits"
    lists.mkdir(parents=True)
    for name in ("brush_hair", "wave"):
        lines = []
        for side, sign in enumerate(("#1(a)", "&2;b", "!3[c]")):
            file = f"20060723{sign}_u_nm_np1_ba_med_{side}.avi"
            write_video(folder / "hmdb51_org" / name / file, 9)
            lines.append(f"{file} {side} \n")
        for split in (1, 2, 3):
            turned = [line.replace(" 1 \n", " 2 \n") if split == 2 else line for line in lines]
            (lists / f"{name}_test_split{split}.txt").write_text("".join(turned))
    return folder


def write_ssv2(folder: Path) -> Path:
    """Write three videos in VP9 under two templates; numbers of classes are not in the order of their names."""
    classes = {"Pushing something from left to right": "1", "Holding something": "0"}
    entries = [
        {"id": "17", "label": "holding a cup", "template": "Holding [something]", "placeholders": ["a cup"]},
        {"id": "4", "label": "pushing a pen", "template": "Pushing [something] from left to right"},
        {"id": "9", "label": "holding pens", "template": "Holding [something]"},
    ]
    (folder / "labels").mkdir(parents=True)
    for name, content in (("labels", classes), ("train", entries[:2]), ("validation", entries[2:])):
        (folder / "labels" / f"{name}.json").write_text(json.dumps(content))
    for entry in entries:
        write_video(folder / "20bn-something-something-v2" / f"{entry['id']}.webm", 10, rate=12)
    return folder


def write_image(path: Path, levels: tuple[int, int, int], size: tuple[int, int] = (40, 56)) -> Path:
    """Write an image of one colour and ``size`` (height, width); the name's ending says the format."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.broadcast_to(np.array(levels, np.uint8), (*size, 3)).copy())
    image.save(path, {".jpeg": "JPEG", ".jpg": "JPEG", ".png": "PNG"}[path.suffix.lower()], quality=95)
    return path


def write_imagenet(folder: Path, *, sorted_val: bool = True) -> Path:
    """Write two classes; the devkit numbers them in the other order, as the real one has an order of its own."""
    from scipy.io import savemat

    wnids, colours = ("n01440764", "n02119789"), ((200, 30, 30), (30, 30, 200))
    for wnid, levels in zip(wnids, colours, strict=True):
        for number in (10, 9):
            write_image(folder / "train" / wnid / f"{wnid}_{number}.JPEG", levels)
    for number, label in enumerate((1, 0, 1), 1):
        name = f"ILSVRC2012_val_{number:08}.JPEG"
        write_image(folder / "val" / (wnids[label] if sorted_val else "") / name, colours[label])
    if not sorted_val:
        data = folder / "ILSVRC2012_devkit_t12" / "data"
        data.mkdir(parents=True)
        synsets = np.zeros((2, 1), [("ILSVRC2012_ID", object), ("WNID", object)])
        synsets[:, 0] = [(1, wnids[1]), (2, wnids[0])]
        savemat(data / "meta.mat", {"synsets": synsets})
        (data / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n2\n1\n")
    return folder
