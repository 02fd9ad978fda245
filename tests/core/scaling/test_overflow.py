"""Where even a power of two of its own does not hold a vector: non-finite, and never lost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradsim_core.activations import ACTIVATIONS, Activation
from tests.core.conftest import BOTH, on_both

DTYPES = ("float32", "float64")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@on_both(["explicit"])
def test_overflow_is_never_lost(cell, schedule, activation):
    """An infinite h makes the network non-finite, and every delta behind it NaN, whatever phi' makes of it."""
    check_overflow(*cell(activation, "gaussian", "float32", interpret=True, sigma_w=3e38, depth=3, width=5).block(20))


@on_both(BOTH)
def test_overflow_in_a_users_pair(cell, schedule):
    """Side by side nothing else overflows: weights then carry a power of two of their own."""
    own = Activation("steep", lambda h: math.inf if h > 9 else h, lambda h: 0.0 if h > 9 else 1.0)
    check_overflow(*cell(own, interpret=True, sigma_w=9.0, depth=3, width=3).block(20))


@pytest.mark.parametrize("sigma_w", [1e-36, 1e36])
def test_extreme_weights_side_by_side(cell, sigma_w):
    """Weights at the ends of float32, and products beyond them: the same numbers as in float64."""
    single, double = (
        cell("leaky_relu", dtype=dtype, interpret=True, sigma_w=sigma_w, depth=3, width=5).block(8) for dtype in DTYPES
    )
    assert not single[1].any()
    np.testing.assert_allclose(single[0], double[0], rtol=1e-5, atol=1e-4)


def check_overflow(values, status):
    broken = np.isnan(values[2]).any(axis=1)
    assert broken.any()
    assert (status[broken] == 2).all()
    assert np.isnan(values[0][broken]).all()
