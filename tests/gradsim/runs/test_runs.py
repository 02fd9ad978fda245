"""Runs: resume after a kill, the same bytes whatever the threads and blocks, tables, other readers."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gradsim as gs
from gradsim.errors import Interrupted, RunExistsError, SweepError
from gradsim.simulation.plan import Plan
from gradsim.system import filesystem
from gradsim_core.results.statistics import FIXED_POINT
from tests.gradsim.small_dataset import RUN

SWEEP = RUN | {"shard_size": 400_000}


def stored(path: Path) -> dict[str, str]:
    """Digest of every data file."""
    return {
        file.relative_to(path).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(path.glob("data/*/*.parquet"))
    }


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return gs.run(gs.Sweep(**SWEEP), tmp_path_factory.mktemp("clean") / "run", threads=1, progress="none")


@pytest.mark.parametrize(("threads", "block"), [(2, 10**8), (5, 1), (1, 7 * 6 * 64), (2, 1000 * 6 * 64)])
def test_same_bytes_for_any_threads_and_blocks(clean, tmp_path, monkeypatch, threads, block):
    monkeypatch.setattr("gradsim.simulation.blocks.BLOCK_NORMALS", block)
    run = gs.run(gs.Sweep(**SWEEP), tmp_path / "run", threads=threads, progress="none")
    assert stored(run.path) == stored(clean.path)
    assert len(stored(run.path)) > 4


def test_a_run_plans_once_and_lists_manifests_when_it_begins_and_ends(tmp_path, monkeypatch):
    plans, listings = [], []
    plan_init, names = Plan.__init__, filesystem.names

    def counted_plan(self, *arguments):
        plans.append(arguments)
        plan_init(self, *arguments)

    def counted_names(path):
        listings.extend([path] if path.name == "manifests" else [])
        return names(path)

    monkeypatch.setattr(Plan, "__init__", counted_plan)
    monkeypatch.setattr(filesystem, "names", counted_names)
    sweep = gs.Sweep(activation="tanh", sigma_w=[1, 2], depth=3, width=8, networks=20, seed=1, shard_size=4000)
    for expected in (2, 1):  # complete already, the second time
        run = gs.run(sweep, tmp_path / "run", threads=1, progress="none")
        assert (len(plans), len(listings)) == (1, expected)
        plans.clear()
        listings.clear()
    run.summary()
    assert len(listings) == 1
    assert run.dataset.plan.shard_count > 1


def test_layers_are_the_networks_of_simulate(clean):
    cells = clean.cells().set_index("cell_id")
    for cell_id in (0, 5, 11):
        cell = cells.loc[cell_id]
        ens = gs.simulate(
            cell["activation"], float(cell["sigma_w"]), depth=int(cell["depth"]), width=8, networks=300, seed=5
        )
        rows = clean.layers(cells=cell_id, quantity="log_delta").set_index("layer")
        live = np.where(np.isfinite(ens.log_delta), ens.log_delta, np.nan)
        np.testing.assert_allclose(rows["mean"], np.nanmean(live, axis=0), atol=1 / FIXED_POINT)
        np.testing.assert_allclose(rows["std"], np.nanstd(live, axis=0, ddof=1), rtol=1e-5)
        np.testing.assert_array_equal(rows["dead"], np.isneginf(ens.log_delta).sum(axis=0))
        np.testing.assert_array_equal(rows["max"], np.nanmax(live, axis=0))


def test_more_cells_and_networks_change_no_earlier_number(clean, tmp_path):
    """A grown sweep, with single networks recorded: the first 300 of each old cell give the old sums."""
    grown = {**SWEEP, "sigma_w": [0.5, 0.8, 1.2, 1.4, 1.6, 2.0], "networks": 350, "record": "networks"}
    run = gs.run(gs.Sweep(**grown), tmp_path / "run", progress="none")
    axes = ["activation", "sigma_w", "depth"]
    ids = clean.cells().merge(run.cells(), on=axes, suffixes=("_old", "_new")).set_index("cell_id_old")["cell_id_new"]
    old = clean.dataset.read_layers(quantity="log_delta").set_index(["cell_id", "layer"])
    for cell_id, new_id in ids.items():
        rows = run.networks(cells=int(new_id)).query("network < 300")
        fixed = (
            np.rint(rows["log_delta"].replace(-np.inf, np.nan) * FIXED_POINT).groupby(rows["layer"]).mean()
            / FIXED_POINT
        )
        np.testing.assert_allclose(old.loc[cell_id]["mean"], fixed, rtol=1e-14)


def test_finished_run_is_left_alone(clean):
    before = {file: file.stat().st_mtime_ns for file in clean.path.rglob("*") if file.is_file()}
    again = gs.run(gs.Sweep(**SWEEP), clean.path, progress="none")
    assert again.complete
    assert before == {file: file.stat().st_mtime_ns for file in clean.path.rglob("*") if file.is_file()}


def test_other_sweep_is_refused(clean):
    with pytest.raises(RunExistsError, match="networks"):
        gs.run(gs.Sweep(**{**SWEEP, "networks": 301}), clean.path, progress="none")


SCRIPT = """
import gradsim as gs, sys
from gradsim.dataset.dataset import Dataset
commit = Dataset.commit_shard
def slow(*arguments, **options):
    result = commit(*arguments, **options)
    print("committed", flush=True)
    sys.stdin.readline()  # for the test to say that it may go on
    return result
Dataset.commit_shard = slow
gs.run(gs.Sweep(**{sweep!r}), sys.argv[1], threads=2, progress="none")
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_killed_and_resumed(clean, tmp_path):
    """SIGKILL after the second shard, then the same run again: the bytes of a run that was never killed."""
    out = tmp_path / "run"
    command = [sys.executable, "-c", SCRIPT.format(sweep=SWEEP), str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdout.readline() == b"committed\n"
        child.stdin.write(b"\n")
        assert child.stdout.readline() == b"committed\n"
        child.send_signal(signal.SIGKILL)
    killed = gs.open(out)
    assert not killed.complete
    assert 0 < killed.dataset.networks_done().sum() < killed.dataset.plan.networks
    assert (killed.summary()["complete"]).sum() < 16
    resumed = gs.run(gs.Sweep(**SWEEP), out, progress="none")
    assert resumed.complete
    assert stored(out) == stored(clean.path)


def test_interrupt_stops_and_resumes(clean, tmp_path, monkeypatch):
    from gradsim.system.progress import Progress

    add = Progress.add

    def interrupt(self, normals, networks):
        add(self, normals, networks)
        if self.done_networks > 1500:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "add", interrupt)
        with pytest.raises(Interrupted, match="resume"):
            gs.run(gs.Sweep(**SWEEP), tmp_path / "run", progress="none")
    assert gs.run(gs.Sweep(**SWEEP), tmp_path / "run", progress="none").complete
    assert stored(tmp_path / "run") == stored(clean.path)


def test_summary_and_boundary(clean):
    summary = clean.summary()
    assert len(summary) == 16
    for name in ("quenched_log_gain", "quenched_se", "median_log_gain", "annealed_log_gain", "top_share", "trusted"):
        assert name in summary
    for name in ("decades", "dead_fraction", "phase", "chi_1", "complete"):
        assert name in summary
    assert summary["complete"].all()
    np.testing.assert_allclose(summary["decades"], summary["quenched_log_gain"] / (2 * np.log(10)))
    assert summary.set_index(["activation", "sigma_w", "depth"]).loc[("tanh", 0.8, 6), "phase"] == "vanishing"
    boundary = clean.boundary()
    assert {
        "sigma_w",
        "ci_low",
        "ci_high",
        "theory",
        "theory_inf",
        "theory_width",
        "crossing",
        "direction",
        "reason",
    } <= set(boundary.columns)
    assert set(boundary["kind"]) == {"quenched", "annealed", "median"}
    assert len(boundary) == 2 * 2 * 3


def test_histograms(clean):
    found = clean.histograms(cells=[3, 5], layer=1, quantity="log_delta")
    assert set(found["cell_id"]) == {3, 5}
    rows = clean.layers(cells=[3, 5], layer=1, quantity="log_delta").set_index("cell_id")
    for cell_id, bins in found.groupby("cell_id"):
        assert bins["networks"].sum() == rows.loc[cell_id, ["networks", "dead", "nonfinite"]] @ [1, -1, -1]
        assert bins["low"].min() <= rows.loc[cell_id, "min"] < bins["high"].min()
        assert bins["low"].max() <= rows.loc[cell_id, "max"] < bins["high"].max()
    np.testing.assert_allclose(found["high"] - found["low"], np.log(2) / 16)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shard", 1), ("shard", None), ("shard", b"1/2"), ("progress", "bars"), ("progress", None), ("yes", "no"),
        ("stop", 5), ("out", 5), ("out", None), ("sweep", 5), ("threads", "2"), ("device", 1), ("engine", 1),
    ],
)  # fmt: skip
def test_values_of_a_wrong_type(tmp_path, field, value):
    arguments = {"sweep": gs.Sweep(**SWEEP), "out": tmp_path / "run"} | {field: value}
    with pytest.raises(SweepError, match=rf"^{field} = .* is refused; allowed: .*\. .*\.$"):
        gs.run(**arguments)
    assert not (tmp_path / "run").exists()
    with pytest.raises(SweepError, match=r"path = 5 is refused"):
        gs.open(5)


def test_own_activation_runs_and_resumes(tmp_path):
    mine = gs.Activation("cube", lambda h: h + 0.01 * h**3, lambda h: 1 + 0.03 * h**2)
    sweep = gs.Sweep(activation=[mine], sigma_w=[0.5, 0.7, 0.9], depth=4, width=6, networks=50, seed=1)
    run = gs.run(sweep, tmp_path / "run", progress="none")
    assert run.summary()["chi_1"].notna().all()
    assert gs.open(tmp_path / "run").summary()["quenched_log_gain"].notna().all()


def test_pandas_duckdb_and_polars_read_the_dataset(clean):
    duckdb, polars = pytest.importorskip("duckdb"), pytest.importorskip("polars")
    folder = clean.path / "data" / "layers"
    frame = pd.read_parquet(folder)
    total = int(frame["networks"].sum())
    assert total == int(polars.scan_parquet(folder).select(polars.col("networks").sum()).collect().item())
    assert total == duckdb.sql(f"select sum(networks) from '{folder}/*.parquet'").fetchall()[0][0]
    cells = clean.path / "cells.parquet"
    joined = duckdb.sql(
        f"select count(*) from '{folder}/*.parquet' join '{cells}' using (cell_id) where sigma_w > 1"
    ).fetchall()[0]
    assert joined[0] == int(frame["cell_id"].isin(clean.cells().query("sigma_w > 1")["cell_id"]).sum())
    assert polars.read_parquet(cells)["sigma_w"].to_list() == pd.read_parquet(cells)["sigma_w"].tolist()
    assert not pd.read_parquet(folder, columns=["min", "max"]).isin([np.inf, -np.inf]).any().any()


def test_work_cap(tmp_path):
    huge = gs.Sweep(activation="tanh", sigma_w=1.0, depth=1000, width=1000, networks=10**6, seed=1)
    with pytest.raises(SweepError, match="--yes"):
        gs.run(huge, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_threads_from_the_environment(monkeypatch):
    from gradsim.system.threads import resolve_threads

    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert resolve_threads() == 3
    monkeypatch.setenv("GRADSIM_THREADS", "2")
    assert resolve_threads() == 2
    assert resolve_threads(7) == 7
    monkeypatch.setenv("GRADSIM_THREADS", "many")
    with pytest.raises(SweepError, match="GRADSIM_THREADS"):
        resolve_threads()


def test_progress_log_lines(capsys, monkeypatch):
    from gradsim.system import progress

    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    meter = progress.Progress(1000, 10, "log")
    meter.add(500, 5)
    assert "50%" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (42, "42 s"),
        (185, "3 min 05 s"),
        (7800, "2 h 10 min"),
        (5e5, "6 days"),
        (4.1e10, "1,299 years"),
        (float("inf"), "unknown time"),
    ],
)
def test_durations(seconds, text):
    from gradsim.system.progress import duration

    assert duration(seconds) == text
