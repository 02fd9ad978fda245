"""Lazy matrices are real ones: completed to explicit ones they answer the same, and their entries are normal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gradsim_core import jit
from gradsim_core.laws import gaussian
from gradsim_core.lazy.untied import combine_transposed, fill_rows, triangular_factor, weight_gradient
from gradsim_core.linear.products import Matrix
from gradsim_core.rng.draws import Source
from gradsim_core.rng.philox import LAZY_BACKWARD
from tests.core.lazy.networks import completed, meet

S = 0.7
SHAPES = [(1, 7, 5), (2, 20, 33), (3, 4, 4), (8, 40, 24), (12, 6, 4), (40, 100, 70)]
"""Rows, and the numbers that they have before and after; in two of them more rows than numbers."""


def inputs(networks, count, n, seed=1):
    """Rows of which, where there are enough, two are equal and one is 0."""
    x = np.random.default_rng(seed).standard_normal((networks, count, n))
    if count > 4:
        x[:, 1], x[:, 3] = x[:, 0], 0.0
    return x


def errors(h):
    """What comes back depends on what went forward, in every row; rows that are equal stay so."""
    return np.tanh(h) + 0.3 * h * np.arange(1, h.shape[2] + 1) / h.shape[2]


@pytest.mark.parametrize(("count", "n_in", "n_out"), SHAPES)
def test_pathwise(count, n_in, n_out):
    """The completed matrix W gives X W^T = H and D W = Y, and the weight gradient D^T X has the norm that was told."""
    met = meet(inputs(6, count, n_in), n_out, errors, deviation=S)
    matrices = completed(met, S, np.random.default_rng(2))
    size = np.abs(met.h).max()
    for w, x, h, d, y, gradient in zip(matrices, *met[:5], strict=True):
        np.testing.assert_allclose(x @ w.T, h, atol=1e-11 * size)
        np.testing.assert_allclose(d @ w, y, atol=1e-11 * size)
        np.testing.assert_allclose(gradient, np.sum((d.T @ x) ** 2), rtol=1e-11)


def observed(w):
    """Fifteen numbers of each matrix: norms, singular values, entries, row, column, traces, and W on fixed vectors."""
    _, n_out, n_in = w.shape
    rng = np.random.default_rng(7)
    u, v = rng.standard_normal(n_in), rng.standard_normal(n_out)
    u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
    singular = np.linalg.svd(w, compute_uv=False)
    square = w[:, : min(n_out, n_in), : min(n_out, n_in)]
    forward, back = w @ u, np.einsum("mij,i->mj", w, v)
    return {
        "norm": np.linalg.norm(w, axis=(1, 2)), "largest": singular[:, 0], "smallest": singular[:, -1],
        "middle": singular[:, singular.shape[1] // 2], "first": w[:, 0, 0], "last": w[:, -1, -1],
        "row": np.linalg.norm(w[:, 0], axis=1), "column": np.linalg.norm(w[:, :, 0], axis=1),
        "trace": np.einsum("mii->m", square), "trace of the square": np.einsum("mij,mji->m", square, square),
        "sum": w.sum(axis=(1, 2)), "forward": np.linalg.norm(forward, axis=1), "back": np.linalg.norm(back, axis=1),
        "both": np.einsum("mi,i->m", forward, v),
        "there and back": np.linalg.norm(np.einsum("mij,mi->mj", w, forward), axis=1),
    }  # fmt: skip


def lowest(networks, count, n_in, n_out, backward=None):
    """The least p-value of the fifteen comparisons with real matrices, times their number."""
    met = meet(inputs(networks, count, n_in), n_out, errors, deviation=S, backward=backward)
    found = observed(completed(met, S, np.random.default_rng(3)))
    real = observed(S * np.random.default_rng(4).standard_normal((networks, n_out, n_in)))
    return min(stats.ks_2samp(found[name], real[name]).pvalue for name in found) * len(found)


CASES = [(1, 6, 5), (3, 6, 5), (3, 4, 4), (6, 4, 3)]


@pytest.mark.parametrize("case", CASES)
def test_entries_are_independent_normals(case):
    """4,000 matrices of each shape; of the 60 tests right code fails one with a chance of 1e-4."""
    assert lowest(4_000, *case) > 1e-4 / len(CASES)


@pytest.mark.verify
@pytest.mark.parametrize("case", CASES)
def test_entries_are_independent_normals_in_full(case):
    assert lowest(30_000, *case) > 1e-4 / len(CASES)


def fresh_rows(source, shape, deviation, y, seen, work):
    """Rows with the correlations of work.triangle, and nothing of what was seen."""
    normals = Matrix(work.normals.array, 0, shape.width_in, 1)
    origin = Source(source.cell, source.network, source.layer, LAZY_BACKWARD)
    fill_rows(gaussian, origin, shape.count, shape.n_in, shape.parts_in, deviation, normals)
    combine_transposed(work.triangle, normals, y, shape.count, shape.width_in, work.basis)
    return weight_gradient(seen.r, work.triangle, shape.count, work)


def without_projection(source, shape, deviation, delta, y, seen, work):
    """backward, planted: what is fresh is not projected out of the vectors that were seen."""
    triangular_factor(delta, work.normals, work.triangle, shape.count, shape.width_out, work.basis)
    return fresh_rows(source, shape, deviation, y, seen, work)


def without_correlation(source, shape, deviation, delta, y, seen, work):
    """backward, planted: rows of the right length, but independent of one another."""
    count, size = shape.count, -(-shape.count // 16) * 16
    triangular_factor(delta, work.normals, work.triangle, count, shape.width_out, work.basis)
    for j in range(count):
        total = 0.0
        for i in range(count):
            total += work.triangle[i * size + j] ** 2
            work.triangle[i * size + j] = 0.0
        work.triangle[j * size + j] = total**0.5
    return fresh_rows(source, shape, deviation, y, seen, work)


@pytest.mark.parametrize("planted", [without_projection, without_correlation])
def test_planted_errors_are_caught(planted):
    """Neither is the answer of a matrix with normal entries: the completed one has others."""
    jit.load_numba()
    jit.make_compilable(fresh_rows)
    assert lowest(4_000, 3, 6, 5, backward=planted) < 1e-9


@pytest.mark.parametrize(("count", "n_in", "n_out"), [(3, 20, 10), (20, 100, 90)])
def test_single_precision(count, n_in, n_out):
    """float32 rows answer as a real matrix does to a few roundings: d . h = y . x for every pair of rows."""
    met = meet(inputs(4, count, n_in), n_out, errors, deviation=S, dtype=np.float32)
    left, right = met.d @ met.h.transpose(0, 2, 1), met.y @ met.x.transpose(0, 2, 1)
    np.testing.assert_allclose(left, right, atol=1e-6 * np.abs(left).max())
    gradient = [np.sum((d.T @ x) ** 2) for d, x in zip(met.d, met.x, strict=True)]
    np.testing.assert_allclose(met.gradient, gradient, rtol=1e-5)


def test_equal_and_dead_rows():
    for dtype in (np.float64, np.float32):
        met = meet(inputs(4, 12, 30), 25, errors, dtype=dtype)
        np.testing.assert_allclose(met.h[:, 1], met.h[:, 0], atol=20 * np.finfo(dtype).eps)
        np.testing.assert_allclose(met.y[:, 1], met.y[:, 0], atol=100 * np.finfo(dtype).eps)
        assert not met.h[:, 3].any()
        assert not met.y[:, 3].any()


def test_networks_are_independent_and_reproducible():
    x = np.broadcast_to(inputs(1, 3, 8), (6, 3, 8))
    whole, part = meet(x, 9, errors), meet(x[:3], 9, errors, first=3)
    for found, expected in zip(part, whole, strict=True):
        np.testing.assert_array_equal(found, expected[3:])
    assert len(np.unique(whole.h[:, 0, 0])) == 6


def test_interpreted():
    x = inputs(2, 5, 9)
    found, plain = (meet(x, 7, errors, interpret=interpret) for interpret in (False, True))
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-12)
