"""What is added where: as many networks as theory says, at the right places, and nothing that need not be."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq, minimize

from gradsim.analysis import find_crossing
from gradsim.analysis.boundaries import curve
from gradsim.analysis.kinds import find_kind
from gradsim.analysis.refinement import _Root, additions, half_widths, uniform_networks
from gradsim.errors import SweepError
from tests.gradsim.analysis.made_boundary import ROOT, SLOPE, STD, MadeBoundary, Z, bent, line

GRID = np.linspace(0.8, 2.0, 13)


@pytest.mark.parametrize(("law", "grid", "target"), [(line, GRID, 0.004), (bent, GRID, 0.004), (bent, GRID[::2], 0.01)])
def test_targets_are_reached_with_about_as_many_networks_as_are_needed(law, grid, target) -> None:
    """Two cells around the root need (z std / (slope target))^2 networks; all rounds together take about twice that.

    No interval of 20 lies off the root by more than twice its half-width: false alarms below 20 * 1e-4.
    """
    needed, taken = (Z * STD / (SLOPE * target)) ** 2, []
    for seed in range(20):
        made = MadeBoundary(seed, grid, 300, law)
        before = sum(made.counts)
        rounds, found = made.refine(target)
        assert half_widths(found)[0] <= target
        assert rounds <= 8
        taken.append((sum(made.counts) - before) / needed)
        assert abs(found["sigma_w"][0] - ROOT) < 2 * target
    assert np.mean(taken) < 2.2
    assert max(taken) < 3.5


def test_a_uniform_grid_takes_more() -> None:
    """All 25 cells with (half-width / target)^2 times the networks: those far away from the root are for nothing."""
    saved = []
    for seed in range(8):
        made = MadeBoundary(seed, np.linspace(0.8, 2.0, 25), 300, bent)
        before = half_widths(made.boundary())[0]
        made.refine(0.001)
        saved.append((before / 0.001) ** 2 * 300 * 25 / sum(made.counts))
    assert np.mean(saved) > 8
    assert min(saved) > 3


def test_additions_are_a_function_of_the_tables_alone() -> None:
    made = MadeBoundary(1, GRID, 300)
    summary, boundary = made.summary(), made.boundary()
    found = additions(summary, boundary, 0.01)
    assert found
    assert additions(summary.sample(frac=1.0, random_state=1), boundary, 0.01) == found
    nudged = summary.assign(quenched_log_gain=summary["quenched_log_gain"] * (1 + 1e-15))
    moved = boundary.assign(**{name: boundary[name] * (1 + 1e-15) for name in ("sigma_w", "ci_low", "ci_high")})
    assert additions(nudged, moved, 0.01) == found  # another processor's last bits change no number of networks


def test_the_place() -> None:
    """At the root, at a few digits, where no cell is near; later the same cell."""
    made = MadeBoundary(3, GRID[::3], 30_000)
    boundary = made.boundary()
    found = additions(made.summary(), boundary, half_widths(boundary)[0] / 5)
    ((template, place),) = found.cells
    assert abs(place - boundary["sigma_w"][0]) < 0.1 * half_widths(boundary)[0]
    assert len(str(place)) <= 7
    assert all(len(str(count).rstrip("0")) <= 3 for count in found.cells.values())
    assert template == 0
    made.add(found)
    again = additions(made.summary(), made.boundary(), half_widths(made.boundary())[0] * 0.9)
    assert again.cells == {}
    assert place in {made.sigma_w[cell] for cell in again.networks}


@pytest.mark.parametrize("law", [line, bent])
@pytest.mark.parametrize("cells", [7, 13, 25])
def test_networks_of_a_uniform_grid(law, cells) -> None:
    """Grids with so many networks have intervals of the target width, on average within 10 %."""
    grid, target = np.linspace(0.8, 2.0, cells), 0.004
    known = MadeBoundary(1, grid, 400_000, law)
    (each,) = uniform_networks(known.summary(), known.boundary(), cells, target)
    halves = [half_widths(MadeBoundary(seed, grid, round(each), law).boundary())[0] for seed in range(20)]
    assert abs(np.mean(halves) / target - 1) < 0.1


def test_no_number_without_a_slope() -> None:
    """A curve that rises where it is said to fall: nothing infinite goes into the table."""
    made = MadeBoundary(1, GRID, 400)
    wrong = made.boundary().assign(direction="down")
    assert np.isnan(uniform_networks(made.summary(), wrong, len(GRID), 0.004)).all()


def test_the_root_moves_with_the_weights() -> None:
    """Beside differences of the interpolant's own root, of a cell at a time."""
    made = MadeBoundary(1, GRID, 400_000, line)
    found = _Root(made.summary(), dict(made.boundary().iloc[0]) | {"half_width": 1e-9}, Z)
    x = np.array(GRID)
    for place, weight in found._weights(x).items():
        low, high = (
            brentq(PchipInterpolator(x, x - found.root + shift * (x == place)), x[0], x[-1]) for shift in (-1e-5, 1e-5)
        )
        assert weight == pytest.approx(abs(high - low) / 2e-5, rel=0.01, abs=1e-6)


def test_the_fewest_networks() -> None:
    """Shared out as a numerical search for the least total finds it, with and without cells that have enough."""
    made = MadeBoundary(1, GRID, 400, line)
    found = _Root(made.summary(), dict(made.boundary().iloc[0]) | {"half_width": 0.01}, Z)
    rng = np.random.default_rng(1)
    for _ in range(20):
        weight, have = rng.uniform(0.05, 1.0, 4), rng.integers(1, 3000, 4)
        found.networks = dict(zip("abcd", have.tolist(), strict=True))
        variance = float(np.sum(weight**2 / have)) / rng.uniform(1.5, 20.0)
        lacking = found._lacking(dict(zip("abcd", weight.tolist(), strict=True)), variance)
        there = have + np.array([lacking.get(name, 0) for name in "abcd"])
        assert np.sum(weight**2 / there) <= variance
        least = minimize(
            lambda n: n.sum(), there * 1.2, bounds=[(h, None) for h in have], method="SLSQP",
            constraints={"type": "ineq", "fun": lambda n, w=weight, v=variance: 1.0 - np.sum(w**2 / n) / v},
            options={"maxiter": 1000, "ftol": 1e-10},
        )  # fmt: skip
        assert sum(lacking.values()) < 1.01 * (least.x - have).sum() + 4 * 10


def test_intervals_narrow_in_stages() -> None:
    made = MadeBoundary(2, GRID, 300)
    at_once = additions(made.summary(), made.boundary(), 0.0002, stage=float("inf"))
    first = additions(made.summary(), made.boundary(), 0.0002)
    assert at_once.total > 50 * first.total > 0


def test_nothing_is_added_where_nothing_is_needed_or_possible() -> None:
    made = MadeBoundary(4, GRID, 300)
    summary, boundary = made.summary(), made.boundary()
    assert not additions(summary, boundary, 1.5 * half_widths(boundary)[0])
    assert not additions(summary, boundary.assign(trusted=False), 0.001)
    assert not additions(summary, boundary.assign(ci_low=np.nan), 0.001)
    assert additions(summary, boundary, 0.001).total > 0
    assert np.isnan(half_widths(boundary.assign(trusted=False))).all()


def test_something_is_added_as_long_as_a_target_is_not_reached() -> None:
    """Wherever between two cells the root is, and whichever of them has the networks."""
    made = MadeBoundary(1, GRID, 1000)
    summary, row = made.summary(), dict(made.boundary().iloc[0]) | {"half_width": 0.01}
    left, right = (float(GRID[place]) for place in _Root(summary, row, Z).pair)
    for share in np.linspace(0.0, 1.0, 21):
        for ratio in np.geomspace(1e-3, 1e3, 13):
            counts = np.where(summary["sigma_w"] == left, 1000.0 * ratio, 1000.0)
            changed = summary.assign(live_networks=counts, quenched_se=STD / np.sqrt(counts))
            found = _Root(changed, row | {"sigma_w": left + share * (right - left)}, Z)
            assert found.width >= 0.01
            assert sum(found.wanted([], 0.0099, 1.05).values()) > 0, (share, ratio)


def test_an_interval_that_is_narrow_by_chance_is_not_taken() -> None:
    """Its own slope is too steep: the slope over more cells lets expect twice the width, and it goes on."""
    made = MadeBoundary(2, GRID, 400)
    summary, boundary = made.summary(), made.boundary()
    expected = _Root(summary, dict(boundary.iloc[0]) | {"half_width": half_widths(boundary)[0]}, Z).noise
    lucky = boundary.assign(ci_low=boundary["sigma_w"] - 0.8 * expected, ci_high=boundary["sigma_w"] + 0.8 * expected)
    assert additions(summary, lucky, 0.9 * expected).total > 0
    assert not additions(summary, lucky, 1.1 * expected)


@pytest.mark.parametrize(("grid", "networks", "target"), [(GRID, 300, 0.006), (GRID[::3], 30_000, 0.0006)])
def test_kinds_share_cells_and_networks(grid, networks, target) -> None:
    """Together they take little more than the one that takes more, and no further cell."""
    made = MadeBoundary(5, grid, networks)
    alone = [additions(made.summary(), made.boundary(kind), target) for kind in ("quenched", "median")]
    both = additions(made.summary(), made.boundary("quenched", "median"), target)
    assert len(both.cells) == max(len(one.cells) for one in alone) == 1
    assert max(one.total for one in alone) <= both.total < 1.3 * max(one.total for one in alone)


def test_downward_crossings() -> None:
    made = MadeBoundary(6, GRID, 300, lambda sigma_w: -line(sigma_w))
    assert made.boundary()["direction"][0] == "down"
    made.refine(0.006)
    assert abs(made.boundary()["sigma_w"][0] - ROOT) < 0.012


def test_a_cell_without_an_estimate_gets_networks_in_place_of_an_equal_new_one() -> None:
    made = MadeBoundary(7, GRID[::3], 30_000)
    summary, boundary = made.summary(), made.boundary()
    target = half_widths(boundary)[0] / 5
    ((_, new),) = additions(summary, boundary, target).cells
    dead = summary.iloc[[0]].assign(cell_id=99, sigma_w=new, quenched_log_gain=np.nan, live_networks=0.0)
    found = additions(pd.concat([summary, dead]), boundary, target)
    assert 99 in found.networks
    assert new not in {sigma_w for _, sigma_w in found.cells}


@pytest.mark.parametrize("target", [0, -1, float("nan"), float("inf"), True, "0.005", None])
def test_targets_that_are_no_width(target) -> None:
    made = MadeBoundary(1, GRID, 300)
    with pytest.raises(SweepError, match=r"target = .*allowed: a finite number > 0"):
        additions(made.summary(), made.boundary(), target)


def test_the_fit_weighs_cells_by_their_errors() -> None:
    """Two cells are in the wrong order; the precise one says on which side of them the root is."""
    x, y = np.array([1.0, 1.1, 1.2, 1.3]), np.array([-1.0, 0.2, -0.1, 1.0])
    precise_right = find_crossing(x, y, np.array([0.01, 1.0, 0.001, 0.01]), key="a")
    precise_left = find_crossing(x, y, np.array([0.01, 0.001, 1.0, 0.01]), key="a")
    assert precise_left.sigma_w < 1.1
    assert precise_right.sigma_w > 1.2


def test_errors_of_medians_allow_for_unequal_networks() -> None:
    """One multiple of std / sqrt(networks) for all cells; of equal cells exactly that of their mean square ratio."""
    made = MadeBoundary(8, GRID, 400)
    equal = made.summary()
    noisy = equal.assign(median_se=equal["median_se"] * np.exp(np.random.default_rng(1).normal(0, 0.3, len(GRID))))
    _, _, se = curve(noisy, find_kind("median"))
    share = noisy["median_se"].to_numpy() / noisy["std"].to_numpy()
    assert se.tolist() == (noisy["std"].to_numpy() * np.sqrt(np.mean(share**2))).tolist()
    made.draw(3, 400 * 99)
    _, _, se = curve(made.summary(), find_kind("median"))
    np.testing.assert_allclose(se, np.sqrt(np.pi / 2) * STD / np.sqrt(made.counts), rtol=1e-12)
