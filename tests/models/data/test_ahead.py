import threading
from collections.abc import Iterator

import pytest

from neurodeploy.models.data.ahead import ahead


def test_items_come_in_order_and_once() -> None:
    assert list(ahead(range(100))) == list(range(100))
    assert list(ahead([])) == []


def test_the_next_items_are_made_before_they_are_asked_for() -> None:
    made = threading.Semaphore(0)

    def items() -> Iterator[int]:
        for number in range(10):
            made.release()
            yield number

    batches = ahead(items(), depth=2)
    assert next(batches) == 0
    for _ in range(4):  # the one used, two that are ready and one that waits for a place
        assert made.acquire(timeout=10)
    assert not made.acquire(timeout=0.3)  # and no more than that
    batches.close()


def test_an_error_in_making_an_item_comes_out_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    batches = ahead(items())
    assert next(batches) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)
    with pytest.raises(StopIteration):
        next(batches)


def test_a_loop_that_is_left_early_ends_its_thread() -> None:
    before = set(threading.enumerate())
    for number in ahead(range(10**9)):
        if number == 3:
            break
    (thread,) = set(threading.enumerate()) - before or {threading.Thread()}
    if thread.ident is not None:
        thread.join(timeout=10)
    assert not thread.is_alive()
