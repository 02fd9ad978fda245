"""What each PTX instruction computes, on one number a thread, rounded as PTX defines it (PTX ISA 8.7)."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types, vectorize
from numba.core import cgutils
from numba.extending import intrinsic

TYPES = {
    "f32": np.float32, "f64": np.float64, "pred": np.bool_,
    **{f"{letter}{bits}": np.dtype(f"{'i' if letter == 's' else 'u'}{bits // 8}").type
       for letter in "sub" for bits in (8, 16, 32, 64)},
}  # fmt: skip
FLOATS = (np.float32, np.float64)


@intrinsic
def _fused(context, a, b, c):
    def build(context, builder, sig, args):
        kind = ir.FunctionType(args[0].type, [args[0].type] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.f{sig.args[0].bitwidth}")
        return builder.call(function, args)

    return a(a, b, c), build


@vectorize([types.float32(*[types.float32] * 3), types.float64(*[types.float64] * 3)])
def fused(a, b, c):
    """a b + c, rounded once."""
    return _fused(a, b, c)


def _wide(dtype):
    return np.dtype(f"{np.dtype(dtype).kind}{2 * np.dtype(dtype).itemsize}").type


def _high_half(a, b):
    """The upper half of a product; of 64-bit numbers from those of their halves."""
    if a.dtype.itemsize == 4:
        return ((a.astype(_wide(a.dtype)) * b.astype(_wide(a.dtype))) >> 32).astype(a.dtype)
    if a.dtype.kind == "i":
        unsigned = _high_half(a.view(np.uint64), b.view(np.uint64)).view(np.int64)
        return unsigned - np.where(a < 0, b, 0) - np.where(b < 0, a, 0)
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    a0, a1, b0, b1 = a & low, a >> shift, b & low, b >> shift
    middle = a1 * b0 + ((a0 * b0) >> shift)
    other = a0 * b1 + (middle & low)
    return a1 * b1 + (middle >> shift) + (other >> shift)


def _product(form, dtype):
    if form == "hi":
        return _high_half
    if form == "wide":
        return lambda a, b: a.astype(_wide(dtype)) * b.astype(_wide(dtype))
    return np.multiply


def _shift(direction, dtype):
    bits = 8 * np.dtype(dtype).itemsize

    def shift(x, count):
        beyond, inside = count >= bits, np.minimum(count, bits - 1).astype(dtype)
        if direction == "shl":
            return np.where(beyond, dtype(0), np.left_shift(x, inside))
        filled = np.right_shift(x, dtype(bits - 1)) if np.dtype(dtype).kind == "i" else dtype(0)
        return np.where(beyond, filled, np.right_shift(x, inside))

    return shift


COMPARISONS = {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
}  # fmt: skip


def _compare(name, dtype):
    """A comparison; with a trailing u it holds where either is NaN, without one it does not."""
    if dtype not in FLOATS:
        signed = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
        return COMPARISONS[signed.get(name, name)]
    nan = lambda a, b: np.isnan(a) | np.isnan(b)  # noqa: E731
    if name in ("num", "nan"):
        return nan if name == "nan" else lambda a, b: ~nan(a, b)
    if name.endswith("u"):
        return lambda a, b: COMPARISONS[name[:-1]](a, b) | nan(a, b)
    return lambda a, b: COMPARISONS[name](a, b) & ~nan(a, b)


ROUNDINGS = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def _convert(mode, target, source):
    if source in FLOATS and target not in FLOATS:  # saturates; NaN is 0
        limits = np.iinfo(target)

        def to_integer(x):
            whole = ROUNDINGS[mode](x)
            inside = (whole >= float(limits.min)) & (whole < float(limits.max))
            value = np.where(inside, whole, 0).astype(target)
            value = np.where(whole >= float(limits.max), target(limits.max), value)
            return np.where(whole < float(limits.min), target(limits.min), value)

        return to_integer
    if mode in ROUNDINGS:
        return lambda x: ROUNDINGS[mode](x).astype(target)
    return lambda x: x.astype(target)


def _insert_bits(a, b, start, count):
    one = b.dtype.type(1)
    mask = ((one << count.astype(b.dtype)) - one) << start.astype(b.dtype)
    return (b & ~mask) | ((a << start.astype(b.dtype)) & mask)


def _extract_bits(x, start, count):
    if x.dtype.kind == "i":  # the field's highest bit is its sign
        bits = 8 * x.dtype.itemsize
        assert ((count > 0) & (start + count <= bits)).all()
        return (x << (bits - start - count).astype(x.dtype)) >> (bits - count).astype(x.dtype)
    one = x.dtype.type(1)
    return (x >> start.astype(x.dtype)) & ((one << count.astype(x.dtype)) - one)


_ONES = np.array([i.bit_count() for i in range(256)], np.uint32)


def _count_ones(x):
    return _ONES[np.ascontiguousarray(x).view(np.uint8).reshape(len(x), -1)].sum(axis=1, dtype=np.uint32)


def _leading_zeros(x):
    bits = 8 * x.dtype.itemsize
    for step in (1, 2, 4, 8, 16, 32):
        if step < bits:
            x = x | x >> x.dtype.type(step)
    return np.uint32(bits) - _count_ones(x)


def _minimum(dtype):
    return np.fmin if dtype in FLOATS else np.minimum


def _maximum(dtype):
    return np.fmax if dtype in FLOATS else np.maximum


_U32 = np.uint32
# name: (type of the instruction, its other parts) -> (function, types of the operands, type of the result)
_PLAIN = {
    "neg": (1, np.negative), "abs": (1, np.abs), "not": (1, np.invert), "sqrt": (1, np.sqrt),
    "rcp": (1, lambda x: x.dtype.type(1) / x), "fma": (3, fused),
    "add": (2, np.add), "sub": (2, np.subtract), "rem": (2, np.fmod),
    "and": (2, np.bitwise_and), "or": (2, np.bitwise_or), "xor": (2, np.bitwise_xor),
}  # fmt: skip


def meaning(name: str, parts: list[str]):
    """The function of an instruction, the types of its operands and of its result; None if it is no computation.

    Parameters
    ----------
    name : str
        What comes before the first point.
    parts : list of str
        What comes between points after it.
    """
    dtype = TYPES.get(parts[-1]) if parts else None
    if name in _PLAIN:
        count, function = _PLAIN[name]
        return function, [dtype] * count, dtype
    if name in ("min", "max"):
        return (_minimum if name == "min" else _maximum)(dtype), [dtype] * 2, dtype
    if name == "div":
        return (np.divide if dtype in FLOATS else _divide), [dtype] * 2, dtype
    if name == "copysign":
        return (lambda sign, x: np.copysign(x, sign)), [dtype] * 2, dtype
    if name in ("mul", "mad"):
        form = parts[0] if parts[0] in ("lo", "hi", "wide") else "lo"
        product, result = _product(form, dtype), _wide(dtype) if form == "wide" else dtype
        if name == "mul":
            return product, [dtype] * 2, result
        return (lambda a, b, c: product(a, b) + c), [dtype, dtype, result], result
    if name in ("shl", "shr"):
        return _shift(name, dtype), [dtype, _U32], dtype
    if name == "setp":
        return _compare(parts[0], dtype), [dtype] * 2, np.bool_
    if name == "selp":
        return (lambda a, b, p: np.where(p, a, b)), [dtype, dtype, np.bool_], dtype
    if name == "cvt":
        target, source = TYPES[parts[-2]], TYPES[parts[-1]]
        return _convert(parts[0], target, source), [source], target
    if name in ("bfi", "bfe"):
        function = _insert_bits if name == "bfi" else _extract_bits
        return function, [dtype] * (2 if name == "bfi" else 1) + [_U32, _U32], dtype
    if name in ("clz", "popc"):
        return (_leading_zeros if name == "clz" else _count_ones), [dtype], _U32
    return None


def _divide(a, b):
    """Integer division towards zero."""
    quotient = a // b
    return quotient + ((quotient < 0) & (quotient * b != a)).astype(a.dtype)
