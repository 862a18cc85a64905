import numpy as np
import numpy.typing as npt
import pytest

from neurodeploy.errors import InputError
from neurodeploy.models.data import framing
from neurodeploy.models.data.clips import Shape
from neurodeploy.models.data.framing import Events, by_count, by_time, frames, in_order


def events(t: list[int], x: list[int] | None = None, y: list[int] | None = None, p: list[int] | None = None) -> Events:
    columns = (t, x or [0] * len(t), y or [0] * len(t), p or [0] * len(t))
    return Events(*(np.array(column, np.int64) for column in columns))


def drawn(number: int, height: int, width: int, seed: int = 0) -> Events:
    random = np.random.RandomState(seed)
    x, y, p = (random.randint(0, size, number) for size in (width, height, 2))
    return Events(np.sort(random.randint(0, 10**6, number)), x, y, p)


def dense(some: Events, sensor: tuple[int, int], shape: Shape, name: str = "count") -> npt.NDArray[np.uint8]:
    counts = frames(some, sensor, shape, name)
    assert (np.diff(counts.cells) > 0).all()
    made = np.zeros(int(np.prod(shape)), np.uint8)
    made[counts.cells] = counts.counts
    return made.reshape(shape)


def test_equal_counts_leave_the_rest_to_the_last_frame() -> None:
    assert by_count(events(list(range(11))), 4).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 3, 3, 3]
    assert by_count(events([1, 2]), 3).tolist() == [2, 2]


def test_equal_times_cut_from_the_first_event_to_the_last() -> None:
    assert by_time(events([100, 109, 110, 119, 120, 139]), 4).tolist() == [0, 0, 1, 1, 2, 3]
    assert by_time(events([5]), 4).tolist() == [0]
    assert by_time(events([]), 4).tolist() == []


def test_a_frame_counts_the_events_of_each_pixel_and_polarity() -> None:
    some = events([0, 1, 2, 3, 4], x=[1, 1, 0, 1, 1], y=[0, 0, 1, 0, 0], p=[1, 1, 0, 1, 0])
    made = dense(some, (2, 3), (2, 2, 2, 3))
    expected = np.zeros((2, 2, 2, 3), int)
    expected[0, 1, 0, 1] = 2
    expected[1, 0, 1, 0] = expected[1, 1, 0, 1] = expected[1, 0, 0, 1] = 1
    assert np.array_equal(made, expected)


@pytest.mark.parametrize("name", ["count", "time"])
@pytest.mark.parametrize("size", [(180, 240), (48, 48), (5, 7)])
def test_no_event_is_lost_whatever_the_size(name: str, size: tuple[int, int]) -> None:
    some = drawn(3001, 180, 240)
    made = dense(some, (180, 240), (7, 2, *size), name)
    steps = framing.FRAMING[name](some, 7)
    assert made.sum(axis=(1, 2, 3)).tolist() == np.bincount(steps, minlength=7).tolist()
    assert made.sum(axis=(0, 2, 3)).tolist() == np.bincount(some.p).tolist()


def test_a_smaller_frame_is_the_sum_over_blocks_of_the_larger() -> None:
    some = drawn(2000, 128, 128)
    full, small = (dense(some, (128, 128), (4, 2, size, size)) for size in (128, 32))
    assert np.array_equal(full.reshape(4, 2, 32, 4, 32, 4).sum(axis=(3, 5)), small)


def test_few_events_in_many_cells_are_counted_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    some = drawn(500, 20, 20)
    first = dense(some, (20, 20), (3, 2, 20, 20))
    monkeypatch.setattr(framing, "_CELLS_AN_EVENT", 0)
    assert np.array_equal(dense(some, (20, 20), (3, 2, 20, 20)), first)


def test_a_count_beyond_a_byte_stays_at_255() -> None:
    assert dense(events([0] * 300), (1, 1), (1, 2, 1, 1)).max() == 255


@pytest.mark.parametrize(("x", "y", "message"), [(3, 0, "x = 3"), (0, 2, "y = 2"), (-1, 0, "x = -1")])
def test_an_event_off_the_sensor_is_refused(x: int, y: int, message: str) -> None:
    with pytest.raises(InputError, match=f"has an event at {message} on a sensor of 3 x 2 pixels"):
        frames(events([0, 1], x=[0, x], y=[0, y]), (2, 3), (1, 2, 2, 3), "count")


def test_a_window_holds_its_beginning_and_not_its_end() -> None:
    some = events([1, 2, 2, 3, 5])
    assert some.between(2, 5).t.tolist() == [2, 2, 3]
    assert some.between(6, 9).t.tolist() == []
    assert some.between(4, 2).t.tolist() == []


def test_order_is_by_time_and_stable() -> None:
    some = in_order(events([3, 1, 3, 1], x=[0, 1, 2, 3]))
    assert some.x.tolist() == [1, 3, 0, 2]
