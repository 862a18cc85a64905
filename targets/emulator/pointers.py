"""Bare pointers for the kernel: ``p[i]`` reads or writes without bounds, sign or reference count.

An array handed to a compiled function is counted in and out, two locked instructions that outweigh the spikes of a
small row; and each index might be negative, which costs a branch. To take dozens of arrays apart also takes a tenth of
a short run, so those that a kernel works on come as addresses. Whoever takes an address keeps its array alive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array


@intrinsic
def pointer(context, array):
    """Return a pointer to the first element of a contiguous array."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return make_array(signature.args[0])(target, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), code


def _pointing(kind: Any) -> Callable[..., Any]:
    """Return what turns an address into a pointer to elements of a type."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], target.get_value_type(signature.return_type))

    @intrinsic
    def at(context, place):
        """Return a pointer to what an address holds."""
        return types.CPointer(kind)(place), code

    return at


longs, ints, words, chars = (_pointing(kind) for kind in (types.int64, types.int32, types.int16, types.uint8))


@intrinsic
def beyond(context, start, number):
    """Return the pointer ``number`` elements further on."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return start(start, types.intp), code


@intrinsic
def address(context, start):
    """Return a pointer as a number."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ptrtoint(arguments[0], ir.IntType(64))

    return types.intp(start), code


def _exceeding(limit: int) -> Callable[..., Any]:
    """Return what finds elements that are more than a limit, those below 0 among them."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.VectorType(arguments[0].type.pointee, 64)
        values = builder.load(builder.bitcast(arguments[0], kind.as_pointer()), align=1)
        limits = ir.Constant(kind, [limit] * 64)
        return builder.bitcast(builder.icmp_unsigned(">", values, limits), ir.IntType(64))

    @intrinsic
    def bits(context, start):
        """Return which of the 64 elements from a pointer on are so, the first as the lowest bit of a uint64."""
        return types.uint64(start), code

    return bits


#: Which of 64 elements are not 0, and which are neither 0 nor 1.
nonzero, unusual = _exceeding(0), _exceeding(1)


@intrinsic
def lowest(context, bits):
    """Return the place of the lowest bit that is set in a uint64, 64 of 0."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), code


@intrinsic
def bits_set(context, bits):
    """Return how many bits are set in a uint64."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), code


@intrinsic
def stream_line(context, source, goal):
    """Copy 64 bytes to a goal that begins with a cache line, past the caches."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.VectorType(ir.IntType(8), 64).as_pointer()
        values = builder.load(builder.bitcast(arguments[0], kind), align=1)
        stored = builder.store(values, builder.bitcast(arguments[1], kind), align=64)
        stored.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        return target.get_dummy_value()

    return types.void(source, goal), code


@intrinsic
def acquire(context, start):
    """Return an int64, and see all that was written before it was released."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(arguments[0], "acquire", align=8)

    return types.int64(start), code


@intrinsic
def release(context, start, value):
    """Store an int64 for others to see, after all that was written before."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store_atomic(arguments[1], arguments[0], "release", align=8)
        return target.get_dummy_value()

    return types.void(start, types.int64), code


@intrinsic
def swap(context, start, old, new):
    """Store the new int64 where the old one is; return whether it was."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = builder.cmpxchg(arguments[0], arguments[1], arguments[2], "acq_rel", "acquire")
        return builder.extract_value(found, 1)

    return types.boolean(start, types.int64, types.int64), code


@intrinsic
def settle(context):
    """Wait until what went past the caches can be seen by all."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return target.get_dummy_value()

    return types.void(), code


@intrinsic
def store_eight(context, start, places, offset):
    """Store eight int32: the bytes of the uint64 ``places``, each plus an int32 offset."""

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.VectorType(ir.IntType(32), 8)
        first = builder.insert_element(ir.Constant(kind, ir.Undefined), arguments[2], ir.IntType(32)(0))
        offsets = builder.shuffle_vector(first, first, ir.Constant(kind, None))
        bytes_ = builder.bitcast(arguments[1], ir.VectorType(ir.IntType(8), 8))
        values = builder.add(builder.zext(bytes_, kind), offsets)
        builder.store(values, builder.bitcast(arguments[0], kind.as_pointer()), align=4)
        return target.get_dummy_value()

    return types.void(start, types.uint64, types.int32), code


@intrinsic
def store_marked(context, start, bits, offset):
    """Store an int32 offset plus the place of each of the 16 lowest bits that is set, in order; others after them.

    For processors with AVX-512 alone, which have an instruction for it.
    """

    def code(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, flags = ir.VectorType(ir.IntType(32), 16), ir.VectorType(ir.IntType(1), 16)
        name = "llvm.x86.avx512.mask.compress.v16i32"
        compress = builder.module.globals.get(name) or ir.Function(
            builder.module, ir.FunctionType(kind, [kind, kind, flags]), name
        )
        first = builder.insert_element(ir.Constant(kind, ir.Undefined), arguments[2], ir.IntType(32)(0))
        offsets = builder.shuffle_vector(first, first, ir.Constant(kind, None))
        places = builder.add(ir.Constant(kind, list(range(16))), offsets)
        mask = builder.bitcast(builder.trunc(arguments[1], ir.IntType(16)), flags)
        values = builder.call(compress, [places, ir.Constant(kind, None), mask])
        builder.store(values, builder.bitcast(arguments[0], kind.as_pointer()), align=4)
        return target.get_dummy_value()

    return types.void(start, types.uint64, types.int32), code
