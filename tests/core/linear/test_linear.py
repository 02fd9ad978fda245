"""Inner products, triangular factors and orthonormal bases against NumPy, with dead, equal and surplus rows."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.linear import inner as inner_products
from gradsim_core.linear import orthonormal, triangular
from gradsim_core.linear.products import Matrix
from tests.core.linear.rows import call, stored, values_of

SHAPES = [(1, 1, 5), (2, 3, 16), (4, 2, 33), (5, 7, 64), (9, 4, 100), (13, 13, 31)]
BOTH = {"by_rows": orthonormal.by_rows, "by_products": orthonormal.by_products}


def random(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape)


def square(n, dtype=np.float64):
    return np.zeros(n * triangular.padded(n), dtype)


def matrix_of(flat, n):
    return flat.reshape(n, -1)[:, :n]


@pytest.mark.parametrize("interpret", [False, True])
@pytest.mark.parametrize(("rows", "columns", "width"), SHAPES)
def test_inner_products(rows, columns, width, interpret):
    a, b = random(rows, width), random(columns, width, seed=2)
    for kind, accumulated, tolerance in (
        (np.float64, np.float64, 1e-13),
        (np.float32, np.float32, 2e-5),
        (np.float32, np.float64, 1e-13),
    ):
        x, y = stored(a, kind), stored(b, kind)
        c = Matrix(np.zeros(max(16, rows * (columns + 3)), accumulated), 2, columns + 3 if rows > 1 else 8, 1)
        call(inner_products.inner, x, y, c, rows, columns, x.row, interpret=interpret)
        found = np.array([[c.array[2 + i * c.row + j] for j in range(columns)] for i in range(rows)])
        expected = values_of(x, rows, width) @ values_of(y, columns, width).T
        np.testing.assert_allclose(found, expected, atol=tolerance * np.sqrt(width) * 10)


def test_tiles_do_not_matter():
    """An element has the same bits in a product of any size, and a Gram matrix is symmetric to the bit."""
    a = random(11, 300)
    whole = Matrix(np.zeros(11 * 16), 0, 16, 1)
    call(inner_products.gram, stored(a), whole, 11, 320)
    found = whole.array.reshape(11, 16)[:, :11]
    np.testing.assert_array_equal(found, found.T)
    for i in range(11):
        for j in range(i):
            single = Matrix(np.zeros(16), 0, 16, 1)
            call(inner_products.inner, stored(a[i : i + 1]), stored(a[j : j + 1]), single, 1, 1, 320)
            assert single.array[0] == found[i, j]


def factor(a, tolerance=1e-12):
    """Cholesky's factor of A A^T, its order and its inverse."""
    n = len(a)
    g, r, p, order = square(n), square(n), square(n), np.zeros(n, np.int32)
    matrix_of(g, n)[:] = a @ a.T
    call(triangular.cholesky, g, r, order, n, tolerance)
    call(triangular.invert, r, p, n)
    return matrix_of(r, n), order, matrix_of(p, n)


@pytest.mark.parametrize("n", [1, 2, 5, 16, 17, 40])
def test_cholesky_and_inverse(n):
    a = random(n, n + 3)
    upper, order, inverse = factor(a)
    np.testing.assert_allclose(upper, np.linalg.cholesky((a @ a.T)[order][:, order]).T, atol=1e-11)
    np.testing.assert_array_equal(np.tril(upper, -1), 0.0)
    np.testing.assert_allclose(upper @ inverse, np.eye(n), atol=1e-9)
    assert sorted(order) == list(range(n))
    assert (np.abs(upper) <= np.diag(upper)[:, None] * (2**0.5 + 1e-12)).all()
    product = square(n)
    left, right = square(n), square(n)
    matrix_of(left, n)[:], matrix_of(right, n)[:] = a[:, :n], upper
    call(triangular.multiply_square, left, right, product, n)
    np.testing.assert_allclose(matrix_of(product, n), a[:, :n] @ upper, atol=1e-11)


def test_lost_pivots_are_masked():
    """A zero row, a copy and a combination: three rows of R are zero, and so are rows and columns of the inverse."""
    a = random(6, 9)
    a[1], a[3], a[4] = 0.0, a[0], a[0] - 2 * a[2]
    upper, order, inverse = factor(a)
    np.testing.assert_allclose(upper.T @ upper, (a @ a.T)[order][:, order], atol=1e-12)
    masked = ~upper.any(axis=1)
    assert masked.sum() == 3
    assert not inverse[masked].any()
    assert not inverse[:, masked].any()


def orthonormalised(way, x, dtype=np.float64, interpret=False):
    count, width = x.shape
    rows = stored(x, dtype)
    q, r = stored(np.zeros_like(x), dtype), square(count)
    call(BOTH[way], rows, q, r, count, rows.row, orthonormal.scratch(count, rows.row, dtype), interpret=interpret)
    return values_of(rows, count, width), values_of(q, count, width), matrix_of(r, count)


@pytest.mark.parametrize(
    ("way", "dtype"), [("by_rows", np.float64), ("by_rows", np.float32), ("by_products", np.float32)]
)
@pytest.mark.parametrize(("count", "width"), [(1, 3), (3, 8), (8, 100), (20, 7), (33, 64)])
def test_orthonormal_bases(way, dtype, count, width):
    """X = R^T Q with Q orthonormal but for masked rows; rows that are 0, equal, or more than the width are masked."""
    x = random(count, width)
    if count > 2:
        x[1], x[2] = x[0], 0.0
    x, q, r = orthonormalised(way, x, dtype)
    u = np.finfo(dtype).eps
    np.testing.assert_allclose(r.T @ q, x, atol=30 * u * np.sqrt(width))
    live = r.any(axis=1)
    np.testing.assert_allclose(q @ q.T, np.diag(live * 1.0), atol=20 * u)
    assert live.sum() == np.linalg.matrix_rank(x, 1e-5)
    assert not q[~live].any()


@pytest.mark.parametrize("way", BOTH)
@pytest.mark.parametrize("exponent", [3, 6, 8, 10])
def test_nearly_equal_rows(way, exponent):
    """float32 rows of correlation 1 - 10^-k: the basis is orthonormal, and exact to u / sqrt(1 - c) in the difference.

    That is the resolution of float32 rows themselves: their difference has the length sqrt(2 (1 - c)) |x|.
    """
    rng, width = np.random.default_rng(exponent), 256
    first, across = rng.standard_normal((2, width))
    across -= first * (across @ first) / (first @ first)
    x = np.stack([first, first + across * np.sqrt(2.0 * 10.0**-exponent), rng.standard_normal(width)])
    x, q, r = orthonormalised(way, x, np.float32)
    u, resolution = 2.0**-24, 2.0**-24 / np.sqrt(10.0**-exponent)
    np.testing.assert_allclose(q @ q.T, np.diag(r.any(axis=1) * 1.0), atol=20 * u)
    rebuilt = r.T @ q
    np.testing.assert_allclose(rebuilt, x, atol=20 * u * np.abs(x).max())
    difference, expected = rebuilt[1] - rebuilt[0], x[1] - x[0]
    assert np.linalg.norm(difference - expected) <= 20 * resolution * np.linalg.norm(expected)


def test_one_cholesky_is_not_enough():
    """Planted: the first pass alone leaves a basis that is orthogonal to u / sqrt(1 - c) only, which the test sees."""
    rng, width = np.random.default_rng(8), 256
    first = rng.standard_normal(width)
    x = np.stack([first, first + 1e-4 * rng.standard_normal(width)]).astype(np.float32)
    _, order, inverse = factor(x.astype(np.float64))
    q = (inverse.T.astype(np.float32) @ x[order]).astype(np.float64)
    assert np.abs(q @ q.T - np.eye(2)).max() > 100 * 2.0**-24


@pytest.mark.parametrize("way", BOTH)
def test_interpreted(way):
    x = random(9, 50)
    _, q, r = orthonormalised(way, x)
    _, plain, other = orthonormalised(way, x, interpret=True)
    np.testing.assert_allclose(plain, q, atol=1e-12)
    np.testing.assert_allclose(other, r, atol=1e-12)
