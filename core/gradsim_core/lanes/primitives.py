"""The primitive operations on vectors of sixteen lanes, in which every formula of the core is written.

The functions here define each operation in NumPy, on arrays of any shape; the interpreter and the theory use them.
`llvm` and `llvm_memory` give the same names a second body for compiled kernels, on LLVM vectors of 16 lanes. So one
text, written in these names and the ordinary operators, serves float32, float64, the interpreter and compiled kernels,
and its bits do not depend on how an auto-vectoriser treats a loop.

The only difference is `fma`, which rounds once when compiled and twice here.
"""

from __future__ import annotations

import itertools

import numpy as np

LANES = 16
LINE, PAGE = 64, 4096  # bytes

_arrays = itertools.count()


def fma(a, b, c):
    """a * b + c; rounded once when compiled."""
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
    """a where the condition holds, else b; a Python number takes the precision of the other operand."""
    return np.where(condition, a, b)


def float_bits(x):
    """The bits of a float as a signed integer of the same size."""
    return np.asarray(x).view(np.int32 if np.asarray(x).dtype == np.float32 else np.int64)


def bits_float(i):
    """The float whose bits are the signed integer i of the same size."""
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
    """Number of lanes."""
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
    """The low 32 bits of uint64 vectors of even and of odd lanes, as one int32 vector in lane order."""
    return _interleave(even, odd)


def pack_high(even, odd):
    """The high 32 bits likewise."""
    return _interleave(even >> np.uint64(32), odd >> np.uint64(32))


def lane_words(half):
    """The lane numbers 0, 2, .. (half 0) or 1, 3, .. (half 1), as a uint64 vector."""
    return np.arange(half, LANES, 2, np.uint64)


def join(a, b):
    """Two vectors as one with twice the lanes, so that the processor overlaps their two chains of operations."""
    return np.concatenate([a, b])


def halves(x):
    """The two vectors that `join` joined."""
    return x[: len(x) // 2], x[len(x) // 2 :]


def load(array, i):
    """A vector of the elements i .. i + 15 of a one-dimensional array."""
    return array[i : i + LANES].copy()


def store(array, i, value):
    """Write a vector to the elements i .. i + 15 of a one-dimensional array."""
    array[i : i + LANES] = value


def transpose(source, i, target, j, stride):
    """Copy sixteen vectors, from source[i] on, as columns: row n begins at element j + n stride of `target`.

    Parameters
    ----------
    source, target : arrays of one dtype
        The target may have any shape, and is counted flat.
    i, j, stride : int
    """
    tile, flat = source[i : i + LANES * LANES].reshape(LANES, LANES), target.reshape(-1)
    for n in range(LANES):
        flat[j + n * stride : j + n * stride + LANES] = tile[:, n]


def prefetch(array, i):
    """Fetch the cache line of element i into the cache; i may lie outside the array."""


def synchronise():
    """Wait for the other lanes: what each has stored as a plain number, all read after.

    Lanes are threads on a GPU. Text in which a lane reads what another one wrote calls this in between; elsewhere it is
    nothing.
    """


def lane_sum(x):
    """Sum over lanes in a fixed order: the halves of the vector are added until one lane is left."""
    while len(x) > 1:
        x = x[: len(x) // 2] + x[len(x) // 2 :]
    return x[0]


def _fold(x, groups):
    """Split x into `groups` equal parts; add the two halves of each, then the two halves of the sums."""
    for _ in range(2):
        low, high = np.split(x.reshape(groups, -1), 2, axis=1)
        x = low + high
    return x.ravel()


def partial_sums(a, b, c, d):
    """For each of four vectors the four lanes that remain after two steps of `lane_sum`, concatenated."""
    return np.concatenate([_fold(x, 1) for x in (a, b, c, d)])


def column_sums(p, q, r, s):
    """A vector of sixteen `lane_sum`s, from four results of `partial_sums`."""
    return np.concatenate([_fold(x, 4) for x in (p, q, r, s)])


def anywhere(condition):
    """Whether a condition holds in any lane."""
    return bool(np.any(condition))


def lane_max(x):
    """Largest lane."""
    return x.max()


def aligned(size, dtype):
    """A flat array of zeros that begins on a cache line (64 bytes), so that no aligned vector straddles two.

    The next array begins elsewhere in its page. Of arrays that begin alike, as large ones would, a load waits for a
    store to the same place of another page: residual networks of width 1,024 took a fifth longer.
    """
    dtype = np.dtype(dtype)
    raw = np.zeros(size * dtype.itemsize + 2 * PAGE, np.uint8)
    start = -raw.ctypes.data % PAGE + next(_arrays) * 17 * LINE % PAGE
    return raw[start : start + size * dtype.itemsize].view(dtype)
