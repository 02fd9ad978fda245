"""How gradsim looks in a notebook: tables of HTML, and progress as a widget."""

from __future__ import annotations

import pytest

import gradsim as gs
from gradsim.notebook import facts_html
from tests.gradsim.small_runs import made, one, straight
from tests.installed import skip_without

HOSTILE = "<script>hurt</script>"


def test_names_and_values_are_text():
    assert "<script>" not in facts_html(HOSTILE, {HOSTILE: HOSTILE})
    sweep = gs.Sweep(activation=gs.Activation(HOSTILE, straight, one), sigma_w=1, depth=2, width=4, networks=2, seed=1)
    assert "&lt;script&gt;hurt&lt;/script&gt;" in sweep._repr_html_()
    assert HOSTILE not in sweep._repr_html_()


def test_a_sweep_says_its_axes_shortly():
    grid = {"start": 1, "stop": 3, "num": 21}
    sweep = gs.Sweep(activation="tanh", sigma_w=grid, depth=[4, 8], width=8, networks=9, seed=1)
    page = sweep._repr_html_()
    assert "<td>1.0, 1.1, ..., 3.0 (21 values)</td>" in page
    assert "<td>4, 8</td>" in page


def test_an_ensemble_says_what_it_holds():
    live = gs.simulate("tanh", 1.5, depth=3, width=8, networks=20, seed=1)
    gain = live.log_gain[:, 0]
    assert f"<td>{gain.mean():.4g} ± {gain.std():.3g}</td>" in live._repr_html_()
    dead = gs.simulate("relu", 1.5, depth=200, width=1, networks=5, seed=1)
    assert '<th scope="row">dead</th><td>5</td>' in dead._repr_html_()
    assert "mean" not in dead._repr_html_()


def test_a_run_shows_what_is_done(tmp_path):
    run = made(tmp_path / "run", activation="tanh", sigma_w=[1, 2], depth=2, width=4, networks=5)
    assert '<th scope="row">shards done</th><td>1 of 1</td>' in run._repr_html_()
    assert "<caption>Sweep</caption>" in run._repr_html_()


CELLS = [
    "import gradsim as gs",
    "sweep = gs.Sweep(activation='tanh', sigma_w=[1, 2], depth=2, width=4, networks=5, seed=1); sweep",
    "run = gs.run(sweep, 'out')",
    "run",
]


def test_in_a_notebook(tmp_path):
    """Executed by a kernel: objects are tables, and the progress of a run is a widget."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    skip_without("ipykernel", "ipywidgets")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    _, sweep, progress, run = ([output.get("data", {}) for output in cell.outputs] for cell in book.cells)
    assert "<caption>Sweep</caption>" in sweep[-1]["text/html"]
    assert "<caption>Run</caption>" in run[-1]["text/html"]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in progress)
