"""Numbers that the pages of the gallery give as measured: its scripts are run in full, with their fixed seeds."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp

import gradsim as gs

plt = pytest.importorskip("matplotlib.pyplot")
pytestmark = pytest.mark.verify

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"


@cache
def script(name):
    """The names of a script after it ran in full."""
    names: dict[str, object] = {}
    exec((GALLERY / f"plot_{name}.py").read_text(encoding="utf-8"), names)
    return names


def dots(ax, marker):
    """What the points of axes show: x and y of each colour."""
    return [np.array(line.get_data(), float) for line in ax.get_lines() if line.get_marker() == marker]


def off_the_map(name, function, column):
    """Largest relative and absolute distance of the dots of Poole's figure from the map."""
    apart = []
    for (x, y), sigma_w in zip(dots(script("poole_maps")[name], "o"), (1.3, 2.5, 4.0), strict=True):
        theory = function("tanh", x, sigma_w, 0.3)[column].to_numpy()
        apart.append((np.abs(y / theory - 1).max(), np.abs(y - theory).max()))
    return np.max(apart, axis=0)


def slopes():
    """Change of ln gain per layer, from layer 20 to layer 100."""
    found = []
    for square in (1.5, script("schoenholz_depth_scales")["critical"], 2.5):
        cell = {"depth": 120, "width": 300, "networks": 200, "method": "conditional"}
        gain = gs.simulate("tanh", np.sqrt(square), np.sqrt(0.05), **cell).log_gain.mean(axis=0)
        found.append((gain[19] - gain[99]) / 80)
    return found


def rates(activation, *matrices):
    """Change of the gradient per step back in time, from 20 to 59 steps."""
    median = script("pascanu_recurrent")["median"]
    return [(median[activation, matrix][59] / median[activation, matrix][20]) ** (1 / 39) for matrix in matrices]


def shrinking(sigma_w):
    """Mean factor of the gradient of a chain per layer, from layer 15 to layer 5."""
    log_delta = gs.simulate("sigmoid", sigma_w, 1.0, depth=20, width=1, networks=20_000).log_delta
    return np.exp((log_delta[:, 4] - log_delta[:, 14]).mean() / 10)


def he_and_xavier():
    """The length of the gradient in layer 1 over that in layer 30, and the gradient of the weights with both."""
    cell = {"depth": 30, "width": 256, "networks": 4_000, "method": "conditional"}
    he, xavier = (gs.simulate("relu", sigma_w, **cell) for sigma_w in (np.sqrt(2), 1.0))
    ratio = np.exp(np.median(xavier.log_weight_grad) - np.median(he.log_weight_grad))
    falls = [np.exp(np.median(ens.log_gain[:, 0]) / 2) for ens in (xavier, he)]
    return 1e5 * falls[0], falls[1], 1e5 * ratio


def growth():
    q, first = script("dropout")["q"][:, 5], 2.0
    return q[-1] * first**16 / (q[0] * first)


def spreads():
    """Standard deviation of ln gain: orthogonal and Gaussian tanh networks, Gaussian linear ones."""
    cell = {"depth": 64, "width": 64, "networks": 4_000, "method": "conditional"}
    cases = (("tanh", 1.05, "orthogonal"), ("tanh", 1.05, "gaussian"), ("linear", 1.0, "gaussian"))
    return [gs.simulate(name, sigma_w, law=law, **cell).log_gain[:, 0].std() for name, sigma_w, law in cases]


def means():
    cell = script("conditional_explicit")["cell"] | {"width": 64, "networks": 20_000}
    return [gs.simulate(**cell, method=method).log_gain[:, 0].mean() for method in ("explicit", "conditional")]


MEASURED = [
    ("schoenholz_depth_scales", "by {:.4f}, {:.4f} and {:.4f} a layer", slopes),
    ("pascanu_recurrent", "are {:.3f}, {:.3f}, {:.3f}, {:.3f} and {:.3f}",
     lambda: rates("linear", "2.0", "1.2", "1.0", "0.8", "0.5")),
    ("pascanu_recurrent", "factor {:.2f} a step, and at 2 it grows by {:.2f} only",
     lambda: rates("tanh", "1.2", "2.0")),
    ("pascanu_recurrent", "loses a factor {:.2f} a step", lambda: rates("tanh", "orthogonal")),
    ("nine_gradients", "shrinks to {:.3f} of its size", lambda: [shrinking(1.0)]),
    ("nine_gradients", "by a factor {:.2f} a layer", lambda: [shrinking(4.0)]),
    ("he_xavier", "falls to {0:.1f}e-5,", he_and_xavier),
    ("he_xavier", "falls to {1:.2f} of its size", he_and_xavier),
    ("he_xavier", "{2:.1f}e-5 of that with He", he_and_xavier),
    ("dropout", "grows {:.0f}-fold", lambda: [growth()]),
    ("relu_exact_law", "are {:.3f} and {:.3f}, exactly",
     lambda: [script("relu_exact_law")["gain"].mean(), script("relu_exact_law")["gain"].std()]),
    ("conditional_explicit", "means are {:.3f} and {:.3f}", means),
    ("isometry", "first layer is {:.2f}, and {:.2f} with Gaussian weights", lambda: spreads()[:2]),
    ("isometry", "it is {:.3f}, exactly", lambda: spreads()[2:]),
]  # fmt: skip
"""A script, a part of its text with places for measured numbers, and a function that measures them."""


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *arguments, **options: None)
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.mark.parametrize(("name", "text", "numbers"), MEASURED, ids=[f"{row[0]}-{row[1][:24]}" for row in MEASURED])
def test_measured_numbers(name, text, numbers):
    page = ast.get_docstring(ast.parse((GALLERY / f"plot_{name}.py").read_text(encoding="utf-8")))
    assert text.format(*numbers()) in " ".join(page.split())


def test_dots_of_the_maps():
    relative, _ = off_the_map("left", gs.theory.q_map, "next_q")
    _, absolute = off_the_map("right", gs.theory.c_map, "next_c")
    assert relative < 0.03
    assert absolute < 0.04


def test_dead_networks_within_1_7_standard_errors():
    chances = []
    for (depth, dead), width in zip(dots(script("dying_relu")["left"], "o")[:-1], (2, 3, 4, 6, 8), strict=True):
        share = 1 - (1 - 0.5**width) ** depth
        chances += list((dead - share) / np.sqrt(np.maximum(share * (1 - share), 1e-9) / 20_000))
    assert len(chances) == 30
    assert np.abs(chances).max() < 1.75


def test_dropout_within_half_a_percent():
    names = script("dropout")
    assert np.abs(names["measured"] / names["theory"] - 1).max() < 0.005


def test_measured_boundaries():
    names = script("quenched_annealed")
    found, held = names["found"], 0
    for kind, root in names["roots"].items():
        exact, rows = root(names["some"]), found.loc[kind]
        assert np.abs(rows["sigma_w"] / exact - 1).max() < 0.0025
        held += ((rows["ci_low"] <= exact) & (exact <= rows["ci_high"])).sum()
    assert (held, found["ci_low"].notna().sum()) == (12, 13)


def test_distribution_functions():
    names = script("relu_exact_law")
    gain = names["gain"]
    assert np.abs(names["law"].cdf(gain[::20]) - names["rank"][::20] / len(gain)).max() < 0.00195
    cell = script("conditional_explicit")["cell"] | {"width": 64, "networks": 20_000}
    first, second = (gs.simulate(**cell, method=method).log_gain[:, 0] for method in ("explicit", "conditional"))
    found = ks_2samp(first, second)
    assert found.statistic < 0.006
    assert found.pvalue == pytest.approx(0.89, abs=0.005)
