"""The range-safe promise: any depth, any gain, no false zero, infinity or NaN, and plain bits wherever plain works."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from gradsim_core.activations import ACTIVATIONS, Activation
from gradsim_core.scaling import per_element
from gradsim_core.schedules import explicit, narrow
from gradsim_core.simulator import METHODS
from tests.core import exact
from tests.core.conftest import BOTH, mostly_verified, on_both

DTYPES = ("float32", "float64")
STEPS = [
    ("narrow", "float32"), ("explicit", "float32"),
    *(pytest.param(*rest, marks=pytest.mark.verify) for rest in (("narrow", "float64"), ("explicit", "float64"))),
]  # fmt: skip
MOSTLY_SINGLE = ("float32", pytest.param("float64", marks=pytest.mark.verify))
# Activations whose derivative is exactly zero on an interval: their layers can die, and do.
CAN_DIE = ("relu", "relu2", "relu6", "hard_tanh", "hard_sigmoid", "hard_swish")
# Unbounded on the right and flat on the left: a layer far to the left leaves what a logarithm can say.
ONE_SIDED = ("softplus", "elu", "selu", "celu", "gelu", "gelu_tanh", "silu", "mish")
PLAIN = {
    explicit: {
        "settle": lambda values, start, stop, exponent, size: exponent,
        "place": lambda h, start, stop, exponent: 0,
        "tail": lambda log_function, sign, alpha, h, values, factor, out: 0,
    },
    narrow: {
        "settle": lambda delta, square, unit: (square, unit),
        "shift_of": lambda cell, h, unit, exponent_b: unit * 0,
        "is_extreme": lambda square, has_tail: False,
    },
}


def make_plain(monkeypatch):
    for module, functions in PLAIN.items():
        for name, function in functions.items():
            monkeypatch.setattr(module, name, function)


def sums_of(one, count=1):
    """Sums of squares and exponents, as the kernel returns them: (3, count, depth) each."""
    machine, shape = one.machine, (3, count, one.params.depth)
    sums, exponents = np.zeros(shape), np.zeros(shape)
    machine._run(one.params, 0, machine._work(one.params), sums, exponents)
    return sums, exponents


@pytest.mark.parametrize("sigma_b", [0.0, 0.3])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@on_both(BOTH)
def test_plain_bits(cell, monkeypatch, schedule, activation, sigma_b):
    """In float32, |delta| runs over 2^-60 .. 2^40 here: settling acts, and changes no bit."""
    settled = 0
    for sigma_w, depth in ((0.2, 24), (1.0, 24), (12.0, 12)):
        one = cell(
            activation, "gaussian", "float32", interpret=True, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth, width=4
        )
        safe, exponents = sums_of(one, 2)
        with monkeypatch.context() as patch:
            make_plain(patch)
            plain, none = sums_of(one, 2)
        assert not none.any()
        in_range = (plain > 2.0**-120) & (plain < 2.0**120)
        settled += np.count_nonzero(exponents[in_range])
        np.testing.assert_array_equal(np.ldexp(safe, 2 * exponents.astype(int))[in_range], plain[in_range])
    assert settled > 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ["linear", "relu", "leaky_relu(0.25)"])
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


@pytest.mark.verify
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", exact.FORMULAS)
@on_both(BOTH)
def test_every_step_deep(cell, monkeypatch, schedule, activation, dtype):
    for sigma_w in (0.01, 0.1, 1.0, 10.0, 100.0):
        for width, sigma_b in ((4, 0.0), (3, 0.3)):
            numbers = {"sigma_w": sigma_w, "sigma_b": sigma_b, "depth": 120, "width": width}
            check_every_step(cell, monkeypatch, activation, "gaussian", dtype, **numbers)


@on_both(BOTH)
def test_a_lost_tail_is_caught(cell, monkeypatch, schedule):
    """The check of every step fails where the tails are left out."""
    monkeypatch.setattr(explicit, "tail", PLAIN[explicit]["tail"])
    monkeypatch.setattr(narrow, "is_extreme", PLAIN[narrow]["is_extreme"])
    numbers = {"sigma_w": 100.0, "depth": 24, "width": 3}
    with pytest.raises(AssertionError, match="delta"):
        check_every_step(cell, monkeypatch, "tanh", "gaussian", "float32", **numbers)


def check_deep_values(activation, values):
    """Nothing false: zeros only where a layer is dead, NaN only where a logarithm is not represented."""
    log_delta, log_weight_grad, log_q, log_gain = values
    assert not np.isposinf(values).any()
    if activation not in CAN_DIE:
        assert not np.isneginf(values).any()
    elif np.isneginf(log_delta).any():
        last = np.flatnonzero(np.isneginf(log_delta)).max()
        assert np.isneginf(log_delta[: last + 1]).all()
        if activation == "relu" and last + 1 < len(log_delta):
            assert log_weight_grad[last + 1] == -np.inf  # x^l = 0, and so delta^l = 0
    if not np.isnan(values).any():
        return
    if activation in exact.WITHOUT_SLOPES:  # NaN where h has left the range of `reach`, or the phase is not known
        start = np.flatnonzero(np.isnan(log_q)).min(initial=len(log_q))
        assert np.abs(log_q[:start]).max() > 30
        return
    assert activation in ONE_SIDED
    last = np.flatnonzero(np.isnan(log_delta)).max(initial=-1)
    assert last < 0 or log_q[last] > 30  # |h| > 2^20 before its e^-h^2 leaves the logarithms
    for layer in np.flatnonzero(np.isnan(log_q)):
        assert np.isnan(log_q[layer - 1]) or log_q[layer - 1] > 30
    assert np.isnan(log_gain).any() == np.isnan(log_delta).any()


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


def test_padding_is_inert(cell):
    """A user's own pair that is not defined at 0, where the padding lies."""
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
