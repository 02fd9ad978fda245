"""Loads, stores and prefetches of vectors in LLVM; importing this module registers them with Numba."""

from __future__ import annotations

import itertools

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.np.arrayobj import make_array

from gradsim_core import lanes

from . import LANES
from .vector_type import Lanes, align_stack


def _element_type(array) -> Lanes | None:
    dtype = array.dtype
    if isinstance(dtype, types.Float):
        return Lanes("float", dtype.bitwidth)
    return Lanes("int" if dtype.signed else "uint", dtype.bitwidth) if isinstance(dtype, types.Integer) else None


@infer_global(lanes.load)
class _Load(AbstractTemplate):
    def generic(self, args, kws):
        return signature(_element_type(args[0]), args[0], types.intp) if isinstance(args[0], types.Array) else None


@infer_global(lanes.store)
class _Store(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], types.Array) and args[2] == _element_type(args[0]):
            return signature(types.none, args[0], types.intp, args[2])
        return None


def _pointer(context, builder, array_type, array, index, lanes_type):
    align_stack(builder)
    base = make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(base, [index]), lanes_type.llvm.as_pointer())


@lower_builtin(lanes.load, types.Array, types.intp)
def _lower_load(context, builder, sig, args):
    pointer = _pointer(context, builder, sig.args[0], args[0], args[1], sig.return_type)
    return builder.load(pointer, align=sig.return_type.bits // 8)


@lower_builtin(lanes.store, types.Array, types.intp, Lanes)
def _lower_store(context, builder, sig, args):
    pointer = _pointer(context, builder, sig.args[0], args[0], args[1], sig.args[2])
    builder.store(args[2], pointer, align=sig.args[2].bits // 8)
    return context.get_dummy_value()


@infer_global(lanes.transpose)
class _Transpose(AbstractTemplate):
    def generic(self, args, kws):
        source, _, target, _, _ = args
        if isinstance(source, types.Array) and isinstance(target, types.Array) and source.dtype == target.dtype:
            return signature(types.none, source, types.intp, target, types.intp, types.intp)
        return None


@lower_builtin(lanes.transpose, types.Array, types.intp, types.Array, types.intp, types.intp)
def _lower_transpose(context, builder, sig, args):
    """Quarters of 8 x 8: a vector each of half the lanes, so that one quarter fits the registers."""
    source, i, target, j, stride = args
    half = Lanes(_element_type(sig.args[0]).kind, sig.args[0].dtype.bitwidth, LANES // 2)
    at = lambda k: ir.Constant(stride.type, k)  # noqa: E731
    for row, column in itertools.product((0, LANES // 2), repeat=2):
        pointers = [
            _pointer(context, builder, sig.args[0], source, builder.add(i, at((row + k) * LANES + column)), half)
            for k in range(LANES // 2)
        ]
        tile = _riffled(builder, [builder.load(each, align=half.bits // 8) for each in pointers])
        for k, value in enumerate(tile):
            place = builder.add(builder.add(j, at(row)), builder.mul(stride, at(column + k)))
            builder.store(value, _pointer(context, builder, sig.args[2], target, place, half), align=half.bits // 8)
    return context.get_dummy_value()


def _riffled(builder, tile: list) -> list:
    """The columns of a square tile: as often as its size can be halved, both halves of its rows are interleaved."""
    size = len(tile)
    ends = [(half * size // 2 + np.arange(size) // 2 + np.arange(size) % 2 * size).tolist() for half in (0, 1)]
    masks = [ir.Constant(ir.VectorType(ir.IntType(32), size), end) for end in ends]
    for _ in range(size.bit_length() - 1):
        pairs = zip(tile[: size // 2], tile[size // 2 :], strict=True)
        tile = [builder.shuffle_vector(a, b, mask) for a, b in pairs for mask in masks]
    return tile


@infer_global(lanes.prefetch)
class _Prefetch(AbstractTemplate):
    def generic(self, args, kws):
        return signature(types.none, args[0], types.intp) if isinstance(args[0], types.Array) else None


@lower_builtin(lanes.prefetch, types.Array, types.intp)
def _lower_prefetch(context, builder, sig, args):
    byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
    base = make_array(sig.args[0])(context, builder, args[0]).data
    fn_type = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
    fn = cgutils.get_or_insert_function(builder.module, fn_type, "llvm.prefetch.p0i8")
    flags = [ir.Constant(word, flag) for flag in (0, 3, 1)]  # for reading, into all levels of cache, data
    builder.call(fn, [builder.bitcast(builder.gep(base, [args[1]]), byte), *flags])
    return context.get_dummy_value()


@infer_global(lanes.synchronise)
class _Synchronise(AbstractTemplate):
    def generic(self, args, kws):
        return signature(types.none)


@lower_builtin(lanes.synchronise)
def _lower_synchronise(context, builder, sig, args):
    return context.get_dummy_value()
