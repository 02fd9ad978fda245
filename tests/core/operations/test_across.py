"""The part of an error across a vector, beside 300 digits, also where nearly all of the vector is one element."""

from __future__ import annotations

import numpy as np
import pytest
from mpmath import mp, mpf

from gradsim_core.operations.across import remove_along


@mp.workdps(300)
def textbook(v, e, centred):
    """The error less its mean, and less its part along v less its mean."""
    n = len(v)
    v, e = ([mpf(float(each)) for each in row] for row in (v, e))
    if centred:
        v, e = ([each - sum(row) / n for each in row] for row in (v, e))
    along = sum(a * b for a, b in zip(v, e, strict=True)) / sum(a * a for a in v)
    return [float(b - a * along) for a, b in zip(v, e, strict=True)]


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("others", [1.0, 1e-3, 1e-9, 1e-100])
def test_the_largest_element_has_all_its_digits(others, centred):
    """Uncentred it is about `others` beside e, and e - v (v . e) / |v|^2 has lost half its digits at 1e-9."""
    rng = np.random.default_rng(5)
    for n in (3, 4, 9):
        v, e = others * rng.standard_normal(n), rng.standard_normal(n)
        v[1] = 2.0 + abs(v[1])
        expected, vector, across = np.array(textbook(v, e, centred)), v.copy(), e.copy()
        remove_along(vector, across, n, centred)
        np.testing.assert_allclose(across, expected, rtol=1e-11 if not centred else 0, atol=0 if not centred else 1e-13)
        np.testing.assert_allclose(across[1], expected[1], rtol=1e-11)
        if others == 1e-9 and not centred:
            assert abs((e - v * (v @ e) / (v @ v))[1] / expected[1] - 1.0) > 1e-9  # planted


@pytest.mark.parametrize(("n", "centred"), [(1, False), (1, True), (2, True)])
def test_few_elements_leave_nothing(n, centred):
    v, e = np.array([0.7, -0.2])[:n], np.array([0.3, 0.9])[:n]
    remove_along(v, e, n, centred)
    assert not e.any()


def test_one_live_element_is_along():
    v, e = np.array([0.0, 0.3, 0.0, 0.0]), np.array([0.1, 0.7, -0.2, 0.4])
    for centred in (False, True):
        across = e.copy()
        remove_along(v.copy(), across, 4, centred)
        assert across[1] == 0.0
        assert across[0] != 0.0


def test_a_vector_of_zeros_has_no_direction():
    e = np.array([0.1, 0.7, -0.2])
    across, centred = e.copy(), e.copy()
    assert remove_along(np.zeros(3), across, 3, False) == 0.0
    assert remove_along(np.zeros(3), centred, 3, True) == 0.0
    equal = np.arange(6.0)
    assert remove_along(np.full(6, 0.5), equal, 6, True) == 0.0
    np.testing.assert_array_equal(equal, np.arange(6.0) - 2.5)
    np.testing.assert_array_equal(across, e)
    np.testing.assert_allclose(centred, e - 0.2, atol=1e-15)
