"""Singular values by one-sided Jacobi with logarithms of row sizes: against LAPACK, interpreted, of any range."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import lapack

from gradsim_core import jit
from gradsim_core.linear.rows import rows_of, stored
from gradsim_core.linear.singular_values import orthogonalise


def logs_of(u, logs, interpret=False):
    matrix = rows_of(len(u), stored(u.shape[1]), np.dtype(np.float64))
    matrix.array.reshape(-1, matrix.row)[:, : u.shape[1]] = u
    found = np.array(logs, np.float64)
    left = (orthogonalise if interpret else jit.compiled(orthogonalise))(matrix, found)
    assert left == 0.0
    return np.sort(found)[::-1]


def moderate(rng, shape):
    return rng.standard_normal(shape) + 2.0 * np.eye(*shape)


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 7), (17, 17), (64, 80)])
def test_against_lapack(shape):
    """dgejsv has high relative accuracy too, for what float64 holds: here e^-250 beside 1."""
    rng = np.random.default_rng(shape[1])
    u, logs = moderate(rng, shape), np.sort(-250.0 * rng.random(shape[0]))[::-1]
    values, _, _, work, _, info = lapack.dgejsv((np.exp(logs)[:, None] * u).T, joba=2, jobu=3, jobv=3)
    assert info == 0
    expected = np.log(values) + np.log(work[0] / work[1])
    np.testing.assert_allclose(logs_of(u, logs), np.sort(expected)[::-1], atol=1e-12)


@pytest.mark.parametrize("order", [1, -1])
def test_interpreted_and_in_any_order(order):
    rng = np.random.default_rng(2)
    u, logs = moderate(rng, (5, 9)), np.array([3.0, 1.0, -2.0, -40.0, -41.0])[::order]
    found = logs_of(u, logs)
    np.testing.assert_allclose(found, logs_of(u, logs, interpret=True), atol=1e-14)
    expected = np.linalg.svd(np.exp(logs)[:, None] * u, compute_uv=False)
    np.testing.assert_allclose(found[:3], np.log(expected)[:3], atol=1e-13)


def test_any_range():
    """A constant added to all logarithms is added to the result; rows that are worlds apart do not mix."""
    rng = np.random.default_rng(3)
    u = moderate(rng, (6, 6))
    logs = np.array([0.0, -0.5, -1.0, -1e4, -1e4 - 0.5, -3e8])
    found = logs_of(u, logs)
    np.testing.assert_allclose(logs_of(u, logs + 5e5), found + 5e5, atol=1e-7)
    np.testing.assert_allclose(found[:3], np.log(np.linalg.svd(np.exp(logs[:3])[:, None] * u[:3])[1]), atol=1e-13)
    assert found.sum() == pytest.approx(logs.sum() + np.linalg.slogdet(u)[1], abs=1e-6)
    across = u[3:5] - u[3:5] @ np.linalg.pinv(u[:3]) @ u[:3]
    lower = np.log(np.linalg.svd(np.exp(logs[3:5] + 1e4)[:, None] * across)[1]) - 1e4
    np.testing.assert_allclose(found[3:5], lower, atol=1e-10)


def test_equal_values():
    q = np.linalg.qr(np.random.default_rng(4).standard_normal((40, 40)))[0]
    np.testing.assert_allclose(logs_of(q, np.zeros(40)), 0.0, atol=1e-13)
