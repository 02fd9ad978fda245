"""Lazy matrices that are used again and again, from both sides, as in a recurrent network: normal entries or Haar.

Rows are vectors. A right query x is answered by W x, a left query u by W^T u; each may depend on all earlier answers.

*Normal entries* of deviation s. Of W are known the images A of an orthonormal basis Q of the right queries, and the
images B of a basis U of the left ones. The part of x along Q has a known image. The rest, of direction q, has

    W q = U^T (B q) + (I - U^T U) s g,    g a fresh standard normal:

along U it is what the left queries have shown, across U it is free. Left queries exchange the sides.

*Haar matrices*, sigma Q. Known are pairs of unit vectors e and sigma f = W e, from either side. A new direction across
all e has an image across all f, of uniform direction.

A row that adds no direction is answered from what is known, without a random number. So after as many directions as W
has columns it is known, and stays the same matrix. The law is that of conditional probability, whatever the order of
the queries; a bias of deviation sigma_b is a column of W that meets the number sigma_b / s.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned, convert, fma, load, splat, store
from gradsim_core.laws import gaussian
from gradsim_core.linear.inner import inner
from gradsim_core.linear.orthonormal import LOST, masked_share, project_out
from gradsim_core.linear.products import Matrix
from gradsim_core.linear.rows import copy_row, fill_with, norm, row_of, rows_of, stored
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import LAZY_BACKWARD, LAZY_FORWARD

from .untied import fill_row


class Side(NamedTuple):
    """What is known from one side: orthonormal rows of n numbers, and their images."""

    basis: Matrix
    images: Matrix
    n: int
    n_image: int
    room: int  # how many rows may be known
    role: int  # of the random numbers that it draws


class Known(NamedTuple):
    """What is known of a matrix, from the right and from the left, and the scratch of its queries."""

    right: Side
    left: Side
    sizes: np.ndarray  # int64 (2,): rows known from the right, and from the left
    once: np.ndarray  # float64 (capacity,), like the next two
    again: np.ndarray
    shown: np.ndarray


def unknown(queries: int, n_in: int, n_out: int, dtype: np.dtype) -> Known:
    """Arrays for a matrix of which nothing is known yet, and for that many queries from each side, at most.

    Later queries in new directions are answered with NaN.
    """

    def side(n: int, n_image: int, role: int) -> Side:
        room = min(queries, n)
        basis, images = (rows_of(room + 1, stored(each), dtype) for each in (n, n_image))  # the last row is scratch
        return Side(basis, images, n, n_image, room, role)

    scratch = (aligned(max(queries + 1, LANES), np.float64) for _ in range(3))
    sides = side(n_in, n_out, LAZY_FORWARD), side(n_out, n_in, LAZY_BACKWARD)
    return Known(*sides, np.zeros(2, np.int64), *scratch)


def pairs_of(known: Known) -> Known:
    """The same for a Haar matrix: vectors and images are one list of pairs, seen from either side."""
    right = known.right
    return known._replace(left=Side(right.images, right.basis, right.n, right.n, right.room, LAZY_BACKWARD))


def add_rows(target, coefficients, rows, count, width):
    """Add to a row the combination of `count` rows with float64 coefficients."""
    zero = splat(load(target.array, target.start), 0.0)
    for k in range(0, width, LANES):
        value = convert(load(target.array, target.start + k), 1.0)
        for j in range(count):
            row = convert(load(rows.array, rows.start + j * rows.row + k), value)
            value = fma(splat(value, coefficients[j]), row, value)
        store(target.array, target.start + k, convert(value, zero))


@jit.outlined
def new_direction(known, own, count, x):
    """Split a row x: its coefficients in the basis, to `once`, and the rest as row `count` of the basis.

    Returns the length of the rest: 0 if it is lost in the rounding of x, or the basis spans all; NaN if there is no
    room for it.
    """
    basis, width = own.basis, x.row
    if count == own.n:
        inner(basis, x, Matrix(known.once, 0, 1, 1), count, 1, width)
        return 0.0
    row = row_of(basis, count)
    copy_row(x, row, width, 1.0)
    whole = norm(row, width)
    project_out(basis, row, known.once, count, width)
    first = norm(row, width)
    project_out(basis, row, known.again, count, width)
    rest = norm(row, width)
    for j in range(count):
        known.once[j] += known.again[j]
    if not (first > masked_share(load(x.array, x.start)) * whole and rest > LOST * first):
        fill_with(row, 0.0)
        return 0.0
    copy_row(row, row, width, 1.0 / rest)
    return rest if count < own.room else math.nan


@jit.outlined
def ask(source, own, other, side, known, deviation, x, answer):
    """Answer one query of a matrix with normal entries.

    Parameters
    ----------
    source : Source
        Cell, network, and the number of the matrix in the network.
    own, other : Side
        The side that asks, and the other one.
    side : int
        0 if `own` is the right, 1 if it is the left.
    known : Known
    deviation : float
        s, of an entry.
    x, answer : Matrix
        A row each; `answer` is written.
    """
    count, others = known.sizes[side], known.sizes[1 - side]
    rest = new_direction(known, own, count, x)
    if rest > 0.0:
        image, direction = row_of(own.images, count), row_of(own.basis, count)
        cell, network, layer, _ = source
        fill_row(gaussian, Source(cell, network, layer, own.role), count, own.n_image, deviation, image)
        if others > 0:
            inner(other.basis, image, Matrix(known.again, 0, 1, 1), others, 1, answer.row)
            inner(other.images, direction, Matrix(known.shown, 0, 1, 1), others, 1, x.row)
            for j in range(others):
                known.shown[j] -= known.again[j]
            add_rows(image, known.shown, other.basis, others, answer.row)
        known.once[count] = rest
        known.sizes[side] = count = count + 1
    fill_with(answer, 0.0 if rest >= 0.0 else math.nan)
    add_rows(answer, known.once, own.images, count, answer.row)


@jit.outlined
def ask_haar(source, own, other, side, known, deviation, x, answer):
    """Answer one query of a Haar matrix times `deviation`; takes what `ask` takes, of `pairs_of`."""
    count, width = known.sizes[0], answer.row
    rest = new_direction(known, own, count, x)
    if rest > 0.0:
        image = row_of(own.images, count)
        cell, network, layer, _ = source
        fill_row(gaussian, Source(cell, network, layer, own.role), count, own.n, 1.0, image)
        for _ in range(2):
            project_out(own.images, image, known.again, count, width)
        copy_row(image, image, width, 1.0 / norm(image, width))
        known.once[count] = rest
        known.sizes[0] = count = count + 1
    for j in range(count):
        known.once[j] *= deviation
    fill_with(answer, 0.0 if rest >= 0.0 else math.nan)
    add_rows(answer, known.once, own.images, count, width)


jit.register_leaves(__name__, inline=True)
