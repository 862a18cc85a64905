from collections.abc import Iterator

import pytest

from neurodeploy.models.data.decoding import mapped

AHEAD = 6


class Counting:
    """Items that know how many of them were asked for."""

    def __init__(self, number: int) -> None:
        self.number, self.asked = number, 0

    def __iter__(self) -> Iterator[int]:
        for item in range(self.number):
            self.asked = item + 1
            yield item


def test_results_stand_in_the_order_of_the_items() -> None:
    assert list(mapped(lambda item: item * item, range(50), AHEAD)) == [item * item for item in range(50)]
    assert list(mapped(str, [], AHEAD)) == []
    assert list(mapped(str, [7])) == ["7"]


def test_no_more_items_are_taken_than_may_wait() -> None:
    items = Counting(1000)
    for index, result in enumerate(mapped(lambda item: item, items, AHEAD)):
        assert result == index
        assert items.asked <= index + AHEAD
        if index == 20:
            break
    assert items.asked < 30


def test_an_error_comes_in_its_place_and_ends_the_work() -> None:
    def work(item: int) -> int:
        if item == 5:
            raise ValueError("no fifth")
        return item

    items = Counting(1000)
    results = mapped(work, items, AHEAD)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="no fifth"):
        next(results)
    assert items.asked <= 5 + AHEAD
    assert list(results) == []
