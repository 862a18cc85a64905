"""Readers of the byte formats of event cameras: 40-bit events, AEDAT 2.0 and AEDAT 3.1.

Each takes a file and gives :class:`Events`, or raises :class:`InputError` where the file ends within an event, holds
none, or is of another format.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from neurodeploy.errors import InputError
from neurodeploy.files import require_file
from neurodeploy.models.data.framing import Events, in_order

#: No recording of the datasets is nearly as large; a larger file is not read.
LARGEST_FILE = 1 << 30

_AGAIN = "take it from the archive again"

# Atis recordings: an event on this row carries no pixel, but says that 2^13 us have passed.
_OVERFLOW_ROW, _OVERFLOW = 240, 1 << 13

_VERSION = b"#!AER-DAT"
_END_OF_HEADER = b"#!END-HEADER\r\n"

# Of a packet: type, source, size of an event, place of its time, overflows of time, capacity, number, valid ones.
_PACKET = struct.Struct("<HHIIIIII")
_POLARITY, _POLARITY_SIZE = 1, 8
_MOST_OVERFLOWS = 1 << 15  # of 2^31 us: two years


def read_bin(path: Path) -> Events:
    """Return the events of a .bin file of N-MNIST or N-Caltech101.

    Five bytes an event: x, y, then one bit of polarity and 23 bits of microseconds, the highest first. A row of 240
    stands for an overflow of the time. (Orchard, Jayawant, Cohen and Thakor, "Converting Static Image Datasets to
    Spiking Neuromorphic Datasets Using Saccades", Front. Neurosci. 9:437, 2015, and the authors' reader.)
    """
    raw = _read(path)
    if len(raw) % 5:
        raise InputError(str(path), f"has {len(raw)} bytes, no multiple of the 5 of an event", _AGAIN)
    columns = np.frombuffer(raw, np.uint8).reshape(-1, 5).astype(np.int64)
    x, y = columns[:, 0], columns[:, 1]
    time = (columns[:, 2] & 127) << 16 | columns[:, 3] << 8 | columns[:, 4]
    overflow = y == _OVERFLOW_ROW
    time += np.cumsum(overflow) * _OVERFLOW
    return _some(path, Events(time, x, y, columns[:, 2] >> 7).at(~overflow))


def read_aedat2(path: Path) -> Events:
    """Return the events of an AEDAT 2.0 file of a DVS128, as the camera addresses its pixels.

    Lines that begin with ``#``, then pairs of 32 bits, the highest byte first: an address, with polarity in bit 0, x in
    bits 1 to 7 and y in bits 8 to 14, and a time in microseconds. Addresses above 15 bits are signals of other kinds
    and are left out. (iniVation, "AEDAT 2.0" and "AEDAT 1.0".)
    """
    raw = _read(path)
    start = _after_header(path, raw)
    if (len(raw) - start) % 8:
        raise InputError(str(path), f"ends within an event, {(len(raw) - start) % 8} of 8 bytes", _AGAIN)
    pairs = np.frombuffer(raw, ">u4", offset=start).reshape(-1, 2).astype(np.int64)
    address, time = pairs[:, 0], pairs[:, 1]
    events = Events(time, address >> 1 & 127, address >> 8 & 127, address & 1)
    return _some(path, events.at(address < 1 << 15))


def read_aedat3(path: Path) -> Events:
    """Return the polarity events of an AEDAT 3.1 file.

    A header of lines up to ``#!END-HEADER``, then packets: 28 bytes of header and ``capacity`` events of ``size``
    bytes. A polarity event has 32 bits of data (valid, polarity, 15 bits of y, 15 of x, the lowest first) and 31 of
    microseconds, to which the packet adds multiples of 2^31. Packets of other types, and events not marked valid, are
    left out. (iniVation, "AEDAT 3.1".)
    """
    raw = _read(path)
    start = raw.find(_END_OF_HEADER)
    if not raw.startswith(b"#") or start < 0:
        raise InputError(str(path), "has no '#!END-HEADER' line, as an AEDAT 3.1 file has", _AGAIN)
    packets = list(_polarity_packets(path, raw, start + len(_END_OF_HEADER)))
    words = [np.frombuffer(raw, "<u4", 2 * number, offset) for offset, number, _ in packets]
    data, time = np.concatenate([np.zeros(0, "<u4"), *words]).reshape(-1, 2).astype(np.int64).T
    numbers = [number for _, number, _ in packets]
    time = time + np.repeat(np.array([overflow for _, _, overflow in packets], np.int64) << 31, numbers)
    return _some(path, Events(time, data >> 17, data >> 2 & 0x7FFF, data >> 1 & 1).at(data & 1 == 1))


def _polarity_packets(path: Path, raw: bytes, offset: int) -> Iterator[tuple[int, int, int]]:
    """Yield where each packet's events begin, how many there are, and how often their time has overflowed."""
    while offset < len(raw):
        begin, offset = offset, offset + _PACKET.size
        header = _PACKET.unpack_from(raw, begin) if offset <= len(raw) else None
        if header is None or offset + header[2] * header[5] > len(raw):
            raise InputError(str(path), f"ends within the packet that begins at byte {begin}", _AGAIN)
        kind, _, size, _, overflow, capacity, number, _ = header
        odd = kind == _POLARITY and (size != _POLARITY_SIZE or overflow > _MOST_OVERFLOWS)
        if odd or number > capacity:
            raise InputError(str(path), f"has a damaged packet at byte {begin}", _AGAIN)
        if kind == _POLARITY:
            yield offset, number, overflow
        offset += capacity * size


def _after_header(path: Path, raw: bytes) -> int:
    """Return where the lines that begin with '#' end; the first byte of a DVS128's address is 0 and never a '#'."""
    if raw.startswith(_VERSION) and not raw.startswith(_VERSION + b"2"):
        version = raw[len(_VERSION) : len(_VERSION) + 3].decode("ascii", errors="replace")
        raise InputError(str(path), f"is AEDAT {version}, not 2.0", _AGAIN)
    offset = 0
    while raw[offset : offset + 1] == b"#":
        end = raw.find(b"\n", offset)
        offset = len(raw) if end < 0 else end + 1
    return offset


def _read(path: Path) -> bytes:
    try:
        size = require_file(path).stat().st_size
        if size > LARGEST_FILE:
            raise InputError(str(path), f"has {size} bytes, more than the {LARGEST_FILE} of any recording", _AGAIN)
        return path.read_bytes()
    except OSError as error:
        raise InputError(str(path), f"cannot be read ({error.strerror})", "check its permissions") from error


def _some(path: Path, events: Events) -> Events:
    if not len(events):
        raise InputError(str(path), "holds no events", _AGAIN)
    return in_order(events)


def turned_cifar10(events: Events) -> Events:
    """Return events of CIFAR10-DVS as the picture stands: its camera was turned, and its polarity counts the other way.

    x is 127 less the address's y, y is 127 less its x, the convention of SpikingJelly's reader.
    """
    return Events(events.t, 127 - events.y, 127 - events.x, 1 - events.p)
