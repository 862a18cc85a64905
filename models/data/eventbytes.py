"""Readers of the byte formats of event cameras: 40-bit events, AEDAT 2.0 and AEDAT 3.1.

Each takes a file and gives :class:`Events`, or raises :class:`InputError` where the file ends within an event, holds
none, or is no such file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurodeploy.errors import InputError
from neurodeploy.files import require_file
from neurodeploy.models.data.framing import Events, in_order

#: No recording of the datasets is nearly as large; a larger file is not read.
LARGEST_FILE = 1 << 30

_AGAIN = "take it from the archive again"

# Atis recordings: an event on this row carries no pixel, but says that 2^13 us have passed.
_OVERFLOW_ROW, _OVERFLOW = 240, 1 << 13

_END_OF_HEADER = b"#!END-HEADER\r\n"
_POLARITY, _POLARITY_SIZE = 1, 8
_PACKET = np.dtype(
    [
        ("type", "<u2"),
        ("source", "<u2"),
        ("size", "<u4"),
        ("ts_offset", "<u4"),
        ("overflow", "<u4"),
        ("capacity", "<u4"),
        ("number", "<u4"),
        ("valid", "<u4"),
    ]
)


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
    time = time + np.cumsum(overflow) * _OVERFLOW
    return _some(path, Events(time, x, y, columns[:, 2] >> 7).at(~overflow))


def read_aedat2(path: Path) -> Events:
    """Return the events of an AEDAT 2.0 file of a DVS128, as the camera addresses its pixels.

    Lines that begin with ``#``, then pairs of 32 bits, the highest byte first: an address, with polarity in bit 0, x in
    bits 1 to 7 and y in bits 8 to 14, and a time in microseconds. Addresses above 15 bits are signals of other kinds
    and are left out.
    """
    raw = _read(path)
    start = _after_header(raw)
    if (len(raw) - start) % 8:
        raise InputError(str(path), f"ends within an event, {(len(raw) - start) % 8} of 8 bytes", _AGAIN)
    pairs = np.frombuffer(raw, ">u4", offset=start).reshape(-1, 2).astype(np.int64)
    address, time = pairs[:, 0], pairs[:, 1]
    events = Events(time, address >> 1 & 127, address >> 8 & 127, address & 1)
    return _some(path, events.at(address < 1 << 15))


def read_aedat3(path: Path) -> Events:
    """Return the polarity events of an AEDAT 3.1 file.

    A header of lines up to ``#!END-HEADER``, then packets: 28 bytes of header and ``capacity`` events of ``size``
    bytes. A polarity event has 32 bits of data (valid, polarity, 15 bits of y, 15 of x, the lowest first) and 32 of
    microseconds, to which the packet adds multiples of 2^31. Packets of other types, and events not marked valid, are
    left out.
    """
    raw = _read(path)
    start = raw.find(_END_OF_HEADER)
    if start < 0:
        raise InputError(str(path), "has no '#!END-HEADER' line, as an AEDAT 3.1 file has", _AGAIN)
    offset, found = start + len(_END_OF_HEADER), [np.zeros((0, 2), np.int64)]
    while offset < len(raw):
        packet = _packet(path, raw, offset)
        offset += _PACKET.itemsize
        if int(packet["type"]) == _POLARITY:
            words = np.frombuffer(raw, "<u4", 2 * int(packet["number"]), offset).reshape(-1, 2).astype(np.int64)
            words[:, 1] |= int(packet["overflow"]) << 31
            found.append(words)
        offset += int(packet["capacity"]) * int(packet["size"])
    data, time = np.concatenate(found).T
    return _some(path, Events(time, data >> 17, data >> 2 & 0x7FFF, data >> 1 & 1).at(data & 1 == 1))


def _packet(path: Path, raw: bytes, offset: int) -> np.void:
    """Return the header of the packet at ``offset``, once all of the packet is known to be there."""
    left = len(raw) - offset - _PACKET.itemsize
    packet: np.void | None = np.frombuffer(raw, _PACKET, 1, offset)[0] if left >= 0 else None
    if packet is None or int(packet["capacity"]) * int(packet["size"]) > left:
        raise InputError(str(path), f"ends within the packet that begins at byte {offset}", _AGAIN)
    odd = int(packet["type"]) == _POLARITY and int(packet["size"]) != _POLARITY_SIZE
    if odd or int(packet["number"]) > int(packet["capacity"]):
        raise InputError(str(path), f"has a damaged packet at byte {offset}", _AGAIN)
    return packet


def _after_header(raw: bytes) -> int:
    """Return where the lines that begin with '#' end; what comes then is no text and never begins with one."""
    offset = 0
    while raw[offset : offset + 1] == b"#":
        end = raw.find(b"\n", offset)
        offset = len(raw) if end < 0 else end + 1
    return offset


def _read(path: Path) -> bytes:
    size = require_file(path).stat().st_size
    if size > LARGEST_FILE:
        raise InputError(str(path), f"has {size} bytes, more than the {LARGEST_FILE} of any recording", _AGAIN)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(str(path), f"cannot be read ({error.strerror})", "check its permissions") from error


def _some(path: Path, events: Events) -> Events:
    if not len(events):
        raise InputError(str(path), "holds no events", _AGAIN)
    return in_order(events)


def turned_cifar10(events: Events) -> Events:
    """Return events of CIFAR10-DVS as the picture stands: its camera was turned, and its polarity counts the other way.

    x is 127 less the address's y, y is 127 less its x, the convention of current SpikingJelly.
    """
    top: npt.NDArray[np.int64] = np.int64(127) - events.x
    return Events(events.t, 127 - events.y, top, 1 - events.p)
