"""Rows of vectors in flat arrays: a row is padded with zeros to whole tiles of `products`."""

from __future__ import annotations

import math

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned, convert, fma, lane_sum, load, splat, store

from . import products
from .products import Matrix


def stored(n: int) -> int:
    """Stored length of a row of n numbers."""
    return products.padded(n)


def rows_of(count: int, width: int, dtype: np.dtype) -> Matrix:
    """A new block of rows of zeros; `width` is their stored length."""
    return Matrix(aligned(count * width, dtype), 0, width, 1)


def row_of(a, i):
    """Row i, as a matrix."""
    return Matrix(a.array, a.start + i * a.row, a.row, 1)


def store_live(out, k, n, value):
    """Write sixteen numbers from column k of the first row on; zero beyond n, and nothing beyond the row."""
    if k < out.row:
        store(out.array, out.start + k, value)
        for j in range(max(n, k), k + LANES):
            out.array[out.start + j] = 0.0


def fill_with(row, value):
    """Write one number to a whole row."""
    for k in range(0, row.row, LANES):
        store(row.array, row.start + k, splat(load(row.array, row.start), value))


def copy_row(source, target, width, factor):
    """Write a row times a number."""
    for k in range(0, width, LANES):
        store(target.array, target.start + k, load(source.array, source.start + k) * factor)


def copy_rows(source, target, count, width):
    """Write rows to others."""
    for i in range(count):
        copy_row(row_of(source, i), row_of(target, i), width, 1.0)


def add_scaled(target, source, factor, count, width):
    """Add rows times a number to others."""
    for i in range(count):
        for k in range(0, width, LANES):
            at = target.start + i * target.row + k
            value = load(source.array, source.start + i * source.row + k)
            store(target.array, at, fma(value, splat(value, factor), load(target.array, at)))


def norm(x, width):
    """The length of a row, summed in float64."""
    total = splat(convert(load(x.array, x.start), 1.0), 0.0)
    for k in range(0, width, LANES):
        value = convert(load(x.array, x.start + k), total)
        total = fma(value, value, total)
    return math.sqrt(lane_sum(total))


jit.register_leaves(__name__, inline=True)
