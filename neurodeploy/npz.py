"""Bounded reading and reproducible writing of .npz files, and the form of an event file."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.eventfile import event_ports
from neurodeploy.events import EventInput, unusual_numbers
from neurodeploy.files import require_file
from neurodeploy.headroom import free_memory
from neurodeploy.npzstream import map_stored, read_header

#: Refuse to unpack more than this from one file: enough for 10,000 samples of 128 x 128 x 2 over 25 steps.
MAX_BYTES = 8 << 30
#: The longest comment of an archive.
MAX_COMMENT = zipfile.ZIP_MAX_COMMENT
#: Input of so many bytes is left on disk where it is not compressed; that of smaller arrays has its checksum tested.
_MAPPED_FROM = 1 << 26


def write_npz(path: str | Path, arrays: Mapping[str, npt.NDArray[Any]], comment: bytes = b"") -> None:
    """Write arrays to a compressed .npz file whose bytes depend on nothing but the arrays and the comment."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)
        archive.comment = comment


def read_comment(path: str | Path) -> bytes:
    """Return the comment of an .npz file, empty where it has none; :func:`read_npz` says whether it is one."""
    with zipfile.ZipFile(path) as archive:
        return archive.comment


def read_npz(path: str | Path, *, limit: int = MAX_BYTES, mapped: int | None = None) -> dict[str, npt.NDArray[Any]]:
    """Read every array of an .npz file, allocating at most ``limit`` bytes in all, and no more than are free.

    Arrays of ``mapped`` bytes and more that are not compressed are mapped, read-only, and count for nothing.

    Raises
    ------
    InputError : no file, no zip archive, a damaged or oversized member, or one that needs pickle.
    """
    path = require_file(path)
    arrays: dict[str, npt.NDArray[Any]] = {}
    left = min(limit, free_memory())
    try:
        if mapped is not None:
            arrays = map_stored(path, mapped)
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if member.filename.removesuffix(".npy") in arrays:
                    continue
                if not member.filename.endswith(".npy"):
                    raise InputError(
                        str(path), f"holds {member.filename!r}, which is no array", "write it with np.savez"
                    )
                with archive.open(member) as stream:
                    array = _read_array(stream, str(path), member.filename, left)  # type: ignore[arg-type]
                left -= array.nbytes
                arrays[member.filename.removesuffix(".npy")] = array
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError) as error:
        # A method of compression or encryption that zipfile does not know is one of the RuntimeErrors.
        raise InputError(str(path), f"is no readable .npz file ({error})", "write it with np.savez") from error
    except Exception as error:
        # zlib.error, struct.error and tokenize errors of a damaged header share no base class.
        if isinstance(error, InputError):
            raise
        raise InputError(str(path), f"is damaged ({error})", "write it again") from error
    return arrays


def _read_array(stream: BinaryIO, path: str, name: str, limit: int) -> npt.NDArray[Any]:
    shape, fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise InputError(path, f"{name} holds Python objects", "store plain numbers; objects are never unpickled")
    size = math.prod(shape) * dtype.itemsize
    if size > limit:
        advice = "split it into smaller files, or store it uncompressed with np.savez, which is read from the disk"
        raise InputError(path, f"{name} declares {size:,} bytes, the limit is {limit:,}", advice)
    data = stream.read(size)
    if len(data) != size:
        raise InputError(path, f"{name} ends after {len(data):,} of {size:,} bytes", "write it again")
    array = np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    return array


@dataclass(frozen=True, eq=False)
class Events:
    """Input spikes of several samples by port, and labels int64 [samples] or None.

    spikes : port name -> integer [samples, steps, *shape], or events. The key "" stands for the only port of a network
        that has one.
    """

    spikes: Mapping[str, npt.NDArray[Any] | EventInput]
    labels: npt.NDArray[np.int64] | None
    path: str

    @property
    def samples(self) -> int:
        """The number of samples."""
        return int(next(iter(self.spikes.values())).shape[0])

    @property
    def steps(self) -> int:
        """The number of steps of each sample."""
        return int(next(iter(self.spikes.values())).shape[1])

    def first(self, count: int) -> Events:
        """Return the first ``count`` samples."""
        return Events(
            {name: values[:count] for name, values in self.spikes.items()},
            None if self.labels is None else self.labels[:count],
            self.path,
        )


def read_events(path: str | Path) -> Events:
    """Read ``spikes`` [samples, steps, *shape] (or ``spikes/<port>``) and, where present, ``labels`` [samples].

    In their place a port may be given as events; :func:`neurodeploy.eventfile.event_ports` says how.

    Raises
    ------
    InputError : no spikes, spikes that are no whole numbers, ports or labels of different lengths.
    """
    arrays = read_npz(path, mapped=_MAPPED_FROM)
    found = {
        name.removeprefix("spikes").removeprefix("/"): a for name, a in arrays.items() if name.startswith("spikes")
    }
    events = event_ports(str(path), arrays)
    if not found and not events:
        raise InputError(
            str(path),
            f"holds {', '.join(arrays) or 'nothing'} but no 'spikes'",
            "name the array 'spikes', or the columns of events 't' and 'index'",
        )
    if both := sorted(set(found) & set(events)):
        raise InputError(str(path), f"gives {both[0] or 'spikes'!r} dense and as events", "give either")
    spikes = {name: _whole_numbers(values, str(path)) for name, values in found.items()} | events
    extents = {values.shape[:2] for values in spikes.values()}
    if len(extents) > 1:
        raise InputError(str(path), f"ports differ in (samples, steps): {sorted(extents)}", "give all the same extent")
    samples = next(iter(extents))[0]
    labels = arrays.get("labels")
    if labels is not None:
        if labels.shape != (samples,):
            raise InputError(
                str(path), f"labels {list(labels.shape)} for {samples} samples", "give one label per sample"
            )
        labels = _whole_numbers(labels, str(path), "labels", 1).astype(np.int64)
    return Events(spikes, labels, str(path))


def _whole_numbers(values: npt.NDArray[Any], path: str, name: str = "spikes", axes: int = 3) -> npt.NDArray[Any]:
    if values.ndim < axes or 0 in values.shape:
        raise InputError(
            path, f"{name} has shape {list(values.shape)}", "it is [samples, steps, *shape], none of them 0"
        )
    if values.dtype == np.bool_:
        return values.view(np.uint8)
    if np.issubdtype(values.dtype, np.integer):
        return values
    if not np.issubdtype(values.dtype, np.floating):
        raise InputError(path, f"{name} is of type {values.dtype}", "store integers")
    if (unusual := unusual_numbers(values)) is not None:
        raise InputError(path, f"{name} {unusual}", "store integers")
    if (values != np.trunc(values)).any():
        raise InputError(
            path, f"{name} holds fractions, such as {values[values != np.trunc(values)][0]}", "store integers"
        )
    if np.abs(values).max() >= 1 << 63:
        raise InputError(path, f"{name} holds {np.abs(values).max():g}, beyond 64 bits", "store integers")
    return values.astype(np.int64)
