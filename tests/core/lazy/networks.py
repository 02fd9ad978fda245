"""Many lazy matrices at a time, each met forward by rows X and backward by rows D that depend on what it answered."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lazy import untied
from gradsim_core.linear.products import Matrix
from gradsim_core.linear.rows import rows_of
from gradsim_core.linear.triangular import padded
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


def for_all(function):
    """A function that calls `forward`, `untied.backward` or what takes its place, for every network."""

    def run(cell, first, shape, deviation, rows, answers, q, z, r, work, gradient):
        count, size = shape.count, len(r) // len(gradient)
        for m in range(len(gradient)):
            basis = Matrix(q.array, m * count * q.row, q.row, 1)
            seen = untied.Seen(basis, Matrix(z.array, m * count * z.row, z.row, 1), r[m * size : (m + 1) * size])
            given = Matrix(rows.array, m * count * rows.row, rows.row, 1)
            answer = Matrix(answers.array, m * count * answers.row, answers.row, 1)
            gradient[m] = function(Source(cell, first + m, 2, 0), shape, deviation, given, answer, seen, work)

    return run


def forward(source, shape, deviation, x, h, seen, work):
    """`untied.forward`, with a number as `untied.backward` returns."""
    untied.forward(source, shape, deviation, x, h, seen, work)
    return 0.0


def meet(x, n_out, errors_of, *, deviation=1.0, dtype=np.float64, first=0, backward=None, interpret=False):
    """Let each of a number of matrices meet its rows X (networks, count, n_in), then D = errors_of(H).

    `backward` takes the place of `untied.backward`, for planted errors.
    """
    networks, count, n_in = x.shape
    shape = untied.shape_of(count, n_in, n_out)
    x_rows, y = (block(networks * count, shape.width_in, dtype) for _ in range(2))
    h, d = (block(networks * count, shape.width_out, dtype) for _ in range(2))
    fill(x_rows, x)
    q, z = (block(networks * count, width, dtype) for width in (shape.width_in, shape.width_out))
    r, gradient = np.zeros(networks * count * padded(count)), np.zeros(networks)
    others = q, z, r, untied.work_of(shape, np.dtype(dtype)), gradient
    run(forward, interpret, CELL, first, shape, deviation, x_rows, h, *others)
    answers = values(h, networks, count, n_out)
    fill(d, errors_of(answers))
    run(backward or untied.backward, interpret, CELL, first, shape, deviation, d, y, *others)
    x, of_y, of_q = (values(each, networks, count, n_in) for each in (x_rows, y, q))
    return Met(x, answers, values(d, networks, count, n_out), of_y, gradient, of_q, values(z, networks, count, n_out))


def run(function, interpret, *arguments):
    (for_all(function) if interpret else kernel(function))(*arguments)


@cache
def kernel(function):
    jit.load_numba()
    jit.make_compilable(function)
    return jit.compile_kernel(for_all(function), disk_cache=False)


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
