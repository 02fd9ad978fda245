"""Kernels of lazy matrices that meet blocks of rows, of many networks; `sides` calls them.

A square matrix W_0 of independent normal entries of deviation s is known from two sides: orthonormal rows of a basis,
and what it makes of them, their images. Where a block of B rows is met, `split` adds what is new in it to the basis of
its side, and `images` draws the images of that. A new direction q has the image

    q W_0^T = (q L_0^T) L + s g (I - L^T L),    L_0 = L W_0,  g a fresh standard normal,

where L is the basis of the other side. `combine` adds multiples of rows, of which all products consist.
`lazy.tied` does the same row by row. There a basis is read from memory for each row that is met, here for each block.

Rows of a side are stored padded with zeros to whole tiles; those that are met are not. Small matrices are float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned, convert, load, splat, store
from gradsim_core.laws import gaussian
from gradsim_core.lazy.untied import fill_row
from gradsim_core.linear.inner import inner, single
from gradsim_core.linear.products import Matrix, multiply
from gradsim_core.linear.rows import add_scaled, copy_row, fill_with, norm, row_of
from gradsim_core.rng.draws import Source

CHUNK = 1024
"""Columns of rows that are processed together, so that a block's stay in the cache; whole tiles."""

_LOST = 0.5  # part of a unit row that the second pass leaves, or the first one has kept rounding only


class Rows(NamedTuple):
    """Rows of many networks, (networks, room, width) in a flat array."""

    array: np.ndarray
    room: int
    width: int


class Known(NamedTuple):
    """One side of the matrices: rows of a basis and their images, of which `count` are in use."""

    rows: Rows
    images: Rows
    count: int


class Block(NamedTuple):
    """What is met at a time: `count` rows of n numbers for each of some networks."""

    networks: int
    count: int
    n: int


class Terms(NamedTuple):
    """Combinations of rows: coefficients, float64 (networks, B, count) in a flat array, and what they are of."""

    coefficients: np.ndarray
    rows: Rows
    count: int


class BlockWork(NamedTuple):
    """Scratch of a thread for blocks of B rows.

    Attributes
    ----------
    chunk
        (2 B, CHUNK), in the precision of the rows.
    first, again, partial
        float64 (B, room), or (B, B) if that is more; 16 numbers at least.
    r, rest
        float64 (B, B).
    least
        float64 (B,).
    room
        Rows of a basis.
    """

    chunk: np.ndarray
    first: np.ndarray
    again: np.ndarray
    partial: np.ndarray
    r: np.ndarray
    rest: np.ndarray
    least: np.ndarray
    room: int


def work_of(count: int, room: int, dtype: np.dtype) -> BlockWork:
    """New scratch for blocks of `count` rows, and bases of `room` rows."""
    products = (aligned(max(count * room, count * count, LANES), np.float64) for _ in range(3))
    squares = (np.zeros(count * count) for _ in range(2))
    return BlockWork(aligned(2 * count * CHUNK, dtype), *products, *squares, np.zeros(count), room)


def rows_of_network(rows, i, first):
    """Rows from `first` on of network i, as a matrix."""
    return Matrix(rows.array, (i * rows.room + first) * rows.width, rows.width, 1)


@jit.outlined
def take(source, start, n, target, count):
    """Copy `count` rows of n numbers to padded rows."""
    for i in range(count):
        k, at = start + i * n, target.start + i * target.row
        whole = n // LANES * LANES
        for j in range(0, whole, LANES):
            store(target.array, at + j, load(source, k + j))
        for j in range(whole, target.row):
            target.array[at + j] = source[k + j] if j < n else 0.0


@jit.outlined
def products(a, b, c, rows, columns, width, partial):
    """Compute C = A B^T, float64 (rows, columns), chunk by chunk of long rows."""
    for k in range(rows * columns):
        c[k] = 0.0
    for k in range(0, width, CHUNK):
        left, right = Matrix(a.array, a.start + k, a.row, 1), Matrix(b.array, b.start + k, b.row, 1)
        inner(left, right, Matrix(partial, 0, columns, 1), rows, columns, min(CHUNK, width - k))
        for j in range(rows * columns):
            c[j] += partial[j]


@jit.outlined
def add_product(c, b, out, rows, terms, sign, chunk):
    """Add C B to rows, or subtract it; C is float64 (rows, terms)."""
    for k in range(0, out.row, CHUNK):
        size = min(CHUNK, out.row - k)
        right = Matrix(b.array, b.start + k, b.row, 1)
        multiply(Matrix(c, 0, terms, 1), right, Matrix(chunk, 0, CHUNK, 1), rows, size, terms)
        for i in range(rows):
            at = out.start + i * out.row + k
            for j in range(0, size, LANES):
                store(out.array, at + j, load(out.array, at + j) + load(chunk, i * CHUNK + j) * sign)


@jit.outlined
def within(block, count, least, r):
    """Orthonormalise the rows of a block; r, lower triangular, has what each has of those before it, and its rest.

    A row whose rest is at most least[j] is masked: it becomes zero. Rows that are not finite stay so.
    """
    width, zero = block.row, splat(convert(load(block.array, block.start), 1.0), 0.0)
    for j in range(count):
        row = row_of(block, j)
        size = norm(row, width)
        masked = size <= least[j]
        copy_row(row, row, width, 0.0 if masked else 1.0 / size)
        r[j * count + j] = 0.0 if masked else size
        for i in range(j + 1, count):
            later = row_of(block, i)
            along = single(later, row, width, zero)
            add_scaled(later, row, -along, 1, width)
            r[i * count + j], r[j * count + i] = along, 0.0


@jit.outlined
def multiply_small(a, b, c, count, columns):
    """Add A B to C, float64 (count, count) and (count, columns)."""
    for i in range(count):
        for k in range(count):
            for j in range(columns):
                c[i * columns + j] += a[i * count + k] * b[k * columns + j]


@jit.outlined
def split_block(basis, block, known, count, share, coordinates, at, work):
    """Orthonormalise a block against `known` rows of a basis; its coordinates are written from coordinates[at] on."""
    width, first, again = block.row, work.first, work.again
    for j in range(count):
        work.least[j] = share * norm(row_of(block, j), width)
    if known > 0:
        products(block, basis, first, count, known, width, work.partial)
        add_product(first, basis, block, count, known, -1.0, work.chunk)
    within(block, count, work.least, work.r)
    for j in range(count):
        work.least[j] = _LOST
    if known > 0:
        products(block, basis, again, count, known, width, work.partial)
        add_product(again, basis, block, count, known, -1.0, work.chunk)
        multiply_small(work.r, again, first, count, known)
    within(block, count, work.least, work.rest)
    for k in range(count * count):
        again[k] = 0.0
    multiply_small(work.r, work.rest, again, count, count)
    room = known + count
    for i in range(count):
        start = at + i * work.room
        for j in range(known):
            coordinates[start + j] = first[i * known + j]
        for j in range(count):
            coordinates[start + known + j] = again[i * count + j]
        for j in range(room, work.room):
            coordinates[start + j] = 0.0


def split(block, own, share, x, coordinates, work):
    """Write what a block adds to the basis after the rows in use, and its coordinates; see `Side.split`."""
    networks, count, n = block
    for i in range(networks):
        basis, added = rows_of_network(own.rows, i, 0), rows_of_network(own.rows, i, own.count)
        take(x, i * count * n, n, added, count)
        split_block(basis, added, own.count, count, share, coordinates, i * count * work.room, work)


def images(source, block, own, other, deviation, work):
    """Draw the images of the rows of a block after those in use; see `Side.draw_images`."""
    cell, network, layer, role = source
    networks, count, n = block
    known, others = own.count, other.count
    for i in range(networks):
        added, image = rows_of_network(own.rows, i, known), rows_of_network(own.images, i, known)
        for j in range(count):
            row = row_of(image, j)
            if norm(row_of(added, j), added.row) == 0.0:
                fill_with(row, 0.0)
            else:
                fill_row(gaussian, Source(cell, network + i, layer, role), known + j, n, deviation, row)
        if others > 0:
            basis, images = rows_of_network(other.rows, i, 0), rows_of_network(other.images, i, 0)
            products(added, images, work.first, count, others, added.row, work.partial)
            products(image, basis, work.again, count, others, added.row, work.partial)
            for k in range(count * others):
                work.first[k] -= work.again[k]
            add_product(work.first, basis, image, count, others, 1.0, work.chunk)


def combine(block, first, second, out, work):
    """Compute the sum of two combinations, (networks, count, n); see `Side.combine`."""
    networks, count, n = block
    width, half, terms, others = first.rows.width, count * CHUNK, first.count, second.count
    for i in range(networks):
        a = Matrix(first.coefficients, i * count * terms, terms, 1)
        b = Matrix(second.coefficients, i * count * others, others, 1)
        source, other = rows_of_network(first.rows, i, 0), rows_of_network(second.rows, i, 0)
        for k in range(0, width, CHUNK):
            size = min(CHUNK, width - k)
            right = Matrix(source.array, source.start + k, width, 1)
            multiply(a, right, Matrix(work.chunk, 0, CHUNK, 1), count, size, terms)
            if others > 0:
                right = Matrix(other.array, other.start + k, width, 1)
                multiply(b, right, Matrix(work.chunk, half, CHUNK, 1), count, size, others)
                for j in range(0, count * CHUNK, LANES):
                    store(work.chunk, j, load(work.chunk, j) + load(work.chunk, half + j))
            put(work.chunk, count, min(size, n - k), out, i * count * n + k, n)


@jit.outlined
def put(chunk, count, size, out, start, n):
    """Copy `size` columns of rows of CHUNK numbers to rows of n numbers."""
    for j in range(count):
        k, at = j * CHUNK, start + j * n
        whole = size // LANES * LANES
        for c in range(0, whole, LANES):
            store(out, at + c, load(chunk, k + c))
        for c in range(whole, size):
            out[at + c] = chunk[k + c]


jit.register_leaves(__name__, inline=False)
