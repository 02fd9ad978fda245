"""Orthonormal bases of rows of vectors, X = R^T Q, where rows that add nothing are masked: a row of Q and R is zero.

Two ways. `by_rows` is classical Gram-Schmidt, every row twice: exact to the last digits of X, whatever its condition.
`by_products` is Cholesky's factor of the Gram matrix, twice, in float64 for float32 rows: nearly all of its time goes
to matrix products. Both reach u / sqrt(1 - c) for rows of correlation c, the resolution of X itself; for float64 rows
only the first one does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.elementary import by_precision
from gradsim_core.lanes import LANES, aligned, convert, fma, load, splat, store

from .inner import gram, inner
from .products import Matrix, multiply
from .rows import copy_row, norm, row_of
from .triangular import cholesky, invert, multiply_square, padded, scale_row

MASKED_32, MASKED_64, MASKED_GRAM = 1e-6, 1e-12, 1e-12
"""A row of which a smaller part is left across the rows before it, is masked; in a Gram matrix, of its square."""
LOST = 0.5
"""So is one whose second pass takes more than this part of what the first pass has left."""
FEW = 8
"""With fewer rows `by_rows` is faster."""


class Scratch(NamedTuple):
    """Arrays of a thread, for up to `count` rows."""

    count: int
    gram: np.ndarray  # float64 (count, padded), like the next three
    first: np.ndarray
    second: np.ndarray
    inverse: np.ndarray
    order: np.ndarray  # int32 (count,)
    small: np.ndarray  # (count, padded), in the precision of the rows
    rows: np.ndarray  # (count, width), in their precision


def scratch(count: int, width: int, dtype: np.dtype) -> Scratch:
    """Arrays for `count` rows of a stored width."""
    square = lambda kind: aligned(count * padded(count), kind)  # noqa: E731
    double = (square(np.float64) for _ in range(4))
    return Scratch(count, *double, np.zeros(count, np.int32), square(dtype), aligned(count * width, dtype))


def _masked_32(x):
    return MASKED_32


def _masked_64(x):
    return MASKED_64


def _single(x):
    return True


def _double(x):
    return False


masked_share = by_precision(_masked_32, _masked_64)
is_single = by_precision(_single, _double)


@jit.outlined
def project_out(q, x, coefficients, count, width):
    """Subtract from a row x its part in the span of `count` rows of Q; adds the coefficients to a float64 array."""
    zero = splat(load(x.array, x.start), 0.0)
    for j in range(count):
        coefficients[j] = 0.0
    if count > 0:
        inner(q, x, Matrix(coefficients, 0, 1, 1), count, 1, width)
    for k in range(0, width, LANES):
        value = convert(load(x.array, x.start + k), 1.0)
        for j in range(count):
            value = fma(splat(value, -coefficients[j]), convert(load(q.array, q.start + j * q.row + k), value), value)
        store(x.array, x.start + k, convert(value, zero))


@jit.outlined
def by_rows(x, q, r, count, width, work):
    """Orthonormalise rows by Gram-Schmidt; takes and writes what `orthonormalise` does."""
    size, once, again = padded(count), work.first, work.second
    for i in range(count * size):
        r[i] = 0.0
    masked = masked_share(load(x.array, x.start))
    for b in range(count):
        row = row_of(q, b)
        copy_row(row_of(x, b), row, width, 1.0)
        whole = norm(row, width)
        project_out(q, row, once, b, width)
        first = norm(row, width)
        project_out(q, row, again, b, width)
        rest = norm(row, width)
        live = first > masked * whole and rest > LOST * first
        for j in range(b):
            r[j * size + b] = once[j] + again[j]
        r[b * size + b] = rest if live else 0.0
        copy_row(row, row, width, 1.0 / rest if live else 0.0)


def combine_transposed(matrix, x, out, count, width, work):
    """Compute rows out = matrix^T x; the matrix, float64 (count, padded), is rounded to their precision."""
    size = padded(count)
    like = load(work.small, 0)
    for k in range(0, count * size, LANES):
        store(work.small, k, convert(load(matrix, k), like))
    multiply(Matrix(work.small, 0, 1, size), x, out, count, width, count)


@jit.outlined
def by_products(x, q, r, count, width, work):
    """Orthonormalise rows by two Cholesky factors; takes and writes what `orthonormalise` does."""
    size = padded(count)
    g, rows = Matrix(work.gram, 0, size, 1), Matrix(work.rows, 0, width, 1)
    gram(x, g, count, width)
    cholesky(work.gram, work.first, work.order, count, MASKED_GRAM)
    invert(work.first, work.second, count)
    for j in range(count):  # rows of the inverse are of the rows of X in their own order
        scale_row(work.second, j, 1.0, work.inverse, work.order[j], size)
    combine_transposed(work.inverse, x, rows, count, width, work)
    in_order_of_rows(work.first, work.order, work.gram, count)
    for i in range(count):
        scale_row(work.gram, i, 1.0, work.first, i, size)
    gram(rows, g, count, width)
    cholesky(work.gram, work.second, work.order, count, LOST * LOST)
    in_order_of_rows(work.second, work.order, work.gram, count)
    multiply_square(work.gram, work.first, r, count)
    invert(work.second, work.gram, count)
    for j in range(count):
        scale_row(work.gram, j, 1.0, work.inverse, work.order[j], size)
    combine_transposed(work.inverse, rows, q, count, width, work)


def in_order_of_rows(factor, order, out, count):
    """Write the columns of a Cholesky factor in the order of the rows that it is of."""
    size = padded(count)
    for i in range(count):
        for j in range(count):
            out[i * size + order[j]] = factor[i * size + j]


def orthonormalise(x, q, r, count, width, work):
    """Compute an orthonormal basis Q of rows X, and R with X = R^T Q: triangular but for the order of its columns.

    Parameters
    ----------
    x, q : Matrix
        (count, width), with column stride 1 and zero padding; `q` is written, and is not `x`.
    r : float64 array (count, padded(count)), flat
        Is written.
    count, width : int
        Number of rows; their stored length, a multiple of 32.
    work : Scratch
    """
    if count >= FEW and is_single(load(x.array, x.start)):
        by_products(x, q, r, count, width, work)
    else:
        by_rows(x, q, r, count, width, work)


@jit.outlined
def triangular_factor(x, q, r, count, width, work):
    """Compute the R of `orthonormalise` alone; `q` is scratch."""
    if count >= FEW and is_single(load(x.array, x.start)):
        gram(x, Matrix(work.gram, 0, padded(count), 1), count, width)
        cholesky(work.gram, work.first, work.order, count, MASKED_GRAM)
        in_order_of_rows(work.first, work.order, r, count)
    else:
        by_rows(x, q, r, count, width, work)


jit.register_leaves(__name__, inline=True)
