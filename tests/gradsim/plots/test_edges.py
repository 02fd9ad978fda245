"""Pictures of runs with little in them, names as they are, files, styles, and axes of the user."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gradsim import plots
from gradsim.errors import SweepError
from gradsim.plots.styles import encode
from tests.gradsim.small_runs import NAME

matplotlib = pytest.importorskip("matplotlib")
from matplotlib.figure import Figure

OF_RUNS = {
    "phase": plots.phase,
    "plane": plots.plane,
    "layers": plots.layers,
    "spread": plots.spread,
    "width_convergence": plots.width_convergence,
    "coordinate_check": plots.coordinate_check,
    "growth": plots.growth,
}
RUNS = ("one network", "all dead", "one cell", "depth 1", "no crossing", "300 cells", "long name")
DRAWN = ("one network", "300 cells", "long name")  # with the longest captions and legends


def texts(ax):
    legend = ax.get_legend()
    titles = [ax.title, ax._left_title]
    return [*titles, *ax.texts, *(legend.get_texts() if legend else [])]


MISSING = {
    ("phase", "all dead"): "Grey: 2 cells without live networks.",
    ("phase", "no crossing"): "No quenched boundary at depth 4, 6: No crossing",
    ("phase", "one cell"): "Too few cells",
    ("layers", "all dead"): "No live network: cell 0, 1.",
    ("layers", "one network"): "fewer than 100 live networks",
    ("layers", "300 cells"): "8 of 300 cells.",
    ("spread", "one network"): "n\xa0=\xa01 network a cell",
    ("spread", "300 cells"): "The cell, of 300, whose median gain is nearest to 1.",
    ("spread", "long name"): "networks are not finite.",
    ("plane", "one cell"): "The run has one sigma_b.",
    ("plane", "long name"): "are not stored",  # a stored run has only the name of a user's own activation
    ("width_convergence", "no crossing"): "No extrapolation: Too few widths: 0",
    ("growth", "all dead"): "2 cells without live networks.",
    ("growth", "300 cells"): "8 of 30 combinations.",
    ("coordinate_check", "one cell"): "One width: no slope.",
    ("coordinate_check", "300 cells"): "Of 300 combinations",
}


CASES = [(name, case) for name in OF_RUNS for case in RUNS if name != "plane" or case in ("one cell", "long name")]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_little_data_gives_a_picture_that_says_so(edges, name, case):
    """Warnings are errors; all words lie within the figure, and the axes stay large."""
    ax = OF_RUNS[name](edges[case])
    assert "seed" in plots.caption(ax)
    assert MISSING.get((name, case), "") in plots.caption(ax)
    if case == "all dead" and name in ("layers", "spread"):
        assert any(text.get_gid() == "missing" and "No live network" in text.get_text() for text in ax.texts)
    if case in DRAWN:
        lies_within(ax)


def lies_within(ax):
    ax.figure.draw_without_rendering()
    whole = ax.figure.bbox
    for text in texts(ax):
        box = text.get_window_extent()
        assert -1.0 <= box.x0 <= box.x1 <= whole.x1 + 1.0, text.get_text()
        assert -1.0 <= box.y0 <= box.y1 <= whole.y1 + 1.0, text.get_text()
    assert ax.bbox.height > 0.4 * 2.6 * ax.figure.dpi  # however long legend and caption are


@pytest.mark.parametrize("name", ["phase", "plane", "layers"])
def test_names_are_text(edges, name):
    """What is drawn is the name, with no mathematics in it, in titles and in legends."""
    ax = OF_RUNS[name](edges["long name"])
    found = [text for text in texts(ax) if NAME[:5] in text.get_text().replace(r"\$", "$")]
    assert found
    for text in found:
        drawn = text._preprocess_math(text.get_text().split("$\\sigma")[0])
        assert NAME in drawn[0].replace("\n", " ")
        assert drawn[1] is False
        assert not text.get_usetex()


@pytest.mark.parametrize(("suffix", "first"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("PDF", b"%PDF")])
def test_files(edges, tmp_path, suffix, first):
    ax = plots.layers(edges["one cell"])
    path = plots.save(ax, tmp_path / "new" / f"a.{suffix}", dpi=100)
    data = path.read_bytes()
    assert data.startswith(first)
    assert plots.save(plots.layers(edges["one cell"]).figure, path, dpi=100).read_bytes() == data
    assert b"/Type3" not in data
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_files_that_are_refused(edges, tmp_path):
    ax = plots.layers(edges["one cell"])
    for path, field in ((tmp_path / "a.gif", "path"), (tmp_path / "a", "path"), (7, "path")):
        with pytest.raises(SweepError) as refused:
            plots.save(ax, path)
        assert refused.value.field == field
    with pytest.raises(SweepError, match="dpi"):
        plots.save(ax, tmp_path / "a.png", dpi=0)
    with pytest.raises(SweepError, match="picture"):
        plots.save("a.png", tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def settings():
    """All but the backend, whose look-up imports pyplot."""
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}


@pytest.mark.parametrize(("name", "width", "size"), [("single", 3.4, 8.0), ("double", 7.0, 9.0)])
def test_styles(edges, name, width, size):
    before = settings()
    with plots.style(name):
        ax = plots.layers(edges["one cell"])
    assert settings() == before
    assert ax.figure.get_figwidth() == width
    assert ax.xaxis.label.get_fontsize() == pytest.approx(size)
    with pytest.raises(SweepError, match="single, double"), plots.style("triple"):
        pass


def test_pictures_without_captions(edges):
    with plots.style("single", captions=False):
        bare = plots.layers(edges["one cell"])
    full = plots.layers(edges["one cell"])
    assert plots.caption(bare) == plots.caption(full)
    assert bare.figure.get_figheight() < full.figure.get_figheight()
    assert not any(text.get_visible() for text in bare.texts)
    theirs = plots.layers(edges["one cell"], ax=Figure().subplots())
    assert not any(text.get_visible() for text in theirs.texts)
    with plots.style("double", captions=True):
        asked = plots.layers(edges["one cell"], ax=Figure().subplots())
    assert all(text.get_visible() for text in asked.texts)


def test_settings_of_the_user_change_no_picture_of_ours(edges):
    """Nor those at the moment of saving; on the user's own axes text has the user's size."""
    plain = encode(plots.spread(edges["one cell"]), "png", 60)
    with matplotlib.rc_context({"font.size": 20, "text.usetex": True, "xtick.labelsize": 30, "axes.facecolor": "k"}):
        assert encode(plots.spread(edges["one cell"]), "png", 60) == plain
    with matplotlib.rc_context({"font.size": 20}):
        ax = Figure().subplots()
        assert plots.layers(edges["one cell"], ax=ax) is ax
        assert ax.xaxis.label.get_fontsize() == 20


def test_a_figure_of_the_user(no_pyplot, edges):
    figure = Figure(figsize=(7.0, 12.0), layout="constrained")
    axes = figure.subplots(4, 2)
    for ax, draw in zip(axes.ravel(), OF_RUNS.values(), strict=False):
        assert draw(edges["no crossing"], ax=ax) is ax
    figure.draw_without_rendering()
    assert figure.get_figheight() == 12.0
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in axes.ravel()[: len(OF_RUNS)])


def test_threads_draw_the_same_bytes(edges):
    draws = [lambda draw=draw: encode(draw(edges["one cell"]), "png", 60) for draw in (plots.layers, plots.phase)] * 2
    one_by_one = [draw() for draw in draws[:2]] * 2
    with ThreadPoolExecutor(4) as pool:
        assert [task.result() for task in [pool.submit(draw) for draw in draws]] == one_by_one


@pytest.mark.parametrize(
    ("draw", "field"),
    [
        (lambda run: plots.phase(run, width=7), "width"),
        (lambda run: plots.phase(run, depth=3), "depth"),
        (lambda run: plots.phase(run, level=1.0), "level"),
        (lambda run: plots.phase(run, ax=np.array([1])), "ax"),
        (lambda run: plots.layers(run, cells=999), "cell"),
        (lambda run: plots.layers(run, "log_size"), "quantity"),
        (lambda run: plots.spread(run, -1), "cell"),
        (lambda run: plots.plane(run, activation="gelu"), "activation"),
        (lambda run: plots.plane("tanhh"), "activation"),
        (lambda run: plots.plane("tanh", sigma_w=(2.0, 1.0)), "sigma_w"),
        (lambda run: plots.plane("tanh", depth=3), "depth"),
        (lambda run: plots.depth_scales("tanh", sigma_b=-1.0), "sigma_b"),
        (lambda run: plots.depth_scales("tanh", sigma_w=0.0), "sigma_w"),
        (lambda run: plots.width_convergence(run, "mode"), "kind"),
        (lambda run: plots.coordinate_check(run, 7, depth=6), "layers"),
    ],
)
def test_wrong_arguments_are_refused(run, draw, field):
    with pytest.raises(SweepError) as refused:
        draw(run)
    assert refused.value.field == field
