"""Primitives across the sixteen threads of a vector, and their loads and stores: votes, shuffles, transposed sums.

Sums over lanes are butterflies in which both threads of a pair add the same two numbers, so every thread has the bits
that the CPU's tree of halves gives. They take them in one order: the larger of a number and NaN depends on it.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.np.arrayobj import make_array

from gradsim_core import lanes

from . import LANES
from .ptx import Lane, add, call, registry, unpack
from .vector_type import Lanes

_BIT, _WORD, _LONG = ir.IntType(1), ir.IntType(32), ir.IntType(64)
_WARP = 0x1F


def _thread(builder):
    return call(builder, "llvm.nvvm.read.ptx.sreg.tid.x", _WORD)


def _lane_number(builder):
    return builder.and_(_thread(builder), _WORD(LANES - 1))


def _first_thread(builder):
    """0 or 16: where in the warp this thread's vector begins."""
    return builder.and_(_thread(builder), _WORD(LANES))


def _members(builder):
    """The sixteen threads of this thread's vector as a mask of the warp."""
    return builder.shl(_WORD(0xFFFF), _first_thread(builder))


def _shuffle(builder, lane: Lane, kind: str, value, source):
    """The value of another thread of the vector, in words of 32 bits."""

    def word(w):
        name = f"llvm.nvvm.shfl.sync.{kind}.i32"
        return call(builder, name, _WORD, _members(builder), w, source, _WORD(_WARP))

    bits = builder.bitcast(value, ir.IntType(lane.bits))
    if lane.bits == 32:
        return builder.bitcast(word(bits), lane.element)
    low, high = word(builder.trunc(bits, _WORD)), word(builder.trunc(builder.lshr(bits, _LONG(32)), _WORD))
    both = builder.or_(builder.zext(low, _LONG), builder.shl(builder.zext(high, _LONG), _LONG(32)))
    return builder.bitcast(both, lane.element)


def _exchange(builder, lane: Lane, value, distance: int):
    """The value of the thread whose number differs in this one bit."""
    return _shuffle(builder, lane, "bfly", value, _WORD(distance))


@registry.lower(lanes.anywhere, Lanes)
def _lower_anywhere(context, builder, sig, args):
    first, *others = unpack(builder, sig.args[0], args[0])
    for one in others:
        first = builder.or_(first, one)
    found = call(builder, "llvm.nvvm.vote.any.sync", _BIT, _members(builder), first)
    return context.cast(builder, found, types.boolean, types.boolean)


def _has_bit(builder, distance: int):
    """Whether this thread's number in its vector has the bit."""
    return builder.icmp_signed("!=", builder.and_(_lane_number(builder), _WORD(distance)), _WORD(0))


def _lower_butterfly(function, combine):
    @registry.lower(function, Lanes)
    def _lower(context, builder, sig, args):
        lane, value = Lane(sig.args[0]), args[0]
        for distance in (8, 4, 2, 1):
            other, is_upper = _exchange(builder, lane, value, distance), _has_bit(builder, distance)
            lower, upper = builder.select(is_upper, other, value), builder.select(is_upper, value, other)
            value = combine(builder, lane, lower, upper)
        return value


_lower_butterfly(lanes.lane_sum, add)
_lower_butterfly(lanes.lane_max, lambda b, lane, x, y: b.select(b.fcmp_ordered(">", x, y), x, y))


def _fold(builder, lane: Lane, x, y, distance: int):
    """Two vectors, each folded at a distance: threads that have this bit get y's, the others x's."""
    has_bit = _has_bit(builder, distance)
    mine, other = builder.select(has_bit, y, x), builder.select(has_bit, x, y)
    return add(builder, lane, mine, _exchange(builder, lane, other, distance))


def _lower_fold_four(function, finish):
    @registry.lower(function, Lanes, Lanes, Lanes, Lanes)
    def _lower(context, builder, sig, args):
        return finish(builder, Lane(sig.args[0]), *args)


def _partial_sums(builder, lane: Lane, a, b, c, d):
    ac, bd = _fold(builder, lane, a, c, 8), _fold(builder, lane, b, d, 8)
    return _fold(builder, lane, ac, bd, 4)  # bit 8 chooses (a, b) or (c, d), bit 4 one of the two


def _column_sums(builder, lane: Lane, p, q, r, s):
    pr, qs = _fold(builder, lane, p, r, 2), _fold(builder, lane, q, s, 2)
    value = _fold(builder, lane, pr, qs, 1)  # thread 4 k + n has sum k of vector n; wanted is 4 n + k
    number = _lane_number(builder)
    source = builder.or_(builder.shl(builder.and_(number, _WORD(3)), _WORD(2)), builder.lshr(number, _WORD(2)))
    return _shuffle(builder, lane, "idx", value, builder.or_(_first_thread(builder), source))


_lower_fold_four(lanes.partial_sums, _partial_sums)
_lower_fold_four(lanes.column_sums, _column_sums)


@registry.lower(lanes.lane_words, types.intp)
def _lower_lane_words(context, builder, sig, args):
    return builder.zext(_lane_number(builder), _LONG)  # of even and odd lanes alike


def _lower_pack(function, shift: int):
    @registry.lower(function, Lanes, Lanes)
    def _lower(context, builder, sig, args):
        return builder.trunc(builder.lshr(args[0], _LONG(shift)), _WORD)


_lower_pack(lanes.pack_low, 0)
_lower_pack(lanes.pack_high, 32)


def _pointer(context, builder, array_type, array, index):
    base = make_array(array_type)(context, builder, array).data
    return builder.gep(base, [builder.add(index, builder.zext(_lane_number(builder), _LONG))])


@registry.lower(lanes.load, types.Array, types.intp)
def _lower_load(context, builder, sig, args):
    return builder.load(_pointer(context, builder, sig.args[0], *args))


@registry.lower(lanes.store, types.Array, types.intp, Lanes)
def _lower_store(context, builder, sig, args):
    builder.store(args[2], _pointer(context, builder, sig.args[0], *args[:2]))
    return context.get_dummy_value()


@registry.lower(lanes.transpose, types.Array, types.intp, types.Array, types.intp, types.intp)
def _lower_transpose(context, builder, sig, args):
    source, i, target, j, stride = args
    base = make_array(sig.args[2])(context, builder, target).data
    row = builder.add(j, builder.mul(stride, builder.zext(_lane_number(builder), _LONG)))
    for k in range(LANES):
        index = builder.add(i, _LONG(k * LANES))
        value = builder.load(_pointer(context, builder, sig.args[0], source, index))
        builder.store(value, builder.gep(base, [builder.add(row, _LONG(k))]))
    return context.get_dummy_value()


@registry.lower(lanes.prefetch, types.Array, types.intp)
def _lower_prefetch(context, builder, sig, args):
    return context.get_dummy_value()  # other threads work while this one waits


@registry.lower(lanes.synchronise)
def _lower_synchronise(context, builder, sig, args):
    call(builder, "llvm.nvvm.bar.warp.sync", ir.VoidType(), _members(builder))
    return context.get_dummy_value()
