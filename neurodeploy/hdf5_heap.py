"""The global heaps of an HDF5 file, where texts of variable length lie, walked before the library walks them.

libhdf5 (seen in 2.0.0) runs for ever inside C, out of reach of any Python timeout, over a heap in which a damaged
object has no length. The layout is that of the HDF5 file format specification, version 3, section III.E.
"""

from __future__ import annotations

import mmap
import re
import struct
from pathlib import Path

from neurodeploy.errors import InputError

#: Signature and version of a collection; what follows is its size in bytes.
_COLLECTION = re.compile(rb"GCOL\x01\0\0\0")
_HEADER = 16
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
                    f"is a damaged HDF5 file (the global heap at byte {found.start():,} has no end)",
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

    The library believes the length in the reference and allocates it before it looks at the text.
    """
    with path.open("rb") as stream:
        stream.seek(offset)
        stored = stream.read(count * _REFERENCE.size)
    for length, _, _ in _REFERENCE.iter_unpack(stored[: len(stored) // _REFERENCE.size * _REFERENCE.size]):
        if length > limit:
            raise InputError(where, f"holds a text of {length:,} bytes; the limit is {limit:,}", "shorten it")
