"""Tables for other programs: each holds what the run's own tables say."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

import gradsim as gs
from gradsim.errors import OutputError, SweepError
from gradsim.runs.export import XarrayExtraMissingError, views

KEYS = ["cell_id", "layer", "quantity"]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> gs.Run:
    """Cells in which layers die, in several shards, and a table that no manifest names."""
    sweep = gs.Sweep(
        activation=["tanh", "relu"], sigma_w=[1.0, 1.5], depth=[2, 4], width=4, networks=300, seed=1, shard_size=20_000
    )
    run = gs.run(sweep, tmp_path_factory.mktemp("export") / "run", progress="none")
    for kind in ("layers", "histograms"):
        folder = run.path / "data" / kind
        first = next(folder.iterdir())
        (folder / "part-999999.parquet").write_bytes(first.read_bytes())
    return run


@pytest.fixture(scope="module")
def connection(run):
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    connection.execute(f"set file_search_path = '{run.path}'")
    connection.execute(views())
    return connection


def same(found: pd.DataFrame, expected: pd.DataFrame, columns: list[str]) -> None:
    for name in columns:
        values = [frame[name].to_numpy(np.float64, na_value=np.nan) for frame in (found, expected)]
        np.testing.assert_allclose(*values, rtol=1e-9, atol=1e-12, err_msg=name)


def test_views_hold_the_layers(run, connection):
    found = connection.sql("select * from layers").df().sort_values(KEYS).reset_index(drop=True)
    expected = run.layers().astype({"quantity": str}).sort_values(KEYS).reset_index(drop=True)
    assert expected["dead"].sum() > 100
    assert found[KEYS].to_numpy().tolist() == expected[KEYS].to_numpy().tolist()
    same(found, expected, [name for name in found if name not in KEYS])


def test_views_hold_cells_histograms_and_summary(run, connection):
    summary = connection.sql("select * from summary").df()
    named = ["sigma_w", "quenched_log_gain", "quenched_se", "median_log_gain", "std", "q05", "q95", "decades"]
    same(summary, run.summary(), [*named, "dead_fraction", "nonfinite_fraction", "complete"])
    pd.testing.assert_frame_equal(
        connection.sql("select * from cells").df()[["cell_id", "depth"]], run.cells()[["cell_id", "depth"]]
    )
    bins = connection.sql("select * from histograms").df().sort_values([*KEYS, "bin"])
    same(
        bins, run.histograms().astype({"quantity": str}).sort_values([*KEYS, "bin"]), ["bin", "networks", "low", "high"]
    )


def test_files(run, tmp_path):
    for form, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        paths = run.export(tmp_path / form, form)
        assert {path.stem for path in paths} == {"cells", "layers", "summary", "boundary"}
        for path in paths:
            expected = getattr(run, path.stem)()
            assert list(read(path)) == list(expected)
            number = "depth" if path.stem != "layers" else "mean"
            same(read(path), expected, [number])


def test_latex(run, tmp_path):
    paths = run.export(tmp_path, "latex")
    assert {path.name for path in paths} == {"summary.tex", "boundary.tex"}
    text = (tmp_path / "summary.tex").read_text()
    assert r"\caption{summary: sigma\_b = 0.0, width = 4}" in text
    assert r"activation & depth & sigma\_w & quenched\_log\_gain" in text
    assert text.count(r"\\") == 1 + len(run.cells())


def test_xarray(run, monkeypatch):
    pytest.importorskip("xarray")
    found, layers, summary = run.to_xarray(), run.layers(), run.summary()
    sizes = {"activation": 2, "law": 1, "sigma_b": 1, "width": 1, "depth": 2, "sigma_w": 2}
    assert dict(found.sizes) == sizes | {"quantity": 4, "layer": 4, "kind": 3}
    place = {"activation": "relu", "depth": 4, "sigma_w": 1.5}
    cell = run.cells().query("activation == 'relu' and depth == 4 and sigma_w == 1.5")["cell_id"].item()
    expected = layers.query(f"cell_id == {cell} and layer == 3 and quantity == 'log_q'")["q95"].item()
    assert found["q95"].sel(quantity="log_q", layer=3, **place).item() == expected
    assert found["cell_q95"].sel(**place).item() == summary.loc[summary["cell_id"] == cell, "q95"].item()
    assert np.isnan(found["mean"].sel(depth=2, layer=3)).all()
    exact = found["boundary_theory_width"].sel(activation="relu", kind="quenched")
    np.testing.assert_allclose(exact, gs.theory.quenched_sigma_w("relu", 4))
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(XarrayExtraMissingError, match=r"pip install \"gradsim\[xarray\]\""):
        run.to_xarray()


def test_what_cannot_be_written(run, tmp_path):
    with pytest.raises(SweepError, match="one of csv, parquet, latex, sql"):
        run.export(tmp_path / "none", "xlsx")
    assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="not a directory"):
        run.export(tmp_path / "file" / "below", "sql")
