"""Recommendations against exact laws and against networks that were not used to find them."""

from __future__ import annotations

from math import isnan, log, sqrt

import numpy as np
import pytest

import gradsim as gs
from gradsim.errors import SweepError
from gradsim.recommendation.samples import Networks, Sample
from gradsim.recommendation.search import find_boundary
from gradsim_core.architectures.presets import torch_gain

DECADE = log(100.0)


def test_relu_has_its_exact_sigma_w():
    found = gs.recommend("relu", depth=16, width=32)
    law = gs.theory.gain_law("relu", 16, 32, found.sigma_w)
    assert found.expected.exact
    assert law.median == pytest.approx(0.0, abs=1e-4)
    assert found.crossing.ci_low < found.sigma_w < found.crossing.ci_high
    assert found.std == pytest.approx(found.sigma_w / sqrt(32))
    assert found.he_multiple * sqrt(2.0) == pytest.approx(found.xavier_multiple)
    exact = gs.theory.gain_spread("relu", 16, 32, found.sigma_w)
    assert found.unlucky_exact == pytest.approx(exact.vanished + exact.exploded)
    error = sqrt(exact.live_share * (1.0 - exact.live_share) / found.sample.networks)
    assert found.sample.live_share == pytest.approx(exact.live_share, abs=4 * error + 1e-9)
    assert found.sample.spread == pytest.approx(exact.std, rel=0.04)


@pytest.mark.parametrize(("activation", "depth", "width"), [("tanh", 32, 64), ("gelu", 8, 64), ("hard_tanh", 16, 8)])
def test_networks_of_another_seed_have_level_gradients(activation, depth, width):
    found = gs.recommend(activation, depth, width)
    assert found.reason is None
    assert found.level
    other = gs.simulate(activation, found.sigma_w, 0.0, depth, width, 10_000, seed=99, method="conditional")
    reached = other.log_delta[:, -1] != -np.inf
    assert abs(np.median(other.log_gain[reached, 0])) < 0.04 * DECADE  # the interval's ±0.02 twice


def test_the_same_call_gives_the_same_numbers_whatever_the_threads():
    first, second = (gs.recommend("tanh", 16, 32, threads=threads) for threads in (1, 2))
    assert first.to_frame().drop(columns="reason").equals(second.to_frame().drop(columns="reason"))


def test_gelu_without_biases_has_none_in_deep_networks():
    """Where few networks lie within a decade, nothing is recommended; with the bias of its half-stable point it is."""
    found = gs.recommend("gelu", depth=64, width=512)
    assert isnan(found.sigma_w)
    assert isnan(found.std)
    assert "%" in found.reason
    assert found.snippet() is None
    assert found.alternative.networks.sigma_b == 0.42
    assert found.alternative.level
    assert found.alternative.sample.live_share > 0.95
    assert "sigma_b = 0.42" in found.advice[0]


def test_where_nothing_helps_the_reason_says_so():
    dead = gs.recommend("relu", depth=64, width=4)
    assert "Most networks are dead" in dead.reason
    assert dead.alternative is None or dead.alternative.level
    wide = gs.recommend("relu", depth=256, width=16)
    assert "networks have a gradient norm within a decade" in wide.reason
    assert any("Widen the layers" in sentence for sentence in wide.advice)
    assert "not finite" in gs.recommend("relu2", depth=64, width=16).reason


def test_a_law_that_is_slow_to_draw_is_replaced_and_said():
    small, large = (Networks("tanh", "uniform", 0.0, 64, width) for width in (16, 4096))
    assert (small.drawn_law, large.drawn_law) == ("uniform", "gaussian")
    found = gs.recommend("tanh", depth=8, width=2048, law="rademacher")
    assert "Simulated with Gaussian weights" in found.advice[0]
    assert found.snippet() is None


def test_the_law_of_the_weights_counts():
    gaussian, orthogonal = (gs.recommend("linear", 32, 16, law=law) for law in ("gaussian", "orthogonal"))
    assert orthogonal.sigma_w == pytest.approx(1.0, abs=1e-3)
    assert orthogonal.sample.spread == pytest.approx(0.0, abs=1e-3)
    assert gaussian.sigma_w > 1.02


def test_a_users_own_pair():
    def phi(h):
        return h if h > 0.0 else 0.5 * h

    def dphi(h):
        return 1.0 if h > 0.0 else 0.5

    own = gs.recommend(gs.Activation("half_leaky", phi, dphi), depth=16, width=64)
    table = gs.recommend("leaky_relu(0.5)", depth=16, width=64)
    assert own.sigma_w == pytest.approx(table.sigma_w, rel=5e-3)
    assert own.activation == "half_leaky"
    assert torch_gain(own.networks.activation) is None


def test_presets_lose_what_theory_says():
    """Xavier with relu halves the squared gradient in each layer; He keeps the mean; orthogonal linear is level."""
    presets = gs.recommend("relu", depth=21, width=256).presets().set_index("preset")
    assert presets.loc["Xavier, LeCun", "decades"] == pytest.approx(20 * log(0.5) / DECADE, abs=0.2)
    assert presets.loc["PyTorch default", "decades"] == pytest.approx(20 * log(1 / 6) / DECADE, abs=0.4)
    assert presets.loc["PyTorch default", "sigma_b"] == pytest.approx(1 / sqrt(3 * 256))
    assert presets.loc["He", "sigma_w"] == presets.loc["PyTorch gain", "sigma_w"] == sqrt(2.0)
    linear = gs.recommend("linear", depth=8, width=8).presets().set_index("preset")
    assert linear.loc["orthogonal", "decades"] == pytest.approx(0.0, abs=1e-6)


def test_the_gains_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    names = {"linear": "linear", "sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu", "selu": "selu"}
    for name, theirs in names.items():
        assert torch_gain(name) == pytest.approx(torch.nn.init.calculate_gain(theirs))
    assert torch_gain("leaky_relu(0.2)") == pytest.approx(torch.nn.init.calculate_gain("leaky_relu", 0.2))
    assert torch_gain("gelu") is None


def test_a_sample_counts_every_network():
    sample = Sample(1.0, 8, np.array([-np.inf, -9.0, -1.0, 0.0, 1.0, 9.0, np.nan]))  # one without delta in layer L
    shares = (sample.dead_fraction, sample.vanished, sample.live_share, sample.exploded, sample.nonfinite_fraction)
    assert shares == (2 / 8, 1 / 8, 3 / 8, 1 / 8, 1 / 8)
    assert sample.median == 0.0
    nothing = Sample(1.0, 2, np.array([]))
    assert nothing.dead_fraction == 1.0
    assert nothing.median == -np.inf


@pytest.mark.parametrize("guess", [0.02, 1.0, 60.0])
def test_the_search_finds_the_boundary_from_anywhere(guess):
    found = find_boundary(Networks("relu", "gaussian", 0.0, 8, 16), guess)
    assert found.sigma_w == pytest.approx(gs.theory.median_sigma_w("relu", 8, 16), rel=0.01)  # 4 standard errors
    assert found.ci_high / found.ci_low < 1.02


@pytest.mark.parametrize(
    ("change", "field"),
    [({"depth": 1}, "depth"), ({"width": 0}, "width"), ({"sigma_b": -1.0}, "sigma_b"), ({"law": "gauss"}, "law"),
     ({"activation": ["tanh", "relu"]}, "cells"), ({"seed": -1}, "seed"), ({"activation": "gelo"}, "activation")],
)  # fmt: skip
def test_wrong_values_are_refused(change, field):
    with pytest.raises(SweepError) as error:
        gs.recommend(**({"activation": "tanh", "depth": 8, "width": 16} | change))
    assert error.value.field.startswith(field)
