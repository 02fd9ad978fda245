"""No number is missing without a reason: theory, networks that are not finite, bad arguments, tiny widths."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from gradsim import analysis
from gradsim.errors import SweepError
from gradsim_core.activations import Activation
from tests.gradsim.analysis.frames import cell_frame, joined, run_frames

GRID = np.linspace(0.8, 2.0, 7)


def summary_of(gains: list[np.ndarray], **changes: object) -> pd.DataFrame:
    runs = [run_frames(cell_frame(k, 6, float(GRID[k]), **changes), gain) for k, gain in enumerate(gains)]
    cells, sums, histograms = joined(*runs)
    return analysis.summary(cells, analysis.layers_frame(sums, histograms), histograms)


def rising(**changes: object) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return summary_of([rng.normal(4.0 * (sigma_w - 1.4), 0.3, 200) for sigma_w in GRID], **changes)


@pytest.mark.parametrize("level", ["0.9", None, True, math.nan, 0.0, 1, 95, [0.9], 0.5 + 0j, np.ma.masked])
def test_a_bad_level_is_refused(level: object) -> None:
    with pytest.raises(SweepError, match=r"level = .* a probability between 0 and 1"):
        analysis.boundary(rising(), level)  # type: ignore[arg-type]
    with pytest.raises(SweepError, match="level"):
        analysis.find_crossing(GRID, GRID - 1.4, 0.1 * GRID, level)  # type: ignore[arg-type]


def test_bad_curves_are_refused() -> None:
    for sigma_w, value in ((GRID[::-1], GRID), (GRID, GRID[1:]), (-GRID[::-1], GRID), (GRID[None], GRID[None])):
        with pytest.raises(SweepError, match="three arrays of equal length"):
            analysis.find_crossing(sigma_w, value, 0.1 * value)


def test_a_masked_value_is_left_out() -> None:
    value = np.ma.array(GRID - 1.4, mask=[True, *[False] * 6])
    assert analysis.find_crossing(GRID, value, np.full(7, 0.01)) == analysis.find_crossing(
        GRID[1:], GRID[1:] - 1.4, np.full(6, 0.01)
    )


def test_numpy_may_raise_on_every_floating_point_error() -> None:
    spread = np.random.default_rng(3).normal(0.0, 400.0, 40)
    with np.errstate(all="raise"):
        dead, lost = np.full(40, -np.inf), np.full(40, np.nan)
        frames = summary_of([dead, lost, spread, np.full(40, 1e5), np.zeros(40), dead, lost], sigma_b=0.37)
        analysis.boundary(frames)
        assert analysis.boundary(rising(activation="relu2", sigma_b=0.37))["theory"].notna().all()


@pytest.mark.parametrize(
    ("activation", "pair", "reason"),
    [
        ("softplus", None, "only in the limit of infinite q"),
        ("unknown", None, "The functions of unknown are not stored"),
        (
            "root",
            (lambda h: math.sqrt(h + 70), lambda h: 0.5 / math.sqrt(h + 70)),
            "phi has no finite value at h = -70",
        ),
        ("tanh", None, None),
    ],
)
def test_a_missing_theory_has_a_reason(activation: str, pair: tuple | None, reason: str | None) -> None:
    own = {activation: Activation(activation, *pair)} if pair else {}
    found = analysis.boundary(rising(activation=activation), activations=own)
    assert found["sigma_w"].notna().all()
    if reason is None:
        assert found["theory_reason"].tolist() == [None] * 3
    else:
        assert found["theory_inf"].isna().all()
        assert found["theory_reason"].str.contains(reason, regex=False).all()


def test_a_missing_chi_1_has_a_reason() -> None:
    cells, sums, histograms = run_frames(cell_frame(0, 6, activation="mine"), np.zeros(20))
    layers = analysis.layers_frame(sums, histograms)
    root = Activation("mine", lambda h: math.sqrt(h + 70), lambda h: 0.5 / math.sqrt(h + 70))
    for own, reason in (({}, "The functions of mine are not stored"), ({"mine": root}, "no finite value at h = -70")):
        row = analysis.summary(cells, layers, histograms, activations=own).iloc[0]
        assert math.isnan(row["chi_1"])
        assert reason in row["reason"]


def test_all_networks_not_finite_is_said_with_the_cause() -> None:
    sentence = "All networks are not finite: phi or dphi of tanh gave no finite number, or q grew beyond any float64."
    frames = summary_of([np.full(50, np.nan)] * 7)
    assert frames["reason"].tolist() == [sentence] * 7
    assert analysis.boundary(frames)["reason"].tolist() == [sentence] * 3
    half = np.concatenate([np.zeros(25), np.full(25, np.nan)])
    assert summary_of([half])["reason"].str.startswith("0.5 of the networks are not finite").all()
    assert rising()["reason"].tolist() == [None] * 7


def test_some_cells_not_finite_are_not_all() -> None:
    lost = [np.full(50, np.nan)] * 3 + [np.linspace(-2.0, -1.0, 50)] * 4
    assert analysis.boundary(summary_of(lost))["reason"].str.startswith("No crossing").all()


def test_annealed_gain_of_relu_at_tiny_width() -> None:
    """Width 1, depth 4, sigma_w^2 = 2: the mean gain is 1, though most networks have none at all."""
    rng = np.random.default_rng(2)
    networks = 400_000
    active = rng.random((networks, 4)) < 0.5
    reached = active[:, :3].all(axis=1)
    alive = reached & active[:, 3]
    gain = np.log(2.0 * rng.chisquare(1, (int(alive.sum()), 3))).sum(axis=1)
    cells, sums, histograms = run_frames(
        cell_frame(0, 4, math.sqrt(2), activation="relu"), gain, int((~alive).sum()), int((~reached).sum())
    )
    row = analysis.summary(cells, analysis.layers_frame(sums, histograms), histograms).iloc[0]
    assert row["annealed_log_gain"] == pytest.approx(np.log(np.exp(gain).mean()) + np.log(reached.mean()), abs=1e-3)
    assert row["annealed_log_gain"] == pytest.approx(0.0, abs=4 * row["annealed_se"])
    exact = math.sqrt(np.exp(gain).var() / np.exp(gain).mean() ** 2 / len(gain) + (8 - 1) / networks)
    assert row["annealed_se"] == pytest.approx(exact, rel=0.02)
    top = np.sort(np.exp(gain))[-networks // 10_000 :]  # of all networks, also of those without a gain
    assert row["top_share"] == pytest.approx(top.sum() / np.exp(gain).sum(), rel=0.02)
