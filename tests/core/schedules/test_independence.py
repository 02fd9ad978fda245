"""With one seed, the networks of the two methods are independent, at every width."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.rng import philox
from gradsim_core.schedules import narrow

WIDTHS = [1, 2, 5, 16, 28, 29, 64]


def largest_correlation(cell, width, networks, **options):
    """The largest correlation between the methods of a quantity at a layer, in standard errors."""
    numbers = {"sigma_w": 1.3, "sigma_b": 0.4, "depth": 3, "width": width} | options
    cells = [cell("tanh", "gaussian", "float32", method, **numbers) for method in ("explicit", "conditional")]
    first, second = (one.block(networks)[0] for one in cells)
    first, second = (values - values.mean(axis=1, keepdims=True) for values in (first, second))
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    constant = scale == 0  # log_gain at the last layer
    correlations = (first * second).sum(axis=1) / np.where(constant, 1, scale)
    return np.abs(correlations).max() * np.sqrt(networks)


@pytest.mark.parametrize(
    "width", [width if width in WIDTHS else pytest.param(width, marks=pytest.mark.verify) for width in range(1, 65)]
)
def test_methods_are_independent(cell, width):
    """A false alarm of all 64 widths: 1 in 22 (704 correlations at 4 standard errors); the seed is fixed."""
    assert largest_correlation(cell, width, 4096) < 4


@pytest.mark.parametrize("role", ["INPUT", "READOUT"])
def test_shared_numbers_are_caught(cell, monkeypatch, role):
    """A planted error: narrow explicit networks take a role of the conditional method."""
    monkeypatch.setattr(narrow, f"NARROW_{role}", getattr(philox, f"GROUP_{role}"))
    assert largest_correlation(cell, 2, 512, interpret=True) > 6
