"""Activations that are linear neither at 0 nor at infinity: right within reach, NaN beyond it, never a false number."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.activations import Activation
from tests.core import exact
from tests.core.conftest import BOTH, on_both

SQUARED = Activation("squared", lambda h: h * h * (h > 0), lambda h: 2 * h * (h > 0))


def check_values(values, expected, bound):
    """Each value is NaN, or what 40 digits give; returns how many are NaN."""
    unknown = np.isnan(values)
    np.testing.assert_array_equal(np.isneginf(values)[~unknown], np.isneginf(expected)[~unknown])
    alive = ~unknown & np.isfinite(expected)
    gap = np.abs(values[alive] - expected[alive]) / np.maximum(1, np.abs(expected[alive]))
    assert gap.max(initial=0) < bound
    return unknown.sum()


@pytest.mark.parametrize(
    ("law", "activation", "dtype"),
    [
        ("gaussian", "relu2", "float32"),
        ("sparse(0.6)", SQUARED, "float64"),
        pytest.param("gaussian", "relu2", "float64", marks=pytest.mark.verify),
        pytest.param("gaussian", SQUARED, "float32", marks=pytest.mark.verify),
        pytest.param("sparse(0.6)", "relu2", "float32", marks=pytest.mark.verify),
    ],
)
@on_both(BOTH)
def test_relu2_is_right_or_nan(cell, schedule, law, activation, dtype):
    """Networks that end just beyond the reach are among them: the last layer has phi', but no layer behind it."""
    unknown = known = 0
    for sigma_w, sigma_b in ((0.01, 0.0), (0.7, 0.0), (1.0, 0.0), (100.0, 0.0), (1.3, 0.3)):
        for depth in (1, 2, 3, 4, 5, 7, 9):
            numbers = {"sigma_w": sigma_w, "sigma_b": sigma_b, "depth": depth, "width": 4}
            one = cell(activation, law, dtype, interpret=True, key=depth, **numbers)
            values = one.block(3)[0]
            for n in range(3):
                expected = exact.backprop("relu2", one.weights(n))
                lost = check_values(values[:, n], expected, {"float32": 1e-3, "float64": 1e-8}[dtype])
                unknown, known = unknown + lost, known + expected.size - lost
    assert unknown > 100
    assert known > 500


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_relu2_conditional_is_right_or_nan(cell, dtype):
    """The sampler against itself at a smaller scale: |h| is squared in each layer, and so is every factor."""
    numbers = {"depth": 6, "width": 6, "interpret": True}
    base, _ = cell("relu2", "gaussian", dtype, "conditional", sigma_w=1.0, **numbers).block(16)
    for sigma_w in (1e-6, 0.01, 100.0, 1e6):
        values, status = cell("relu2", "gaussian", dtype, "conditional", sigma_w=sigma_w, **numbers).block(16)
        # log_q is linear in ln sigma_w with 2 (2^l - 1) at layer l: h^l is homogeneous in the weights.
        expected = base[2] + 2 * (2.0 ** np.arange(1, 7) - 1) * np.log(sigma_w)
        check_values(values[2], expected, {"float32": 1e-3, "float64": 1e-8}[dtype])
        assert set(status[np.isnan(values).any(axis=(0, 2))]) <= {2}
        assert np.isnan(values).any() or dtype == "float64"


@pytest.mark.parametrize("method", ["explicit", "conditional"])
def test_snake_is_right_or_nan(cell, method):
    """Beyond 2^24 a float32 does not hold the phase: phi' is NaN, and phi not before h is beyond reach."""
    numbers = {"sigma_w": 100.0, "depth": 40, "width": 5}
    values, status = cell("snake", "gaussian", "float32", method, interpret=True, **numbers).block(8)
    assert (status == 2).all()
    assert np.isnan(values[0]).all()
    assert np.isfinite(values[2, :, :4]).all()
    assert not np.isinf(values).any()
    short, status = cell("snake", "gaussian", "float64", method, interpret=True, **{**numbers, "depth": 6}).block(8)
    assert not status.any()
    assert np.isfinite(short).all()
    low, status = cell("snake", "gaussian", "float32", method, interpret=True, **{**numbers, "sigma_w": 0.01}).block(8)
    assert not status.any()
    assert np.isfinite(low).all()
