"""The conditional sampler: back-propagation through real weights of the right law, at any size of the numbers."""

from __future__ import annotations

from types import FunctionType

import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.activations import ACTIVATIONS
from gradsim_core.lanes import LANES
from gradsim_core.parameters import Params
from gradsim_core.rng.normals import normal_pair
from gradsim_core.rng.philox import GROUP_BACKWARD, GROUP_BIAS, GROUP_FORWARD, GROUP_INPUT, GROUP_READOUT, random_words
from gradsim_core.schedules import conditional, sampled_matrix
from gradsim_core.schedules.one_pass import INVERSE_NORM, Combination, kept
from tests import naive
from tests.core.exact_laws import findings, report
from tests.core.scaling.cases import check_deep_values
from tests.core.two_samples import lowest_p_value

DTYPES = ("float32", "float64")
LAWS = ("gaussian", "orthogonal")
SLOW_TO_COMPILE = [pytest.param(name, marks=pytest.mark.verify) for name in ACTIVATIONS if name not in ("tanh", "relu")]


def drawn(p, layer, role):
    """Normals of network 0 as the sampler draws them, (width,)."""
    out = np.zeros(conditional.rows(p.width) * LANES)
    conditional.fill(p, 0, layer, role, np.zeros(16 * LANES, np.int32), out, 0)
    return out.reshape(-1, LANES)[: p.width, 0]


def unit(v):
    size = np.linalg.norm(v)
    return v / size if size else v


def real_weights(one, p):
    """x0, W, b, v of a network 0 that has seen the same normals: each W of rank two, W x and W^T delta as sampled."""
    phi, dphi = naive.PHI[one.machine.activation.name]
    orthogonal = one.machine.law.name == "orthogonal"
    s = p.sigma_w * (1 if orthogonal else p.width**-0.5)
    x, h, z = [drawn(p, 0, GROUP_INPUT)], [], []
    for layer in range(1, p.depth + 1):
        z.append(drawn(p, layer, GROUP_FORWARD))
        if orthogonal:
            z[-1] = unit(z[-1])
            h.append(s * np.linalg.norm(x[-1]) * z[-1] + p.sigma_b * drawn(p, layer, GROUP_BIAS))
        else:
            h.append(np.hypot(s * np.linalg.norm(x[-1]), p.sigma_b) * z[-1])
        x.append(phi(h[-1]))
    v = drawn(p, 0, GROUP_READOUT) / np.sqrt(p.width)
    delta, W, b = dphi(h[-1]) * v, [], []
    for layer in range(p.depth, 0, -1):
        x_hat, length, u = unit(x[layer - 1]), np.linalg.norm(x[layer - 1]), z[layer - 1]
        if orthogonal:
            part = s * length * u
        else:
            share, rest = s * length / np.hypot(s * length, p.sigma_b), p.sigma_b / np.hypot(s * length, p.sigma_b)
            words = random_words(p.key, 0, layer, GROUP_BIAS, 0)
            fresh = normal_pair(words[0], words[1], np.float64(1))[0][0]
            part = s * length * (share * u + rest * fresh * unit(delta))
        g = drawn(p, layer, GROUP_BACKWARD)
        across = g - x_hat * (x_hat @ g)
        if orthogonal:
            other = delta - u * (u @ delta) * (length > 0)
            matrix = np.outer(part, x_hat) / length if length else np.zeros((p.width, p.width))
            matrix += s * np.outer(unit(other), unit(across)) * (p.width > 1)
        else:
            matrix = (np.outer(part, x_hat) / length if length else 0) + s * np.outer(unit(delta), across)
        W.insert(0, matrix)
        b.insert(0, h[layer - 1] - part * (length > 0))
        delta = dphi(h[layer - 2]) * (matrix.T @ delta)
    return x[0], np.array(W), np.array(b), v


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_is_backpropagation_through_real_weights(cell, activation, law):
    """To 1e-11, for the weights of lowest rank that agree with all that the sampler says of them."""
    for width, sigma_b in ((1, 0.0), (2, 0.3), (5, 0.0), (6, 0.3)):
        numbers = {"sigma_w": 1.3, "sigma_b": sigma_b, "depth": 6, "width": width}
        one = cell(activation, law, "float64", "conditional", interpret=True, **numbers)
        values = one.block(1)[0][:, 0]
        if np.isneginf(values).any():
            continue
        expected = naive.quantities(activation, *real_weights(one, one.params))
        np.testing.assert_allclose(values, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("law", LAWS)
def test_float32(cell, law):
    numbers = {"sigma_w": 1.3, "sigma_b": 0.2, "depth": 8, "width": 9}
    single, double = (cell("tanh", law, dtype, "conditional", **numbers).block(200)[0] for dtype in DTYPES)
    np.testing.assert_allclose(single, double, atol=1e-4)


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_exact_laws(cell, activation):
    for width in (8, 16):
        one = cell(activation, "gaussian", "float32", "conditional", sigma_w=1.3, depth=8, width=width, key=width)
        found, dead, p_value = findings(one, 20_000)
        report(one, 20_000, found, dead, p_value)
        assert all(abs(entry.z) < 4.5 for entry in found), found
        assert p_value > 1e-4, dead


@pytest.mark.parametrize("sigma_b", [0.0, 0.3])
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_same_law_as_explicit(cell, activation, law, sigma_b):
    """A quick form of `tests/verification/test_conditional.py`."""
    for width in (2, 8):
        assert lowest_p_value(cell, activation, law, 6000, sigma_b=sigma_b, width=width) > 1e-8


@pytest.mark.parametrize("sigma_w", [0.01, 100.0, 1e-12, 1e12])
@pytest.mark.parametrize("activation", ["tanh", "relu", *SLOW_TO_COMPILE])
def test_same_law_beyond_the_range(cell, activation, sigma_w):
    """The regimes beside the ordinary one, in float32: saturated, linear at zero, linear at infinity."""
    if activation == "relu2":
        pytest.skip("it squares |h| in each layer: both methods end in NaN, counted, the conditional one earlier")
    for width, sigma_b in ((3, 0.0), (5, 0.3)):
        numbers = {"sigma_w": sigma_w, "sigma_b": sigma_b, "depth": 12, "width": width}
        assert lowest_p_value(cell, activation, "gaussian", 3000, **numbers) > 1e-8, (width, sigma_b)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.verify)])
@pytest.mark.parametrize("activation", ["tanh", "relu", *SLOW_TO_COMPILE])
def test_deep(cell, activation, dtype):
    """Depth 10,000, sigma_w 0.01 to 100: no false zero, infinity or NaN."""
    for sigma_w in (0.01, 1.0, 100.0):
        for sigma_b in (0.0, 0.3):
            numbers = {"sigma_w": sigma_w, "sigma_b": sigma_b, "depth": 10_000, "width": 4}
            one = cell(activation, "gaussian", dtype, "conditional", **numbers)
            for values in np.moveaxis(one.block(16)[0], 1, 0):
                check_deep_values(activation, values)


def test_far_numbers_are_those_of_float64(cell):
    """What float32 cannot hold, float64 can: the same networks, where nothing is chaotic."""
    for activation, sigma_w in (("linear", 1e-9), ("linear", 1e9), ("leaky_relu(0.2)", 1e12), ("tanh", 1e-15)):
        numbers = {"sigma_w": sigma_w, "depth": 12, "width": 7}
        single, double = (
            cell(activation, "gaussian", dtype, "conditional", **numbers).block(32)[0] for dtype in DTYPES
        )
        np.testing.assert_allclose(single, double, rtol=1e-5, atol=1e-4)


def without_projection(cell, group, layer, work, square, along, inner):
    """A planted error: g is not made orthogonal to x."""
    length, inverse_norm = sampled_matrix.sqrt(square), kept(work, layer - 1, INVERSE_NORM)
    return Combination(length, along * inverse_norm)


def of_the_wrong_layer(work, layer, y):
    """A planted error: z . delta is taken from the layer below."""
    square, _, sure = products(work, layer, y)
    _, along, _ = products(work, max(layer - 1, 1), y)
    return square, along, sure


products = conditional.products_from_sums
PLANTED = {
    "combine_gaussian": (sampled_matrix, without_projection),
    # The compiler remembers what a function calls: a copy of the caller calls the planted one.
    "delta_products": (
        conditional,
        FunctionType(
            conditional.delta_products.__code__, vars(conditional) | {"products_from_sums": of_the_wrong_layer}
        ),
    ),
}


def plant(monkeypatch, name):
    """Put a planted error in place of a part, when the right one is known to the compiler already."""
    jit.load_numba()
    module, function = PLANTED[name]
    jit.make_compilable(of_the_wrong_layer)
    monkeypatch.setattr(module, name, jit.make_compilable(function))


@pytest.mark.parametrize("name", ["combine_gaussian", pytest.param("delta_products", marks=pytest.mark.verify)])
def test_planted_errors_are_caught(cell, monkeypatch, name):
    """The test of laws fails by far where a part of the formula is left out."""
    plant(monkeypatch, name)
    assert lowest_p_value(cell, "tanh", "gaussian", 12_000, width=8, build=True) < 1e-8


def test_a_wrong_sigma_w_is_caught(cell):
    assert lowest_p_value(cell, "tanh", "gaussian", 20_000, width=8, planted=1.03) < 1e-8


def test_params_are_numbers(cell):
    """Networks beyond the first group of sixteen, and a cell of one network, are drawn alike."""
    one = cell("tanh", "gaussian", "float32", "conditional", sigma_w=1.5, depth=3, width=1)
    assert isinstance(one.params, Params)
    values, status = one.block(40)
    assert np.isfinite(values).all()
    assert not status.any()
    assert len(np.unique(values[0, :, 0])) == 40


def test_no_other_law(cell):
    with pytest.raises(ValueError, match="only theirs have a known law"):
        cell("tanh", "sparse(0.5)", "float32", "conditional", sigma_w=1.0, depth=2, width=4)
