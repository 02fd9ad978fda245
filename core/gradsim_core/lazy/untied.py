"""A lazy matrix of normal entries that meets one block of vectors forward and one backward, as a layer does.

Rows are vectors: inputs, tokens, neighbouring pixels. W has independent normal entries of deviation s. Given the rows X
(n_in numbers each), with an orthonormal basis Q, X = R^T Q, the products with Q are normal,

    H = X W^T = R^T Z,    Z = Q W^T: independent normals of deviation s,

and what W does across X stays unknown. So, given H and the errors D, with S the triangular factor of D's Gram matrix,

    Y = D W = E + (D Z^T - E Q^T) Q,    E = S^T times independent normals of deviation s,

and |D^T X|_F = |S R^T|_F. That costs (n_in + n_out) normals a row in place of n_in n_out. No system of equations is
solved with data, so Q and Z, kept from the forward pass, are as exact as the vectors; X (X^T X)^-1 would not be.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned, lane_get, load, splat, store
from gradsim_core.laws import gaussian
from gradsim_core.linear.inner import inner
from gradsim_core.linear.orthonormal import Scratch, combine_transposed, orthonormalise, scratch, triangular_factor
from gradsim_core.linear.products import Matrix, multiply
from gradsim_core.linear.rows import add_scaled, rows_of, store_live, stored
from gradsim_core.linear.triangular import padded
from gradsim_core.rng.draws import Counter, Source
from gradsim_core.rng.philox import LAZY_BACKWARD, LAZY_FORWARD, random_words


class Shape(NamedTuple):
    """A block of `count` vectors that a matrix takes from n_in to n_out numbers in each of so many parts.

    Widths are the stored lengths of all parts, each of which is padded by itself.
    """

    count: int
    n_in: int
    n_out: int
    width_in: int
    width_out: int
    parts_in: int
    parts_out: int


class Seen(NamedTuple):
    """What a matrix keeps of the vectors that it has met forward."""

    q: Matrix  # (count, width_in)
    z: Matrix  # (count, width_out)
    r: np.ndarray  # float64 (count, padded(count)), flat


class LazyWork(NamedTuple):
    """Scratch of a thread for matrices of the largest shape of a network."""

    basis: Scratch
    normals: Matrix  # (count, the larger width)
    products: np.ndarray  # (count, padded(count)) twice, in the precision of the rows
    triangle: np.ndarray  # float64 (count, padded(count))


def shape_of(count: int, n_in: int, n_out: int, parts_in: int = 1, parts_out: int = 1) -> Shape:
    """The `Shape` of a block."""
    return Shape(count, n_in, n_out, parts_in * stored(n_in), parts_out * stored(n_out), parts_in, parts_out)


def seen_of(shape: Shape, dtype: np.dtype) -> Seen:
    """New arrays for one matrix."""
    count = shape.count
    r = aligned(count * padded(count), np.float64)
    return Seen(rows_of(count, shape.width_in, dtype), rows_of(count, shape.width_out, dtype), r)


def work_of(shape: Shape, dtype: np.dtype) -> LazyWork:
    """New scratch; a network takes one for its largest count and widths."""
    count, width = shape.count, max(shape.width_in, shape.width_out)
    square = count * padded(count)
    basis, normals = scratch(count, width, dtype), rows_of(count, width, dtype)
    return LazyWork(basis, normals, aligned(2 * square, dtype), aligned(square, np.float64))


@jit.outlined
def fill_rows(draw, source, count, n, parts, deviation, out):
    """Draw `count` rows with parts of n numbers by a law's function `draw`; zero in the padding of each."""
    width = out.row // parts
    for i in range(count):
        for part in range(parts):
            row = Matrix(out.array, out.start + i * out.row + part * width, width, 1)
            fill_row(draw, source, i * parts + part, n, deviation, row)


@jit.outlined
def fill_row(draw, source, number, n, deviation, out):
    """Draw row `number` of n numbers, from counters of its own; zero beyond n."""
    cell, network, layer, role = source
    counters = -(-n // (4 * LANES))
    scale = lane_get(splat(load(out.array, out.start), deviation), 0)  # in the precision of the rows
    for j in range(counters):
        a, b, c, d = random_words(cell.key, network, layer, role, number * counters + j)
        z0, z1, z2, z3 = draw(a, b, c, d, Counter(source, number * counters + j, 0), scale)
        first = 4 * LANES * j
        store_live(out, first, n, z0)
        store_live(out, first + LANES, n, z1)
        store_live(out, first + 2 * LANES, n, z2)
        store_live(out, first + 3 * LANES, n, z3)


@jit.outlined
def forward(source, shape, deviation, x, h, seen, work):
    """Compute rows H = X W^T.

    Parameters
    ----------
    source : Source
        Cell, network, and the number of the matrix in the network; the role is set here.
    shape : Shape
    deviation : float
        s, of an entry of W.
    x, h : Matrix
        (count, width_in) and (count, width_out), with zero padding; `h` is written.
    seen : Seen
        Is written, for the backward pass.
    work : LazyWork
    """
    cell, network, layer, _ = source
    count = shape.count
    orthonormalise(x, seen.q, seen.r, count, shape.width_in, work.basis)
    fill_rows(
        gaussian, Source(cell, network, layer, LAZY_FORWARD), count, shape.n_out, shape.parts_out, deviation, seen.z
    )
    combine_transposed(seen.r, seen.z, h, count, shape.width_out, work.basis)


@jit.outlined
def backward(source, shape, deviation, delta, y, seen, work):
    """Compute rows Y = D W; returns |dC/dW|_F^2, dC/dW = D^T X. As `forward`, with D and Y in place of X and H."""
    cell, network, layer, _ = source
    count, size = shape.count, padded(shape.count)
    triangular_factor(delta, work.normals, work.triangle, count, shape.width_out, work.basis)
    normals = Matrix(work.normals.array, 0, shape.width_in, 1)
    fill_rows(
        gaussian, Source(cell, network, layer, LAZY_BACKWARD), count, shape.n_in, shape.parts_in, deviation, normals
    )
    combine_transposed(work.triangle, normals, y, count, shape.width_in, work.basis)
    of_delta, of_normals = Matrix(work.products, 0, size, 1), Matrix(work.products, count * size, size, 1)
    inner(delta, seen.z, of_delta, count, count, shape.width_out)
    inner(y, seen.q, of_normals, count, count, shape.width_in)
    for k in range(0, count * size, LANES):
        store(work.products, k, load(work.products, k) - load(work.products, count * size + k))
    multiply(of_delta, seen.q, normals, count, shape.width_in, count)
    add_scaled(y, normals, 1.0, count, shape.width_in)
    return weight_gradient(seen.r, work.triangle, count, work)


def weight_gradient(r, s, count, work):
    """|D^T X|_F^2 = |S R^T|_F^2, from the triangular factors."""
    size = padded(count)
    product = Matrix(work.basis.gram, 0, size, 1)
    inner(Matrix(s, 0, size, 1), Matrix(r, 0, size, 1), product, count, count, size)
    total = 0.0
    for i in range(count):
        for j in range(count):
            total += work.basis.gram[i * size + j] * work.basis.gram[i * size + j]
    return total


jit.register_leaves(__name__, inline=True)
