"""The spread over networks belongs to the answer: intervals, live_share, humps, and boundaries of any moment."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import gradsim as gs
from gradsim import analysis, theory
from gradsim.analysis.annealed import fewest_networks
from gradsim.errors import SweepError
from tests.gradsim.analysis.frames import cell_frame, joined, reduced, run_frames

GRID = np.linspace(0.8, 2.2, 15)
DECADE = math.log(100)


def summary_of(gains, depth=8, **cell):
    runs = [
        run_frames(cell_frame(k, depth, s, **cell), gain) for k, (s, gain) in enumerate(zip(GRID, gains, strict=False))
    ]
    cells, sums, histograms = joined(*runs)
    return analysis.summary(cells, sums, histograms, kinds=["moment(0.5)"])


def rising(spread, networks=4000, **cell):
    """Log gains whose mean crosses 0 at sigma_w = 1.5."""
    rng = np.random.default_rng(1)
    return summary_of([14 * math.log(s / 1.5) + spread(rng, networks) for s in GRID], **cell)


def test_intervals_of_every_number():
    rng = np.random.default_rng(3)
    gain = np.concatenate([rng.normal(1.0, 2.0, 2000), np.full(150, -np.inf), np.full(20, np.nan)])
    row = analysis.layers_frame(*reduced(0, 1, "log_gain", gain)).iloc[0]
    for name in ("mean", "std", "q05", "q25", "median", "q75", "q95", "dead_fraction", "nonfinite_fraction"):
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"] or (name == "q05" and row[name] == -np.inf)
    assert row["q05_high"] == -np.inf  # 7 % are dead
    wide, narrow = (analysis.layers_frame(*reduced(0, 1, "log_gain", gain), level).iloc[0] for level in (0.99, 0.5))
    for name in ("mean", "std", "median", "dead_fraction"):
        assert wide[f"{name}_low"] < narrow[f"{name}_low"] < narrow[f"{name}_high"] < wide[f"{name}_high"]


def test_too_few_networks_leave_an_interval_open():
    row = analysis.layers_frame(*reduced(0, 1, "log_gain", np.array([0.5, 1.0, 2.0]))).iloc[0]
    assert (row["q05_low"], row["q95_high"]) == (-np.inf, np.inf)
    one = analysis.layers_frame(*reduced(0, 1, "log_gain", np.array([0.5]))).iloc[0]
    assert (one["mean_low"], one["mean_high"]) == (-np.inf, np.inf)
    none = analysis.layers_frame(*reduced(0, 1, "log_gain", np.full(4, np.nan))).iloc[0]
    assert math.isnan(none["mean_low"])
    assert math.isnan(none["median_high"])


@pytest.mark.parametrize("spread", [0.01, 1.0, 4.0])
def test_live_share(spread):
    gain = np.random.default_rng(4).normal(2.0, spread, 5000)
    cells, sums, histograms = run_frames(cell_frame(0, 8), gain, delta_dead=500)
    row = analysis.summary(cells, sums, histograms).iloc[0]
    expected = (np.abs(gain) <= DECADE).sum() / 5500
    assert row["live_share"] == pytest.approx(expected, abs=0.002)
    assert row["live_share_low"] < expected < row["live_share_high"] or expected == 5000 / 5500


def test_a_broad_law_is_said():
    found = analysis.boundary(rising(lambda rng, n: rng.normal(0, 12, n))).set_index("kind")
    assert not found["trusted"].any()
    assert "Not typical: 3" in found.loc["quenched", "reason"]
    assert found.loc["quenched", ["ci_low", "ci_high"]].notna().all()


def test_a_mean_that_the_sample_cannot_hold_has_no_interval():
    found = analysis.boundary(rising(lambda rng, n: rng.normal(0, 3.5, n))).set_index("kind")
    assert found.loc["annealed", "reason"].endswith("its mean near it needs more than 10^15 networks.")
    assert found.loc["annealed", ["ci_low", "ci_high"]].isna().all()
    assert found.loc["annealed", "sigma_w"] == pytest.approx(1.5 * math.exp(-(3.5**2) / 28), rel=0.2)
    assert found.loc["quenched", "trusted"]


def test_two_humps_are_said():
    frame = rising(lambda rng, n: np.where(rng.random(n) < 0.5, -9.0, 9.0) + rng.normal(0, 1, n))
    assert frame["two_humps"].all()
    found = analysis.boundary(frame).set_index("kind")
    assert found.loc["quenched", "reason"].endswith("within a decade. Their gain has two humps.")
    assert found.loc["quenched", "live_share"] < 0.01


@pytest.mark.parametrize(
    "spread",
    [lambda rng, n: rng.normal(0, 3, n), lambda rng, n: rng.exponential(2, n), lambda rng, n: rng.random(n) * 9],
)
@pytest.mark.parametrize("networks", [100, 10_000])
def test_one_hump_is_one(spread, networks):
    assert not rising(spread, networks)["two_humps"].any()


def test_boundaries_of_moments():
    """Log-normal gains: ln E g^p = p m + p^2 s^2 / 2, so the root of moment(s) has m = -s std^2 / 4."""
    frame = rising(lambda rng, n: rng.normal(0, 1, n), networks=20_000)
    found = analysis.boundary(frame, kinds=["moment(0.5)", "annealed", "decades(1)", "decades(-0.5)"]).set_index("kind")
    gains = {"moment(0.5)": -0.125, "annealed": -0.5, "decades(1)": DECADE, "decades(-0.5)": -DECADE / 2}
    for kind, gain in gains.items():
        truth = 1.5 * math.exp(gain / 14)
        row = found.loc[kind]
        assert row["ci_low"] - 2e-4 < truth < row["ci_high"] + 2e-4
        assert row["trusted"]


def test_theory_of_kinds():
    frame = rising(lambda rng, n: rng.normal(0, 1, n), activation="relu")
    found = analysis.boundary(frame, kinds=["moment(0.5)", "median", "decades(1)"]).set_index("kind")
    assert found.loc["moment(0.5)", "theory_width"] == theory.moment_sigma_w("relu", 0.5, 64)
    for kind, gain in (("median", 0.0), ("decades(1)", DECADE)):
        assert theory.gain_law("relu", 8, 64, found.loc[kind, "theory_width"]).median == pytest.approx(gain, abs=1e-10)
    assert found.loc["decades(1)", "theory"] == pytest.approx(math.sqrt(2) * math.exp(DECADE / 14))
    assert found.loc["median", "theory"] == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("kind", ["moment(0)", "moment(2.5)", "moments(1)", "decades", "quench", 3, "decades(1e9)"])
def test_unknown_kinds_are_refused(kind):
    frame = rising(lambda rng, n: rng.normal(0, 1, n), networks=100)
    with pytest.raises(SweepError, match="quenched, annealed, median, moment"):
        analysis.boundary(frame, kinds=[kind])


def test_a_run_has_every_kind(tmp_path):
    sweep = gs.Sweep(
        activation="relu", sigma_w=[1.2, 1.4, 1.5, 1.7], depth=6, width=16, networks=2000, seed=1, method="conditional"
    )
    run = gs.run(sweep, tmp_path / "run", progress="none")
    found = run.boundary(kinds=("moment(1)", "quenched")).set_index("kind")
    assert found.loc["moment(1)", "theory_width"] == pytest.approx(4 * math.sqrt(2.16918 / 16) / 1, rel=0.3)
    for kind in found.index:
        assert found.loc[kind, "ci_low"] < found.loc[kind, "theory_width"] < found.loc[kind, "ci_high"]
    assert run.boundary(kinds="median")["kind"].tolist() == ["median"]
    assert (run.summary(level=0.5)["std_high"] < run.summary()["std_high"]).all()
    pd.testing.assert_frame_equal(run.layers(level=0.95), run.layers())
    with pytest.raises(SweepError, match="level"):
        run.layers(level=2)


@pytest.mark.parametrize("name", ["relu", "linear", "tanh"])
@pytest.mark.parametrize(("depth", "width"), [(2, 1), (64, 4), (10_000, 64), (5, 100_000)])
def test_what_an_annealed_mean_needs(name, depth, width):
    """A number of networks, whatever the spread; more for deeper and narrower ones."""
    cells = cell_frame(0, depth, activation=name, width=width)
    std = theory.gain_law("relu", depth, width, 1.0).std
    needed, narrower, deeper = (
        fewest_networks(frame, np.array([value]))[0]
        for frame, value in (
            (cells, std),
            (cells.assign(width=max(width // 2, 1)), 1.5 * std),
            (cells.assign(depth=2 * depth), 1.5 * std),
        )
    )
    assert 0 <= needed <= min(narrower, deeper)
    assert fewest_networks(cells, np.array([np.nan]))[0] == np.inf or name != "tanh"
    half = fewest_networks(cells, np.array([std]), power=0.5)[0]
    assert half <= needed
