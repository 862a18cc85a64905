"""Uncompressed .npz files: written piece by piece, and read as they lie on disk.

What zip calls stored is the bytes of an array, one after the other, at a place that the archive's headers tell. Shapes
known beforehand fix every place, so that many arrays grow side by side in one file, and reading maps them without
loading. ``numpy.load`` opens such a file like any other. Records are those of the .ZIP File Format Specification,
always in their 64-bit form.
"""

from __future__ import annotations

import io
import math
import os
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

#: Places in the file where arrays begin are multiples of this.
_ALIGNED = 64
#: Year 1980, the first that a zip can tell: bytes depend on the arrays alone.
_TIME, _DATE = 0, 1 << 5 | 1
_ZIP64, _PADDING = 0x0001, 0xD935
_VERSION, _UTF8, _UNIX_FILE = 45, 1 << 11, 0o100644 << 16
_BEYOND = 0xFFFFFFFF
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")


@dataclass
class _Member:
    """One array of the file: where its header and its data begin, how much is written, and the checksum so far."""

    name: bytes
    header_at: int
    data_at: int
    npy_header: bytes
    bytes_: int
    written: int = 0
    crc: int = 0

    @property
    def size(self) -> int:
        return len(self.npy_header) + self.bytes_


class NpzWriter:
    """An .npz file that is being written, array by array or many arrays side by side.

    Use it as a context: leaving it without an exception completes the file, with ``comment`` as the archive's.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = Path(path).open("wb")  # noqa: SIM115  # closed by close or by leaving the context
        self._members: dict[str, _Member] = {}
        self._end = 0
        self.comment = b""

    def reserve(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        """Reserve the place of an array, whose data follow through :meth:`append`."""
        stream = io.BytesIO()
        description = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, description)
        key = f"{name}.npy".encode()
        before = self._end + _LOCAL.size + len(key) + _extra_size(2) + 4
        padding = -before % _ALIGNED
        size = math.prod(shape) * np.dtype(dtype).itemsize
        member = _Member(key, self._end, before + padding + len(stream.getvalue()), stream.getvalue(), size)
        member.crc = zlib.crc32(member.npy_header)
        self._members[name] = member
        self._end = member.data_at + size

    def append(self, name: str, values: npt.NDArray[Any]) -> None:
        """Write the next values of an array, in C order."""
        member = self._members[name]
        data = np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        assert member.written + len(data) <= member.bytes_, f"{name} is longer than its shape says"
        self._file.seek(member.data_at + member.written)
        self._file.write(data)
        member.crc = zlib.crc32(data, member.crc)
        member.written += len(data)

    def add(self, name: str, values: npt.NDArray[Any]) -> None:
        """Write a whole array."""
        values = np.asarray(values)
        self.reserve(name, values.shape, values.dtype)
        self.append(name, values)

    def close(self) -> None:
        """Write the headers and the directory; every array has to be complete."""
        directory = b""
        for name, member in self._members.items():
            assert member.written == member.bytes_, f"{name} ends after {member.written} of {member.bytes_} bytes"
            self._file.seek(member.header_at)
            self._file.write(_local_header(member))
            directory += _directory_entry(member)
        self._file.seek(self._end)
        self._file.write(directory + _closing(self._end, len(directory), len(self._members), self.comment))
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self._file.close()


def _extra_size(numbers: int) -> int:
    return 4 + 8 * numbers


def _flags(member: _Member) -> int:
    return 0 if member.name.isascii() else _UTF8


def _local_header(member: _Member) -> bytes:
    """Return what stands before a member's data: header, name, 64-bit sizes, padding, and the array's own header."""
    padding = member.data_at - len(member.npy_header) - member.header_at
    padding -= _LOCAL.size + len(member.name) + _extra_size(2) + 4
    extra = struct.pack("<2H2Q", _ZIP64, 16, member.size, member.size)
    extra += struct.pack("<2H", _PADDING, padding) + bytes(padding)
    head = _LOCAL.pack(
        b"PK\3\4", _VERSION, _flags(member), zipfile.ZIP_STORED, _TIME, _DATE,
        member.crc, _BEYOND, _BEYOND, len(member.name), len(extra),
    )  # fmt: skip
    return head + member.name + extra + member.npy_header


def _directory_entry(member: _Member) -> bytes:
    extra = struct.pack("<2H3Q", _ZIP64, 24, member.size, member.size, member.header_at)
    head = _CENTRAL.pack(
        b"PK\1\2", 3 << 8 | _VERSION, _VERSION, _flags(member), zipfile.ZIP_STORED, _TIME, _DATE,
        member.crc, _BEYOND, _BEYOND, len(member.name), len(extra), 0, 0, 0, _UNIX_FILE, _BEYOND,
    )  # fmt: skip
    return head + member.name + extra


def _closing(at: int, size: int, number: int, comment: bytes) -> bytes:
    """Return the records that end an archive whose directory of so many bytes and members begins at ``at``."""
    end64 = _END64.pack(b"PK\6\6", _END64.size - 12, 3 << 8 | _VERSION, _VERSION, 0, 0, number, number, size, at)
    locator = _LOCATOR.pack(b"PK\6\7", 0, at + size, 1)
    return end64 + locator + _END.pack(b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, _BEYOND, _BEYOND, len(comment)) + comment


def map_stored(path: str | Path, least: int = 0) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of ``least`` bytes and more of an .npz file that are not compressed, mapped and read-only.

    Raises
    ------
    ValueError, zipfile.BadZipFile, OSError : the file is no archive of arrays, or an array reaches beyond its member.
    """
    found: dict[str, npt.NDArray[Any]] = {}
    with zipfile.ZipFile(path) as archive, Path(path).open("rb") as file:
        for info in archive.infolist():
            stored = info.compress_type == zipfile.ZIP_STORED and info.file_size >= least
            if stored and info.filename.endswith(".npy"):
                found[info.filename.removesuffix(".npy")] = _mapped(path, file, info)
    return found


def _mapped(path: str | Path, file: BinaryIO, info: zipfile.ZipInfo) -> npt.NDArray[Any]:
    file.seek(info.header_offset)
    fields = _LOCAL.unpack(file.read(_LOCAL.size))
    begin = info.header_offset + _LOCAL.size + fields[-2] + fields[-1]
    file.seek(begin)
    shape, fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError(f"{info.filename} holds Python objects")
    size, at = math.prod(shape) * dtype.itemsize, file.tell()
    if fields[0] != b"PK\3\4" or at - begin + size != info.file_size or at + size > os.fstat(file.fileno()).st_size:
        raise ValueError(f"{info.filename} is not where the archive says")
    if not size:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", at, shape, "F" if fortran else "C")


def read_header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, Fortran order and type of the array that a .npy stream holds."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(stream)
