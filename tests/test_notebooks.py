"""The notebooks of the documentation: stored without outputs, and each runs, in a quick form, without a warning."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

import gradsim as gs
from tests.installed import skip_without

FOLDER = Path(__file__).parents[1] / "docs/notebooks"

# What takes the place of the sizes in the first code cell.
QUICK = {
    "theorist": {
        "NETWORKS": 300, "DEPTHS": [4, 8], "WIDTHS": [8, 16, 32], "SIGMA_W_COUNT": 9, "TARGET": 0.05, "SEEDS": 3,
        "LAW_NETWORKS": 2000,
    },
    "engineer": {"DEPTH": 32, "WIDTH": 32, "NETWORKS": 500, "TORCH_SEEDS": 2, "OWN_DEPTH": 4},
    "cluster": {"NETWORKS": 200, "SIGMA_W_COUNT": 8, "DEPTHS": [4, 8], "WIDTH": 16, "JOBS": 3},
    "teacher": {
        "NETWORKS": 10, "SWEEP_NETWORKS": 100, "SIGMA_W_COUNT": 6, "DEPTHS": [4, 8], "WIDTH": 16, "LANGS": ("zh",),
    },
}  # fmt: skip


def stored(name):
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))


def code_cells(book):
    return [cell for cell in book["cells"] if cell["cell_type"] == "code"]


def source(cell):
    return "".join(cell["source"])


def generated(book):
    """Ids of cells that hold what executing them has made."""
    return [cell["id"] for cell in code_cells(book) if cell["outputs"] or cell["execution_count"] is not None]


def complaints(book):
    """What cells wrote on standard error: warnings, logs, bars of progress."""
    found = [output for cell in code_cells(book) for output in cell["outputs"] if output["output_type"] == "stream"]
    return [output["text"] for output in found if output["name"] == "stderr"]


def quick(text, sizes):
    """The first code cell with other sizes; each must be there once, and no size may be left as it is."""
    assigned = re.findall(r"^([A-Z][A-Z_]*) = ", text, re.MULTILINE)
    assert sorted(assigned) == sorted(sizes)
    for name, value in sizes.items():
        text = re.sub(rf"^{name} = .*$", f"{name} = {value!r}", text, flags=re.MULTILINE)
    return text


def texts(book):
    """All that cells print, and all results as plain text."""
    outputs = [output for cell in code_cells(book) for output in cell["outputs"]]
    # One print may arrive in pieces, between which nothing belongs.
    return "".join(output.get("text") or f"\n{output.get('data', {}).get('text/plain', '')}\n" for output in outputs)


def kinds(book):
    return [kind for cell in code_cells(book) for output in cell["outputs"] for kind in output.get("data", {})]


def exact_boundary(text, folder):
    """The printed boundary of relu is that of the exact law."""
    printed = float(re.search(r"exact boundary of relu at width 16: ([0-9.]+)", text)[1])
    assert printed == pytest.approx(gs.theory.quenched_sigma_w("relu", 16), abs=1e-6)


def engineer_numbers(text, folder):
    """The code sets the sigma_w of the advice; a bend down from slope 1.1 at 0 is critical at 1/1.1, where q* is 0."""
    assert "nan\nAt the boundary" in text
    advised = re.search(r"Draw biases with sigma_b = ([0-9.]+): then sigma_w = ([0-9.]+) keeps", text)
    assert f"normal_(module.weight, std={advised[2]} / module.in_features**0.5)" in text
    assert f"normal_(module.bias, std={advised[1]})" in text
    assert float(re.search(r"chi_1 = 1 at sigma_w = ([0-9.]+)", text)[1]) == pytest.approx(1 / 1.1, abs=1e-4)


def same_digest(text, folder):
    """A run in parts, one in one go and one here have the same values."""
    sizes = QUICK["cluster"]
    grid = {"start": 0.8, "stop": 2.3, "num": sizes["SIGMA_W_COUNT"]}
    axes = {"activation": "tanh", "sigma_w": grid, "sigma_b": 0.05, "depth": sizes["DEPTHS"], "width": sizes["WIDTH"]}
    sweep = gs.Sweep(**axes, networks=sizes["NETWORKS"], seed=1, method="conditional")
    digest = gs.run(sweep, folder / "here", progress="none").verify().digest
    assert re.findall(r"\b[0-9a-f]{64}\b", text) == [digest, digest]
    assert "same digest: True" in text


def factor_per_layer(text, folder):
    """The predicted factor is chi_1 of sigmoid networks with sigma_w = sigma_b = 1."""
    printed = float(re.search(r"each layer learns ([0-9.]+) times faster", text)[1])
    assert printed == pytest.approx(gs.theory.chi_1("sigmoid", 1.0, 1.0) ** -0.5, abs=1e-3)


NUMBERS = {
    "theorist": exact_boundary,
    "engineer": engineer_numbers,
    "cluster": same_digest,
    "teacher": factor_per_layer,
}


def test_every_notebook_is_tested():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(QUICK) == sorted(NUMBERS)


@pytest.mark.parametrize("name", QUICK)
def test_how_it_is_stored(name):
    book = stored(name)
    assert (book["nbformat"], book["nbformat_minor"]) == (4, 5)
    assert book["metadata"]["kernelspec"]["name"] == "python3"
    assert generated(book) == []
    assert source(book["cells"][0]).startswith("# ")
    assert all(isinstance(cell["source"], list) for cell in book["cells"])  # a line each, so that changes can be read
    ids = [cell["id"] for cell in book["cells"]]
    assert len(set(ids)) == len(ids)
    assert 8 <= len(code_cells(book)) <= 16
    for text, code in zip(book["cells"][:-1], book["cells"][1:], strict=True):
        assert code["cell_type"] == "markdown" or text["cell_type"] == "markdown", code["id"]


@pytest.mark.parametrize("name", QUICK)
def test_it_runs(name, tmp_path, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    skip_without("ipykernel", "ipywidgets", "matplotlib")
    temporary, folder = tmp_path / "temporary", tmp_path / "folder"
    temporary.mkdir()
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    book = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    code_cells(book)[0]["source"] = quick(code_cells(book)[0]["source"], QUICK[name])
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    assert complaints(book) == []
    assert {"image/png", "text/html"} <= set(kinds(book))
    assert not any(folder.iterdir())
    assert not any(temporary.iterdir())
    NUMBERS[name](texts(book), tmp_path)


def test_a_print_in_pieces_is_one_text():
    book = stored("cluster")
    pieces = [{"output_type": "stream", "name": "stdout", "text": piece} for piece in ("sig", "ma_w\n")]
    code_cells(book)[0]["outputs"] = [*pieces, {"output_type": "display_data", "data": {"text/plain": "table"}}]
    assert texts(book) == "sigma_w\n\ntable\n"


def test_generated_output_is_seen():
    book = stored("cluster")
    code_cells(book)[1]["execution_count"] = 1
    code_cells(book)[2]["outputs"] = [{"output_type": "stream", "name": "stderr", "text": "UserWarning: planted"}]
    assert generated(book) == [code_cells(book)[1]["id"], code_cells(book)[2]["id"]]
    assert complaints(book) == ["UserWarning: planted"]


def test_a_size_that_is_not_made_small_is_seen():
    with pytest.raises(AssertionError):
        quick("NETWORKS = 4000\nSEEDS = 20\n", {"NETWORKS": 10})
    assert ast.literal_eval(quick("DEPTHS = [8, 16]  # layers\n", {"DEPTHS": [4]}).removeprefix("DEPTHS = ")) == [4]
