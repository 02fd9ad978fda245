"""Inputs as differences from the first are the same networks, and differences are exact however small they are."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core import simulator
from gradsim_core.activations import ACTIVATIONS, resolve_activation
from gradsim_core.architectures import Network
from gradsim_core.laws import resolve_law
from gradsim_core.parameters import Neuron
from gradsim_core.results.of_inputs import OF_INPUTS
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.scaling.per_vector import no_tail
from gradsim_core.simulator import Simulator
from gradsim_core.tapes.differences import divided_difference

NAMES = (*QUANTITIES, *OF_INPUTS)


def run(
    name, network, *, method="conditional", dtype="float64", sigma_w=1.5, sigma_b=0.2, depth=6, width=20, networks=40
):
    """All quantities by name."""
    made = Simulator(
        resolve_activation(name), resolve_law("gaussian"), dtype, method, network=network, of_inputs=tuple(OF_INPUTS)
    )
    values, _ = made.block(made.params(3, depth, width, sigma_w, sigma_b), 0, networks)
    return dict(zip(NAMES, values, strict=True))


def compare(found, usual, atol):
    """Every quantity; of one readout and linear layers 1 - c of the deltas is 0, and rounding."""
    for name in NAMES:
        least = -28.0 if name == "log_delta_decorrelation" else -np.inf
        pair = (np.maximum(values[name], least) for values in (found, usual))
        np.testing.assert_allclose(*pair, rtol=0, atol=atol, err_msg=name)


OTHERS = [name for name in ACTIVATIONS if name not in ("gelu", "relu2") and not ACTIVATIONS[name].surrogate]
KINDS = {  # all of one kernel
    "plain": Network(inputs=4, input_correlation=0.9, cost="shared"),
    "residual2": Network("residual2", inputs=3, branch_scale=0.5, normalisation="dyt"),
    "residual": Network("residual", inputs=5, input_correlation=0.9999, cost="softmax"),
}


@pytest.mark.parametrize("method", ["conditional", pytest.param("explicit", marks=pytest.mark.verify)])
@pytest.mark.parametrize("network", KINDS.values(), ids=KINDS)
def test_the_same_networks(network, method):
    """Every number is as without differences, where those lose few digits."""
    usual, found = (run("gelu", network._replace(differences=each), method=method) for each in (False, True))
    compare(found, usual, 1e-9)


@pytest.mark.parametrize("sigma_w", [1e-12, 1e-3, 1e12])
def test_sizes_out_of_range(sigma_w):
    """Near 0 and far from it gelu is linear on each side."""
    network = KINDS["plain"]
    usual, found = (
        run("gelu", network._replace(differences=each), sigma_w=sigma_w, sigma_b=0.0, depth=30)
        for each in (False, True)
    )
    assert np.isfinite(found["log_distance"]).all()
    compare(found, usual, 1e-8)


@pytest.mark.verify  # two kernels an activation
@pytest.mark.parametrize("name", OTHERS)
def test_the_same_networks_of_all_activations(name):
    for network in (KINDS["plain"], KINDS["residual2"]):
        usual, found = (run(name, network._replace(differences=each)) for each in (False, True))
        compare(found, usual, 1e-8)


ALIKE, ORDERED = (
    Network(inputs=2, input_correlation=1.0 - 1e-6, cost="shared"),
    {"sigma_w": 0.9, "sigma_b": 0.3, "depth": 150, "width": 60, "networks": 20},
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_small_differences_follow_the_tangent(dtype):
    """While differences are small their logarithms differ by a constant: through all sizes at which floats round."""
    found = [
        run("gelu", ALIKE._replace(input_correlation=1.0 - small, differences=True), dtype=dtype, **ORDERED)
        for small in (1e-6, 1e-12)
    ]
    change = found[0]["log_distance"] - found[1]["log_distance"]
    np.testing.assert_allclose(change, np.full(change.shape, 0.5 * np.log(1e6)), atol=2e-3)
    assert (found[0]["log_distance"][:, -1] < -70.0).all()
    assert (found[0]["log_decorrelation"][:, -1] < -140.0).all()


def test_without_differences_it_ends_at_the_last_digit():
    found = run("gelu", ALIKE, **ORDERED)
    last = found["log_distance"][:, -1]
    assert ((last > -40.0) | (last == -np.inf)).all()


def neuron_of(name):
    activation = resolve_activation(name)
    return Neuron(
        activation.phi, activation.dphi, no_tail, no_tail, (False, False), simulator._slopes(activation),
        activation.alpha,
    )  # fmt: skip


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1e-8, 1e-5, 1e-3, 0.02, 0.3, 5.0])
@pytest.mark.parametrize("name", ["gelu", *OTHERS])
def test_divided_differences(name, size):
    """Of float32 numbers, beside float64: the quotient where it keeps its digits, else phi' at h."""
    activation, rng = resolve_activation(name), np.random.default_rng(1)
    worst = []
    for _ in range(40):
        h = (3.0 * rng.standard_normal(16)).astype(np.float32)
        e = (size * rng.standard_normal(16)).astype(np.float32)
        found = divided_difference(neuron_of(name), h, e)
        wide, step = h.astype(float), e.astype(float)
        exact = (activation(wide + step) - activation(wide)) / step if size > 1e-7 else activation.derivative(wide)
        error = np.abs(found - exact)
        between = [(wide < k) != (wide + step < k) for k in activation.kinks if k != 0.0]
        worst.append(np.where(np.any(between, axis=0) & (size < 1e-5), 0.0, error) if between else error)
    assert np.max(worst) < 1e-4 * max(1.0, np.abs(activation.derivative(np.linspace(-9, 9, 999))).max())
