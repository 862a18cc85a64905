"""Bounded access to an HDF5 file from anyone: every size is known and allowed before a byte of it is allocated.

Only hard links, plain storage and built-in filters are followed. All calls into h5py stand here, and whatever they
raise on a damaged file becomes an :class:`InputError`.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.files import require_file
from neurodeploy.hdf5_heap import check_heaps, check_references

#: A file may ask for this much memory, plus the same again for what it honestly stores (see :class:`Budget`).
BASE_BYTES = 256 << 20
#: Bytes of memory allowed for each byte of the file; constant arrays compress about a thousandfold.
BYTES_PER_STORED_BYTE = 100
#: Members of one group; no network of the field comes near it.
MAX_MEMBERS = 10_000
#: Characters in the name of a node, a field or a type.
MAX_NAME = 256
#: Bytes of one text value that is not a name (metadata).
MAX_TEXT = 64 << 20
#: deflate, shuffle, fletcher32, lzf: what h5py itself decodes without a plug-in.
FILTERS = frozenset({1, 2, 3, 32000})

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_DAMAGED = "write the file again from the tool it came from"
_H5PY_ERRORS = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, UnicodeError)


class Budget:
    """The bytes of memory that one file may still ask for."""

    def __init__(self, path: Path) -> None:
        self.path, self.file_size = path, path.stat().st_size
        self.limit = BASE_BYTES + BYTES_PER_STORED_BYTE * self.file_size
        self.left = self.limit

    def take(self, where: str, size: int, shape: tuple[int, ...]) -> None:
        """Take ``size`` bytes off, or raise :class:`InputError` where they are not there."""
        if size > self.left:
            raise InputError(
                where,
                f"declares the size {size:,} bytes (shape {list(shape)}); with what was read before, "
                f"that is above the limit of {self.limit:,} bytes for a file of {self.file_size:,} bytes",
                "the file is damaged or hostile",
            )
        self.left -= size


class Group:
    """One group of a file: its members by name, read under the file's budget."""

    def __init__(self, group: h5py.Group, where: str, budget: Budget) -> None:
        self.where = where
        self._group, self._budget = group, budget
        with _guard(where):
            count = len(group)
            if count > MAX_MEMBERS:
                raise InputError(where, f"holds {count:,} members; the limit is {MAX_MEMBERS:,}", "split the network")
            self.names: list[str] = [_text(name, where) for name in group]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def is_group(self, name: str) -> bool:
        """Return whether the member is a group rather than an array."""
        return isinstance(self._member(name), h5py.Group)

    def group(self, name: str) -> Group:
        """Return the member as a group; raise :class:`InputError` where it is missing or an array."""
        member = self._member(name)
        if not isinstance(member, h5py.Group):
            raise InputError(self._path(name), "is an array where a group is expected", _DAMAGED)
        return Group(member, self._path(name), self._budget)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a stored array without reading it."""
        return self._dataset(name)[1]

    def numbers(self, name: str) -> npt.NDArray[Any]:
        """Return an array of real numbers, in the dtype it is stored in.

        Raises
        ------
        InputError : it is too large, text, complex or another type, or lies in another file.
        """
        dataset, shape = self._dataset(name)
        where = self._path(name)
        with _guard(where):
            dtype = dataset.dtype
            if dtype.kind not in "fiub" or dtype.itemsize > 8:
                raise InputError(where, f"has the type {_type_name(dtype)}", "real numbers of at most 64 bits are read")
            self._check_storage(dataset, where)
            self._take(dataset, where, shape)
            return np.asarray(dataset[()])

    def text(self, name: str, limit: int = MAX_NAME) -> str:
        """Return a single text of at most ``limit`` characters."""
        dataset, shape = self._dataset(name)
        where = self._path(name)
        with _guard(where):
            if dataset.dtype.kind not in "OS" or shape not in ((), (1,)) or not _is_text(dataset.dtype):
                raise InputError(
                    where, f"has the type {_type_name(dataset.dtype)} where one text is expected", _DAMAGED
                )
            self._check_storage(dataset, where)
            self._check_texts(dataset, where, shape, 4 * limit)
            self._take(dataset, where, shape)
            value = dataset[()]
        text = _text(value if shape == () else value[0], where)
        if len(text) > limit:
            raise InputError(where, f"is a text of {len(text):,} characters; the limit is {limit:,}", _DAMAGED)
        return text

    def is_text(self, name: str) -> bool:
        """Return whether the member holds text."""
        with _guard(self._path(name)):
            return _is_text(self._dataset(name)[0].dtype)

    def pairs(self, name: str, limit: int) -> list[tuple[str, str]]:
        """Return an array [n, 2] of names as pairs, ``n`` up to ``limit``."""
        dataset, shape = self._dataset(name)
        where = self._path(name)
        if shape == (0,):
            return []
        if len(shape) != 2 or shape[1] != 2 or not _is_text(dataset.dtype):
            raise InputError(
                where, f"has the shape {list(shape)}", "a list of edges has the shape [n, 2] and holds names"
            )
        if shape[0] > limit:
            raise InputError(where, f"holds {shape[0]:,} edges; the limit is {limit:,}", "split the network")
        self._check_storage(dataset, where)
        self._take(dataset, where, shape)
        self._check_texts(dataset, where, shape, 4 * MAX_NAME)
        with _guard(where):
            return [(_name(a, where), _name(b, where)) for a, b in dataset[()]]

    def _path(self, name: str) -> str:
        return f"{self.where}/{name}"

    def _member(self, name: str) -> Any:
        where = self._path(name)
        if name not in self.names:
            raise InputError(where, "is missing", "the file is incomplete; write it again")
        if len(name) > MAX_NAME:
            raise InputError(
                self.where, f"holds a name of {len(name):,} characters; the limit is {MAX_NAME}", "shorten it"
            )
        with _guard(where):
            link = self._group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                kind = "an external link" if isinstance(link, h5py.ExternalLink) else "a soft link"
                raise InputError(
                    where,
                    f"is {kind}, which is not followed (it may hide another file or endless nesting)",
                    "store the data itself",
                )
            return self._group[name]

    def _dataset(self, name: str) -> tuple[h5py.Dataset, tuple[int, ...]]:
        member = self._member(name)
        where = self._path(name)
        if not isinstance(member, h5py.Dataset):
            raise InputError(where, "is a group where an array is expected", _DAMAGED)
        with _guard(where):
            if member.shape is None:
                raise InputError(where, "is an empty dataset", _DAMAGED)
            return member, tuple(map(int, member.shape))

    def _check_storage(self, dataset: h5py.Dataset, where: str) -> None:
        """Refuse data that lie in other files or need code from elsewhere to decode."""
        with _guard(where):
            if dataset.is_virtual:
                raise InputError(where, "is a virtual dataset, a view of another file", "store the data itself")
            if dataset.external:
                raise InputError(where, "has external storage in another file", "store the data itself")
            properties = dataset.id.get_create_plist()
            for index in range(properties.get_nfilters()):
                code = properties.get_filter(index)[0]
                if code not in FILTERS:
                    raise InputError(
                        where, f"uses the HDF5 filter {code}", "gzip, lzf, shuffle and fletcher32 are read"
                    )

    def _check_texts(self, dataset: h5py.Dataset, where: str, shape: tuple[int, ...], limit: int) -> None:
        """Refuse texts of variable length whose stored length is above ``limit`` bytes, before any is read."""
        if dataset.dtype.kind != "O":
            return
        with _guard(where):
            offset, stored = dataset.id.get_offset(), dataset.id.get_storage_size()
            if offset is None and stored:
                raise InputError(where, "stores texts of variable length in chunks", "store them in one piece")
            if offset is not None:
                check_references(self._budget.path, where, offset, math.prod(shape), limit)

    def _take(self, dataset: h5py.Dataset, where: str, shape: tuple[int, ...]) -> None:
        chunk = math.prod(dataset.chunks or ())  # A chunk is decoded whole, however little of it the shape uses.
        self._budget.take(where, max(math.prod(shape), chunk) * dataset.dtype.itemsize, shape)


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[Group]:
    """Open an HDF5 file for reading and yield its root group.

    Raises
    ------
    InputError : no such file, empty, not HDF5 (the message says what it looks like), truncated or damaged.
    """
    path = require_file(path)
    _check_signature(path)
    check_heaps(path)
    try:
        file = h5py.File(path, "r")
    except _H5PY_ERRORS as error:
        raise InputError(str(path), f"is a truncated or damaged HDF5 file ({_first_line(error)})", _DAMAGED) from error
    with file:
        yield Group(file, path.name, Budget(path))


def _check_signature(path: Path) -> None:
    """Raise :class:`InputError` where the file is not HDF5; the signature stands at 0, 512, 1024, 2048, ..."""
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
            at, size = 512, path.stat().st_size
            found = head.startswith(_SIGNATURE)
            while not found and at + 8 <= size:
                stream.seek(at)
                found, at = stream.read(8) == _SIGNATURE, at * 2
    except OSError as error:
        raise InputError(str(path), f"cannot be read ({error.strerror})", "check its permissions") from error
    if not found:
        raise InputError(str(path), f"is {_looks_like(head)}, not HDF5", "give the .nir or .net file itself")


def _looks_like(head: bytes) -> str:
    for start, kind in _KINDS:
        if head.startswith(start):
            return kind
    if head and all(byte >= 32 or byte in b"\t\n\r" for byte in head):
        return "a text file"
    return "an unknown format" if head else "empty"


#: First bytes -> what such a file is.
_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"\x80", "a Python pickle (it is never opened)"),
    (b"PK\x03\x04", "a zip archive (a torch checkpoint or .npz)"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x1f\x8b", "a gzip archive"),
)


@contextlib.contextmanager
def _guard(where: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except _H5PY_ERRORS as error:
        raise InputError(
            where, f"cannot be read from a truncated or damaged HDF5 file ({_first_line(error)})", _DAMAGED
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]


def _is_text(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "S" or h5py.check_string_dtype(dtype) is not None


def _type_name(dtype: np.dtype[Any]) -> str:
    return "text" if _is_text(dtype) else str(dtype)


def _text(value: Any, where: str) -> str:
    try:
        # h5py hands names that are not UTF-8 out with surrogates, which no terminal could print.
        return value.decode("utf-8") if isinstance(value, bytes) else str(value).encode("utf-8").decode("utf-8")
    except UnicodeError as error:
        raise InputError(where, f"holds a text that is not UTF-8 ({value[:32]!r})", _DAMAGED) from error


def _name(value: Any, where: str) -> str:
    name = _text(value, where)
    if len(name) > MAX_NAME:
        raise InputError(where, f"holds a name of {len(name):,} characters; the limit is {MAX_NAME}", "shorten it")
    return name
