from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neurodeploy.errors import InputError
from neurodeploy.models.data.eventbytes import read_aedat2, read_aedat3, read_bin, turned_cifar10
from neurodeploy.models.data.framing import Events, by_time
from tests.models.data.eventfiles import Event, aedat2_bytes, aedat3_bytes, bin_bytes, blob, packet


def found(events: Events) -> list[Event]:
    columns = (events.t, events.x, events.y, events.p)
    return [Event(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "recording"
    path.write_bytes(data)
    return path


def test_a_bin_file_gives_its_events_with_all_bits_of_each_field(tmp_path: Path) -> None:
    events = [Event(0, 0, 0, 0), Event(1, 255, 239, 1), Event(0x123456, 33, 1, 0), Event(0x7FFFFF, 1, 33, 1)]
    assert found(read_bin(written(tmp_path, bin_bytes(events)))) == events


def test_row_240_of_a_bin_file_moves_the_time_of_what_follows(tmp_path: Path) -> None:
    overflow = Event(0, 0, 240, 0)
    raw = [Event(8000, 1, 2, 1), overflow, Event(5, 3, 4, 0), overflow, overflow, Event(6, 5, 6, 1)]
    expected = [Event(8000, 1, 2, 1), Event(8192 + 5, 3, 4, 0), Event(3 * 8192 + 6, 5, 6, 1)]
    assert found(read_bin(written(tmp_path, bin_bytes(raw)))) == expected


def test_events_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    raw = [Event(9, 1, 1, 1), Event(3, 2, 2, 0), Event(9, 3, 3, 0), Event(3, 4, 4, 1)]
    assert found(read_bin(written(tmp_path, bin_bytes(raw)))) == [raw[1], raw[3], raw[0], raw[2]]


def test_aedat2_follows_the_header_even_where_that_is_no_text(tmp_path: Path) -> None:
    events = blob(1, 128, 128)
    assert found(read_aedat2(written(tmp_path, aedat2_bytes(events)))) == events
    assert found(read_aedat2(written(tmp_path, aedat2_bytes(events, header=b"")))) == events


def test_aedat2_leaves_out_what_no_pixel_sent(tmp_path: Path) -> None:
    events = blob(2, 128, 128)
    data = aedat2_bytes(events, extra=[(1 << 15, 10**6), (0x80000000, 10**6)])
    assert found(read_aedat2(written(tmp_path, data))) == events


def test_aedat2_times_take_all_32_bits(tmp_path: Path) -> None:
    events = [Event(2**31 - 1, 1, 2, 0), Event(2**32 - 1, 3, 4, 1)]
    assert found(read_aedat2(written(tmp_path, aedat2_bytes(events)))) == events


def test_cifar10_dvs_stands_upright_and_on_is_brighter() -> None:
    event = Event(7, 10, 100, 0)
    raw = Events(*(np.array([value]) for value in event))
    assert found(turned_cifar10(raw)) == [Event(7, 27, 117, 1)]


def test_aedat3_takes_valid_polarity_events_of_all_packets(tmp_path: Path) -> None:
    first, second = blob(3, 128, 128), [Event(5, 32767, 0, 1), Event(6, 0, 32767, 0)]
    imu = packet([Event(1, 2, 3, 1)] * 3, kind=3)
    data = aedat3_bytes([imu, packet(first, invalid=[0, 7]), imu, packet([]), packet(second, overflow=2, room=3)])
    late = [Event(e.t + 2 * 2**31, *e[1:]) for e in second]
    assert found(read_aedat3(written(tmp_path, data))) == first[1:7] + first[8:] + late


def cut(data: bytes, count: int = 3) -> bytes:
    return data[:-count]


EVENTS = blob(4, 30, 30)
AEDAT3 = aedat3_bytes([packet(EVENTS), packet(EVENTS)])
OVERFULL = bytearray(AEDAT3)
OVERFULL[AEDAT3.index(b"END-HEADER\r\n") + 12 + 16] -= 1  # the capacity of the first packet


@pytest.mark.parametrize(
    ("read", "data", "message"),
    [
        (read_bin, cut(bin_bytes(EVENTS)), "has 197 bytes, no multiple of the 5 of an event"),
        (read_bin, b"", "holds no events"),
        (read_bin, bin_bytes([Event(0, 0, 240, 0)]), "holds no events"),
        (read_aedat2, cut(aedat2_bytes(EVENTS)), "ends within an event, 5 of 8 bytes"),
        (read_aedat2, aedat2_bytes([]), "holds no events"),
        (read_aedat2, b"# a header without an end", "holds no events"),
        (read_aedat2, AEDAT3, r"is AEDAT 3\.1, not 2\.0"),
        (read_aedat3, cut(AEDAT3), "ends within the packet that begins at byte"),
        (read_aedat3, aedat3_bytes([packet(EVENTS), packet(EVENTS)[:20]]), "ends within the packet"),
        (read_aedat3, bytes(OVERFULL), "has a damaged packet at byte"),
        (read_aedat3, aedat3_bytes([]), "holds no events"),
        (read_aedat3, aedat3_bytes([packet([Event(1, 2, 3, 1)], kind=2)]), "holds no events"),
        (read_aedat3, aedat2_bytes(EVENTS), "has no '#!END-HEADER' line"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(
    tmp_path: Path, read: Callable[[Path], Events], data: bytes, message: str
) -> None:
    with pytest.raises(InputError, match=f"recording: {message}") as error:
        read(written(tmp_path, data))
    assert "from the archive again" in str(error.value)


FORMATS = [(read_bin, bin_bytes(EVENTS)), (read_aedat2, aedat2_bytes(EVENTS)), (read_aedat3, AEDAT3)]


@pytest.mark.parametrize(("read", "data"), FORMATS)
def test_whatever_the_bytes_there_are_events_or_an_error_that_names_the_file(
    tmp_path: Path, read: Callable[[Path], Events], data: bytes
) -> None:
    random = np.random.RandomState(0)
    kept, refused = 0, []
    for number in range(150):
        spoilt = bytearray(data[: random.randint(len(data)) + 1] if number % 2 else data)
        for place in random.randint(len(spoilt), size=3):
            spoilt[place] = random.randint(256)
        try:
            events = read(written(tmp_path, bytes(spoilt)))
        except InputError as error:
            refused.append(error.subject)
            continue
        kept += 1
        assert (np.diff(events.t) >= 0).all()
        assert set(by_time(events, 16).tolist()) <= set(range(16))
    assert kept > 0
    assert set(refused) == {str(tmp_path / "recording")}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing: no such file"):
        read_bin(tmp_path / "nothing")
