"""Small event datasets in their true byte formats, written one event at a time from the formats' descriptions."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class Event(NamedTuple):
    t: int
    x: int
    y: int
    p: int


def blob(seed: int, width: int, height: int, number: int = 40, start: int = 0) -> list[Event]:
    """Return events around a place that follows from the seed, 10 to 50 us apart."""
    draw, time, events = random.Random(seed), start, []
    x, y = draw.randrange(width), draw.randrange(height)
    for _ in range(number):
        time += draw.randint(10, 50)
        place = min(max(x + draw.randint(-2, 2), 0), width - 1), min(max(y + draw.randint(-2, 2), 0), height - 1)
        events.append(Event(time, *place, draw.randint(0, 1)))
    return events


def bin_bytes(events: Iterable[Event]) -> bytes:
    """Return events as 40 bits each; one on row 240 is an overflow."""
    return b"".join((e.x << 32 | e.y << 24 | e.p << 23 | e.t).to_bytes(5, "big") for e in events)


def aedat2_bytes(events: Iterable[Event], header: bytes | None = None, extra: Sequence[tuple[int, int]] = ()) -> bytes:
    """Return events of a DVS128 as AEDAT 2.0, ``extra`` pairs of an address and a time at the end."""
    lines = [b"!AER-DAT2.0", b" This is a raw AE data file - do not edit", b" Timestamps tick is 1 us", b" \xff\xfe#"]
    head = b"".join(b"#" + line + b"\r\n" for line in lines) if header is None else header
    pairs = [(e.y << 8 | e.x << 1 | e.p, e.t) for e in events]
    return head + b"".join(struct.pack(">II", *pair) for pair in [*pairs, *extra])


def packet(
    events: Sequence[Event], *, overflow: int = 0, room: int = 0, kind: int = 1, invalid: Sequence[int] = ()
) -> bytes:
    """Return one packet of AEDAT 3.1 with ``room`` for so many more events; those at ``invalid`` are marked so."""
    body = b"".join(
        struct.pack("<II", e.x << 17 | e.y << 2 | e.p << 1 | (index not in invalid), e.t)
        for index, e in enumerate(events)
    )
    number = len(events)
    head = struct.pack("<hhiiiiii", kind, 1, 8, 4, overflow, number + room, number, number - len(invalid))
    return head + body + bytes(8 * room)


def aedat3_bytes(packets: Iterable[bytes]) -> bytes:
    """Return packets as an AEDAT 3.1 file."""
    lines = [
        "!AER-DAT3.1",
        "Format: RAW",
        "Source 1: DVS128",
        "Start-Time: 2016-08-19 14:02:06 (TZ-0700)",
        "!END-HEADER",
    ]
    return "".join(f"#{line}\r\n" for line in lines).encode() + b"".join(packets)


def n_mnist(root: Path, train: int = 2, test: int = 1, number: int = 40) -> Path:
    """Write ``train`` and ``test`` recordings of ``number`` events of each digit; those of one digit are equal."""
    for side, files in (("Train", train), ("Test", test)):
        for label in range(10):
            folder = root / side / str(label)
            folder.mkdir(parents=True)
            for index in range(files):
                (folder / f"{index + 1:05d}.bin").write_bytes(bin_bytes(blob(label, 34, 34, number)))
    return root


def cifar10_dvs(root: Path, number: int = 10) -> Path:
    """Write ``number`` recordings of each class."""
    for label, name in enumerate(CIFAR10):
        (root / name).mkdir(parents=True)
        for index in range(number):
            path = root / name / f"cifar10_{name}_{index}.aedat"
            path.write_bytes(aedat2_bytes(blob(100 * label + index, 128, 128)))
    return root


def n_caltech101(root: Path, number: int = 1, classes: Sequence[str] = ()) -> Path:
    """Write ``number`` recordings of each class, of widths and heights of their own."""
    names = classes or ["BACKGROUND_Google", "Faces_easy", *(f"object_{index:03d}" for index in range(99))]
    for label, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for index in range(number):
            path = root / name / f"image_{index + 1:04d}.bin"
            path.write_bytes(bin_bytes(blob(label, 150 + label % 91, 180 - label % 50)))
    return root


def gestures(root: Path, train: Sequence[str] = ("user01_led",), test: Sequence[str] = ("user24_led",)) -> Path:
    """Write trials of 12 gestures of 1,000 us each, class 8 twice as in the original, with rests between."""
    root.mkdir(parents=True)
    for name, trials in (("trials_to_train.txt", train), ("trials_to_test.txt", test)):
        (root / name).write_text("".join(f"{trial}.aedat\n" for trial in trials) + "\n\n")
    classes = [1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 10, 11]
    for trial in [*train, *test]:
        rows = ["class,startTime_usec,endTime_usec"]
        packets = []
        for index, label in enumerate(classes):
            begin = 2000 * index + 500
            rows.append(f"{label},{begin},{begin + 1000}")
            rest = [Event(begin - 1, 0, 0, 0), Event(begin + 1000, 127, 127, 1)]
            during = [e for e in blob(label, 128, 128, start=begin) if e.t < begin + 1000]
            packets.append(packet([rest[0], *during, rest[1]]))
        (root / f"{trial}.aedat").write_bytes(aedat3_bytes(packets))
        (root / f"{trial}_labels.csv").write_bytes("\r\n".join([*rows, ""]).encode())
    return root
