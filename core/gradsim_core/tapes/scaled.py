"""Rows of any size: each has an exponent, a power of two that is set aside, and the sum of its squares.

A row v with exponent e stands for v 2^e, as in `scaling.per_vector`. In the ordinary range all exponents are 0, and
every operation has the bits of the plain formula.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, fma, load, splat, store
from gradsim_core.scaling.per_vector import largest, rescale, settle, sum_of_squares


class Rows(NamedTuple):
    """Rows of a value or of its errors; a `linear.products.Matrix` with column stride 1, and more."""

    array: np.ndarray
    start: int
    row: int  # stride from row to row, and stored length
    exponents: np.ndarray  # int64 (count,)
    squares: np.ndarray  # float64 (count,), |v|^2 in units of 4^exponent


def power(k):
    """2^k for k up to 1,023: 0 below the range of floats."""
    return math.ldexp(1.0, max(k, -1074))


def clear(rows, count):
    """Write zeros."""
    for i in range(count):
        rows.exponents[i], rows.squares[i] = 0, 0.0
    for k in range(rows.start, rows.start + count * rows.row, LANES):
        store(rows.array, k, splat(load(rows.array, k), 0.0))


def copy(source, target, count):
    """Write rows to others of the same stored length."""
    for i in range(count):
        target.exponents[i], target.squares[i] = source.exponents[i], source.squares[i]
    for k in range(0, count * source.row, LANES):
        store(target.array, target.start + k, load(source.array, source.start + k))


def measure(rows, count):
    """Find the sum of squares of every row, and settle those that have left the ordinary range."""
    for i in range(count):
        start = rows.start + i * rows.row
        square = sum_of_squares(rows.array, start, start + rows.row)
        rows.squares[i] = square
        if not rows.row * 2.0**-40 <= square <= 2.0**40:
            measure_any_range(rows, i)


@jit.outlined
def measure_any_range(rows, i):
    """As `measure`, one row whose largest number may be outside 2^-20 .. 2^20."""
    start, stop = rows.start + i * rows.row, rows.start + (i + 1) * rows.row
    rows.exponents[i] = settle(rows.array, start, stop, rows.exponents[i], largest(rows.array, start, stop))
    rows.squares[i] = sum_of_squares(rows.array, start, stop)


def add_row(rows, i, array, start, exponent, factor):
    """Add array[start:], in units of 2^exponent, times a factor, to row i; the sum of squares is left as it was."""
    at = rows.start + i * rows.row
    if exponent == rows.exponents[i]:
        accumulate(rows.array, at, array, start, rows.row, factor)
    else:
        add_any_range(rows, i, array, start, exponent, factor)


def accumulate(out, at, array, start, size, factor):
    """Add numbers times a factor."""
    for k in range(0, size, LANES):
        value = load(array, start + k)
        store(out, at + k, fma(value, splat(value, factor), load(out, at + k)))


@jit.outlined
def add_any_range(rows, i, array, start, exponent, factor):
    """As `add_row`, in the larger unit, so that what is scaled is scaled down; a row of zeros takes any unit."""
    at, own = rows.start + i * rows.row, rows.exponents[i]
    common = exponent if rows.squares[i] == 0.0 else max(own, exponent)
    if rows.squares[i] != 0.0 and own != common:
        rescale(rows.array, at, at + rows.row, max(own - common, -2000))
    accumulate(rows.array, at, array, start, rows.row, factor * power(exponent - common))
    rows.exponents[i] = common


def add(target, source, factor, count):
    """Add rows times a factor to others."""
    for i in range(count):
        if source.squares[i] != 0.0:
            add_row(target, i, source.array, source.start + i * source.row, source.exponents[i], factor)
    measure(target, count)


def align(rows, count):
    """Give all rows one exponent, which is returned: the largest of rows that are not zero."""
    same, common, found = True, 0, False
    for i in range(count):
        if rows.squares[i] != 0.0:
            common = max(common, rows.exponents[i]) if found else rows.exponents[i]
            found = True
    for i in range(count):
        same = same and rows.exponents[i] == common
    if not same:
        align_any_range(rows, count, common)
    return common


@jit.outlined
def align_any_range(rows, count, common):
    """Bring rows to the unit 2^common."""
    for i in range(count):
        start, k = rows.start + i * rows.row, rows.exponents[i] - common
        if rows.squares[i] != 0.0 and k != 0:
            rescale(rows.array, start, start + rows.row, max(k, -2000))
            rows.squares[i] = sum_of_squares(rows.array, start, start + rows.row)
        rows.exponents[i] = common


def total(rows, count):
    """The sum of squares of all rows, and its exponent (of the root, as of rows)."""
    top, found = 0, False
    for i in range(count):
        if rows.squares[i] != 0.0:
            top = max(top, rows.exponents[i]) if found else rows.exponents[i]
            found = True
    square = 0.0
    for i in range(count):
        if rows.squares[i] != 0.0:
            square += rows.squares[i] * power(2 * (rows.exponents[i] - top))
    return square, top


jit.register_leaves(__name__, inline=False)
