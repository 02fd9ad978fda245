"""The largest singular values of networks without matrices: pathwise through completed ones, and by their law.

The family-wise false-alarm rate of the two-sample test is 1e-4.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import gradsim as gs
from gradsim.simulation.blocks import prepare
from gradsim.spectra.forward import Forward
from gradsim.spectra.lanczos import Bidiagonalisation, top_singular_values
from gradsim.spectra.lazy_network import LazyMatrix, LazyNetwork
from gradsim.sweep import Sweep
from gradsim_core.rng.philox import TAPE_BIAS, TAPE_INPUT
from tests.gradsim.spectra.references import completed, completed_jacobian, product_of


def prepared(activation="tanh", method="conditional", **cell):
    sweep = Sweep(**{"activation": activation, "networks": 1, "seed": 3, "dtype": "float64", "method": method, **cell})
    return prepare(sweep, sweep.cells()[0])


PATHS = [
    {"activation": "tanh", "sigma_w": 1.5, "sigma_b": 0.2}, {"activation": "relu", "sigma_w": 1.4},
    {"activation": "tanh", "sigma_w": 1.5, "sigma_b": 0.2, "law": "orthogonal"},
    {"activation": "relu", "sigma_w": 1.4, "law": "orthogonal"},
]  # fmt: skip


@pytest.mark.parametrize("cell", PATHS, ids=lambda cell: f"{cell['activation']}-{cell.get('law', 'gaussian')}")
@pytest.mark.parametrize(("width", "steps"), [(40, 6), (12, 12)])
def test_pathwise(cell, width, steps):
    """Matrices completed after the last query give the forward pass, the products, and bounds that become equal."""
    simulator, params = prepared(**cell, width=width, depth=3)
    rng = np.random.default_rng(1)
    for number in range(4):
        network = LazyNetwork(simulator, params, number)
        lanczos = Bidiagonalisation(network, steps)
        for _ in range(steps):
            lanczos.step()
        exponents = network.exponents(3)
        matrices = [completed(matrix, rng) for matrix in network._matrices]
        x = network.normals(0, TAPE_INPUT)
        for layer, (w, diagonal) in enumerate(zip(matrices, network.diagonals, strict=True), 1):
            h = w @ x + params.sigma_b * network.normals(layer, TAPE_BIAS)
            np.testing.assert_allclose(simulator.activation.derivative(h), diagonal.values, atol=1e-11)
            x = simulator.activation(h)
        j = completed_jacobian(network, rng) if steps < width else product_of(
            [d.values[:, None] * w for w, d in zip(matrices, network.diagonals, strict=True)]
        )  # fmt: skip
        for vector in lanczos._right[:steps]:
            image, log = network.right(vector)
            np.testing.assert_allclose(image * np.exp(log), j @ vector, atol=1e-10)
        values, (logs, errors) = np.linalg.svd(j, compute_uv=False), lanczos.ritz(4)
        assert not (np.exp(logs) > values[:4] * (1 + 1e-10)).any()
        if steps == width:
            np.testing.assert_allclose(np.exp(np.nan_to_num(logs, nan=-99.0)), values[:4], rtol=1e-9, atol=1e-13)
        assert (errors > 0.0).all()
        frame, total = np.linalg.qr(np.array([network.start(k) for k in range(3)]).T)[0], np.zeros(3)
        for w, diagonal in zip(matrices, network.diagonals, strict=True):
            frame, r = np.linalg.qr(diagonal.values[:, None] * (w @ frame))
            total += np.log(np.maximum(np.abs(np.diagonal(r)), 1e-300))
        known = np.isfinite(exponents)
        assert known.sum() == min(3, network.rank)
        np.testing.assert_allclose(exponents[known], total[known], atol=1e-9)


def test_the_stopping_rule():
    """At the stop the true values lie within the tolerance; the moments of one vector are |J v|^2 and |J^T J v|^2."""
    simulator, params = prepared(width=60, depth=3, sigma_w=1.5)
    for number in range(4):
        network = LazyNetwork(simulator, params, number)
        found = top_singular_values(network, 3, 1e-6, 60)
        assert found.steps < 60
        j = completed_jacobian(network, np.random.default_rng(number))
        values = np.log(np.linalg.svd(j, compute_uv=False)[:3])
        assert (found.errors <= 1e-6).all()
        np.testing.assert_allclose(found.logs, values, atol=2e-6)
        v = network.start(0) / np.linalg.norm(network.start(0))
        assert found.square == pytest.approx(np.log(np.sum((j @ v) ** 2)), abs=1e-10)
        assert found.fourth == pytest.approx(np.log(np.sum((j.T @ (j @ v)) ** 2)), abs=1e-10)


def test_isometries_and_equal_values():
    """After one step the bases of an isometry are closed: new vectors are random, and all Ritz values are equal."""
    found = gs.jacobian("linear", law="orthogonal", sigma_w=0.9, width=400, depth=50, top=5, networks=2)
    np.testing.assert_allclose(found.log_singular_values, 50 * np.log(0.9), atol=1e-11)
    np.testing.assert_allclose(found.lyapunov, np.log(0.9), atol=1e-12)
    assert (found.errors < 1e-10).all()
    assert np.isnan(found.condition).all()


def test_dead_and_deep_networks():
    dead = gs.jacobian("relu", width=3, depth=30, sigma_w=1.4, method="conditional", top=3, networks=5)
    assert (dead.status == 1).all()
    assert np.isneginf(dead.log_singular_values).all()
    assert (dead.rank == 0).all()
    low = gs.jacobian("relu", width=6, depth=2, sigma_w=1.4, method="conditional", top=6, networks=40)
    np.testing.assert_array_equal(low.rank, np.isfinite(low.log_singular_values).sum(axis=1))
    lost = gs.jacobian("tanh", width=6, depth=400, sigma_w=1.5, method="conditional", top=6, networks=1)
    known = np.isfinite(lost.log_singular_values[0])
    assert known[0]
    assert not known.all()  # s below 1e-14 of the largest is not found, and not called 0
    assert not np.isneginf(lost.log_singular_values).any()
    assert np.isinf(lost.errors[0, ~known]).all()
    deep = gs.jacobian("relu", width=300, depth=400, sigma_w=0.02, top=2, networks=1)
    assert deep.log_singular_values[0, 0] / 400 == pytest.approx(np.log(0.02 / 2**0.5), abs=0.02)


def test_numbers_depend_on_the_network_alone():
    cell = {"activation": "tanh", "width": 300, "depth": 3, "sigma_w": 1.2, "seed": 9, "tolerance": 0.1}
    many, few = gs.jacobian(**cell, networks=6, threads=2), gs.jacobian(**cell, networks=2, threads=1)
    for name in ("log_singular_values", "lyapunov", "rank", "log_fourth", "errors"):
        np.testing.assert_array_equal(getattr(many, name)[:2], getattr(few, name))
    more = gs.jacobian(**cell | {"tolerance": 0.02}, networks=2)
    assert (more.steps > few.steps).all()
    assert (more.log_singular_values >= few.log_singular_values - 1e-12).all()


def test_lyapunov_exponents_are_those_of_newman():
    """Linear Gaussian networks, within 4.5 standard errors; with the products of another width they are not."""
    found = gs.jacobian("linear", width=16, depth=20, method="conditional", networks=50, tolerance=10.0, seed=6)
    mean, se = found.lyapunov.mean(axis=0), found.lyapunov.std(axis=0, ddof=1) / 50**0.5
    assert (np.abs(mean - gs.theory.lyapunov_exponents(16)[:4]) < 4.5 * se).all()
    assert (np.abs(mean - gs.theory.lyapunov_exponents(8)[:4]) > 4.5 * se).any()
    moments = found.moments()
    assert abs(moments.mean - 1.0) < 4.5 * moments.mean_error


def test_the_edge_of_wide_networks():
    """At width 2000 the largest value is within 3 % of the edge of infinite width, and the moments are those."""
    found = gs.jacobian("relu", width=2000, depth=4, sigma_w=2**0.5, networks=20, seed=2)
    theory, moments = found.theory.spectrum, found.moments()
    top = 2 * found.log_singular_values[:, 0]
    assert abs(top.mean() - theory.log_edge) < 0.06
    assert abs(moments.mean - 1.0) < 4.5 * moments.mean_error
    assert abs(moments.variance - 8.0) < 4.5 * moments.variance_error + 0.1


# The two-sample test: k = 4 steps at width 12.

CELL = {"sigma_w": 1.5, "sigma_b": 0.1, "width": 12, "depth": 3}


class Forgetful(LazyMatrix):
    """Planted: before each query it forgets one side, or both, and later draws other numbers."""

    forgotten: tuple[int, ...] = ()

    def _product(self, side, x):
        self._source = self._source._replace(network=self._source.network + 2**24)
        for each in self.forgotten:
            self._known.sizes[side ^ each] = 0
        return super()._product(side, x)


class Explicit:
    """A drawn matrix behind the same two functions."""

    def __init__(self, matrix):
        self.matrix = matrix

    def right(self, x):
        return self.matrix @ x

    def left(self, u):
        return self.matrix.T @ u


def ritz_values(network):
    lanczos = Bidiagonalisation(network, 4)
    for _ in range(4):
        lanczos.step()
    return lanczos.ritz(4)[0]


def lazy_sample(activation, law, networks, seed, monkeypatch=None, forgotten=()):
    simulator, params = prepared(activation, **CELL, law=law, seed=seed)
    if forgotten:
        monkeypatch.setattr(Forgetful, "forgotten", forgotten)
        monkeypatch.setattr("gradsim.spectra.lazy_network.LazyMatrix", Forgetful)
    return np.array([ritz_values(LazyNetwork(simulator, params, number)) for number in range(networks)])


class Drawn(LazyNetwork):
    """A network with the matrices of `gradsim.weights`."""

    def __init__(self, simulator, cell, number, drawn):
        self._cell, self._number, self._matrices = cell, number, [Explicit(w) for w in drawn.W]
        forward = Forward(simulator.activation, simulator.slopes, drawn.x0)
        self.diagonals = [forward.step(m.right, b) for m, b in zip(self._matrices, drawn.b, strict=True)]
        self.finite = True


def drawn_sample(activation, law, networks, seed):
    simulator, params = prepared(activation, "explicit", **CELL, law=law, seed=seed)
    networks = (Drawn(simulator, params, number, simulator.weights(params, number)) for number in range(networks))
    return np.array([ritz_values(each) for each in networks])


def lowest(first, second):
    """The least p-value of Kolmogorov-Smirnov tests of the Ritz values and their steps, times the number of tests."""
    columns = [lambda logs, k=k: logs[:, k] for k in range(4)]
    columns += [lambda logs, k=k: logs[:, k] - logs[:, k + 1] for k in range(3)]
    samples = [np.fmax(each, -50.0) for each in (first, second)]
    values = [[np.round(column(each), 9) for each in samples] for column in columns]
    return min(stats.ks_2samp(*each, method="asymp").pvalue for each in values) * len(columns)


PLANTED = {"the own side": (0,), "the other side": (1,), "a fresh matrix": (0, 1)}


@pytest.mark.parametrize("networks", [1500, pytest.param(20_000, marks=pytest.mark.verify)])
def test_ritz_values_have_the_law_of_drawn_networks(networks):
    kinds = (
        [("tanh", "gaussian"), ("tanh", "orthogonal"), ("relu", "gaussian")]
        if networks > 2000
        else [("tanh", "gaussian")]
    )
    for activation, law in kinds:
        first, second = lazy_sample(activation, law, networks, 1), drawn_sample(activation, law, networks, 2)
        assert lowest(first, second) > 1e-4 / len(kinds)


@pytest.mark.parametrize("forgotten", PLANTED.values(), ids=PLANTED)
def test_planted_errors_are_caught(monkeypatch, forgotten):
    first = lazy_sample("tanh", "gaussian", 500, 1, monkeypatch, forgotten)
    assert lowest(first, drawn_sample("tanh", "gaussian", 500, 2)) < 1e-4
