"""Sixteen-lane vectors: the few primitive operations that every formula of the core is written in.

Each function here is the *meaning* of an operation, in NumPy, on arrays of any shape: that is what the
interpreter and the theory use. `llvm` and `llvm_memory` give the same names a second body, LLVM vectors of 16 lanes,
for compiled kernels. Formulas written over these names and the ordinary operators therefore serve float32,
float64, the interpreter and the vector unit from one text, and their bits cannot depend on what an
auto-vectoriser makes of a loop.

The one difference: `fma` rounds once when compiled and twice here.
"""

from __future__ import annotations

import numpy as np

LANES = 16


def fma(a, b, c):
    """a * b + c."""
    return a * b + c


def horner(x, coefficients):
    """Polynomial c[0] + c[1] x + ... by Horner's rule, one fma per coefficient."""
    value = x * 0 + coefficients[-1]
    for c in coefficients[-2::-1]:
        value = fma(value, x, c)
    return value


def sqrt(x):
    """Square root."""
    return np.sqrt(x)


def absolute(x):
    """|x|."""
    return np.abs(x)


def copysign(x, sign):
    """|x| with the sign bit of `sign`."""
    return np.copysign(x, sign)


def rint(x):
    """Nearest integer, ties to even, as a float."""
    return np.rint(x)


def select(condition, a, b):
    """a where the condition holds, else b; Python numbers take the precision of the other side."""
    return np.where(condition, a, b)


def float_bits(x):
    """The bits of a float as a signed integer of the same size."""
    return np.asarray(x).view(np.int32 if np.asarray(x).dtype == np.float32 else np.int64)


def bits_float(i):
    """The float whose bits these are."""
    return np.asarray(i).view(np.float32 if np.asarray(i).dtype == np.int32 else np.float64)


def to_int(x):
    """A float of integer value as a signed integer of the same size."""
    return np.asarray(x).astype(np.int32 if np.asarray(x).dtype == np.float32 else np.int64)


def to_float(i, like):
    """Signed integers as floats of the precision of `like`, rounded to nearest."""
    return np.asarray(i).astype(np.asarray(like).dtype)


def convert(x, like):
    """Floats in the precision of `like`, rounded to nearest."""
    return np.asarray(x).astype(np.asarray(like).dtype)


def lane_count(x):
    """How many lanes there are."""
    return len(x)


def lane_get(x, i):
    """Lane i as a scalar."""
    return x[i]


def lane_set(x, i, value):
    """A copy of x with another value in lane i."""
    x = x.copy()
    x[i] = value
    return x


def splat(like, value):
    """`value` in every lane, of the type of `like`."""
    return np.full_like(like, value)


def _interleave(even, odd):
    words = np.empty(2 * len(even), np.uint32)
    words[0::2], words[1::2] = even.astype(np.uint32), odd.astype(np.uint32)
    return words.view(np.int32)


def pack_low(even, odd):
    """The low words of uint64 of even lanes and of odd ones, as signed int32 in lane order."""
    return _interleave(even, odd)


def pack_high(even, odd):
    """The high words likewise."""
    return _interleave(even >> np.uint64(32), odd >> np.uint64(32))


def lane_words(half):
    """The numbers of the even (half 0) or odd (half 1) lanes, as uint64."""
    return np.arange(half, LANES, 2, np.uint64)


def join(a, b):
    """Two vectors as one of twice the lanes: two chains of operations, which the processor overlaps."""
    return np.concatenate([a, b])


def halves(x):
    """The two vectors that `join` joined."""
    return x[: len(x) // 2], x[len(x) // 2 :]


def load(array, i):
    """Lanes i .. i+15 of a one-dimensional array."""
    return array[i : i + LANES].copy()


def store(array, i, value):
    """Write a vector to lanes i .. i+15 of a one-dimensional array."""
    array[i : i + LANES] = value


def prefetch(array, i):
    """Ask for the cache line of element i, which is needed soon; it may lie outside."""


def lane_sum(x):
    """Sum over lanes, as a fixed tree: halves are added until one lane is left."""
    while len(x) > 1:
        x = x[: len(x) // 2] + x[len(x) // 2 :]
    return x[0]


def _fold(x, groups):
    """The halves of each group of lanes added, and the halves of that."""
    for _ in range(2):
        low, high = np.split(x.reshape(groups, -1), 2, axis=1)
        x = low + high
    return x.ravel()


def partial_sums(a, b, c, d):
    """Of each of four vectors, the four lanes that remain after two steps of `lane_sum`, one after the other."""
    return np.concatenate([_fold(x, 1) for x in (a, b, c, d)])


def column_sums(p, q, r, s):
    """`lane_sum` of the sixteen vectors that four `partial_sums` hold."""
    return np.concatenate([_fold(x, 4) for x in (p, q, r, s)])


def anywhere(condition):
    """Whether a condition holds in some lane."""
    return bool(np.any(condition))


def lane_max(x):
    """Largest lane."""
    return x.max()


def aligned(size, dtype):
    """Zeros that start on a cache line, so that no vector straddles two."""
    line, dtype = 64, np.dtype(dtype)
    raw = np.zeros(size * dtype.itemsize + line, np.uint8)
    start = -raw.ctypes.data % line
    return raw[start : start + size * dtype.itemsize].view(dtype)
