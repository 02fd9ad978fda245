"""Slopes per layer, spread with depth over width, extrapolation in 1/width: against exact laws and single networks."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import gradsim as gs
from gradsim import analysis, theory
from gradsim.errors import SweepError


@pytest.fixture(scope="module")
def relu(tmp_path_factory) -> gs.Run:
    axes = {
        "activation": "relu",
        "sigma_w": [1.35, 1.4, 1.45, 1.5, 1.6, 1.75],
        "depth": [6, 12],
        "width": [8, 16, 32, 64],
    }
    sweep = gs.Sweep(**axes, networks=4000, seed=3, method="conditional", record="networks")
    return gs.run(sweep, tmp_path_factory.mktemp("scaling") / "run", progress="none")


@pytest.mark.parametrize("layer", [1, 4])
def test_slopes_are_those_of_the_networks(relu, layer):
    found = relu.slopes(layer).set_index("cell_id")
    assert (found["depth"] > layer).all()
    row = found.query("depth == 12 and width == 16 and sigma_w == 1.5").iloc[0]
    networks = relu.networks(cells=[int(row.name)])
    wide = networks.pivot(index="network", columns="layer", values="log_delta")
    wide = wide[np.isfinite(wide).all(axis=1)]
    slope = (wide[layer] - wide[12]) / (12 - layer)
    assert row["slope"] == pytest.approx(slope.mean(), abs=1e-6)
    assert row["slope_se"] == pytest.approx(slope.std() / math.sqrt(len(slope)), rel=1e-4)
    exact = theory.log_factor_mean("relu", 16) / 2 + math.log(1.5)
    assert row["slope_low"] < exact < row["slope_high"] or abs(row["slope"] - exact) < 4 * row["slope_se"]
    gain = np.exp(2 * (wide[layer] - wide[12]))
    assert row["annealed_slope"] == pytest.approx(math.log(gain.mean()) / 2 / (12 - layer), abs=1e-3)


def test_slopes_of_no_such_layer(relu):
    assert relu.slopes(12).empty
    assert set(relu.slopes(6)["depth"]) == {12}
    with pytest.raises(SweepError, match="layer"):
        relu.slopes(0)


def test_the_spread_of_relu_grows_with_five(relu):
    found = relu.spread_per_depth().set_index("sigma_w")
    assert (found["cells"] == 8).all()
    assert found["beta"].between(5.0, 6.5).all()  # exact: 6.2 at width 8, 5.1 at width 64
    wide = analysis.spread_per_depth(relu.summary().query("width == 64"))
    exact = 64 * (theory.gain_law("relu", 12, 64, 1.0).std ** 2) / 11
    assert (wide["beta_low"] - 0.2 < exact).all()
    assert (exact < wide["beta_high"] + 0.2).all()


def test_boundaries_extrapolate_to_infinite_width(relu):
    found = relu.infinite_width(kinds=("quenched", "median")).set_index(["depth", "kind"])
    assert (found["widths"] == 4).all()
    assert found["theory"].to_numpy() == pytest.approx(math.sqrt(2))
    for _, row in found.iterrows():
        assert row["ci_low"] - 0.004 < math.sqrt(2) < row["ci_high"] + 0.004
        assert row["ci_high"] - row["ci_low"] < 0.13


def test_gains_collapse_on_one_line(tmp_path):
    """tanh at its fixed point from the start (sigma_b 0.3, width 512): all depths and sigma_w lie on ln gain = -x."""
    sweep = gs.Sweep(
        activation="tanh", sigma_w=[0.9, 1.1, 1.3, 1.6, 2.0], sigma_b=0.3, depth=[10, 20, 40], width=512, networks=400,
        seed=2, method="conditional",
    )  # fmt: skip
    found = gs.run(sweep, tmp_path / "run", progress="none").collapse()
    assert len(found) == 15
    row = found.query("depth == 20 and sigma_w == 1.6").iloc[0]
    xi = theory.mean_field("tanh", 1.6, 0.3).xi_grad
    assert row["xi_grad"] == pytest.approx(xi, rel=1e-9)
    assert row["depth_over_xi"] == pytest.approx(19 / xi)
    line = np.polyfit(found["depth_over_xi"], found["quenched_log_gain"], 1)
    assert line[0] == pytest.approx(-1.0, abs=0.03)
    # The rest is of the first layers, in which q relaxes, so it does not grow with depth; and of 1/width, which does.
    assert found["excess"].abs().max() < 1.0
    first, last = (found.query(f"depth == {depth}").set_index("sigma_w")["excess"] for depth in (10, 40))
    assert (last - first).abs().max() < 0.3


@pytest.mark.parametrize("widths", [(32, 64, 128), (32, 64, 128, 256, 512)])
def test_the_interval_of_the_extrapolation_covers(widths):
    """The exact quenched roots of relu with noise of their intervals: 400 times, 95 % and more cover."""
    rng = np.random.default_rng(5)
    exact = np.array([theory.quenched_sigma_w("relu", width) for width in widths])
    frame = pd.DataFrame({"width": widths, "theory": math.sqrt(2), "kind": "quenched"})
    frame = frame.assign(activation="relu", law="gaussian", sigma_b=0.0, depth=8)
    hits = 0
    for _ in range(400):
        root = exact * np.exp(0.001 * rng.standard_normal(len(widths)))
        row = analysis.infinite_width(frame.assign(sigma_w=root, ci_low=root * 0.99804, ci_high=root * 1.00196)).iloc[0]
        hits += row["ci_low"] <= math.sqrt(2) <= row["ci_high"]
    assert hits / 400 > 0.92
    few = analysis.infinite_width(frame.head(2).assign(sigma_w=1.5, ci_low=1.4, ci_high=1.6)).iloc[0]
    assert few["reason"].startswith("Too few widths: 2")
    assert math.isnan(few["sigma_w"])


def test_the_fitted_curve_is_that_of_the_points():
    """Of points on a curve: its coefficients; with three widths there is no square."""
    width = np.array([16, 32, 64, 128, 256])
    root = np.exp(0.3 + 1.7 / width - 4.0 / width**2)
    frame = pd.DataFrame({"width": width, "sigma_w": root, "ci_low": root * 0.999, "ci_high": root * 1.001})
    frame = frame.assign(activation="tanh", law="gaussian", sigma_b=0.0, depth=8, kind="quenched", theory=1.3)
    row = analysis.infinite_width(frame).iloc[0]
    assert row[["slope", "bend"]].tolist() == pytest.approx([1.7, -4.0], rel=1e-9)
    assert row["sigma_w"] == pytest.approx(math.exp(0.3), rel=1e-12)
    assert analysis.infinite_width(frame.head(3)).iloc[0]["bend"] == 0.0
    assert math.isnan(analysis.infinite_width(frame.head(2)).iloc[0]["slope"])
