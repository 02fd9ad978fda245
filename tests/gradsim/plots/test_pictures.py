"""What is on the axes equals the tables, the networks themselves, and formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import iqr, linregress

import gradsim as gs
from gradsim import plots
from gradsim.analysis import BIN_WIDTH
from gradsim.plots.spread import _counted, bar_edges

pytest.importorskip("matplotlib")

LN10 = np.log(10.0)


def lines(ax):
    """Lines with a label, by label: their points."""
    return {line.get_label(): np.stack(line.get_data()) for line in ax.get_lines()}


def marks(ax):
    """Boundaries by label: points, and the ends of their intervals."""
    found = {}
    for bar in ax.containers:
        if hasattr(bar, "has_xerr"):
            ends = np.array(bar.lines[2][0].get_segments())
            found[bar.get_label()] = np.stack(bar.lines[0].get_data()), ends
    return found


def twin_of(ax):
    """The right axis."""
    (twin,) = [other for other in ax.figure.axes if other is not ax and other.bbox.bounds == ax.bbox.bounds]
    return twin


def test_phase(run):
    ax = plots.phase(run, activation="relu", sigma_b=0.0, width=16, level=0.9)
    cells = run.summary().query("activation == 'relu' and sigma_b == 0 and width == 16")
    table = cells.pivot_table(index="depth", columns="sigma_w", values="decades")
    np.testing.assert_array_equal(ax.collections[0].get_array(), table)
    boundary = run.boundary(0.9).query("activation == 'relu' and sigma_b == 0 and width == 16 and kind == 'quenched'")
    rows = boundary.dropna(subset=["sigma_w"])
    assert len(rows) == 2
    assert rows["trusted"].all()
    points, ends = marks(ax)["boundary, quenched (90 %)"]
    np.testing.assert_array_equal(points[0], rows["sigma_w"])
    np.testing.assert_allclose(ends[:, :, 0], rows[["ci_low", "ci_high"]], rtol=1e-14)
    np.testing.assert_array_equal(lines(ax)["theory, this width"][0], boundary["theory_width"])
    assert plots.caption(ax).startswith("n = 150 networks a cell, seed 7.".replace(" = ", "\xa0=\xa0"))
    assert "90\xa0%, percentiles" in plots.caption(ax)
    assert "combinations" not in plots.caption(ax)
    assert "One of 12 combinations of activation, sigma_b, width." in plots.caption(plots.phase(run))


def test_few_networks_are_hatched(run, edges):
    assert not any(part.get_hatch() for part in plots.phase(run, width=24).collections)
    hatched = [part for part in plots.phase(edges["300 cells"]).collections if part.get_hatch()]
    assert [len(part.get_paths()) for part in hatched] == [300]
    assert any(part.get_hatch() for part in plots.layers(edges["no crossing"], cells=2).collections)
    assert not any(part.get_hatch() for part in plots.layers(run, cells=2).collections)


def test_layers(run):
    ax = plots.layers(run, "log_weight_grad", [0, 40, 5])
    rows = run.networks([0, 5, 40])
    for cell, line in zip([0, 40, 5], ax.get_lines(), strict=True):
        values = rows[rows["cell_id"] == cell].pivot(index="network", columns="layer", values="log_weight_grad")
        layer, median = line.get_data()
        np.testing.assert_array_equal(layer, values.columns)
        np.testing.assert_allclose(median, values.median() / LN10, atol=0.025)  # a bin is 0.0188 wide
    assert "Median" in plots.caption(ax)
    assert "8 of 168 cells" in plots.caption(plots.layers(run))


@pytest.mark.parametrize("cell", [3, 87, 101])
def test_spread_is_that_of_the_networks(run, cell):
    """Bars and the share with a larger gain, counted from the networks' own values."""
    ax = plots.spread(run, cell)
    gain = run.networks(cell, layer=1)["log_gain"].to_numpy()
    live = gain[np.isfinite(gain)]
    bars = [bar for bar in ax.patches if bar.get_hatch() is None and bar.get_width() < 8.0]
    edges = np.array([bar.get_x() for bar in bars] + [bars[-1].get_x() + bars[-1].get_width()])
    np.testing.assert_allclose([bar.get_height() for bar in bars], np.histogram(live, edges)[0] / len(live), atol=1e-14)
    x, share = lines(twin_of(ax))["share with a larger gain"]
    np.testing.assert_allclose(share, [(live >= place).mean() for place in x], atol=1e-14)
    row = run.summary().set_index("cell_id").loc[cell]
    labels = " ".join(text.get_text() for text in ax.get_legend().get_texts()).replace("\n", " ")
    assert f"std {row['std']:.3g} [{row['std_low']:.3g}, {row['std_high']:.3g}]" in labels
    assert f"within a decade: {row['live_share']:.3g}" in labels
    assert ("dead: " in labels) == bool((gain == -np.inf).any() or row["dead_fraction"] > 0)


def test_spread_has_the_exact_law_where_it_is_known(run):
    cells = run.cells().query("sigma_b == 0 and depth == 6 and width == 8 and sigma_w == 1.4").set_index("activation")
    ax = plots.spread(run, int(cells.loc["relu", "cell_id"]))
    law = gs.theory.gain_law("relu", 6, 8, 1.4)
    x, beyond = lines(twin_of(ax))["exact, larger gain"]
    np.testing.assert_allclose(beyond, law.sf(x))
    x, share = lines(ax)["exact law"]
    width = ax.patches[0].get_width()
    np.testing.assert_allclose(share, law.pdf(x) * width, rtol=0.1, atol=0.01)
    assert f"dead {law.dead_fraction:.3g}" in plots.caption(ax)
    assert "No exact law" in plots.caption(plots.spread(run, int(cells.loc["tanh", "cell_id"])))


def test_bars_are_whole_bins_and_hold_every_network(run):
    for cell in (0, 50, 160):
        counted = _counted(run, cell)
        edges = bar_edges(counted)
        assert edges[0] <= counted.low[0] < counted.high[-1] <= edges[-1] + 1e-12
        bins = edges / BIN_WIDTH
        np.testing.assert_allclose(bins, np.rint(bins), atol=1e-9)
        assert np.ptp(np.diff(np.rint(bins))) == 0
        gain = run.networks(cell, layer=1)["log_gain"].to_numpy()
        rule = 2.0 * iqr(gain[np.isfinite(gain)]) / len(gain) ** (1 / 3)
        assert 0.85 * rule <= edges[1] - edges[0] <= 1.15 * rule + BIN_WIDTH


def test_plane(run):
    ax = plots.plane(run, activation="tanh", width=16, sigma_b=(0.0, 0.5))
    mesh = ax.collections[0]
    corners = mesh.get_coordinates()
    chi = mesh.get_array()
    for i, j in ((0, 0), (20, 40), (40, 80)):
        sigma_w, sigma_b = corners[i : i + 2, j : j + 2].mean(axis=(0, 1))
        assert chi[i, j] == pytest.approx(np.log10(gs.theory.chi_1("tanh", sigma_w, max(sigma_b, 0.0))), abs=1e-9)
    line = lines(ax)["theory, $\\chi_1$ = 1"]
    assert [gs.theory.chi_1("tanh", *point) for point in line.T[1:]] == pytest.approx([1.0] * (line.shape[1] - 1))
    rows = run.boundary(kinds="quenched").query("activation == 'tanh' and width == 16 and depth == 6")
    points, ends = marks(ax)["depth\xa06 (95 %)"]
    np.testing.assert_array_equal(points, rows[["sigma_w", "sigma_b"]].to_numpy().T)
    np.testing.assert_allclose(ends[:, :, 0], rows[["ci_low", "ci_high"]], rtol=1e-14)
    gelu = plots.plane("gelu", sigma_b=(0.0, 0.2))
    assert not marks(gelu)
    assert "No critical point at sigma_b from 0 to 0.2: " in plots.caption(gelu)


def test_depth_scales_of_relu_and_tanh():
    """In closed form: chi_1 of relu is sigma_w^2 / 2, and below the critical point tanh is linear."""
    relu = plots.depth_scales("relu")
    sigma_w, xi = lines(relu)[r"$|\xi_{grad}|$, gradients"]
    np.testing.assert_allclose(xi, 1.0 / np.abs(np.log(sigma_w**2 / 2.0)), rtol=1e-6)
    assert xi.max() > 1000.0  # close to where it diverges
    sigma_w, chi = lines(twin_of(relu))[r"$\chi_1$ (right axis)"]
    np.testing.assert_allclose(chi, sigma_w**2 / 2.0)
    assert "xi_c is infinite or undefined" in plots.caption(relu)
    tanh = plots.depth_scales("tanh", sigma_w=np.array([0.5, 0.7, 0.9]))
    for label in (r"$|\xi_{grad}|$, gradients", r"$\xi_q$, mean square"):
        np.testing.assert_allclose(lines(tanh)[label][1], -1.0 / np.log(np.array([0.25, 0.49, 0.81])))
    assert "The critical point, 1, lies outside." in plots.caption(tanh)


def test_width_convergence(run):
    ax = plots.width_convergence(run, activation="relu", sigma_b=0.0)
    boundary = run.boundary(kinds="quenched").query("activation == 'relu' and sigma_b == 0")
    limits = run.infinite_width(kinds="quenched").query("activation == 'relu' and sigma_b == 0").set_index("depth")
    for depth in (3, 6):
        rows = boundary[boundary["depth"] == depth]
        points, ends = marks(ax)[f"depth {depth}"]
        np.testing.assert_array_equal(points, [1.0 / rows["width"], rows["sigma_w"]])
        np.testing.assert_allclose(ends[:, :, 1], rows[["ci_low", "ci_high"]], rtol=1e-14)
    far = [points[1, 0] for bar in ax.containers if (points := np.stack(bar.lines[0].get_data()))[0, 0] == 0.0]
    np.testing.assert_allclose(far, limits["sigma_w"])
    curves = [line.get_ydata()[0] for line in ax.get_lines() if len(line.get_xdata()) == 60]
    np.testing.assert_allclose(curves, limits["sigma_w"])
    assert lines(ax)["theory, infinite width"].tolist() == [[0.0], [pytest.approx(2**0.5)]]


def test_coordinate_check(run):
    ax = plots.coordinate_check(run, [1, 6], activation="tanh", sigma_b=0.3, depth=6, sigma_w=1.4)
    cells = run.cells().query("activation == 'tanh' and sigma_b == 0.3 and depth == 6 and sigma_w == 1.4")
    rows = run.networks(cells["cell_id"].tolist()).merge(cells[["cell_id", "width"]])
    size = rows.assign(forward=rows["log_q"] / 2 / LN10, backward=rows["log_delta"] / LN10)
    for direction in ("forward", "backward"):
        for layer in (1, 6):
            median = size[size["layer"] == layer].groupby("width")[direction].median()
            ((label, found),) = [
                item for item in lines(ax).items() if item[0].startswith(f"{direction}, layer {layer}")
            ]
            np.testing.assert_array_equal(found[0], median.index)
            np.testing.assert_allclose(found[1], median, atol=0.025)
            slope = linregress(np.log10(found[0]), found[1]).slope
            assert label.endswith(f"(slope {slope:+.3f})")
    assert "combinations" not in plots.caption(ax)
    assert "Of 56 combinations" in plots.caption(plots.coordinate_check(run))
