"""How far the making of a dataset is, for whoever asked to be told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

#: Called with the name of what is made, how many of its items are done, and of how many.
OnMade = Callable[[str, int, int], None]

_listener: ContextVar[OnMade | None] = ContextVar("neurodeploy_making", default=None)


@contextmanager
def telling(on_made: OnMade) -> Iterator[None]:
    """Call ``on_made`` for every item that is made within the block, in this thread."""
    token = _listener.set(on_made)
    try:
        yield
    finally:
        _listener.reset(token)


def told(name: str, items: Iterable[T], of: int) -> Iterator[T]:
    """Yield ``items``, of which there are ``of``, and tell the listener of each when the next one is asked for."""
    on_made = _listener.get()
    for done, item in enumerate(items, 1):
        yield item
        if on_made is not None:
            on_made(name, done, of)
