"""Layers, cells and boundaries from made-up networks whose answers are known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from gradsim import analysis, theory
from gradsim.analysis.histograms import BIN_WIDTH, QUANTILES
from gradsim.errors import SweepError
from gradsim_core.activations import Activation
from tests.gradsim.analysis.frames import cell_frame, joined, reduced, run_frames

TANH_GRID = np.linspace(0.5, 3.0, 26)


@pytest.mark.parametrize("spread", [3.0, 0.5, 0.01])
def test_quantiles_from_the_histogram(spread: float) -> None:
    values = np.random.default_rng(3).normal(-2.0, spread, 20_000)
    frame = analysis.layers_frame(*reduced(0, 1, "log_delta", values))
    expected = np.quantile(values, list(QUANTILES.values()))
    atol = 0.02 if spread < BIN_WIDTH else 0.005 * (1 + spread)
    np.testing.assert_allclose(frame[list(QUANTILES)].to_numpy()[0], expected, atol=atol)


def test_dead_networks_come_first_and_nonfinite_ones_nowhere() -> None:
    rng = np.random.default_rng(4)
    some = np.concatenate([np.full(300, -np.inf), np.full(50, np.nan), rng.normal(size=700)])
    all_dead, none, one = np.full(9, -np.inf), np.full(9, np.nan), np.array([1.25])
    parts = [reduced(cell, 1, "log_delta", values) for cell, values in enumerate([some, all_dead, none, one])]
    frame = analysis.layers_frame(pd.concat([p[0] for p in parts]), pd.concat([p[1] for p in parts]))
    quantiles = frame[list(QUANTILES)].to_numpy()
    assert quantiles[0, :2].tolist() == [-np.inf, -np.inf]
    np.testing.assert_allclose(quantiles[0, 2:], np.quantile(some[350:], [2 / 7, 9 / 14, 13 / 14]), atol=0.02)
    assert (quantiles[1] == -np.inf).all()
    assert np.isnan(quantiles[2]).all()
    assert (quantiles[3] == 1.25).all()


def test_layers_do_not_mix() -> None:
    shifts = {(cell, layer): 10.0 * cell + layer for cell in (3, 1, 2) for layer in (2, 1)}
    parts = [reduced(*key, "log_q", shift + np.linspace(0, 1, 401)) for key, shift in shifts.items()]
    frame = analysis.layers_frame(
        pd.concat([p[0] for p in parts]), pd.concat([p[1] for p in parts]).sample(frac=1.0, random_state=1)
    )
    np.testing.assert_allclose(frame["median"], np.array(list(shifts.values())) + 0.5, atol=2e-3)
    assert (frame[list(QUANTILES)].diff(axis=1).iloc[:, 1:] > 0).all(axis=None)


def one_summary(gain: np.ndarray, **changes: int) -> pd.Series:
    cells, sums, histograms = run_frames(cell_frame(7, depth=5), gain, **changes)
    return analysis.summary(cells, analysis.layers_frame(sums, histograms), histograms).iloc[0]


@pytest.mark.parametrize("spread", [0.004, 0.3, 1.2])
def test_summary_of_lognormal_gains(spread: float) -> None:
    gain = np.random.default_rng(5).normal(0.1, spread, 40_000)
    row = one_summary(gain)
    assert row["quenched_log_gain"] == pytest.approx(gain.mean())
    assert row["decades"] == pytest.approx(gain.mean() / (2 * math.log(10)))
    assert row["annealed_log_gain"] == pytest.approx(np.log(np.exp(gain).mean()), abs=1e-4 + 0.05 * row["annealed_se"])
    expected_se = np.exp(gain).std() / np.exp(gain).mean() / np.sqrt(len(gain))
    assert row["annealed_se"] == pytest.approx(expected_se, rel=0.02, abs=4e-5)
    assert row["median_log_gain"] == pytest.approx(np.median(gain), abs=3 * row["median_se"])
    if spread > BIN_WIDTH:
        assert row["median_se"] == pytest.approx(math.sqrt(math.pi / 2) * spread / math.sqrt(len(gain)), rel=0.3)
    top = np.sort(np.exp(gain))[-4:].sum() / np.exp(gain).sum()
    assert row["top_share"] == pytest.approx(top, rel=0.05)
    assert row["trusted"]
    assert row["phase"] == "critical"
    assert row["complete"]
    assert row["chi_1"] == 1.0


def test_an_annealed_number_that_few_networks_carry_is_marked() -> None:
    gain = np.random.default_rng(6).normal(-25.0, 7.2, 10_000)
    row = one_summary(gain)
    assert row["top_share"] > 0.3
    assert not row["trusted"]
    assert row["phase"] == "vanishing"


def test_dead_networks_count_as_zero_in_the_annealed_mean() -> None:
    # Width 4, 5 layers, sigma_w^2 = 2: with the dead the mean gain is exactly 1 (simulated: K active neurons per
    # layer).
    rng = np.random.default_rng(7)
    active = rng.binomial(4, 0.5, (400_000, 5))
    forward_dead = (active[:, :4] == 0).any(axis=1)
    delta_dead = forward_dead | (active[:, 4] == 0)
    chi = rng.chisquare(np.maximum(active[:, :4], 1))
    gain = np.log(2 / 4 * chi).sum(axis=1)[~delta_dead]
    row = one_summary(gain, delta_dead=int(delta_dead.sum()), q_dead=int(forward_dead.sum()))
    assert row["annealed_log_gain"] == pytest.approx(0.0, abs=4 * row["annealed_se"])
    assert np.log(np.exp(gain).mean()) == pytest.approx(4 * math.log(16 / 15), abs=0.03)
    assert row["dead_fraction"] == pytest.approx(1 - (15 / 16) ** 5, abs=0.003)


@pytest.mark.parametrize(
    ("mean", "se", "expected"),
    [(-3.0, 0.1, "vanishing"), (3.0, 0.1, "exploding"), (1.0, 0.1, "critical"), (2.3, 0.1, None), (-2.3, 1.0, None)],
)
def test_phase(mean: float, se: float, expected: str | None) -> None:
    gain = mean + se * np.sqrt(99.0) * np.resize([1.0, -1.0], 100)
    assert one_summary(gain)["phase"] == expected


def test_nonfinite_networks_take_phase_and_trust() -> None:
    """The rest is no fair sample: the largest are those that are missing."""
    gain = np.concatenate([np.random.default_rng(8).normal(1.0, 0.1, 990), np.full(10, np.nan)])
    row = one_summary(gain)
    assert row["nonfinite_fraction"] == pytest.approx(0.01)
    assert row["phase"] is None
    assert not row["trusted"]
    frames = noisy_summary(8, 1000)
    assert analysis.boundary(frames)["trusted"].all()
    found = analysis.boundary(frames.assign(nonfinite_fraction=0.01))
    assert not found["trusted"].any()
    assert (found["reason"] == "Not to be trusted: 0.01 of the networks near it are not finite.").all()


def test_cells_without_networks_are_empty_rows() -> None:
    cells, sums, histograms = run_frames(cell_frame(0, depth=3), np.zeros(20))
    cells = pd.concat([cells, cell_frame(1, depth=3, activation="mine")], ignore_index=True)
    layers = analysis.layers_frame(sums, histograms)
    rows = analysis.summary(cells, layers, histograms, pd.Series({0: True, 1: False}))
    assert rows["complete"].tolist() == [True, False]
    empty = rows.iloc[1]
    assert empty["phase"] is None
    assert not empty["trusted"]
    assert empty[["quenched_log_gain", "annealed_log_gain", "median_log_gain", "top_share", "chi_1"]].isna().all()


def test_all_networks_dead() -> None:
    row = one_summary(np.full(50, -np.inf))
    assert row["annealed_log_gain"] == -np.inf
    assert row["median_log_gain"] == -np.inf
    assert math.isnan(row["quenched_log_gain"])
    assert row["phase"] is None
    assert row["dead_fraction"] == 1.0


def noisy_summary(depth: int, networks: int, grid: np.ndarray = TANH_GRID, **changes: str) -> pd.DataFrame:
    rng = np.random.default_rng(depth)
    means = theory.trajectory("tanh", depth, grid).log_gain[:, 0]
    runs = [
        run_frames(cell_frame(k, depth, sigma_w, **changes), mean + rng.normal(0.0, 0.3, networks))
        for k, (sigma_w, mean) in enumerate(zip(grid, means, strict=True))
    ]
    cells, sums, histograms = joined(*runs)
    return analysis.summary(cells, analysis.layers_frame(sums, histograms), histograms)


def test_boundary_of_a_sweep() -> None:
    frame = analysis.boundary(noisy_summary(16, 2000)).set_index("kind")
    assert frame.index.tolist() == ["quenched", "annealed", "median"]
    expected = theory.boundary("tanh", 16)
    for kind in ("quenched", "median"):
        row = frame.loc[kind]
        assert row["ci_low"] < expected < row["ci_high"]
        assert row["sigma_w"] == pytest.approx(expected, rel=0.005)
        assert (row["crossing"], row["direction"], row["reason"], row["trusted"]) == (1, "up", None, True)
    assert frame.loc["annealed", "sigma_w"] < frame.loc["quenched", "sigma_w"]
    assert frame["theory"].to_numpy() == pytest.approx(expected)
    assert frame["theory_inf"].to_numpy() == pytest.approx(1.0)
    assert frame["theory_width"].isna().all()


def test_a_group_does_not_depend_on_the_others() -> None:
    first, second = noisy_summary(8, 300), noisy_summary(4, 300)
    together = analysis.boundary(pd.concat([first, second]))
    alone = analysis.boundary(first)
    pd.testing.assert_frame_equal(together[together["depth"] == 8].reset_index(drop=True), alone)


def test_theory_columns_of_relu() -> None:
    rows = noisy_summary(4, 100, activation="relu")
    frame = analysis.boundary(rows).set_index("kind")
    assert frame.loc["quenched", "theory_width"] == pytest.approx(theory.boundary("relu", 4, width=64))
    assert frame.loc["annealed", "theory_width"] == pytest.approx(math.sqrt(2))
    law = theory.gain_law("relu", 4, 64, frame.loc["median", "theory_width"])
    assert law.median == pytest.approx(0.0, abs=1e-12)
    assert analysis.boundary(rows.assign(law="orthogonal"))["theory_width"].isna().all()
    assert analysis.boundary(rows.assign(activation="mine"))[["theory", "theory_inf"]].isna().all(axis=None)
    own = {"mine": Activation("mine", lambda h: max(h, 0.0), lambda h: float(h > 0.0))}
    known = analysis.boundary(rows.assign(activation="mine"), activations=own)
    assert known["theory"].to_numpy() == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize(
    ("depth", "grid", "reason"),
    [
        (1, TANH_GRID, "depth 1"),
        (16, np.linspace(0.5, 1.0, 6), "stays below 0"),
        (16, np.linspace(2.0, 3.0, 6), "stays above 0"),
        (16, np.array([1.0, 2.0]), "Too few cells"),
        (16, np.array([0.8, 1.0, 1.05, 1.31]), None),
    ],
)
def test_no_boundary_has_a_reason(depth: int, grid: np.ndarray, reason: str | None) -> None:
    row = analysis.boundary(noisy_summary(depth, 40, grid)).iloc[0]
    if reason is None:  # the last cell's sign is a matter of luck
        assert row["reason"] is None or "lost in the noise" in row["reason"] or "No crossing" in row["reason"]
    else:
        assert reason in row["reason"]
        assert row[["sigma_w", "ci_low", "ci_high", "crossing"]].isna().all()
        assert row["direction"] is None


def test_a_crossing_lost_in_the_noise() -> None:
    found = analysis.find_crossing(np.array([1.0, 1.1, 1.2, 1.3]), np.array([-9.0, -6.0, -3.0, 0.1]), np.full(4, 0.5))
    assert found.reason is not None
    assert "lost in the noise" in found.reason
    assert math.isnan(found.sigma_w)


def test_which_crossing_is_reported() -> None:
    x, se = np.linspace(1.0, 2.0, 41), np.full(41, 0.02)
    wave = -np.sin(4 * np.pi * (x - 0.9))  # falls through 0 at 1.4 and 1.9, rises at 1.15 and 1.65
    up = analysis.find_crossing(x[15:], wave[15:], se[15:])
    assert (up.number, up.direction) == (2, "up")
    assert up.sigma_w == pytest.approx(1.65, abs=0.005)
    down = analysis.find_crossing(x[10:25], wave[10:25], se[10:25])
    assert (down.number, down.direction) == (1, "down")
    assert down.sigma_w == pytest.approx(1.4, abs=0.005)


def test_noise_makes_no_further_crossings() -> None:
    rng = np.random.default_rng(8)
    x = np.exp(np.linspace(0.0, 1.0, 201))
    value = 10 * (np.log(x) - 0.5) + rng.normal(0.0, 0.5, 201)
    found = analysis.find_crossing(x, value, np.full(201, 0.5))
    assert (found.number, found.direction) == (1, "up")
    assert np.log(found.sigma_w) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("depth", [4, 8, 16, 32, 64])
def test_interpolation_error_is_small_and_inside_the_interval(depth: int) -> None:
    exact = theory.trajectory("tanh", depth, TANH_GRID).log_gain[:, 0]
    found = analysis.find_crossing(TANH_GRID, exact, np.full(26, 1e-3))
    expected = theory.boundary("tanh", depth)
    assert found.sigma_w == pytest.approx(expected, rel=0.002)
    assert found.ci_low < expected < found.ci_high


@pytest.mark.parametrize(("step", "noise"), [(0.1, 0.05), (0.1, 0.3)])
def test_coverage_of_the_interval(step: float, noise: float) -> None:
    rng = np.random.default_rng(9)
    x, root, trials = np.log(np.arange(1.0, 2.0, step)), math.log(1.43), 300
    curve = 20 * (x - root) + 5 * (x - root) ** 2
    hits = 0
    for trial in range(trials):
        value = curve + noise * rng.standard_normal(len(x))
        found = analysis.find_crossing(np.exp(x), value, np.full(len(x), noise), key=str(trial))
        hits += found.ci_low <= 1.43 <= found.ci_high
    assert 0.92 <= hits / trials <= 0.98


def test_level_is_a_probability() -> None:
    with pytest.raises(SweepError, match="level"):
        analysis.boundary(noisy_summary(4, 20), level=95)


def test_nulls_and_types_of_the_boundary() -> None:
    rows = pd.concat([noisy_summary(16, 100), noisy_summary(1, 20)])
    frame = analysis.boundary(rows)
    assert frame.loc[frame["depth"] == 16, "reason"].tolist() == [None] * 3
    assert frame.loc[frame["depth"] == 1, "direction"].tolist() == [None] * 3
    assert frame.dtypes[["depth", "crossing", "trusted"]].astype(str).tolist() == ["int64", "Int64", "bool"]
    assert analysis.boundary(rows.iloc[:0]).columns.tolist() == frame.columns.tolist()
