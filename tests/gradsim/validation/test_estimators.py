"""Every estimator against an oracle of its own: mpmath at 20 digits, SciPy, exact sums, or plain NumPy networks.

Simulated ones are compared within 4.5 standard errors (false alarms: 7e-6 each), and their standard errors within a
factor of 1.5 with the spread of independent seeds.
"""

from __future__ import annotations

from functools import cache

import mpmath as mp
import numpy as np
import pytest
from scipy import special, stats
from scipy.optimize import brentq

from gradsim.errors import SweepError
from gradsim.theory import NoCriticalPoint
from gradsim.validation.estimators import ESTIMATORS, FAMILIES


@pytest.fixture(autouse=True)
def digits():
    """Twenty digits in these tests alone: the precision of mpmath is global."""
    with mp.workdps(20):
        yield


PHI = {
    "tanh": mp.tanh,
    "relu": lambda h: max(h, 0),
    "gelu": lambda h: h * mp.ncdf(h),
    "silu": lambda h: h / (1 + mp.exp(-h)),
    "sigmoid": lambda h: 1 / (1 + mp.exp(-h)),
    "selu": lambda h: mp.mpf("1.0507009873554805") * (h if h > 0 else mp.mpf("1.6732632423543772") * mp.expm1(h)),
    "elu": lambda h: h if h > 0 else mp.expm1(h),
}
DPHI = {
    "tanh": lambda h: 1 - mp.tanh(h) ** 2,
    "relu": lambda h: mp.mpf(h > 0),
    "gelu": lambda h: mp.ncdf(h) + h * mp.npdf(h),
    "silu": lambda h: PHI["sigmoid"](h) * (1 + h * (1 - PHI["sigmoid"](h))),
    "selu": lambda h: mp.mpf("1.0507009873554805") * (1 if h > 0 else mp.mpf("1.6732632423543772") * mp.exp(h)),
}


def relu_edge(z):
    """lambda at z of critical Gaussian relu networks of three layers."""
    return (1 + z) * (1 + 2 * z) ** 3 / z


def average(f, q=1):
    """E f(h), h ~ N(0, q)."""
    s = mp.sqrt(q)
    return mp.quad(lambda z: f(s * z) * mp.npdf(z), [-12, -6, -3, -1, 0, 1, 3, 6, 12])


def square(phi, q=1):
    return average(lambda h: phi(h) ** 2, q)


def tanh_q(sigma_w, sigma_b):
    return mp.findroot(lambda q: sigma_w**2 * square(mp.tanh, q) + sigma_b**2 - q, (1.0, 1.2), tol=1e-20)


def tanh_chi(sigma_w, sigma_b):
    return sigma_w**2 * square(DPHI["tanh"], tanh_q(sigma_w, sigma_b))


def arc_cosine(c, layers):
    for _ in range(layers):
        c = (mp.sqrt(1 - c * c) + (mp.pi - mp.acos(c)) * c) / mp.pi
    return c


def tanh_after(layers):
    q = mp.mpf(1)
    for _ in range(layers - 1):
        q = square(mp.tanh, q)
    return q * layers


@cache
def half_stable_silu():
    """q, sigma_w^2 and sigma_b^2."""
    phi, dphi = PHI["silu"], DPHI["silu"]

    def excess(q):
        return average(lambda h: phi(h) ** 2 * (h * h / q - 1), q) / (2 * q) - square(dphi, q)

    q = mp.findroot(excess, (13, 15), solver="anderson", tol=1e-14)
    weight = 1 / square(dphi, q)
    return q, weight, q - weight * square(phi, q)


def gelu_bias():
    """sigma_b^2 at the half-stable point, whose q is known."""
    q = (3 + mp.sqrt(17)) / 2
    return q - square(PHI["gelu"], q) / square(DPHI["gelu"], q)


def critical_erf(factor, stretch, sigma_b):
    """sigma_w at which chi_1 of factor * erf(stretch * h) is 1: the averages are closed (Williams 1997)."""
    square = stretch**2

    def excess(sigma_w):
        weight = (sigma_w * factor) ** 2

        def growth(q):
            return weight * 2 / np.pi * np.arcsin(2 * square * q / (1 + 2 * square * q)) + sigma_b**2 - q

        q = brentq(growth, sigma_b**2, 100.0, xtol=1e-15, rtol=1e-14)
        return weight * square * 4 / np.pi / np.sqrt(1 + 4 * square * q) - 1

    return brentq(excess, 0.5, 3.0, xtol=1e-15, rtol=1e-14)


def active(width):
    """Number of active neurons of a live layer, and its probabilities."""
    k = np.arange(1, width + 1)
    p = stats.binom.pmf(k, width, 0.5)
    return k, p / p.sum()


def log_factor(width):
    k, p = active(width)
    means = special.digamma(k / 2) + np.log(2 / width)
    mean = float(p @ means)
    return mean, float(p @ (special.polygamma(1, k / 2) + (means - mean) ** 2))


def moment(s, width):
    """n sigma^2 with E S^(s/2) = 1, dead layers counted as 0."""
    k = np.arange(1, width + 1)
    p = stats.binom.pmf(k, width, 0.5)
    terms = np.exp(special.gammaln((k + s) / 2) - special.gammaln(k / 2)) * (2 / width) ** (s / 2)
    return float(p @ terms) ** (-2 / s)


BOTH_SELU = {
    "alpha": mp.findroot(lambda a: average(lambda h: h if h > 0 else a * mp.expm1(h)), 1.6),
    "scale": 1 / mp.sqrt(square(lambda h: h if h > 0 else mp.mpf("1.67326324235437728481704") * mp.expm1(h))),
}
AT = {"activation": "tanh", "sigma_w": 1.6, "sigma_b": 0.2}

EXACT = {
    "q_star": (AT, lambda: tanh_q(1.6, 0.2)),
    "chi_1": (AT, lambda: tanh_chi(1.6, 0.2)),
    "xi_grad": (AT, lambda: -1 / mp.log(tanh_chi(1.6, 0.2))),
    "critical_sigma_w": ({"activation": "erf", "sigma_b": 0.2}, lambda: critical_erf(1, 1, 0.2)),
    "critical_variance": ({"activation": "relu", "sigma_b": 0.3}, lambda: 2),
    "critical_of_rescaled": (
        {"activation": "erf", "factor": 1.5, "stretch": 0.7, "sigma_b": 0.2}, lambda: critical_erf(1.5, 0.7, 0.2)
    ),
    "boundary": ({"activation": "relu", "depth": 7}, lambda: mp.sqrt(2)),
    "correlation": ({"activation": "relu", "layers": 3, "c": 0.1, "sigma_w": 1}, lambda: arc_cosine(mp.mpf("0.1"), 3)),
    "decorrelation": (
        {"activation": "relu", "layers": 5, "c": 0, "sigma_w": 1, "power": 2},
        lambda: 25 * (1 - arc_cosine(mp.mpf(0), 5))
    ),
    "relaxation": ({"activation": "tanh", "layers": 4, "sigma_w": 1}, lambda: tanh_after(4)),
    "half_stable_q": ({"activation": "gelu"}, lambda: (3 + mp.sqrt(17)) / 2),
    "half_stable_weight_variance": ({"activation": "silu"}, lambda: half_stable_silu()[1]),
    "half_stable_bias_variance": ({"activation": "gelu"}, gelu_bias),
    "quad_half_stable_bias_variance": ({"activation": "silu"}, lambda: half_stable_silu()[2]),
    "mean_square": ({"activation": "gelu", "q": 2}, lambda: square(PHI["gelu"], 2)),
    "mean_square_slope": ({"activation": "silu", "q": 2}, lambda: square(DPHI["silu"], 2)),
    "mean": ({"activation": "elu", "q": 2}, lambda: average(PHI["elu"], 2)),
    "standardising_gain": (
        {"activation": "silu"}, lambda: 1 / mp.sqrt(square(PHI["silu"]) - average(PHI["silu"]) ** 2)
    ),
    "quad_standardising_gain": (
        {"activation": "gelu", "q": 2}, lambda: 1 / mp.sqrt(square(PHI["gelu"], 2) - average(PHI["gelu"], 2) ** 2)
    ),
    "forward_gain": ({"activation": "tanh", "q": 1}, lambda: 1 / mp.sqrt(square(mp.tanh))),
    "quad_forward_gain": ({"activation": "sigmoid"}, lambda: 1 / mp.sqrt(square(PHI["sigmoid"]))),
    "quad_mean_square": ({"activation": "elu", "q": 3}, lambda: square(PHI["elu"], 3)),
    "quad_chi_1": ({"activation": "selu", "sigma_w": 1}, lambda: square(DPHI["selu"])),
    "variance_slope": (
        {"activation": "selu", "sigma_w": 1.1},
        lambda: mp.mpf("1.21") * mp.diff(lambda q: square(PHI["selu"], q), 1),
    ),
    "mean_to_variance_slope": (
        {"activation": "selu", "sigma_w": 1.1}, lambda: mp.diff(lambda q: average(PHI["selu"], mp.mpf("1.21") * q), 1)
    ),
    "gated_forward": ({"activation": "sigmoid"}, lambda: square(PHI["sigmoid"])),
    "gated_backward": ({"activation": "silu"}, lambda: square(PHI["silu"]) + square(DPHI["silu"])),
    "gated_gain": ({"activation": "silu"}, lambda: 1 / mp.sqrt(square(PHI["silu"]))),
    "selu_alpha": ({}, lambda: BOTH_SELU["alpha"]),
    "selu_scale": ({}, lambda: BOTH_SELU["scale"]),
    "truncated_normal_std": ({"cut": 1.5}, lambda: stats.truncnorm.std(-1.5, 1.5)),
    "arithmetic": ({"formula": "5.9 * 4.2**2"}, lambda: mp.mpf("104.076")),
    "quenched_sigma_w": ({"activation": "relu", "width": 9}, lambda: np.exp(-0.5 * log_factor(9)[0])),
    "sum_quenched_sigma_w": ({"activation": "linear", "width": 9}, lambda: mp.sqrt(4.5 * mp.exp(-mp.digamma(4.5)))),
    "log_factor_mean": (
        {"activation": "relu", "width": 5, "sigma_w": 1.3}, lambda: log_factor(5)[0] + 2 * np.log(1.3)
    ),
    "log_factor_variance": ({"activation": "relu", "width": 5}, lambda: log_factor(5)[1]),
    "sum_log_factor_variance": ({"activation": "linear", "width": 5}, lambda: mp.psi(1, 2.5)),
    "moment_variance": ({"activation": "relu", "s": 0.7, "width": 6}, lambda: moment(0.7, 6)),
    "dead_fraction": ({"activation": "relu", "depth": 5, "width": 3}, lambda: 1 - (mp.mpf(7) / 8) ** 5),
    "jacobian_variance": (
        {"activation": "tanh", "sigma_w": 1.5, "depth": 1, "law": "orthogonal"},
        lambda: mp.mpf("1.5") ** 4 * (
            average(lambda h: DPHI["tanh"](h) ** 4, 2.25) - average(lambda h: DPHI["tanh"](h) ** 2, 2.25) ** 2
        ),
    ),
    "jacobian_edge": (
        {"activation": "relu", "sigma_w": "sqrt(2)", "depth": 3, "law": "gaussian"},
        lambda: relu_edge(mp.findroot(lambda z: 1 / (1 + z) + 6 / (1 + 2 * z) - 1 / z, 0.2)),
    ),
    "lyapunov_exponent": ({"k": 2, "width": 5}, lambda: (mp.log(mp.mpf(2) / 5) + mp.digamma(2)) / 2),
    "largest_singular_value": ({"law": "orthogonal", "sigma_w": 1.1, "depth": 3, "width": 6}, lambda: mp.mpf("1.331")),
    "smallest_singular_value": ({"law": "orthogonal", "sigma_w": 1.1, "depth": 3, "width": 6}, lambda: mp.mpf("1.331")),
}  # fmt: skip


def tanh_pair(sigma_w, sigma_b, c):
    """E phi(u1) phi(u2) sigma_w^2 and E phi'(u1) phi'(u2) sigma_w^2 by Gauss-Hermite nodes: tanh is smooth."""
    z, w = special.roots_hermitenorm(120)
    w = w / w.sum()
    s = float(mp.sqrt(tanh_q(sigma_w, sigma_b)))
    first, second = s * z[:, None], s * (c * z[:, None] + np.sqrt(1 - c * c) * z[None, :])
    weights = sigma_w**2 * w[:, None] * w[None, :]
    return float((weights * np.tanh(first) * np.tanh(second)).sum()), float(
        (weights / np.cosh(first) ** 2 / np.cosh(second) ** 2).sum()
    )


@pytest.mark.parametrize("name", EXACT)
def test_against_its_oracle(name):
    given, oracle = EXACT[name]
    accuracy = 1e-7 if name in ("variance_slope", "mean_to_variance_slope") else 1e-9  # mp.diff
    assert ESTIMATORS[name](given) == (pytest.approx(float(oracle()), rel=accuracy), 0.0)


def test_correlations_of_tanh():
    c = ESTIMATORS["c_star"](AT).value
    image, slope = tanh_pair(1.6, 0.2, c)
    assert (image + 0.04) / float(tanh_q(1.6, 0.2)) == pytest.approx(c, rel=1e-7)
    assert ESTIMATORS["xi_c"](AT).value == pytest.approx(-1 / np.log(slope), rel=1e-6)
    q = tanh_q(1.6, 0.2)
    dq = mp.mpf("2.56") * mp.diff(lambda x: square(mp.tanh, x), q)
    assert ESTIMATORS["xi_q"](AT).value == pytest.approx(float(-1 / mp.log(dq)), rel=1e-7)


RESIDUAL = {"architecture": "residual2", "activation": "relu", "sigma_w": 1.3}


def tanh_streams(depth, sigma_w):
    """ln of the mean square gradient of x + W tanh(x) over so many blocks: a plain loop, sums over a fine grid."""
    z = np.linspace(-12.0, 12.0, 100_001)
    weight, q, found = np.exp(-0.5 * z**2), 1.0, 0.0
    weight /= weight.sum()
    for _ in range(depth):
        t = np.tanh(np.sqrt(q) * z)
        found += np.log1p(sigma_w**2 * weight @ (1.0 - t**2) ** 2)
        q += sigma_w**2 * weight @ t**2
    return found


STREAMS = {
    "stream_factor": (RESIDUAL | {"depth": 6, "branch_scale": 0.7}, 1 + 0.7**2 * 1.3**4 / 2),
    "stream_square": (RESIDUAL | {"depth": 6, "branch_scale": 0.7}, (1 + 0.7**2 * 1.3**4 / 2) ** 6),
    "stream_growth": (RESIDUAL | {"depth": 6, "branch_scale": 0.7}, (1 + 0.7**2 * 1.3**4 / 2) ** 6),
    "root_slope": (
        {"architecture": "residual", "activation": "tanh", "sigma_w": 1.1, "depth": 100},
        (tanh_streams(100, 1.1) - tanh_streams(25, 1.1)) / 5.0,
    ),
    "deepnorm_alpha": ({"depth": 6.0}, 12**0.25),
    "deepnorm_beta": ({"depth": 6.0}, 48**-0.25),
}


@pytest.mark.parametrize("name", STREAMS)
def test_streams(name):
    given, expected = STREAMS[name]
    assert ESTIMATORS[name](given).value == pytest.approx(expected, rel=1e-6)


WIDTH, DEPTH, SIZE = 6, 3, 200_000
RELU = {"activation": "relu", "sigma_w": "sqrt(2)", "depth": DEPTH, "width": WIDTH, "networks": SIZE}


def plain_networks(layer=1):
    """ln gain, q of the last layer, ln |dC/dW| of a layer, the tangent kernel and whether live: plain NumPy, relu."""
    rng = np.random.default_rng(20)
    x, slopes, inputs, matrices = rng.standard_normal((SIZE, WIDTH, 1)), [], [], []
    for _ in range(DEPTH):
        matrices.append(rng.standard_normal((SIZE, WIDTH, WIDTH)) * np.sqrt(2 / WIDTH))
        inputs.append(x)
        h = matrices[-1] @ x
        slopes.append(h > 0)
        x = np.maximum(h, 0)
    delta = [slopes[-1] * rng.standard_normal((SIZE, WIDTH, 1))]
    for matrix, slope in zip(matrices[:0:-1], slopes[-2::-1], strict=True):
        delta.insert(0, slope * (matrix.transpose(0, 2, 1) @ delta[0]))
    squares = [np.square(part).sum(axis=(1, 2)) for part in delta]
    live = squares[0] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        log_gain = np.where(squares[-1] > 0, np.log(squares[0] / squares[-1]), np.nan)
        size = np.square(inputs[layer - 1]).sum(axis=(1, 2))
        weight_grad = 0.5 * np.log(squares[layer - 1] * size / WIDTH)  # the readout has variance 1 / WIDTH
    sizes = [np.square(part).sum(axis=(1, 2)) / WIDTH for part in [*inputs, x]]
    tangent = sizes[-1] + sum(2 / WIDTH * square * size for square, size in zip(squares, sizes[:-1], strict=True))
    return log_gain, np.square(h).mean(axis=(1, 2)), weight_grad, tangent, live


@pytest.fixture(scope="module")
def plain():
    log_gain, q, weight_grad, tangent, live = plain_networks(layer=2)
    gain = np.where(np.isnan(log_gain), np.nan, np.exp(log_gain))
    gain = gain[~np.isnan(gain)]
    return {
        "mean_log_gain": log_gain[live],
        "variance_log_gain": (log_gain[live] - log_gain[live].mean()) ** 2,
        "mean_gain": gain, "mean_square_gain": gain**2, "mean_q": q, "mean_square_q": q**2,
        "mean_log_weight_grad": weight_grad[live],
        "variance_log_weight_grad": (weight_grad[live] - weight_grad[live].mean()) ** 2,
        "dead_share": (~live).astype(float),
        "tangent_diagonal": tangent, "tangent_slope": tangent / (DEPTH + 1),
    }  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES["simulated"])
def test_simulated_against_plain_networks(name, plain):
    given = RELU | ({"layer": 2} if "weight" in name else {})
    ours, theirs = ESTIMATORS[name](given), plain[name]
    error = np.hypot(ours.error, theirs.std() / np.sqrt(len(theirs)))
    assert abs(ours.value - theirs.mean()) < 4.5 * error
    assert ours.error == pytest.approx(theirs.std() / np.sqrt(len(theirs)), rel=0.3)
    planted = ESTIMATORS[name](given | {"sigma_w": "sqrt(2) * 1.1"})
    if name not in ("variance_log_gain", "variance_log_weight_grad", "dead_share"):  # these do not depend on sigma_w
        assert abs(planted.value - theirs.mean()) > 4.5 * error


@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.1)", "linear"])
@pytest.mark.parametrize("width", [3, 20])
def test_the_tangent_kernel_has_one_mean_at_every_width(activation, width):
    """(L + 1) |x|^2 / n (sigma_w^2 E phi'^2)^L, also away from the critical sigma_w; 1 % more is seen at width 20."""
    slopes = {"relu": (0, 1), "leaky_relu(0.1)": (0.1, 1), "linear": (1, 1)}[activation]
    given = {"activation": activation, "sigma_w": 1.2, "depth": 3, "width": width, "networks": 1_500_000, "square": 0.7}
    ours = ESTIMATORS["tangent_diagonal"](given)
    exact = 4 * 0.7 * (1.2**2 * np.mean(np.square(slopes))) ** 3
    assert abs(ours.value - exact) < 4.5 * ours.error
    assert width < 20 or abs(ours.value - 1.01 * exact) > 4.5 * ours.error


def test_chunks_have_networks_of_their_own(monkeypatch):
    """Many chunks are as good as one; the standard error is that of the spread of seeds."""
    from gradsim.validation.estimators import simulated

    monkeypatch.setattr(simulated, "_MOST_VALUES", 3000)
    given = RELU | {"networks": 20_000}
    found = [ESTIMATORS["mean_log_gain"](given | {"seed": 100 * k}) for k in range(1, 25)]
    spread = np.std([estimate.value for estimate in found], ddof=1)
    assert spread == pytest.approx(found[0].error, rel=0.5)  # 24 seeds: 15 % each
    exact = (DEPTH - 1) * (log_factor(WIDTH)[0] + np.log(2))
    assert abs(np.mean([estimate.value for estimate in found]) - exact) < 4.5 * found[0].error / np.sqrt(24)


def test_products_of_matrices():
    """E tr (J J^T)^2 / N by its recursion; the Lyapunov exponent; moments of a cut normal."""
    trace, square_of_trace, n = 4.0, 16.0, 4
    for _ in range(3):
        trace, square_of_trace = trace * (1 + 1 / n) + square_of_trace / n, square_of_trace + 2 * trace / n
    found = ESTIMATORS["mean_fourth_singular_value"](
        {"law": "gaussian", "sigma_w": 1, "depth": 3, "width": 4, "networks": 20_000}
    )
    assert abs(found.value - trace / n) < 4.5 * found.error
    assert found.error < 0.1 * found.value
    for k in (1, 3):
        found = ESTIMATORS["lyapunov_exponent_by_qr"]({"k": k, "width": 4, "layers": 200, "networks": 60})
        exact = 0.5 * (np.log(0.5) + special.digamma(0.5 * (4 - k + 1)))
        assert abs(found.value - exact) < 4.5 * found.error < 0.2
    given = {"activation": "relu", "law": "gaussian", "sigma_w": "sqrt(2)", "depth": 1, "width": 8, "networks": 3000}
    found, plain = ESTIMATORS["jacobian_variance_simulated"](given), plain_variance(8, 1)
    assert abs(found.value - plain[0]) < 4.5 * np.hypot(found.error, plain[1]) < 1.0
    given = {"law": "truncated_normal", "width": 64, "depth": 32}
    found = ESTIMATORS["weight_kurtosis"](given)
    kurtosis = 3 + float(stats.truncnorm.stats(-2, 2, moments="k"))
    assert abs(found.value - kurtosis) < 4.5 * found.error < 0.1
    support = 2 / stats.truncnorm.std(-2, 2)
    assert support - 1e-3 < ESTIMATORS["largest_weight"](given).value <= support * (1 + 1e-12)


def plain_variance(width, depth, networks=20_000):
    """Of squared singular values of relu Jacobians by NumPy, twice that at twice the width less that at the width."""
    rng, found = np.random.default_rng(3), []
    for n in (width, 2 * width):
        x, j = rng.standard_normal((networks, n, 1)), np.eye(n)
        for _ in range(depth):
            w = np.sqrt(2 / n) * rng.standard_normal((networks, n, n))
            h = w @ x
            x, j = np.maximum(h, 0), (h > 0) * (w @ j)
        gram = np.swapaxes(j, 1, 2) @ j
        square, fourth = np.trace(gram, axis1=1, axis2=2) / n, (gram**2).sum(axis=(1, 2)) / n
        influence = fourth - 2 * square.mean() * square
        found.append((fourth.mean() - square.mean() ** 2, influence.std() / np.sqrt(networks)))
    return 2 * found[1][0] - found[0][0], np.hypot(2 * found[1][1], found[0][1])


def test_every_estimator_has_an_oracle():
    tested = {*EXACT, *STREAMS, *FAMILIES["simulated"], *FAMILIES["matrices"], "c_star", "xi_c", "xi_q"}
    assert tested == set(ESTIMATORS)


def test_activations_without_a_second_route_are_refused():
    with pytest.raises(SweepError, match="for this second route"):
        ESTIMATORS["quad_mean_square"]({"activation": "mish"})
    with pytest.raises(SweepError, match="one of selu, silu, tanh"):
        ESTIMATORS["quad_chi_1"]({"activation": "relu", "sigma_w": 1})
    with pytest.raises(NoCriticalPoint, match="no half-stable point"):
        ESTIMATORS["half_stable_q"]({"activation": "relu"})
