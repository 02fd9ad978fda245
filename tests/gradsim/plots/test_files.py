"""Pictures are made, have content, and say what to install when matplotlib is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gradsim import analysis, plots
from gradsim.plots.phase import _diagram, _nearest
from gradsim.report.style import PlotExtraMissingError
from tests.gradsim.analysis.frames import cell_frame, joined, reduced, run_frames

matplotlib = pytest.importorskip("matplotlib")


def made_up(
    widths: tuple[int, ...], grid: np.ndarray, depths: tuple[int, ...] = (4, 16)
) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(1)
    points = [(width, depth, sigma_w) for width in widths for depth in depths for sigma_w in grid]
    runs = [
        run_frames(cell_frame(k, depth, sigma_w, width=width), 2 * depth * np.log(sigma_w / 1.5) + rng.normal(size=60))
        for k, (width, depth, sigma_w) in enumerate(points)
    ]
    cells, sums, histograms = joined(*runs)
    rows = analysis.summary(cells, analysis.layers_frame(sums, histograms), histograms)
    return rows, analysis.boundary(rows)


def pixels(path: Path) -> np.ndarray:
    from matplotlib.image import imread

    return np.asarray(imread(path))


@pytest.mark.parametrize(
    ("widths", "grid"),
    [((64,), np.linspace(0.5, 3.0, 6)), ((16, 64, 256), np.geomspace(1.0, 2.0, 4)), ((64,), np.array([1.5]))],
)
def test_phase_diagram(no_pyplot: None, tmp_path: Path, widths: tuple[int, ...], grid: np.ndarray) -> None:
    path = plots.phase_diagram(*made_up(widths, grid), tmp_path / "analysis.png")
    picture = pixels(path)[..., :3]
    assert min(picture.shape[:2]) > 400
    assert picture.std() > 0.05


@pytest.mark.parametrize("widths", [(64,), (16, 64), (16, 32, 64)])
def test_the_legend_lies_within_the_picture(widths: tuple[int, ...]) -> None:
    """Also with every mark: theory, and boundaries that are to be trusted and that are not."""
    summary, boundary = made_up(widths, np.linspace(0.5, 3.0, 6))
    boundary = boundary.assign(trusted=boundary["depth"] == 4, theory_width=boundary["theory"])
    figure = _diagram(summary, boundary)
    figure.canvas.draw()
    legend, whole = figure.legends[0], figure.bbox
    assert len(legend.get_texts()) == 7  # and the hatch, of 60 networks a cell
    box = legend.get_window_extent()
    assert whole.x0 <= box.x0 < box.x1 <= whole.x1
    assert whole.y0 <= box.y0


def test_too_many_panels_are_cut_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    titles = []
    monkeypatch.setattr("matplotlib.figure.Figure.suptitle", lambda self, text, **_: titles.append(text))
    plots.phase_diagram(*made_up(tuple(range(1, 15)), np.array([1.0, 2.0]), (4,)), tmp_path / "analysis.png")
    assert titles == ["tanh; the first 12 of 14 combinations"]


def test_empty_run_gives_a_picture(tmp_path: Path) -> None:
    rows, boundary = made_up((64,), np.array([1.0, 2.0]))
    empty = rows.assign(decades=np.nan)
    assert plots.phase_diagram(empty, boundary.iloc[:0], tmp_path / "empty.png").stat().st_size > 1000


def test_layer_profile(tmp_path: Path) -> None:
    parts = [
        reduced(cell, layer, "log_delta", np.r_[np.random.default_rng(cell).normal(layer * cell, 1.0, 99), -np.inf])
        for cell in range(10)
        for layer in range(1, 5)
    ]
    layers = analysis.layers_frame(pd.concat([p[0] for p in parts]), pd.concat([p[1] for p in parts]))
    cells = pd.concat([cell_frame(cell, 4, 1.0 + cell) for cell in range(10)])
    for given in (None, cells):
        picture = pixels(plots.layer_profile(layers, tmp_path / "profile.png", given))
        assert picture[..., :3].std() > 0.05


def test_without_matplotlib_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    rows, boundary = made_up((64,), np.array([1.0, 2.0]))
    with pytest.raises(PlotExtraMissingError, match=r"pip install 'gradsim\[plot\]'"):
        plots.phase_diagram(rows, boundary, tmp_path / "analysis.png")


# What a user may have set: LaTeX where there is none, another look, a font that does not exist.
FOREIGN = {"text.usetex": True, "font.family": "No Such Font", "axes.facecolor": "black", "savefig.dpi": 20,
           "savefig.format": "nonsense", "axes.formatter.use_mathtext": True}  # fmt: skip


def test_settings_of_the_user_change_no_picture(tmp_path: Path) -> None:
    frames = made_up((64,), np.array([1.0, 1.5, 2.0]))
    layers = analysis.layers_frame(*reduced(0, 1, "log_delta", np.arange(9.0)))
    for draw in (lambda path: plots.phase_diagram(*frames, path), lambda path: plots.layer_profile(layers, path)):
        plain = draw(tmp_path / "plain.png").read_bytes()
        with matplotlib.rc_context(FOREIGN):
            assert draw(tmp_path / "foreign.png").read_bytes() == plain
            assert {name: matplotlib.rcParams[name] for name in FOREIGN} == FOREIGN | {"font.family": ["No Such Font"]}


@pytest.mark.parametrize("name", ["$x^", "US$", "a\x1b[0m\n", "\\frac{"], ids=ascii)
def test_any_name_can_be_a_title(tmp_path: Path, name: str) -> None:
    rows, boundary = made_up((64,), np.array([1.0, 2.0]))
    frames = (frame.assign(activation=name) for frame in (rows, boundary))
    assert plots.phase_diagram(*frames, tmp_path / "name.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"MPLBACKEND": "nonsense"}, "drawn"),
        ({"MPLBACKEND": "module://nonsense"}, "drawn"),
        ({"MATPLOTLIBRC": "broken.txt"}, "cannot be imported: "),
    ],
    ids=str,
)
def test_matplotlib_that_is_set_up_wrongly(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    """A backend is not used; where matplotlib itself fails the message says so."""
    (tmp_path / "broken.txt").write_bytes(b"text.usetex: \xff\xfe\n")
    code = (
        "from gradsim.report import style\n"
        "try:\n    with style.own_settings():\n        style.encode(style.figure(), 'png')\n    print('drawn')\n"
        "except style.PlotExtraMissingError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path,
        env=os.environ | settings,
    )  # fmt: skip
    assert said in done.stdout


def test_cells_that_one_depth_has_alone_leave_no_gap_at_others():
    sigma_w, nan = np.array([1.0, 1.4, 1.5, 2.0]), np.nan
    values = np.array([[1.0, nan, nan, 2.0], [3.0, 4.0, nan, 5.0]])
    there = np.array([[True, False, False, True], [True, True, True, True]])
    filled = _nearest(sigma_w, values.copy(), there)
    np.testing.assert_array_equal(filled, [[1.0, 1.0, 1.0, 2.0], [3.0, 4.0, nan, 5.0]])
