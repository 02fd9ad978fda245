"""Datasets: exact numbers back, files that say what they hold, directories that are refused."""

from __future__ import annotations

import json
import math
import shutil
import threading
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from gradsim.dataset import merging, reading, verification
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.verification import verify
from gradsim.errors import OutputError, RunExistsError, SweepError
from gradsim.simulation.plan import Plan
from gradsim.sweep import Sweep
from gradsim.system import filesystem
from gradsim_core.activations import Activation
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.results.statistics import BINS_PER_LN, FIXED_POINT
from tests.gradsim.small_dataset import SWEEP, commit, contents, full, sums_of, truth, values_of


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Dataset:
    return full(tmp_path_factory.mktemp("made") / "out")


@pytest.fixture
def copy(made: Dataset, tmp_path: Path) -> Dataset:
    shutil.copytree(made.path, tmp_path / "copy")
    return Dataset.open(tmp_path / "copy")


def test_layers_are_exact(made: Dataset) -> None:
    assert made.plan.shard_count > 2
    frame = made.read_layers()
    rows = {(r.cell_id, r.layer, r.quantity): r for r in frame.itertuples()}
    assert list(rows) == sorted(rows, key=lambda key: (*key[:2], list(QUANTITIES).index(key[2])))
    assert set(rows) == set(truth())
    for key, values in truth().items():
        row, live = rows[key], values[np.isfinite(values)]
        whole = [Fraction(round(v * FIXED_POINT), int(FIXED_POINT)) for v in live.tolist()]
        mean = sum(whole) / len(whole)
        assert (row.networks, row.dead, row.nonfinite) == (9, 1, 1)
        assert row.mean == float(mean)
        assert row.std == pytest.approx(math.sqrt(sum((v - mean) ** 2 for v in whole) / 6), rel=1e-15)
        assert row.se == row.std / math.sqrt(7)
        assert (row.min, row.max) == (live.min(), live.max())


def test_moments_of_huge_and_nearly_equal_values(tmp_path: Path) -> None:
    sweep = Sweep(activation="tanh", sigma_w=1, depth=1, width=2, networks=3, seed=1)
    dataset = Dataset.create(tmp_path / "out", Plan(sweep))
    values = np.broadcast_to(2.0**27 - 1 + np.array([0, 2.0**-20, 0])[:, None], (4, 3, 1))
    dataset.commit_shard(dataset.plan.shard(0), {0: sums_of(values)})
    row = dataset.read_layers(quantity="log_q").iloc[0]
    assert row["std"] == pytest.approx(2.0**-20 / math.sqrt(3), rel=1e-14)


def test_cells_without_a_live_value(tmp_path: Path) -> None:
    sweep = Sweep(activation="relu", sigma_w=1, depth=1, width=1, networks=2, seed=1)
    dataset = Dataset.create(tmp_path / "out", Plan(sweep))
    assert len(dataset.read_layers()) == len(dataset.read_histograms()) == 0
    dataset.commit_shard(dataset.plan.shard(0), {0: sums_of(np.full((4, 2, 1), -np.inf))})
    frame = dataset.read_layers()
    assert frame[["mean", "std", "se", "min", "max"]].isna().all(axis=None)
    assert (frame["dead"] == 2).all()
    assert pq.read_table(tmp_path / "out/data/layers/part-000000.parquet")["min"].null_count == 4


def test_histograms(made: Dataset) -> None:
    frame = made.read_histograms()
    for key, values in truth().items():
        rows = frame[(frame[["cell_id", "layer", "quantity"]].astype(object) == list(key)).all(axis=1)]
        bins, counts = np.unique(np.floor(values[np.isfinite(values)] * BINS_PER_LN), return_counts=True)
        assert rows["bin"].tolist() == bins.tolist()
        assert rows["networks"].tolist() == counts.tolist()


@pytest.mark.parametrize("rows", [0, 3, 40])
def test_merging_a_few_rows_at_a_time(made: Dataset, tmp_path: Path, monkeypatch, rows: int) -> None:
    """Cells that are cut into many shards; the frames and the digest do not depend on when rows are merged."""
    cut = full(tmp_path / "cut", SWEEP.replace(shard_size=20))
    assert cut.plan.shard_count > 3 * len(cut.plan.cells)
    for module in (merging, reading, verification):
        monkeypatch.setattr(module, "_BATCH_ROWS", rows)
    monkeypatch.setattr(verification, "_LEAST_ROWS", 0)
    pd.testing.assert_frame_equal(cut.read_layers(), made.read_layers())
    pd.testing.assert_frame_equal(cut.read_histograms(), made.read_histograms())
    assert verify(cut).digest == verify(made).digest


def test_single_networks(made: Dataset) -> None:
    frame = made.read_networks()
    assert len(frame) == 9 * (1 + 1 + 3 + 3)
    for cell in SWEEP.cells():
        rows = frame[frame["cell_id"] == cell.cell_id]
        expected = values_of(cell.cell_id, 0, 9, cell.depth)
        for q, quantity in enumerate(QUANTITIES):
            np.testing.assert_array_equal(rows[quantity].to_numpy().reshape(9, -1), expected[q])
    assert pq.read_table(made.path / "data/networks")["log_delta"].null_count == 8
    with pytest.raises(SweepError, match="record"):
        Dataset(made.path, Plan(SWEEP.replace(record="layers"))).read_networks()


@pytest.mark.parametrize("method", ["read_layers", "read_histograms"])
def test_filters(made: Dataset, method: str) -> None:
    everything = getattr(made, method)()
    part = getattr(made, method)(cells=[1, 3], layer=1, quantity=["log_q", "log_gain"])
    keep = (
        everything["cell_id"].isin([1, 3])
        & (everything["layer"] == 1)
        & everything["quantity"].isin(["log_q", "log_gain"])
    )
    pd.testing.assert_frame_equal(part, everything[keep].reset_index(drop=True))
    assert len(getattr(made, method)(cells=[])) == 0
    with pytest.raises(SweepError, match="nearest is log_gain"):
        getattr(made, method)(quantity="loggain")
    for wrong in ({"cells": 1.5}, {"cells": 4}, {"cells": [0, 99]}, {"cells": -1}, {"layer": 0}, {"layer": [1, 4]}):
        field = next(iter(wrong))
        with pytest.raises(SweepError, match=rf"{field} = .*whole numbers from . to 3.*leave {field} out"):
            getattr(made, method)(**wrong)


def test_cells_and_progress(made: Dataset, tmp_path: Path) -> None:
    cells = made.cells()
    assert cells["sigma_w"].tolist() == [1, 2, 1, 2]
    assert cells["networks"].tolist() == [9] * 4
    pd.testing.assert_frame_equal(pd.read_parquet(made.path / "cells.parquet"), cells)
    assert made.networks_done().tolist() == [9] * 4
    dataset = Dataset.create(tmp_path / "out", Plan(SWEEP))
    commit(dataset, dataset.plan.shard(1))
    assert dataset.committed() == [1]
    assert 1 not in dataset.missing()
    assert dataset.networks_done().sum() == sum(part.count for part in dataset.plan.shard(1).slices)
    assert not commit(dataset, dataset.plan.shard(1))
    with pytest.raises(ValueError, match="not of the networks"):
        dataset.commit_shard(dataset.plan.shard(0), {})


def test_read_by_pandas_duckdb_and_polars(made: Dataset) -> None:
    for kind in ("layers", "histograms", "networks"):
        folder = made.path / "data" / kind
        rows = len(pd.read_parquet(folder))
        assert pl.scan_parquet(folder).select(pl.len()).collect().item() == rows
        assert duckdb.sql(f"select count(*) from '{folder}/*.parquet'").fetchall() == [(rows,)]
    live = pl.read_parquet(made.path / "data/layers").filter(pl.col("quantity") == "log_q")["max"].max()
    assert live == made.read_layers(quantity="log_q")["max"].max()


def test_files_say_what_they_hold(made: Dataset) -> None:
    table = pq.read_table(made.path / "data/layers/part-000000.parquet")
    assert table.schema.metadata[b"schema_version"] == b"2"
    assert all(field.metadata[b"unit"] and field.metadata[b"description"] for field in table.schema)
    keys = list(zip(*(table[name].to_pylist() for name in ("quantity", "layer", "cell_id")), strict=True))
    assert keys == sorted(keys, key=lambda key: (list(QUANTITIES).index(key[0]), *key[1:]))
    run = json.loads((made.path / "run.json").read_text())
    assert run["content_hash"] == SWEEP.content_hash
    assert {"gradsim", "python", "numpy", "numba", "platform", "cpu"} <= set(run["environment"])


def test_equal_content_gives_equal_bytes(made: Dataset, tmp_path: Path) -> None:
    other = Dataset.create(tmp_path / "out", Plan(SWEEP))
    for index in reversed(other.missing()):
        commit(other, other.plan.shard(index))
    assert contents(other.path) == contents(made.path)


def test_open_and_create_again(copy: Dataset) -> None:
    assert copy.sweep == SWEEP
    assert Dataset.create(copy.path, Plan(SWEEP)).missing() == []
    before = sorted(copy.path.rglob("*"))
    for other in (SWEEP.replace(seed=2), SWEEP.replace(networks=10, seed=2)):
        with pytest.raises(RunExistsError, match=r"another sweep .*seed.*differ") as caught:
            Dataset.create(copy.path, Plan(other))
        assert caught.value.exit_code == 2
    assert sorted(copy.path.rglob("*")) == before
    (copy.path / "cells.parquet").unlink()
    (copy.path / "run.json").unlink()
    Dataset.create(copy.path, Plan(SWEEP))
    assert (copy.path / "cells.parquet").exists()
    assert (copy.path / "run.json").exists()


def test_own_activations_can_be_stored_and_resumed(tmp_path: Path) -> None:
    sweep = SWEEP.replace(activation=Activation("mine", math.sin, math.cos))
    Dataset.create(tmp_path / "out", Plan(sweep))
    assert Dataset.create(tmp_path / "out", Plan(sweep)).sweep.find_activation("mine").phi is math.sin
    assert Dataset.open(tmp_path / "out").cells()["activation"].tolist() == ["mine"] * 4
    other = Activation("mine", math.cos, lambda h: -math.sin(h))
    with pytest.raises(RunExistsError):
        Dataset.create(tmp_path / "out", Plan(sweep.replace(activation=other)))


def test_directories_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "a" / "b", tmp_path / ("x" * 300), tmp_path):
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(OutputError) as caught:
            Dataset.create(path, Plan(SWEEP))
        assert caught.value.exit_code == 2
        assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(OutputError, match="no gradsim dataset"):
        Dataset.open(tmp_path / "none")


def test_many_may_create_at_once(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def create() -> None:
        try:
            Dataset.create(tmp_path / "a" / "out", Plan(SWEEP))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=create) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert Dataset.open(tmp_path / "a" / "out").sweep == SWEEP
    assert sorted(filesystem.names(tmp_path / "a" / "out")) == [
        "cells.parquet",
        "data",
        "manifests",
        "run.json",
        "sweep.toml",
        "tmp",
    ]
