"""The radial sampler: the law of explicit back-propagation, exact laws, numbers of any size, and what it refuses."""

from __future__ import annotations

from types import FunctionType

import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.activations import ACTIVATIONS, Activation, resolve_activation
from gradsim_core.laws import resolve_law
from gradsim_core.rng.chi_squares import chi_square_pair
from gradsim_core.schedules import radial, radial_matrix
from gradsim_core.schedules.radial_matrix import COUNT, REST, kept, source
from gradsim_core.simulator import Simulator
from tests.core.exact_laws import findings, report
from tests.core.two_samples import lowest_p_value

LN2 = np.log(2.0)


def block(cell, activation, count=64, first=0, law="gaussian", dtype="float64", **numbers):
    return cell(activation, law, dtype, "radial", **{"sigma_w": 1.4, "depth": 5, "width": 6} | numbers).block(
        count, first
    )


@pytest.mark.parametrize("law", ["gaussian", "orthogonal"])
@pytest.mark.parametrize(("activation", "sigma_b", "width"), [
    ("relu", 0.0, 4), ("relu", 0.5, 3), ("leaky_relu(0.2)", 0.0, 2), ("abs", 0.5, 8), ("linear", 0.3, 1),
])  # fmt: skip
def test_same_law_as_explicit_weights(cell, activation, law, sigma_b, width):
    """10,000 networks each; of the ten cases right code fails one with a chance of 1e-4. The long form has 1e5."""
    numbers = {"sigma_b": sigma_b, "width": width, "depth": 4, "schedule": radial, "networks": 10_000}
    assert lowest_p_value(cell, activation, law, **numbers) > 1e-5


def test_one_percent_of_sigma_w_is_told_apart(cell):
    numbers = {"width": 16, "depth": 16, "schedule": radial, "networks": 10_000}
    assert lowest_p_value(cell, "relu", "gaussian", planted=1.02, **numbers) < 1e-9


def without_along(cell, group, layer, work, error):
    """combine_gaussian, planted: W^T delta knows nothing of what W has shown forward."""
    return error.along * 0.0, error.square


def without_bias(cell, group, layer, work, error):
    """combine_gaussian, planted: all of h is taken for W x."""
    return error.along, error.square


def without_plane(matrix, sides, cell, group, layer, work):
    """in_plane_of, planted: y has no component across x in the plane of both parts of h."""
    return kept(work, layer, COUNT) * 0.0


def one_too_many(matrix, sides, cell, group, layer, work, spare):
    """outside_plane, planted: h spans no plane."""
    count = kept(work, layer, COUNT)
    first, second = chi_square_pair(source(cell, group, layer), REST, count, cell.width - count)
    return first, second, spare


PLANTED = {
    "combine_gaussian": [
        (without_along, {"activation": "relu"}),
        (without_bias, {"activation": "relu", "sigma_b": 0.5}),
    ],
    "in_plane_of": [(without_plane, {"activation": "leaky_relu(0.2)"})],
    "outside_plane": [(one_too_many, {"activation": "abs"})],
}
CASES = [(name, function, numbers) for name, entries in PLANTED.items() for function, numbers in entries]


def plant(monkeypatch, name, function):
    """Put a planted error in place of a part, when the right one is known to the compiler already."""
    jit.load_numba()
    jit.make_compilable(function)
    if name == "combine_gaussian":
        monkeypatch.setattr(radial_matrix, name, function)
        return
    # The compiler remembers what a function calls: a copy of the caller calls the planted one.
    caller = FunctionType(radial.backward_layer.__code__, vars(radial) | {name: function})
    monkeypatch.setattr(radial, "backward_layer", jit.make_compilable(caller))


@pytest.mark.parametrize(
    ("name", "function", "numbers"), [CASES[0], *(pytest.param(*case, marks=pytest.mark.verify) for case in CASES[1:])]
)
def test_planted_errors_are_caught(cell, monkeypatch, name, function, numbers):
    numbers = {"sigma_b": 0.0, "width": 6, "depth": 5, "networks": 20_000} | numbers
    activation = numbers.pop("activation")
    assert lowest_p_value(cell, activation, "gaussian", schedule=radial, build=True, **numbers) > 1e-5
    plant(monkeypatch, name, function)
    assert lowest_p_value(cell, activation, "gaussian", schedule=radial, build=True, **numbers) < 1e-8


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [8, 64, 1000])
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_exact_laws(cell, activation, width, dtype):
    sigma_w = np.sqrt(2) if activation == "relu" else 1.0
    one = cell(activation, "gaussian", dtype, "radial", sigma_w=sigma_w, depth=8, width=width, key=width)
    found, dead, p_value = findings(one, 100_000)
    report(one, 100_000, found, dead, p_value)
    # 4.5 standard errors: right code fails one of these 96 figures with a chance of 7e-4, and the key is fixed.
    assert all(abs(entry.z) < 4.5 for entry in found), found
    assert p_value > 1e-4, dead


def test_haar_matrices_keep_the_length_of_a_linear_network(cell):
    values, status = block(cell, "linear", law="orthogonal", sigma_w=1.0, depth=50, width=7)
    assert not status.any()
    np.testing.assert_allclose(values[3], 0.0, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("law", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("power", [-90, -20, 7, 95])
def test_a_power_of_two_shifts_the_logarithms(cell, law, dtype, power):
    """Without biases sigma_w 2^k multiplies h of layer l by 2^(k l), whatever that is, and nothing else."""
    numbers = {"law": law, "dtype": dtype, "depth": 300, "width": 40}
    (values, status), (shifted, other) = (block(cell, "relu", sigma_w=1.4 * 2.0**k, **numbers) for k in (0, power))
    np.testing.assert_array_equal(status, other)
    layer = np.arange(1, 301)
    steps = {"log_delta": 300 - layer, "log_weight_grad": np.full(300, 299), "log_q": 2 * layer}
    for quantity, step in enumerate((*steps.values(), 2 * (300 - layer))):
        np.testing.assert_allclose(
            shifted[quantity] - values[quantity], power * LN2 * np.broadcast_to(step, (64, 300)), rtol=1e-6, atol=2e-4
        )


@pytest.mark.parametrize("law", ["gaussian", "orthogonal"])
@pytest.mark.parametrize(
    ("sigma_w", "sigma_b"), [(1e30, 1e-30), (1e-30, 1e30), (1e30, 1e30), (1e-30, 1e-30), (1.4, 1e30)]
)
def test_any_size_of_weights_and_biases(cell, law, sigma_w, sigma_b):
    """float32 numbers are the float64 numbers, with its rounding: no false zero, infinity or NaN at any depth."""
    numbers = {"law": law, "sigma_w": sigma_w, "sigma_b": sigma_b, "depth": 200, "width": 8}
    (values, status), (rounded, other) = (
        block(cell, "leaky_relu(0.3)", dtype=dtype, **numbers) for dtype in ("float64", "float32")
    )
    assert not status.any()
    assert not other.any()
    assert np.isfinite(rounded).all()
    assert np.median(np.abs(values - rounded)) < 1e-3


@pytest.mark.parametrize("slope", [1e-20, 1e25])
def test_any_slope(cell, slope):
    values, status = block(cell, f"leaky_relu({slope:g})", dtype="float32", width=9, depth=30)
    assert not status.any()
    assert np.isfinite(values).all()


def test_dead_networks(cell):
    """Width 2, depth 4: a share 1 - (3/4)^4 is dead, all of whose delta are; with biases those above live on."""
    for law in ("gaussian", "orthogonal"):
        for sigma_b in (0.0, 0.5):
            values, status = block(cell, "relu", 40_000, law=law, sigma_b=sigma_b, depth=4, width=2)
            assert abs((status == 1).mean() - (1 - 0.75**4)) < 0.01
            dead = status == 1
            last = values[0, dead, -1]
            assert np.isneginf(last).all() == (sigma_b == 0.0)
            assert np.isneginf(values[0, dead, 0]).all()


def test_equal_functions_have_equal_numbers(cell):
    """abs is leaky_relu(-1), relu leaky_relu(0); a user's own pair with a slope on the other side is relu."""
    for first, second in (("abs", "leaky_relu(-1)"), ("relu", "leaky_relu(0)")):
        np.testing.assert_array_equal(block(cell, first)[0], block(cell, second)[0])
    mine = Activation("left", lambda h: min(h, 0.0), lambda h: 1.0 if h < 0.0 else 0.0, homogeneous=True)
    np.testing.assert_array_equal(block(cell, mine)[0], block(cell, "relu")[0])


def test_interpreted(cell):
    """The interpreter rounds an fma twice."""
    for law in ("gaussian", "orthogonal"):
        for activation in ("relu", "leaky_relu(0.2)"):
            numbers = {"law": law, "sigma_b": 0.3, "width": 300}
            found, _ = block(cell, activation, 16, **numbers)
            plain, _ = block(cell, activation, 16, interpret=True, **numbers)
            np.testing.assert_allclose(plain, found, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_table_knows_which_are_homogeneous(name):
    """A line on each side of 0, and only then the field says so."""
    row = ACTIVATIONS[name]
    h = np.concatenate([sign * np.geomspace(1e-3, 1e3, 50) for sign in (-1.0, 1.0)])
    slopes = row(h) / h
    straight = np.ptp(slopes[:50]) < 1e-9 and np.ptp(slopes[50:]) < 1e-9
    assert row.homogeneous == straight
    if row.homogeneous:
        np.testing.assert_allclose(row.derivative(h), slopes)


@pytest.mark.parametrize(("activation", "law"), [("tanh", "gaussian"), ("relu", "uniform"), ("gelu", "orthogonal")])
def test_refused(activation, law):
    with pytest.raises(ValueError, match=r"radial.*leaky_relu"):
        Simulator(resolve_activation(activation), resolve_law(law), "float32", "radial")


@pytest.mark.parametrize(("phi", "told"), [(lambda h: h * abs(h), "one line"), (lambda h: 0.0 * h, "0 everywhere")])
def test_a_pair_that_is_not_homogeneous(phi, told):
    with pytest.raises(ValueError, match=told):
        Activation("mine", phi, homogeneous=True)
