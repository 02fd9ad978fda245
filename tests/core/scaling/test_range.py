"""The range-safe promise: no false zero, infinity or NaN at any depth and gain, and plain bits wherever plain works."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from gradsim_core.activations import ACTIVATIONS, Activation
from gradsim_core.architectures import METHODS
from tests.core.conftest import BOTH, mostly_verified, on_both
from tests.core.scaling.cases import CAN_DIE, DTYPES, MOSTLY_SINGLE, check_deep_values, make_plain


def sums_of(one, count=1):
    """Sums of squares and exponents, as the kernel returns them: (3, count, depth) each."""
    machine, shape = one.machine, (3, count, one.params.depth)
    sums, exponents = np.zeros(shape), np.zeros(shape)
    machine._run(one.params, 0, machine._work(one.params), sums, exponents)
    return sums, exponents


def never_out_of_range(plain):
    """Where sums of squares are in the range of float32, and were in all layers before: what is lost stays lost."""
    inside = (plain > 2.0**-100) & (plain < 2.0**120)  # below, squares of single elements are subnormal
    forward = np.logical_and.accumulate(inside[:2], axis=2)
    backward = np.logical_and.accumulate(inside[2, :, ::-1], axis=1)[:, ::-1]
    return np.concatenate([forward, (backward & forward.all(axis=(0, 2))[:, None])[None]])


@pytest.mark.parametrize("sigma_b", [0.0, 0.3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@on_both(BOTH)
def test_plain_bits(cell, monkeypatch, schedule, activation, sigma_b):
    """In float32, |delta| runs over 2^-60 .. 2^40 here: settling acts, and changes no bit."""
    settled = 0
    for sigma_w, depth in ((0.2, 14), (1.0, 24), (12.0, 12)):
        one = cell(
            activation, "gaussian", "float32", interpret=True, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth, width=4
        )
        safe, exponents = sums_of(one, 6)
        with monkeypatch.context() as patch:
            make_plain(patch)
            plain, none = sums_of(one, 6)
        assert not none.any()
        in_range = never_out_of_range(plain)
        settled += np.count_nonzero(exponents[in_range])
        np.testing.assert_array_equal(np.ldexp(safe, 2 * exponents.astype(int))[in_range], plain[in_range])
    assert settled > 0


@pytest.mark.parametrize(("activation", "dtype"), [
    ("relu", "float32"), ("relu", "float64"), ("linear", "float32"), ("leaky_relu(0.25)", "float32"),
    pytest.param("linear", "float64", marks=pytest.mark.verify),
    pytest.param("leaky_relu(0.25)", "float64", marks=pytest.mark.verify),
])  # fmt: skip
@on_both(BOTH)
def test_powers_of_two(cell, schedule, activation, dtype):
    """sigma_w 2^k at the same key gives the same bits, k further up in each layer: beyond every float, and back."""
    numbers = {"depth": 300, "width": 24}
    sums, exponents = sums_of(cell(activation, "gaussian", dtype, sigma_w=1.4, **numbers), 3)
    mantissa, power = np.frexp(sums)
    power = power + 2 * exponents
    layer = np.arange(300)
    steps = np.array([layer + 1, layer, 299 - layer])[:, np.newaxis]  # matrices behind h^l, x^(l-1), delta^l
    for k in (-40, -7, 7, 40):
        sums, exponents = sums_of(cell(activation, "gaussian", dtype, sigma_w=1.4 * 2.0**k, **numbers), 3)
        shifted, shifted_power = np.frexp(sums)
        np.testing.assert_array_equal(shifted, mantissa)
        np.testing.assert_array_equal(shifted_power + 2 * exponents - 2 * k * steps, power)


@pytest.mark.parametrize("dtype", MOSTLY_SINGLE)
@pytest.mark.parametrize("activation", mostly_verified(ACTIVATIONS))
@on_both(["narrow", pytest.param("explicit", marks=pytest.mark.verify)])
def test_depth_10000(cell, schedule, activation, dtype):
    for sigma_w in (0.01, 0.1, 1.0, 10.0, 100.0):
        for sigma_b in (0.0, 0.3):
            for width in (4, 8):
                numbers = {"sigma_w": sigma_w, "sigma_b": sigma_b, "depth": 10_000, "width": width}
                values, status = cell(activation, "gaussian", dtype, **numbers).block(1)
                check_deep_values(activation, values[:, 0])
                if sigma_w <= 1 and activation not in CAN_DIE:
                    assert status[0] == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_wide_relu_lives_for_10000_layers(cell, dtype):
    for sigma_w in (0.01, 100.0):
        values, status = cell("relu", "gaussian", dtype, sigma_w=sigma_w, depth=10_000, width=48).block(1)
        assert status[0] == 0
        assert np.isfinite(values).all()


@pytest.mark.parametrize("slope", ["1e4", "1e10", "1e20"])
@pytest.mark.parametrize("method", METHODS)
@on_both(BOTH)
def test_steep_activations(cell, schedule, method, slope):
    """A slope that takes |x|^2 out of float32 in one layer."""
    numbers = {"interpret": True, "sigma_w": 1.0, "depth": 6, "width": 5}
    (single, status), (double, _) = (
        cell(f"leaky_relu({slope})", "gaussian", dtype, method, **numbers).block(16) for dtype in DTYPES
    )
    assert not status.any()
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-4)


def test_relu_dies_in_the_same_layer_in_both_precisions(cell):
    for sigma_w in (0.01, 1.4, 100.0):
        single, double = (
            cell("relu", "gaussian", dtype, sigma_w=sigma_w, depth=40, width=4).block(300)[0] for dtype in DTYPES
        )
        np.testing.assert_array_equal(np.isneginf(single[0]), np.isneginf(double[0]))
        assert np.isneginf(single[0]).mean() > 0.3


@pytest.mark.parametrize(("activation", "width"), [("erf", 64), ("tanh", 16), ("sigmoid", 16), ("erf", 4)])
def test_saturated_layers_are_not_dead(cell, activation, width):
    """Without tails, 0.7 % (erf) and 0.12 % (tanh) of the layers of the first two cells are falsely dead in float32."""
    values, status = cell(activation, "gaussian", "float32", sigma_w=100.0, depth=16, width=width).block(1000)
    assert not status.any()
    assert np.isfinite(values).all()


def test_padding_is_inert(cell, monkeypatch):
    """A pair that is not defined at 0, where the padding lies; a user's own would be refused."""
    monkeypatch.setattr(Activation, "_check_values", lambda self: None)
    own = Activation("mine", lambda h: h + 0.1 / h if h else np.nan, lambda h: 1 - 0.1 / h**2 if h else np.nan)
    for interpret in (True, False):
        values, status = cell(own, interpret=interpret, sigma_w=1.0, sigma_b=1.0, depth=3, width=5).block(4)
        assert not status.any()
        assert np.isfinite(values).all()


def test_subnormals_do_not_matter():
    """The same bytes where the processor flushes subnormals to zero, as an unrelated library may have it do."""
    outputs = [
        subprocess.run(
            [sys.executable, "-m", "tests.core.flush", *flag], capture_output=True, text=True, check=True
        ).stdout
        for flag in ([], ["--flush"])
    ]
    assert outputs[0].splitlines()[0] == "subnormals kept"
    if outputs[1].splitlines()[0] == "subnormals kept":
        pytest.skip("no way to flush subnormals on this processor")
    assert outputs[0].splitlines()[1:] == outputs[1].splitlines()[1:]
