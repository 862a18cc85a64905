"""numba's njit with a disk cache that also notices changes in the files that a kernel calls.

numba keys its cache by the file of the compiled function alone; what that function calls in another file is compiled
into it, and a change there would go unnoticed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache

T = TypeVar("T")

# All of them: what a kernel reads from a table is also said by files that compile nothing.
_SOURCES = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
_STAMP = hashlib.sha256(b"".join(_SOURCES)).hexdigest()


class _StampedCache(FunctionCache):
    """A cache of one function whose entries hold only for these sources of this folder."""

    def _index_key(self, sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(sig, codegen), _STAMP)  # type: ignore[no-untyped-call]


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return numba's decorator of these options."""

    def compile_late(function: Callable[..., Any]) -> Any:
        dispatcher = numba.njit(**options)(function)
        if options.get("cache"):
            dispatcher._cache = _StampedCache(function)  # type: ignore[no-untyped-call]
        return dispatcher

    return compile_late


def processor_features() -> list[str]:
    """Return the features of the processor that code is made for, such as ``+avx2``; numba keys its cache by them."""
    from numba.core.registry import cpu_target

    return str(cpu_target.target_context.codegen().magic_tuple()[2]).split(",")


def first_way(ways: Sequence[tuple[str, T]]) -> T:
    """Return the first of some ways, (feature, way), whose feature the processor has; "" is one that all have."""
    has = {"", *processor_features()}
    return next(way for feature, way in ways if feature in has)
