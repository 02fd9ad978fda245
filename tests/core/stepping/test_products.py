"""Products of matrices of many networks are those of NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.stepping import products
from gradsim_core.stepping.products import combinations, inner_products


@pytest.fixture(params=["compiled", "interpreted"])
def engine(request, monkeypatch):
    if request.param == "interpreted":
        monkeypatch.setattr(products, "_kernel", lambda function: function)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "terms", "n"), [(1, 1, 1), (3, 2, 5), (8, 6, 64), (5, 9, 70)])
def test_products(rows, terms, n, dtype):
    random, tolerance = np.random.default_rng(1), 20 * float(np.finfo(dtype).eps) * n**0.5
    a = random.normal(size=(2, rows, n)).astype(dtype)
    b = random.normal(size=(2, terms, n)).astype(dtype)
    c = random.normal(size=(2, rows, terms)).astype(dtype)
    flipped = np.ascontiguousarray(np.swapaxes(c, 1, 2))
    for found, expected in (
        (inner_products(a, b), a @ np.swapaxes(b, 1, 2)),
        (combinations(c, b), c @ b),
        (combinations(flipped, b, transposed=True), c @ b),
        (combinations(np.swapaxes(flipped, 1, 2), b), c @ b),
    ):
        assert found.dtype == dtype
        assert found.flags.c_contiguous
        assert found == pytest.approx(expected, abs=tolerance)
