"""Many lazy matrices at a time, each met forward by rows X and backward by rows D that depend on what it answered."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lazy import untied
from gradsim_core.linear.products import Matrix
from gradsim_core.linear.rows import rows_of
from gradsim_core.parameters import Params
from gradsim_core.rng.draws import Source

CELL = Params(np.uint64(31), 1, 1, 1.0, 0.0)


class Met(NamedTuple):
    """Float64 arrays (networks, rows, numbers), and the norms of the weight gradients."""

    x: np.ndarray
    h: np.ndarray
    d: np.ndarray
    y: np.ndarray
    gradient: np.ndarray
    q: np.ndarray
    z: np.ndarray


def meet(x, n_out, errors_of, *, deviation=1.0, dtype=np.float64, first=0, backward=None, interpret=False):
    """Let each of a number of matrices meet its rows X (networks, count, n_in), then D = errors_of(H).

    `backward` takes the place of `untied.backward`, for planted errors.
    """
    networks, count, n_in = x.shape
    shape = untied.shape_of(count, n_in, n_out)
    x_rows, y = (block(networks * count, shape.width_in, dtype) for _ in range(2))
    h, d = (block(networks * count, shape.width_out, dtype) for _ in range(2))
    fill(x_rows, x)
    seen = [untied.seen_of(shape, np.dtype(dtype)) for _ in range(networks)]
    work, gradient = untied.work_of(shape, np.dtype(dtype)), np.zeros(networks)
    forward, backward = (
        each if interpret else compiled(each) for each in (untied.forward, backward or untied.backward)
    )
    for m in range(networks):
        origin = Source(CELL, first + m, 2, 0)
        forward(origin, shape, deviation, of_network(x_rows, m, count), of_network(h, m, count), seen[m], work)
    answers = values(h, networks, count, n_out)
    fill(d, errors_of(answers))
    for m in range(networks):
        origin, rows = Source(CELL, first + m, 2, 0), of_network(d, m, count)
        gradient[m] = backward(origin, shape, deviation, rows, of_network(y, m, count), seen[m], work)
    x, of_y = (values(each, networks, count, n_in) for each in (x_rows, y))
    q, z = (np.array([part.array for part in parts]) for parts in zip(*((s.q, s.z) for s in seen), strict=True))
    return Met(x, answers, values(d, networks, count, n_out), of_y, gradient, q, z)


def of_network(rows, m, count):
    return Matrix(rows.array, m * count * rows.row, rows.row, 1)


@cache
def compiled(function):
    """A function of the core, or one that is planted, in its place."""
    if function in (untied.forward, untied.backward):
        return jit.compiled(function)
    return jit.compile_kernel(function, disk_cache=False)


def block(rows, width, dtype):
    return rows_of(rows, width, np.dtype(dtype))


def fill(matrix, values):
    matrix.array.reshape(-1, matrix.row)[:, : values.shape[2]] = values.reshape(-1, values.shape[2])


def values(matrix, networks, count, n):
    return matrix.array.reshape(networks, count, -1)[:, :, :n].astype(np.float64)


def completed(met, deviation, rng):
    """Explicit matrices (networks, n_out, n_in) that answer as the lazy ones did, the rest drawn afresh: the lemma."""
    networks, _, n_in = met.x.shape
    n_out = met.h.shape[2]
    fresh = deviation * rng.standard_normal((networks, n_out, n_in))
    found = np.empty_like(fresh)
    for m in range(networks):
        right, left = basis(met.x[m]), basis(met.d[m])
        seen_right, seen_left = (
            np.linalg.lstsq(met.x[m], met.h[m], rcond=1e-9)[0],
            np.linalg.lstsq(met.d[m], met.y[m], rcond=1e-9)[0],
        )
        a, b = right @ seen_right, left @ seen_left  # what W does to the basis, forward and backward
        rest = fresh[m] - left.T @ (left @ fresh[m])
        rest -= (rest @ right.T) @ right
        found[m] = a.T @ right + left.T @ b - left.T @ (left @ a.T) @ right + rest
    return found


def basis(rows):
    """An orthonormal basis of the span of rows."""
    _, size, rows = np.linalg.svd(rows, full_matrices=False)
    return rows[size > 1e-9 * max(size[0], 1e-300)]
