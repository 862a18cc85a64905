"""The global heaps of an HDF5 file, where texts of variable length lie, walked before the library walks them.

libhdf5 (seen in 2.0.0) runs for ever inside C, out of reach of any Python timeout, over a heap in which a damaged
object has no length. The layout is that of the HDF5 file format specification, version 3, section III.E.
"""

from __future__ import annotations

import mmap
import re
import struct
from pathlib import Path
from typing import BinaryIO

from neurodeploy.errors import InputError

#: Signature and version of a collection; what follows is its size in bytes.
_COLLECTION = re.compile(rb"GCOL\x01\0\0\0")
_HEADER = 16
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: No file is longer.
_LARGEST = 1 << 62
#: Index, number of references, reserved, size.
_OBJECT = struct.Struct("<HHIQ")
#: Length of a text, address of its heap, index in the heap.
_REFERENCE = struct.Struct("<IQI")


def check_heaps(path: Path) -> None:
    """Return if the objects of every global heap follow one another to the heap's end, otherwise raise.

    Raises
    ------
    InputError : a heap is damaged.
    """
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for found in _COLLECTION.finditer(data):
            if not _sound(data, found.start()):
                raise InputError(
                    str(path),
                    f"is a truncated or damaged HDF5 file (the global heap at byte {found.start():,} has no end)",
                    "write the file again from the tool it came from",
                )


def _sound(data: mmap.mmap, start: int) -> bool:
    if start + _HEADER > len(data):
        return False
    (size,) = struct.unpack_from("<Q", data, start + 8)
    place, end = start + _HEADER, start + size
    if not place <= end <= len(data):
        return False
    while end - place >= _OBJECT.size:
        index, _, _, length = _OBJECT.unpack_from(data, place)
        # Free space, index 0, counts its own header; an object does not, and is padded to eight bytes.
        taken = length if index == 0 else _OBJECT.size + (length + 7) // 8 * 8
        if not _OBJECT.size <= taken <= end - place:
            return False
        place += taken
    return True


def check_references(path: Path, where: str, offset: int, count: int, limit: int) -> None:
    """Return if ``count`` stored references to texts, from byte ``offset`` on, claim at most ``limit`` bytes each.

    The library believes the length in the reference and allocates it before it looks at the text. It also walks a heap
    whose reserved bytes are not 0, which :func:`check_heaps` does not take for one: such a heap is refused here.
    """
    with path.open("rb") as stream:
        stream.seek(offset)
        stored = stream.read(count * _REFERENCE.size)
        references = list(_REFERENCE.iter_unpack(stored[: len(stored) // _REFERENCE.size * _REFERENCE.size]))
        for length, _, _ in references:
            if length > limit:
                raise InputError(where, f"holds a text of {length:,} bytes; the limit is {limit:,}", "shorten it")
        for address in {address for length, address, _ in references if length}:
            if not any(_is_heap(stream, base + address) for base in (0, _base(stream))):
                found = (
                    f"is part of a truncated or damaged HDF5 file (its text lies in no global heap at byte {address:,})"
                )
                raise InputError(where, found, "write the file again from the tool it came from")


def _is_heap(stream: BinaryIO, place: int) -> bool:
    if place > _LARGEST:
        return False
    stream.seek(place)
    return _COLLECTION.match(stream.read(8)) is not None


def _base(stream: BinaryIO) -> int:
    """Return where the HDF5 file begins behind a user block: at 0, 512, 1024, 2048, ..."""
    at, size = 0, stream.seek(0, 2)
    while at + 8 <= size:
        stream.seek(at)
        if stream.read(8) == _SIGNATURE:
            return at
        at = max(2 * at, 512)
    return 0
