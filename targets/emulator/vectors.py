"""The update of plain neurons that share their parameters, sixteen at a time, written as LLVM vectors.

Sums of 32 bits stand side by side. Those of 16 bits are lines of a map with margins between them, and are cleared.

The loop is the one of :mod:`neurodeploy.targets.emulator.updates`, which updates what is left beyond whole blocks. Left
to itself the compiler takes vectors of half the width that some processors have, and most of the loop is decays: a
conversion to doubles and back, or, where the processor multiplies words in pairs, half as many instructions. LLVM maps
these vectors to whatever there is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from neurodeploy.targets.emulator.jit import first_way

#: Neurons of a block, and what |u| and |v| have to be less than.
LANES, DECAYED = 16, 1 << 24

_INT, _LONG = ir.IntType(32), ir.IntType(64)
_INTS = ir.VectorType(_INT, LANES)
_DOUBLES = ir.VectorType(ir.DoubleType(), LANES)
_BYTES = ir.VectorType(ir.IntType(8), LANES)
_HIGH, _LOW, _RANGE = 1 << 23, -(1 << 23), 1 << 24

I32 = types.CPointer(types.int32)
_REST = (
    I32, I32, types.CPointer(types.uint8), types.intp, types.intp, types.intp,
    types.int32, types.int32, types.int32, types.int32, types.int32, types.CPointer(types.int64),
)  # fmt: skip
_SIGNATURES = {32: types.void(I32, *_REST), 16: types.void(types.CPointer(types.int16), *_REST)}


def _all(value: int) -> Any:
    return ir.Constant(_INTS, [value] * LANES)


def _splat(builder: Any, value: Any, kind: Any) -> Any:
    """Return a vector of one value."""
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _INT(0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_INT, LANES), None))


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.icmp_signed(">", a, b), a, b)


def _smaller(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def _largest(builder: Any, values: Any) -> Any:
    """Return the largest entry of a vector as a 64-bit number."""
    width = LANES
    while width > 1:
        width //= 2
        kind = ir.VectorType(_INT, width)
        halves = [ir.Constant(kind, list(range(at, at + width))) for at in (0, width)]
        low, high = (builder.shuffle_vector(values, values, half) for half in halves)
        values = _larger(builder, low, high)
    return builder.sext(builder.extract_element(values, _INT(0)), _LONG)


def _total(builder: Any, values: Any) -> Any:
    """Return the sum of a vector as a 64-bit number."""
    total = _LONG(0)
    for lane in range(LANES):
        total = builder.add(total, builder.sext(builder.extract_element(values, _INT(lane)), _LONG))
    return total


def _by_doubles(builder: Any, values: Any, keep: Any) -> Any:
    """Return ``values * keep / 4096`` cut toward zero: 24 and 13 bits make a product that a double holds."""
    wide = builder.sitofp(_splat(builder, keep, _INTS), _DOUBLES)
    shares = builder.fmul(wide, ir.Constant(_DOUBLES, [1 / 4096] * LANES))
    return builder.fptosi(builder.fmul(builder.sitofp(values, _DOUBLES), shares), _INTS)


def _by_pairs(product: str, lanes: int) -> Callable[..., Any]:
    """Return the same by an instruction that multiplies 16-bit words and adds them in pairs.

    ``x = 4096 h + l``; the product is ``h k + (l k >> 12)``, where for x < 0 both have to be cut upward: ``h + 1``,
    ``l - 4096`` and 4095 more before the shift. As h, which has 13 bits, is -1 in its upper word for x < 0 and 0 else,
    the pairs (h, -1) times (k, -k) and (l - 4096, -1) times (k, -4095) do that without looking at the sign.
    """

    def decayed(builder: Any, values: Any, keep: Any) -> Any:
        words, part = ir.VectorType(ir.IntType(16), 2 * lanes), ir.VectorType(_INT, lanes)
        multiply = builder.module.globals.get(product) or ir.Function(
            builder.module, ir.FunctionType(part, [words, words]), product
        )

        def pair(high: Any) -> Any:
            low = builder.and_(keep, _INT(0xFFFF))
            both = builder.or_(builder.shl(high, _INT(16)), low)
            return builder.bitcast(_splat(builder, both, _INTS), ir.VectorType(ir.IntType(16), 2 * LANES))

        def products(factors: Any, others: Any) -> Any:
            flat = builder.bitcast(factors, ir.VectorType(ir.IntType(16), 2 * LANES))
            parts = []
            for at in range(0, 2 * LANES, 2 * lanes):
                cut = ir.Constant(ir.VectorType(_INT, 2 * lanes), list(range(at, at + 2 * lanes)))
                parts.append(builder.call(multiply, [builder.shuffle_vector(x, x, cut) for x in (flat, others)]))
            return (
                parts[0] if len(parts) == 1 else builder.shuffle_vector(*parts, ir.Constant(_INTS, list(range(LANES))))
            )

        high = builder.ashr(values, _all(12))
        low = builder.or_(builder.and_(values, _all(4095)), builder.and_(high, _all(-4096)))
        rest = builder.ashr(products(low, pair(_INT(-4095))), _all(12))
        return builder.add(products(high, pair(builder.neg(keep))), rest)

    return decayed


#: Feature of a processor -> how a decay is computed there; the first that it has.
WAYS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("+avx512bw", _by_pairs("llvm.x86.avx512.pmaddw.d.512", 16)),
    ("+avx2", _by_pairs("llvm.x86.avx2.pmadd.wd", 8)),
    ("", _by_doubles),
)


def _wrapped(builder: Any, raw: Any) -> tuple[Any, Any]:
    """Return the current after its wrap and 1 where it did."""
    above, below = builder.icmp_signed(">", raw, _all(_HIGH)), builder.icmp_signed("<=", raw, _all(_LOW))
    current = builder.select(above, builder.sub(raw, _all(_RANGE)), raw)
    current = builder.select(below, builder.add(raw, _all(_RANGE)), current)
    return current, builder.zext(builder.or_(above, below), _INTS)


def updater(decayed: Callable[..., Any], *, inside: bool, bits: int = 32) -> Callable[..., Any]:
    """Return the update of whole blocks from sums of 32 or 16 bits; ``inside`` where nothing can wrap or saturate."""
    sums = ir.VectorType(ir.IntType(bits), LANES)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, u, v, s, lines, blocks, pitch, shift, keep_u, keep_v, threshold, bias, found = arguments
        shifts, limit, biases = (_splat(builder, x, _INTS) for x in (shift, threshold, bias))
        names = ("peak", "low", "wraps", "clips")
        kept = {name: cgutils.alloca_once_value(builder, ir.Constant(_INTS, None)) for name in names}

        def keep(name: str, change: Callable[..., Any], values: Any) -> None:
            builder.store(change(builder, builder.load(kept[name]), values), kept[name])

        def add(_: Any, x: Any, y: Any) -> Any:
            return builder.add(x, y)

        def arrived(place: Any) -> Any:
            pointer = builder.bitcast(builder.gep(a, [place]), sums.as_pointer())
            values = builder.load(pointer, align=bits // 8)
            if bits == 32:
                return values
            builder.store(ir.Constant(sums, None), pointer, align=bits // 8)
            return builder.sext(values, _INTS)

        with cgutils.for_range(builder, lines) as line, cgutils.for_range(builder, blocks) as loop:
            inner = builder.mul(loop.index, loop.index.type(LANES))
            cell = builder.add(inner, builder.mul(line.index, builder.mul(blocks, blocks.type(LANES))))
            at = [builder.bitcast(builder.gep(p, [cell]), _INTS.as_pointer()) for p in (u, v)]
            arriving = arrived(builder.add(inner, builder.mul(line.index, pitch)))
            current, held = (builder.load(p, align=4) for p in at)
            current = builder.add(decayed(builder, current, keep_u), builder.shl(arriving, shifts))
            if not inside:
                current, turned = _wrapped(builder, current)
                keep("wraps", add, turned)
            free = builder.add(builder.add(decayed(builder, held, keep_v), current), biases)
            held = free
            if not inside:
                held = _larger(builder, _smaller(builder, free, _all(_HIGH - 1)), _all(_LOW + 1))
                keep("clips", add, builder.zext(builder.icmp_signed("!=", held, free), _INTS))
            fired = builder.icmp_signed(">", held, limit)
            keep("peak", _larger, _larger(builder, current, builder.sub(_all(0), current)))
            keep("low", _smaller, held)
            builder.store(current, at[0], align=4)
            builder.store(builder.select(fired, _all(0), held), at[1], align=4)
            flags = builder.bitcast(builder.gep(s, [cell]), _BYTES.as_pointer())
            builder.store(builder.zext(fired, _BYTES), flags, align=1)
        ends = [builder.load(kept[name]) for name in names]
        results = [_largest(builder, ends[0]), _largest(builder, builder.sub(_all(0), ends[1]))]
        results += [_LONG(0), _LONG(0)] if inside else [_total(builder, end) for end in ends[2:]]
        for nth, result in enumerate(results):
            builder.store(result, builder.gep(found, [_LONG(nth)]))
        return context.get_dummy_value()

    @intrinsic
    def update(context, a, u, v, s, lines, blocks, pitch, shift, keep_u, keep_v, threshold, bias, found):
        """Update ``lines`` lines of ``blocks`` blocks, whose sums begin ``pitch`` cells apart.

        Store peak |u|, -(lowest v), wraps and clips from ``found`` on.
        """
        return _SIGNATURES[bits], code

    return update


_decayed = first_way(WAYS)
update_blocks_inside, update_blocks_uniform = updater(_decayed, inside=True), updater(_decayed, inside=False)
update_words_inside = updater(_decayed, inside=True, bits=16)
update_words_uniform = updater(_decayed, inside=False, bits=16)
