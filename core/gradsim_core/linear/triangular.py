"""Triangular matrices of float64: Cholesky's factor with pivots in order and masked where lost, and its inverse.

A matrix here is n x n in a flat array, its rows padded to whole vectors (`padded`). A pivot that is lost in the
rounding of its column is masked: its row of R is zero, as if the vector were exactly a combination of those before it.
So vectors that are zero, equal or more than their dimension need no case of their own.

A much larger pivot comes first, so |R_ij| is at most about R_ii: what rounding does to the inverse then reaches no
vector by more than its own rounding. Without that order, two nearly equal vectors spoil all that come after them.
"""

from __future__ import annotations

import math

from gradsim_core import jit
from gradsim_core.lanes import LANES, fma, load, splat, store

EXCHANGED = 2.0
"""A pivot this many times as large comes first; between pivots alike the order is that of the rows."""


def padded(n):
    """Numbers in a stored row."""
    return -(-n // LANES) * LANES


def scale_row(source, i, factor, target, j, size):
    """Write row i of `source`, times a factor, to row j of `target`."""
    for k in range(0, size, LANES):
        store(target, j * size + k, load(source, i * size + k) * factor)


def subtract_row(rows, i, factor, other, j, size):
    """Subtract row j of `other`, times a factor, from row i of `rows`."""
    minus = splat(load(rows, 0), -factor)
    for k in range(0, size, LANES):
        store(rows, i * size + k, fma(minus, load(other, j * size + k), load(rows, i * size + k)))


@jit.outlined
def cholesky(g, r, order, n, tolerance):
    """Compute the upper triangular R with R^T R = G, with rows and columns taken in order of their pivots.

    Parameters
    ----------
    g, r : float64 arrays (n, padded(n)), flat
        G is symmetric and positive semidefinite, and is overwritten; R is written.
    order : int32 array (n,)
        Is written: column j of R is of row `order[j]` of G.
    n : int
    tolerance : float
        A pivot below this part of its element of G is masked.
    """
    size = padded(n)
    for j in range(n):
        order[j] = j
    for j in range(n):
        best = j
        for i in range(j + 1, n):
            if g[i * size + i] > EXCHANGED * g[best * size + best]:
                best = i
        exchange(g, r, order, j, best, n)
        whole = pivot = g[j * size + j]
        for i in range(j):  # what earlier rows of R have taken from it
            whole += r[i * size + j] * r[i * size + j]
        live = pivot > tolerance * whole
        scale_row(g, j, 1.0 / math.sqrt(pivot) if live else 0.0, r, j, size)
        for k in range(j):
            r[j * size + k] = 0.0
        if live:
            for i in range(j + 1, n):
                subtract_row(g, i, r[j * size + i], r, j, size)


def exchange(g, r, order, i, j, n):
    """Exchange rows and columns i and j of G, the columns of R that are known, and their places in the order."""
    size = padded(n)
    if i != j:
        for k in range(n):
            g[i * size + k], g[j * size + k] = g[j * size + k], g[i * size + k]
        for k in range(n):
            g[k * size + i], g[k * size + j] = g[k * size + j], g[k * size + i]
            if k < i:
                r[k * size + i], r[k * size + j] = r[k * size + j], r[k * size + i]
        order[i], order[j] = order[j], order[i]


@jit.outlined
def invert(r, p, n):
    """Compute P = R^-1 of an upper triangular R, with zero rows and columns at masked pivots."""
    size = padded(n)
    for i in range(n - 1, -1, -1):
        for k in range(0, size, LANES):
            store(p, i * size + k, splat(load(p, 0), 0.0))
        pivot = r[i * size + i]
        if pivot == 0.0:
            continue
        p[i * size + i] = 1.0
        for j in range(i + 1, n):
            subtract_row(p, i, r[i * size + j], p, j, size)
        scale_row(p, i, 1.0 / pivot, p, i, size)


@jit.outlined
def multiply_square(a, b, c, n):
    """Compute C = A B; C is neither of them."""
    size = padded(n)
    for i in range(n):
        for k in range(0, size, LANES):
            store(c, i * size + k, splat(load(c, 0), 0.0))
        for j in range(n):
            subtract_row(c, i, -a[i * size + j], b, j, size)


jit.register_leaves(__name__, inline=True)
