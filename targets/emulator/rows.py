"""Sums of weight rows, held in vector registers while the events of one step go by.

A row of int8 weights is packed into 16-bit words (:mod:`neurodeploy.targets.emulator.packing`): word j of a block of B
cells is ``256 * w[j + B/2] + (w[j] + 128)``. Two running sums, of the words and of the words shifted right by eight,
then give both halves of the block at the price of one load, one shift and two additions per word:
the high bytes add up to the second sum, and the low ones to the first less 256 times the second and 128 per event. All
of it may wrap, for the answers of at most :data:`RUN` events fit 16 bits; each such run is added to the 32-bit goal.

The loops are written as LLVM vectors, because their sums must stay in registers and numba would keep them in memory.
LLVM maps a vector of any length to what the processor has. Addresses travel as integers: a NumPy slice handed to a
function costs more than the events of a small row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from neurodeploy.targets.emulator.jit import njit
from neurodeploy.targets.emulator.packing import WORDS

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": False}

#: Events whose sums fit 16 bits: 255 * 128 < 2^15.
RUN = 255
#: Cells of the blocks that a row is cut into, widest first; a row is padded to a multiple of the last.
BLOCKS = (128, 64, 32, 16)

_WORD, _INT = ir.IntType(16), ir.IntType(32)


def _load(builder: Any, address: Any, kind: Any) -> Any:
    return builder.load(builder.inttoptr(address, kind.as_pointer()), align=kind.element.width // 8)


def _splat(kind: Any, value: int) -> Any:
    return ir.Constant(kind, [value] * kind.count)


def _add_to(builder: Any, address: Any, values: Any) -> None:
    """Add a vector to the cells at an address."""
    pointer, align = builder.inttoptr(address, values.type.as_pointer()), values.type.element.width // 8
    builder.store(builder.add(builder.load(pointer, align=align), values), pointer, align=align)


def _add_halves(builder: Any, goal: Any, cell: Any, low: Any, high: Any) -> None:
    """Add the sums of a block's first and second half, words, to its cells of a type."""
    kind = ir.VectorType(cell, low.type.count)
    widened = [half if cell is _WORD else builder.sext(half, kind) for half in (low, high)]
    _add_to(builder, goal, widened[0])
    _add_to(builder, builder.add(goal, goal.type(cell.width // 8 * kind.count)), widened[1])


def _adder(block: int, cell: Any) -> Callable[..., Any]:
    """Return what adds the rows of a list of events, all in one block of cells of a type."""
    kind = ir.VectorType(_WORD, block // 2)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        goal, rows, events, number = arguments
        total, highs = (cgutils.alloca_once_value(builder, _splat(kind, 0)) for _ in range(2))
        with cgutils.for_range(builder, number) as loop:
            at = builder.add(events, builder.mul(loop.index, events.type(4)))
            event = builder.sext(builder.load(builder.inttoptr(at, _INT.as_pointer()), align=4), rows.type)
            words = _load(builder, builder.add(rows, builder.mul(event, rows.type(block))), kind)
            builder.store(builder.add(builder.load(total), words), total)
            builder.store(builder.add(builder.load(highs), builder.ashr(words, _splat(kind, 8))), highs)
        high = builder.load(highs)
        offset = builder.trunc(builder.mul(number, number.type(128)), _WORD)
        first = builder.insert_element(ir.Constant(kind, ir.Undefined), offset, _INT(0))
        offsets = builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_INT, kind.count), None))
        low = builder.sub(builder.sub(builder.load(total), builder.shl(high, _splat(kind, 8))), offsets)
        _add_halves(builder, goal, cell, low, high)
        return context.get_dummy_value()

    @intrinsic
    def add(context, goal, rows, events, number):
        """Add ``rows + block * event`` for ``number`` <= RUN int32 events to the goal; all are addresses."""
        return types.void(types.intp, types.intp, types.intp, types.intp), code

    return add


def _times(block: int) -> Callable[..., Any]:
    """Return what adds one packed row, payload times, in one block of cells."""
    kind, wide = ir.VectorType(_WORD, block // 2), ir.VectorType(_INT, block // 2)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        goal, row, payload = arguments
        words = _load(builder, row, kind)
        low = builder.sub(builder.and_(words, _splat(kind, 255)), _splat(kind, 128))
        first = builder.insert_element(ir.Constant(wide, ir.Undefined), payload, _INT(0))
        factor = builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_INT, wide.count), None))
        high = builder.ashr(words, _splat(kind, 8))
        for half, cells in ((0, low), (1, high)):
            place = builder.add(goal, goal.type(2 * block * half))
            _add_to(builder, place, builder.mul(builder.sext(cells, wide), factor))
        return context.get_dummy_value()

    @intrinsic
    def add(context, goal, row, payload):
        """Add the row, ``payload`` (int32) times, to the int32 goal; both are addresses."""
        return types.void(types.intp, types.intp, types.int32), code

    return add


def _short(block: int) -> Callable[..., Any]:
    """Return what adds one 16-bit row in one block of 16-bit cells."""
    kind = ir.VectorType(_WORD, block)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _add_to(builder, arguments[0], _load(builder, arguments[1], kind))
        return context.get_dummy_value()

    @intrinsic
    def add(context, goal, row):
        """Add the row to the goal; both are addresses."""
        return types.void(types.intp, types.intp), code

    return add


def _words(number: int) -> Callable[..., Any]:
    """Return what adds a 16-bit row of ``number`` cache lines to 16-bit cells."""
    kind = ir.VectorType(_WORD, WORDS)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for at in range(0, 64 * number, 64):
            goal, row = (builder.add(start, start.type(at)) for start in arguments)
            _add_to(builder, goal, _load(builder, row, kind))
        return context.get_dummy_value()

    @intrinsic
    def add(context, goal, row):
        """Add the row to the goal; both are addresses."""
        return types.void(types.intp, types.intp), code

    return add


#: What adds rows of 1 to 4 cache lines.
add_lines = tuple(_words(number) for number in range(1, 5))
_rows_128, _rows_64, _rows_32, _rows_16 = (_adder(block, _INT) for block in BLOCKS)
_words_128, _words_64, _words_32, _words_16 = (_adder(block, _WORD) for block in BLOCKS)
_times_128, _times_64, _times_32, _times_16 = (_times(block) for block in BLOCKS)
_short_128, _short_64, _short_32, _short_16 = (_short(block) for block in BLOCKS)


@njit(inline="always")
def add_rows(goal, weights, rows, length, events, number, base):
    """Add the rows ``event - base`` of a packed table to the goal.

    goal, weights, events are addresses of int32 cells, of the table and of int32 events; the table has ``rows`` rows
    of ``length`` cells, a multiple of 16. The goal has room for all of them.
    """
    for begin in range(0, number, RUN):
        some, run = events + 4 * begin, min(RUN, number - begin)
        at = 0
        while at + 128 <= length:
            _rows_128(goal + 4 * at, weights + at * rows - 128 * base, some, run)
            at += 128
        if length & 64:
            _rows_64(goal + 4 * at, weights + at * rows - 64 * base, some, run)
            at += 64
        if length & 32:
            _rows_32(goal + 4 * at, weights + at * rows - 32 * base, some, run)
            at += 32
        if length & 16:
            _rows_16(goal + 4 * at, weights + at * rows - 16 * base, some, run)


@njit(inline="always")
def add_rows_short(goal, weights, rows, length, events, number, base):
    """As :func:`add_rows` for a goal of int16 cells, which hold the sums."""
    for begin in range(0, number, RUN):
        some, run = events + 4 * begin, min(RUN, number - begin)
        at = 0
        while at + 128 <= length:
            _words_128(goal + 2 * at, weights + at * rows - 128 * base, some, run)
            at += 128
        if length & 64:
            _words_64(goal + 2 * at, weights + at * rows - 64 * base, some, run)
            at += 64
        if length & 32:
            _words_32(goal + 2 * at, weights + at * rows - 32 * base, some, run)
            at += 32
        if length & 16:
            _words_16(goal + 2 * at, weights + at * rows - 16 * base, some, run)


@njit(inline="always")
def add_row_times(goal, weights, rows, length, row, payload):
    """Add one row of a packed table, ``payload`` times, to the goal; parameters as of :func:`add_rows`."""
    at = 0
    while at + 128 <= length:
        _times_128(goal + 4 * at, weights + at * rows + 128 * row, np.int32(payload))
        at += 128
    if length & 64:
        _times_64(goal + 4 * at, weights + at * rows + 64 * row, np.int32(payload))
        at += 64
    if length & 32:
        _times_32(goal + 4 * at, weights + at * rows + 32 * row, np.int32(payload))
        at += 32
    if length & 16:
        _times_16(goal + 4 * at, weights + at * rows + 16 * row, np.int32(payload))


@njit(inline="always")
def add_row_short(goal, row, length):
    """Add ``length`` 16-bit weights, a multiple of 16, to a goal of int16 cells; both are addresses."""
    at = 0
    while at + 128 <= length:
        _short_128(goal + 2 * at, row + 2 * at)
        at += 128
    if length & 64:
        _short_64(goal + 2 * at, row + 2 * at)
        at += 64
    if length & 32:
        _short_32(goal + 2 * at, row + 2 * at)
        at += 32
    if length & 16:
        _short_16(goal + 2 * at, row + 2 * at)
