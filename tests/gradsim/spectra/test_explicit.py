"""All singular values: against many digits, autograd and exact laws; rank; any depth and scale.

Statistical comparisons are within 4.5 standard errors: a false alarm in 1.5e5 for each.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import gradsim as gs
from gradsim.errors import SweepError
from gradsim.spectra.forward import Diagonal
from gradsim.spectra.graded import Product
from gradsim.theory import lyapunov_exponents
from gradsim_core.activations import resolve_activation
from tests.gradsim.spectra.references import exact_logs, layer_factors, product_of

SQRT2 = 2**0.5


def spectrum_of(weights, slopes):
    """Of explicit matrices and slopes."""
    product = Product(len(weights[0]))
    for weight, values in zip(weights, slopes, strict=True):
        product.multiply(weight, Diagonal(np.asarray(values, float), 0.0, False))
    return product


def orthogonal(rng, n):
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


KINDS = {
    "shallow": (2, lambda rng, n: np.ones(n), 60, 2e-13),
    "deep": (60, lambda rng, n: np.ones(n), 160, 5e-13),
    "saturated": (1, lambda rng, n: 1 / np.cosh(15 * rng.standard_normal(n)) ** 2, 120, 2e-12),
    "deep and saturated": (20, lambda rng, n: 1 / np.cosh(10 * rng.standard_normal(n)) ** 2, 1600, 2e-12),
    "dead neurons": (6, lambda rng, n: rng.random(n) < 0.75, 200, 2e-13),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("draw", ["gaussian", "orthogonal"])
def test_against_many_digits(kind, draw):
    """Every singular value to 2e-12 relative, however far they range: e^-1400 beside 1 in one of the cases."""
    depth, slopes, digits, accuracy = KINDS[kind]
    rng, n = np.random.default_rng(5), 6
    matrix = (lambda: orthogonal(rng, n)) if draw == "orthogonal" else (lambda: rng.standard_normal((n, n)) / n**0.5)
    for _ in range(3):
        weights = [matrix() for _ in range(depth)]
        values = [slopes(rng, n) * 1.0 for _ in range(depth)]
        found = spectrum_of(weights, values).log_singular_values()
        exact = exact_logs([d[:, None] * w for d, w in zip(values, weights, strict=True)], digits)
        np.testing.assert_array_equal(np.isneginf(found), np.isneginf(exact))
        live = np.isfinite(exact)
        np.testing.assert_allclose(found[live], exact[live], atol=accuracy)


def test_a_plain_product_loses_what_is_kept_here():
    """The planted error: the SVD of the product in float64."""
    rng = np.random.default_rng(1)
    weights = [rng.standard_normal((6, 6)) for _ in range(60)]
    exact = exact_logs(weights, 160)
    plain = np.log(np.linalg.svd(product_of(weights), compute_uv=False))
    assert np.abs(plain - exact).max() > 1.0


def test_the_inverse_has_the_reciprocal_values():
    """At a width where no reference has many digits: the product of the inverses, last to first."""
    rng, n = np.random.default_rng(6), 48
    weights = [rng.standard_normal((n, n)) / n**0.5 for _ in range(40)]
    ones = [np.ones(n)] * 40
    found = spectrum_of(weights, ones).log_singular_values()
    inverse = spectrum_of([np.linalg.inv(w) for w in weights[::-1]], ones).log_singular_values()
    np.testing.assert_allclose(found, -inverse[::-1], atol=1e-10)
    assert found[0] - found[-1] > 60.0


CASES = [
    ("tanh", "gaussian", 1.5, 0.2), ("relu", "gaussian", SQRT2, 0.0), ("relu", "orthogonal", SQRT2, 0.1),
    ("tanh", "sparse(0.5)", 1.2, 0.1),
]  # fmt: skip


@pytest.mark.parametrize(("activation", "law", "sigma_w", "sigma_b"), CASES)
def test_networks_are_those_of_weights(activation, law, sigma_w, sigma_b):
    """J of `gradsim.weights`, by plain NumPy and its SVD, where float64 represents it."""
    cell = {"activation": activation, "law": law, "sigma_w": sigma_w, "sigma_b": sigma_b, "depth": 3, "width": 9}
    found = gs.jacobian(**cell, networks=5, seed=3)
    for number in range(5):
        drawn = gs.weights(number, **cell, seed=3, dtype="float64")
        factors = layer_factors(resolve_activation(activation), drawn)
        values = np.linalg.svd(product_of(factors), compute_uv=False)
        live = values > 1e-13 * values[0]
        assert live.sum() == found.rank[number] or values[live].min() < 1e-9 * values[0]
        np.testing.assert_allclose(
            np.exp(found.log_singular_values[number][live]), values[live], atol=1e-12 * values[0]
        )
        frame = np.eye(9)
        total = np.zeros(9)
        for factor in factors:
            frame, r = np.linalg.qr(factor @ frame)
            with np.errstate(divide="ignore"):
                total += np.log(np.abs(np.diagonal(r))) / 3
        known = np.isfinite(found.lyapunov[number])
        assert known.sum() == found.rank[number]
        np.testing.assert_allclose(found.lyapunov[number][known], total[known], atol=1e-9)
        assert (total[~known] < -10.0).all()


TORCH = ("tanh", "relu", "gelu")


@pytest.mark.parametrize("output", ["activation", "preactivation"])
@pytest.mark.parametrize("activation", TORCH)
def test_against_autograd(activation, output):
    """PyTorch's float64 Jacobian of the same network, to 1e-10 of each singular value that float64 represents."""
    torch = pytest.importorskip("torch")
    phi = {"tanh": torch.tanh, "relu": torch.relu, "gelu": torch.nn.functional.gelu}[activation]
    cell = {"activation": activation, "sigma_w": 1.7, "sigma_b": 0.1, "depth": 4, "width": 16}
    found = gs.jacobian(**cell, networks=3, seed=2, output=output)
    for number in range(3):
        drawn = gs.weights(number, **cell, seed=2, dtype="float64")

        def network(x, drawn=drawn):
            for w, b in zip(torch.tensor(drawn.W), torch.tensor(drawn.b), strict=True):
                h = w @ x + b
                x = phi(h)
            return x if output == "activation" else h

        j = torch.autograd.functional.jacobian(network, torch.tensor(drawn.x0)).numpy()
        values = np.linalg.svd(j, compute_uv=False)
        live = values > 1e-5 * values[0]  # of the others autograd has fewer digits
        ours = np.exp(found.log_singular_values[number])
        np.testing.assert_allclose(ours[live], values[live], rtol=1e-10)
        assert (ours[~live] < 2e-5 * values[0]).all()


def test_orthogonal_linear_networks_are_isometries():
    found = gs.jacobian("linear", law="orthogonal", sigma_w=0.9, depth=40, width=24, networks=4)
    np.testing.assert_allclose(found.log_singular_values, 40 * np.log(0.9), atol=1e-12)
    np.testing.assert_allclose(found.lyapunov, np.log(0.9), atol=1e-13)
    np.testing.assert_allclose(found.condition, 1.0, atol=1e-11)
    assert abs(found.moments().variance) < 1e-12


def test_determinants_of_linear_networks():
    """The sum of ln s is that of ln |det W| over the layers, and that of the exponents."""
    cell = {"activation": "linear", "depth": 30, "width": 12, "sigma_w": 1.3}
    found = gs.jacobian(**cell, networks=4)
    for number in range(4):
        exact = np.linalg.slogdet(gs.weights(number, **cell, dtype="float64").W)[1].sum()
        assert found.log_singular_values[number].sum() == pytest.approx(exact, abs=1e-10)
        assert 30 * found.lyapunov[number].sum() == pytest.approx(exact, abs=1e-10)


@pytest.mark.parametrize("width", [2, 4, 16])
def test_lyapunov_exponents_of_gaussian_products(width):
    """Newman's law holds at every depth: digamma; with sigma_w 10 % off it does not."""
    found = gs.jacobian("linear", width=width, depth=50, networks=64, seed=4)
    mean, se = found.lyapunov.mean(axis=0), found.lyapunov.std(axis=0, ddof=1) / 8
    assert (np.abs(mean - lyapunov_exponents(width)) < 4.5 * se).all()
    planted = lyapunov_exponents(width, 1.1)
    assert (np.abs(mean - planted) > 4.5 * se).any()
    deep = gs.jacobian("linear", width=width, depth=1000, networks=1, seed=4)
    gap = np.abs(deep.log_singular_values / 1000 - deep.lyapunov)  # they agree as the depth grows
    assert gap.max() < 0.03


def test_the_second_moment_at_finite_width():
    """E s^4 of Gaussian linear networks by its recursion: 6.770264 at L = 4, N = 8 (arXiv:1711.04735)."""
    found = gs.jacobian("linear", width=8, depth=4, networks=1000, seed=2)
    fourth = np.exp(found.log_fourth)
    assert abs(fourth.mean() - 6.770263671875) < 4.5 * fourth.std() / 1000**0.5
    moments = found.moments()
    assert abs(moments.mean - 1.0) < 4.5 * moments.mean_error
    assert abs(moments.variance - 5.770263671875) < 4.5 * moments.variance_error < 3.0
    parts = [gs.jacobian("linear", width=8, depth=4, networks=40, seed=seed).moments() for seed in range(10, 30)]
    spread = np.std([part.variance for part in parts], ddof=1)
    assert spread == pytest.approx(np.mean([part.variance_error for part in parts]), rel=0.5)


def test_relu_at_its_edge_at_depth_10000():
    """No overflow, nothing lost; the first exponent is that of the norm of a gradient (Jensen's loss 2.5 / N)."""
    found = gs.jacobian("relu", width=6, depth=10_000, sigma_w=SQRT2, networks=1)
    assert (found.status == 1).all()  # a layer without a live neuron is certain at this width
    assert np.isneginf(found.log_singular_values).all()
    found = gs.jacobian("leaky_relu(0.2)", width=16, depth=10_000, sigma_w=(2 / 1.04) ** 0.5, networks=1)
    logs = found.log_singular_values[0]
    assert np.isfinite(logs).all()
    assert logs[-1] < -1e4
    gaps = np.abs(logs / 10_000 - found.lyapunov[0])
    assert gaps.max() < 0.005
    loss = 10_000 * float(gs.theory.log_factor_mean("leaky_relu(0.2)", 16) + np.log(2 / 1.04)) / 2
    assert logs[0] == pytest.approx(loss, abs=6 * (10_000 * 0.25 * 2.5 / 16) ** 0.5)


@pytest.mark.verify
def test_relu_at_its_edge_at_width_64():
    found = gs.jacobian("relu", width=64, depth=10_000, sigma_w=SQRT2, networks=1)
    count = int(found.rank[0])
    logs = found.log_singular_values[0]
    assert 1 <= count < 20  # the least number of live neurons of 10,000 layers
    assert np.isfinite(logs[:count]).all()
    assert np.isneginf(logs[count:]).all()
    assert (np.abs(logs[:count] / 10_000 - found.lyapunov[0, :count]) < 0.005).all()


@pytest.mark.parametrize(
    ("activation", "sigma_w", "sigma_b"),
    [("relu", 100.0, 0.0), ("relu", 0.01, 0.0), ("relu", 100.0, 1.0), ("tanh", 0.01, 0.0)],
)
def test_any_scale(activation, sigma_w, sigma_b):
    """ln s moves by exactly L ln of a factor of sigma_w where phi is a line."""
    found = gs.jacobian(activation, width=24, depth=300, sigma_w=sigma_w, sigma_b=sigma_b, networks=3)
    assert (found.status <= 1).all()
    top = found.log_singular_values[:, 0]
    live = np.isfinite(top)
    assert live.any()
    slope = np.log(sigma_w) - (0.5 * np.log(2) if activation == "relu" else 0.0)
    assert np.abs(top[live] / 300 - slope).max() < 0.15


def test_slopes_that_underflow_are_not_called_zero():
    """phi' of tanh at |h| about 1000 is below float64: by its logarithm, or NaN for what lies beside larger ones."""
    found = gs.jacobian("tanh", width=6, depth=2, sigma_w=3000.0, networks=20)
    assert (found.status == 0).all()
    assert not np.isneginf(found.log_singular_values).any()
    assert np.isnan(found.log_singular_values).any()
    assert np.isfinite(found.log_singular_values[:, 0]).all()
    factors = layer_factors(
        resolve_activation("tanh"), gs.weights(0, activation="tanh", width=6, depth=2, sigma_w=3000.0)
    )
    assert np.count_nonzero(product_of(factors)) < 36  # float64 alone has zeros here


def test_numbers_depend_on_the_network_alone():
    cell = {"activation": "tanh", "width": 10, "depth": 5, "sigma_w": 1.2, "seed": 9}
    many, few = gs.jacobian(**cell, networks=12, threads=2), gs.jacobian(**cell, networks=5, threads=1)
    for name in ("log_singular_values", "lyapunov", "rank", "log_fourth"):
        np.testing.assert_array_equal(getattr(many, name)[:5], getattr(few, name))


def test_a_users_own_pair():
    own = gs.Activation("twice", lambda h: 2.0 * h, lambda h: 2.0)
    found = gs.jacobian(own, width=6, depth=3, sigma_w=0.5, law="orthogonal", networks=2)
    np.testing.assert_allclose(found.log_singular_values, 0.0, atol=1e-12)
    assert found.theory.spectrum.variance == pytest.approx(0.0, abs=1e-12)


def test_tables_and_counts():
    found = gs.jacobian("relu", width=6, depth=4, sigma_w=SQRT2, networks=200)
    table, logs = found.table(), found.log_singular_values
    assert (table["live"] + table["dead"] == 200).all()
    np.testing.assert_array_equal(table["dead"], np.isneginf(logs).sum(axis=0))
    np.testing.assert_array_equal(found.rank, np.isfinite(logs).sum(axis=1))
    live = logs[np.isfinite(logs[:, 0]), 0]
    assert table["mean"][0] == pytest.approx(live.mean())
    assert table["se"][0] == pytest.approx(stats.sem(live))
    assert table["median"][0] == np.quantile(logs[:, 0], 0.5, method="inverted_cdf")
    assert np.isinf(found.condition[found.rank < 6]).all()
    assert "lyapunov_theory" not in table
    assert "lyapunov_theory" in gs.jacobian("linear", width=4, depth=2, networks=2).table()
    assert found.summary().loc[0, "dead"] == (found.rank == 0).sum() > 0
    assert "variance of s²" in found._repr_html_()


REFUSED = [
    ({"method": "radial"}, "method"), ({"method": "explicit", "width": 257}, "width"), ({"output": "h"}, "output"),
    ({"law": "uniform", "method": "conditional"}, "method"), ({"sigma_w": -1.0}, "sigma_w"), ({"top": 0}, "top"),
    ({"tolerance": 0.0}, "tolerance"), ({"steps": 2, "top": 3}, "steps"), ({"depth": 0}, "depth"),
    ({"activation": "rleu"}, "activation"), ({"sigma_w": [1.0, 2.0]}, "cells"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "field"), REFUSED)
def test_bad_input_is_refused(given, field):
    with pytest.raises(SweepError, match=field):
        gs.jacobian(**{"activation": "tanh", "width": 8, "depth": 2, **given})

    deep = gs.jacobian("linear", width=2, depth=5000, networks=2)
    assert deep.table()["lyapunov_theory"].notna().all()
    row = deep.summary().iloc[0]
    assert np.isnan(row["mean_square_theory"])
    assert np.isfinite(row["log_largest_square"])
    assert "nan" in deep._repr_html_()
