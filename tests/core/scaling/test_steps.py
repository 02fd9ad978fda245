"""Every step of the pass against 40 digits: any depth, any gain, dead only where all paths are cut."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.scaling import per_element
from gradsim_core.schedules import along_neurons, narrow
from tests.core import exact
from tests.core.conftest import BOTH, on_both
from tests.core.scaling.cases import DTYPES, MOSTLY_SINGLE, PLAIN

STEPS = [
    ("narrow", "float32"), ("explicit", "float32"),
    *(pytest.param(*rest, marks=pytest.mark.verify) for rest in (("narrow", "float64"), ("explicit", "float64"))),
]  # fmt: skip


def check_every_step(cell, monkeypatch, activation, law, dtype, **numbers):
    one = cell(activation, law, dtype, interpret=True, **numbers)
    recorded = exact.Recorded(one, monkeypatch)
    step, layer, error = max(recorded.errors(), key=lambda entry: entry[2])
    assert error < 24, (step, layer, error, numbers)
    values = one.block(1)[0][:, 0]
    expected = recorded.logarithms()
    bound = {"float32": 1e-6, "float64": 1e-14}[dtype] * np.maximum(1, np.abs(np.nan_to_num(expected, neginf=0)))
    with np.errstate(invalid="ignore"):
        same = (values == expected) | (np.isnan(values) & np.isnan(expected)) | (np.abs(values - expected) <= bound)
    assert same.all(), (numbers, values[~same], expected[~same])


@pytest.mark.parametrize(("schedule", "dtype"), STEPS, indirect=["schedule"])
@pytest.mark.parametrize("activation", exact.FORMULAS)
def test_every_step_against_40_digits(cell, monkeypatch, schedule, activation, dtype):
    """Each step of the pass, in and beyond every regime, starting from the vectors that the kernel had before it."""
    far = 1e10 if dtype == "float32" else 1e60
    for sigma_w in (0.01, 1.0, 100.0, 1 / far, far):
        for width, sigma_b in ((1, 0.3), (3, 0.0), (5, 0.3)):
            numbers = {"sigma_w": sigma_w, "sigma_b": sigma_b, "depth": 12, "width": width}
            check_every_step(cell, monkeypatch, activation, "gaussian", dtype, **numbers)


@pytest.mark.verify
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", exact.FORMULAS)
@on_both(BOTH)
def test_every_step_deep(cell, monkeypatch, schedule, activation, dtype):
    for sigma_w in (0.01, 0.1, 1.0, 10.0, 100.0):
        for width, sigma_b in ((4, 0.0), (3, 0.3)):
            numbers = {"sigma_w": sigma_w, "sigma_b": sigma_b, "depth": 120, "width": width}
            check_every_step(cell, monkeypatch, activation, "gaussian", dtype, **numbers)


@pytest.mark.parametrize("law", ["sparse(0.5)", "rademacher"])
@pytest.mark.parametrize("activation", ["tanh", "erf", "sigmoid", "gelu", "linear"])
@on_both(BOTH)
def test_laws_with_zeros(cell, monkeypatch, schedule, activation, law):
    """Exact zeros in W: phi' may be largest where W^T delta is zero."""
    for key in range(6):
        numbers = {"sigma_w": 100.0, "depth": 12, "width": 4, "key": key}
        check_every_step(cell, monkeypatch, activation, law, "float32", **numbers)


@pytest.mark.parametrize("dtype", MOSTLY_SINGLE)
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "erf", "gelu", "elu", "relu", "linear"])
def test_weights_with_zeros_against_40_digits(cell, activation, dtype):
    """Whole networks whose elements lie further apart than any float: dead only where all paths are cut."""
    networks = [(8, 3, 0.4, 100.0, 0.0), (12, 5, 0.3, 60.0, 0.0), (8, 3, 0.4, 100.0, 0.3), (6, 2, 0.5, 1e4, 0.2)]
    again = 0
    for depth, width, density, sigma_w, sigma_b in networks:
        numbers = {"depth": depth, "width": width, "sigma_w": sigma_w, "sigma_b": sigma_b}
        one = cell(activation, f"sparse({density})", dtype, interpret=True, **numbers)
        values = one.block(8)[0]
        for n in range(8):
            expected = exact.backprop(activation, one.weights(n))
            np.testing.assert_array_equal(np.isneginf(values[:, n]), np.isneginf(expected))
            finite = np.isfinite(expected) & np.isfinite(values[:, n])
            assert (np.isnan(expected) >= np.isnan(values[:, n])).all()
            got, exactly = values[:, n][finite], expected[finite]
            gap = np.abs(got - exactly) / np.maximum(1, np.abs(exactly))
            assert gap.max(initial=0) < {"float32": 0.02, "float64": 1e-9}[dtype], (numbers, n)
            again += expected[0].min() < -200
    assert again > 0 or activation in ("relu", "linear")


def test_lost_elements_are_needed(cell, monkeypatch):
    """Without the second run those networks read dead."""
    monkeypatch.setattr(per_element, "run_again", lambda *arguments: None)
    numbers = {"depth": 40, "width": 8, "sigma_w": 100.0, "interpret": True}
    _, status = cell("tanh", "sparse(0.3)", "float32", **numbers).block(10)
    assert (status == 1).sum() > 3


@pytest.mark.verify
@pytest.mark.parametrize("dtype", DTYPES)
def test_dead_only_where_all_paths_are_cut(cell, dtype):
    """Saturated units of all sizes, 300 layers: a layer is dead if and only if no chain of weights leads to it."""
    one = cell("tanh", "sparse(0.1)", dtype, sigma_w=100.0, depth=300, width=16)
    values, status = one.block(200)
    assert 0 < (status == 1).sum() < 30
    for n in range(200):
        reached = np.ones(16, bool)
        for layer, W in zip(range(299, -1, -1), one.weights(n).W[::-1], strict=True):
            assert (values[0, n, layer] > -np.inf) == reached.any()
            reached = (W[reached] != 0).any(axis=0)


@on_both(BOTH)
def test_a_lost_tail_is_caught(cell, monkeypatch, schedule):
    """The check of every step fails where the tails are left out."""
    monkeypatch.setattr(along_neurons, "rescue", PLAIN[along_neurons]["rescue"])
    monkeypatch.setattr(narrow, "is_extreme", PLAIN[narrow]["is_extreme"])
    numbers = {"sigma_w": 100.0, "depth": 24, "width": 3}
    with pytest.raises(AssertionError, match="delta"):
        check_every_step(cell, monkeypatch, "tanh", "gaussian", "float32", **numbers)
