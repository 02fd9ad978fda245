"""Inner products of the rows of two matrices, C = A B^T, and of one with itself (its Gram matrix).

In tiles of four rows of A and two of B: eight sums of sixteen lanes in registers, which end in a fixed tree. So the
bits of an element depend on neither tile, thread nor processor. Sums are made in the precision of C: those of float32
rows may be in float64, since a Gram matrix squares the rows' condition.
"""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import LANES, convert, fma, lane_sum, load, splat

from .products import Matrix

ROWS, COLUMNS = 4, 2


def tile(a, b, c, width):
    """Compute four rows and two columns of C."""
    s0 = splat(load(c.array, 0), 0.0)
    s1 = s2 = s3 = t0 = t1 = t2 = t3 = s0
    for k in range(0, width, LANES):
        u, v = convert(load(b.array, b.start + k), s0), convert(load(b.array, b.start + b.row + k), s0)
        x = convert(load(a.array, a.start + k), s0)
        s0, t0 = fma(x, u, s0), fma(x, v, t0)
        x = convert(load(a.array, a.start + a.row + k), s0)
        s1, t1 = fma(x, u, s1), fma(x, v, t1)
        x = convert(load(a.array, a.start + 2 * a.row + k), s0)
        s2, t2 = fma(x, u, s2), fma(x, v, t2)
        x = convert(load(a.array, a.start + 3 * a.row + k), s0)
        s3, t3 = fma(x, u, s3), fma(x, v, t3)
    write(c, 0, s0, t0)
    write(c, 1, s1, t1)
    write(c, 2, s2, t2)
    write(c, 3, s3, t3)


def write(c, i, s, t):
    """Write the sums of two vectors to row i of C."""
    k = c.start + i * c.row
    c.array[k], c.array[k + c.column] = lane_sum(s), lane_sum(t)


def single(a, b, width, zero):
    """The inner product of one row of each, in the precision of `zero`."""
    total = zero
    for k in range(0, width, LANES):
        total = fma(convert(load(a.array, a.start + k), zero), convert(load(b.array, b.start + k), zero), total)
    return lane_sum(total)


@jit.outlined
def inner(a, b, c, rows, columns, width):
    """Compute C = A B^T. The last tile ends at the last row; what it shares with the one before gets the same bits.

    Parameters
    ----------
    a, b, c : Matrix
        `a` and `b` have column stride 1 and rows that are zero from their length to `width`. `c`, of at least sixteen
        numbers, is written.
    rows, columns : int
        Of C.
    width : int
        Length of the rows that are multiplied, a multiple of 16.
    """
    zero = splat(load(c.array, 0), 0.0)
    for j in range(0, columns, COLUMNS):
        first = max(min(j, columns - COLUMNS), 0)
        right = Matrix(b.array, b.start + first * b.row, b.row, 1)
        if rows < ROWS or columns < COLUMNS:
            for i in range(rows):
                for k in range(min(COLUMNS, columns)):
                    left = Matrix(a.array, a.start + i * a.row, a.row, 1)
                    other = Matrix(b.array, right.start + k * b.row, b.row, 1)
                    c.array[c.start + i * c.row + (first + k) * c.column] = single(left, other, width, zero)
        else:
            for row in range(0, rows, ROWS):
                i = min(row, rows - ROWS)
                left = Matrix(a.array, a.start + i * a.row, a.row, 1)
                tile(left, right, Matrix(c.array, c.start + i * c.row + first * c.column, c.row, c.column), width)


@jit.outlined
def gram(a, c, rows, width):
    """Compute C = A A^T, symmetric to the bit: blocks below the diagonal are computed, and mirrored."""
    for j in range(0, rows, COLUMNS):
        first = max(min(j, rows - COLUMNS), 0)
        below = max(min(first // ROWS * ROWS, rows - ROWS), 0)
        left = Matrix(a.array, a.start + below * a.row, a.row, 1)
        right = Matrix(a.array, a.start + first * a.row, a.row, 1)
        target = Matrix(c.array, c.start + below * c.row + first * c.column, c.row, c.column)
        inner(left, right, target, rows - below, min(COLUMNS, rows), width)
    for i in range(rows):
        for j in range(i):
            c.array[c.start + j * c.row + i * c.column] = c.array[c.start + i * c.row + j * c.column]


jit.register_leaves(__name__, inline=True)
