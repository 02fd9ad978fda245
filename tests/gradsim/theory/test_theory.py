"""Mean field, finite depth and finite width against published numbers, closed forms and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf, ndtr
from scipy.stats import binom, chi2

from gradsim import theory
from gradsim.errors import SweepError
from gradsim.theory.averages.moments import moments
from gradsim.theory.averages.pairs import pair_average
from gradsim_core.activations import ACTIVATIONS, Activation, resolve_activation

LOG_Q = np.array([-200.0, -100.0, -70.0, -30.0, -10.0, -3.0, -1.01, 0.0, 0.37, 1.0, 2.5, 5.0, 9.2])
Q = np.exp(LOG_Q)
S05 = math.sqrt(0.05)


def test_mean_field_of_tanh() -> None:
    found = theory.mean_field("tanh", math.sqrt(2.5), S05)
    assert found == pytest.approx((1.063958, 0.446804, 1.133516, 1.1799, 11.796, -7.979), rel=5e-5)
    assert found[:3] == pytest.approx((1.063958, 0.446804, 1.133516), abs=5e-7)


@pytest.mark.parametrize(
    ("name", "sigma_w", "sigma_b", "q_star", "chi_1"),
    [
        ("selu", 1.0, 0.0, 1.0, 1.0715750),
        ("sigmoid", 1.0, 1.0, 1.302134, 0.0419597),
        ("relu", math.sqrt(2), 0.0, 2.0, 1.0),
        ("relu", math.sqrt(1 / 3), 0.0, 0.0, 1 / 6),
        ("relu", 1.0, 0.5, 0.5, 0.5),
        ("relu", 2.0, 0.1, math.inf, 2.0),
        ("tanh", 1.0, 0.0, 0.0, 1.0),
        ("tanh", 0.5, 0.0, 0.0, 0.25),
        ("gelu", 1.5, 0.0, math.inf, 1.125),
    ],
)
def test_fixed_points(name: str, sigma_w: float, sigma_b: float, q_star: float, chi_1: float) -> None:
    found = theory.mean_field(name, sigma_w, sigma_b)
    assert found.q_star == pytest.approx(q_star, rel=5e-7)
    assert found.chi_1 == pytest.approx(chi_1, rel=1e-6)
    assert theory.chi_1(name, sigma_w, sigma_b) == found.chi_1


@pytest.mark.parametrize(
    ("name", "sigma_w", "c_star", "xi_c"),
    [
        ("relu", 1.0, 1.0, math.inf),  # the map of the correlation has slope 1 at its fixed point
        ("relu", 2.0, 1.0, math.inf),
        ("leaky_relu(0.2)", 0.5, 1.0, math.inf),
        ("gelu", 1.5, 1.0, math.inf),
        ("tanh", 0.5, math.nan, math.inf),  # a line keeps every correlation
        ("linear", 2.0, math.nan, math.inf),
        ("relu2", 0.5, math.nan, math.nan),
        ("relu2", 2.0, math.nan, math.nan),
    ],
)
def test_correlation_where_q_is_0_or_infinite(name: str, sigma_w: float, c_star: float, xi_c: float) -> None:
    found = theory.mean_field(name, sigma_w)
    assert found.q_star in (0.0, math.inf)
    assert (found.c_star, found.xi_c) == pytest.approx((c_star, xi_c), nan_ok=True)


def test_depth_scales_see_the_kinks() -> None:
    # The form with phi'' misses the deltas at the kinks and would give -7.66.
    assert theory.mean_field("hard_tanh", math.sqrt(1.5), S05).xi_q == pytest.approx(1.19830, abs=5e-6)
    assert theory.mean_field("tanh", 5 / 3).chi_1 == pytest.approx(1.2098, abs=5e-5)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_q_star_is_where_the_trajectory_ends(name: str) -> None:
    path = theory.trajectory(name, 3000, 1.3, 0.3)
    q_star = theory.mean_field(name, 1.3, 0.3).q_star
    end = np.exp(path.log_q[-1]) if path.log_q[-1] < 100.0 else math.inf
    assert end == pytest.approx(q_star, rel=1e-9)
    assert np.exp(path.log_chi[-1]) == pytest.approx(theory.chi_1(name, 1.3, 0.3), rel=1e-9)


CRITICAL = [
    ("tanh", 0.0, 1.0),
    ("tanh", S05, math.sqrt(1.760955)),
    ("relu", 0.0, math.sqrt(2)),
    ("relu", 0.7, math.sqrt(2)),
    ("linear", 0.0, 1.0),
    ("leaky_relu(0.2)", 0.0, math.sqrt(2 / 1.04)),
    ("leaky_relu", 0.3, math.sqrt(2 / 1.0001)),
    ("erf", 0.0, math.sqrt(math.pi) / 2),
    ("hard_tanh", 0.0, 1.0),
]


@pytest.mark.parametrize(("name", "sigma_b", "expected"), CRITICAL)
def test_critical_sigma_w(name: str, sigma_b: float, expected: float) -> None:
    assert theory.critical_sigma_w(name, sigma_b) == pytest.approx(expected, abs=3e-7)


def test_sigmoid_is_critical_near_ten() -> None:
    assert 9.5 < theory.critical_sigma_w("sigmoid") < 10.5


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gelu", "infinity at sigma_w = 1.468"),
        ("silu", "infinity at sigma_w = 1.5587"),
        ("mish", "q runs to infinity"),
        ("softplus", "only in the limit of infinite q"),
    ],
)
def test_no_stable_critical_point(name: str, reason: str) -> None:
    # q runs to infinity at sigma_w^2 = 2.155 (gelu), 2.430 (silu).
    with pytest.raises(theory.NoCriticalPoint, match=reason) as caught:
        theory.critical_sigma_w(name, 0.0)
    assert caught.value.reason


CLOSED_FORMS = {
    "linear": (lambda q: q, lambda q: np.ones_like(q)),
    "relu": (lambda q: q / 2, lambda q: np.full_like(q, 0.5)),
    "leaky_relu(0.2)": (lambda q: 0.52 * q, lambda q: np.full_like(q, 0.52)),
    "erf": (lambda q: 2 / np.pi * np.arctan2(2 * q, np.sqrt(1 + 4 * q)), lambda q: 4 / np.pi / np.sqrt(1 + 4 * q)),
    "hard_tanh": (
        lambda q: np.where(
            q > 1e-3, q * erf(1 / np.sqrt(2 * q)) - np.sqrt(2 * q / np.pi) * np.exp(-0.5 / q) + 2 * ndtr(-(q**-0.5)), q
        ),
        lambda q: erf(1 / np.sqrt(2 * q)),
    ),
    "sin": (lambda q: -np.expm1(-2 * q) / 2, lambda q: (1 + np.exp(-2 * q)) / 2),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_moments_against_closed_forms(name: str) -> None:
    for found, form in zip(moments(resolve_activation(name)).log_moments(LOG_Q), CLOSED_FORMS[name], strict=True):
        np.testing.assert_allclose(np.exp(found), form(Q), rtol=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_moments_against_direct_quadrature(name: str) -> None:
    activation = resolve_activation(name)
    table = moments(activation)
    for log_q in np.random.default_rng(1).uniform(-40.0, 12.0, 12):
        h, weights = table.grid(float(np.exp(log_q)))
        direct = [float(weights @ function(h) ** 2) for function in (activation, activation.derivative)]
        np.testing.assert_allclose(np.exp(table.log_moments(log_q)), direct, rtol=1e-12)


def test_adaptive_quadrature_of_scipy_agrees() -> None:
    tanh = resolve_activation("tanh")
    for q in (0.3, 7.0):

        def integrand(z: float, q: float = q) -> float:
            return math.tanh(math.sqrt(q) * z) ** 2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

        expected = 2 * quad(integrand, 0.0, 12.0, epsabs=0.0, epsrel=1e-13, limit=200)[0]
        assert np.exp(moments(tanh).log_moments(math.log(q))[0]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("correlation", [0.1, 0.6, 0.99, 0.9999])
def test_pair_average_is_the_arccosine_kernel(correlation: float) -> None:
    table, q = moments(resolve_activation("relu")), 1.7
    angle = math.acos(correlation)
    forward = q * (math.sin(angle) + (math.pi - angle) * correlation) / (2 * math.pi)
    assert pair_average(table, table.activation, q, correlation) == pytest.approx(forward, rel=1e-11)
    backward = (math.pi - angle) / (2 * math.pi)
    assert pair_average(table, table.activation.derivative, q, correlation) == pytest.approx(backward, rel=1e-11)


def test_boundary_at_finite_depth() -> None:
    found = [theory.boundary("tanh", depth) for depth in (4, 8, 16, 32, 64)]
    assert found == pytest.approx([1.648, 1.449, 1.318, 1.229, 1.166], abs=5e-4)
    assert theory.boundary("tanh", 1024) == pytest.approx(1.048, abs=5e-4)
    assert theory.boundary("tanh", 64, S05) == pytest.approx(1.349, abs=5e-4)
    assert theory.trajectory("tanh", 64, found[-1]).log_gain[0] == pytest.approx(0.0, abs=1e-11)


@pytest.mark.parametrize(("name", "sigma_b"), [("tanh", 0.0), ("sigmoid", 0.3), ("gelu", 0.1)])
def test_the_boundary_is_the_root_of_the_trajectory(name: str, sigma_b: float) -> None:
    """Also far down, where layers have become alike and are no longer followed, and where gelu jumps."""
    for depth in (2, 50, 2000):
        root = theory.boundary(name, depth, sigma_b)
        low, high = theory.trajectory(name, depth, [root * (1 - 2e-7), root * (1 + 2e-7)], sigma_b).log_gain[:, 0]
        assert low < 0.0 < high


def test_trajectory_at_any_depth_and_scale() -> None:
    for name in ("tanh", "relu"):
        path = theory.trajectory(name, 10_000, [0.01, 100.0])
        assert np.isfinite(path.log_q).all()
        assert np.isfinite(path.log_gain).all()
        if name == "relu":
            expected = 9999 * np.log([0.5e-4, 5000.0])
            np.testing.assert_allclose(path.log_gain[:, 0], expected, rtol=1e-12)


def test_exact_finite_width_relu() -> None:
    for width, mean in ((16, -0.176397), (64, -0.040109), (1024, -0.002445)):
        assert math.log(2) + theory.log_factor_mean("relu", width) == pytest.approx(mean, abs=5e-7)
    assert theory.boundary("relu", 8, width=16) ** 2 == pytest.approx(2.386, abs=5e-4)
    assert theory.boundary("relu", 64, width=64) ** 2 == pytest.approx(2.082, abs=5e-4)


@pytest.mark.parametrize("slope", [0.01, 0.3, 0.999])
def test_exact_finite_width_leaky_relu(slope: float) -> None:
    def mean_log(k: int, width: int) -> float:
        if k in (0, width):
            scale = slope**2 if k == 0 else 1.0
            return math.log(scale) + chi2(width).expect(np.log)
        grid = np.linspace(-60.0, 8.0, 6801)  # ln of a chi-square
        weights = [chi2(n).pdf(np.exp(grid)) * np.exp(grid) for n in (k, width - k)]
        logs = np.logaddexp(grid[:, None], 2 * math.log(slope) + grid[None, :])
        step = grid[1] - grid[0]
        return float(step**2 * weights[0] @ logs @ weights[1])

    width = 2
    expected = sum(binom.pmf(k, width, 0.5) * mean_log(k, width) for k in range(width + 1)) - math.log(width)
    assert theory.log_factor_mean(f"leaky_relu({slope})", width) == pytest.approx(expected, abs=1e-6)


def test_finite_width_limits() -> None:
    linear, relu = theory.log_factor_mean("linear", 7), theory.log_factor_mean("relu", 256)
    assert theory.log_factor_mean("leaky_relu(1)", 7) == pytest.approx(linear, abs=1e-12)
    assert theory.log_factor_mean("leaky_relu(0.999999999)", 7) == pytest.approx(linear, abs=1e-8)
    # With 256 neurons no layer is dead, so that a slope of 1e-9 cannot be told from relu.
    assert theory.log_factor_mean("leaky_relu(1e-9)", 256) == pytest.approx(relu, abs=1e-12)


OWN = {
    "relu": Activation("own_relu", lambda h: max(h, 0.0), lambda h: 1.0 if h > 0.0 else 0.0),
    "tanh": Activation("own_tanh", math.tanh, lambda h: 1.0 / math.cosh(min(abs(h), 300.0)) ** 2),
    "hard_tanh": Activation("own_hard", lambda h: max(-1.0, min(1.0, h)), lambda h: float(abs(h) < 1.0)),
    "softplus": Activation("own_softplus", lambda h: math.log(1.0 + math.exp(h)), lambda h: 1.0 / (1.0 + math.exp(-h))),
}


@pytest.mark.parametrize("name", OWN)
def test_a_users_own_activation_has_the_same_theory(name: str) -> None:
    own = OWN[name]
    assert theory.chi_1(own, 1.3, 0.2) == pytest.approx(theory.chi_1(name, 1.3, 0.2), rel=1e-9)
    assert theory.boundary(own, 16, 0.2) == pytest.approx(theory.boundary(name, 16, 0.2), rel=1e-9)


def test_undeclared_kinks_are_found() -> None:
    shifted = Activation("shifted", lambda h: max(h - 0.3, 0.0), lambda h: 1.0 if h > 0.3 else 0.0)
    log_q = np.log([0.001, 0.1, 1.0, 50.0])
    expected = ndtr(-0.3 / np.exp(log_q / 2))
    np.testing.assert_allclose(np.exp(moments(shifted).log_moments(log_q)[1]), expected, rtol=1e-12)


@pytest.mark.parametrize("sigma_w", [0.0, -1.0, math.nan, math.inf, "one", True])
def test_bad_sigma_w_is_refused(sigma_w: float) -> None:
    with pytest.raises(SweepError, match="sigma_w"):
        theory.mean_field("tanh", sigma_w)
    with pytest.raises(SweepError, match="sigma_w"):
        theory.trajectory("tanh", 3, sigma_w)


def test_other_bad_arguments_are_refused() -> None:
    with pytest.raises(SweepError, match="sigma_b"):
        theory.critical_sigma_w("tanh", -0.1)
    with pytest.raises(SweepError, match="depth"):
        theory.boundary("tanh", 0)
    with pytest.raises(SweepError, match="width"):
        theory.boundary("relu", 4, width=0)
    with pytest.raises(ValueError, match="tanh"):
        theory.mean_field("tahn", 1.0)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("tanh", 1), "depth 1"),
        (("tanh", 4, 0.0, 16), "only for linear, relu, leaky_relu and abs"),
        (("relu", 4, 0.1, 16), "with biases"),
        (("relu", 10**6), "to depth 16,384"),
    ],
)
def test_no_boundary_has_a_reason(arguments: tuple[str, int], reason: str) -> None:
    with pytest.raises(theory.NoCriticalPoint, match=reason):
        theory.boundary(*arguments)
