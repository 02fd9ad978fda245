"""Refined runs: the target is reached, the numbers are the same however it was computed, stopped or shared."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from threading import Event

import numpy as np
import pytest

import gradsim as gs
from gradsim.dataset.dataset import Dataset
from gradsim.errors import CorruptDataError, Interrupted, SweepError
from gradsim.runs import refining
from gradsim.runs.status import run_status
from tests.gradsim.refined import SWEEP, TARGET, base, refined, same


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> gs.Run:
    return refined(tmp_path_factory.mktemp("clean") / "run", threads=1)


def test_the_target_is_reached_and_nothing_is_changed(clean: gs.Run, tmp_path: Path) -> None:
    before = base(tmp_path / "run")
    found = before.refine(TARGET, progress="none")
    assert found.precision.reached
    rows = found.run.boundary(kinds="quenched")
    half = (rows["ci_high"] - rows["ci_low"]) / 2
    assert (half <= TARGET).all()
    assert half.tolist() == found.precision.table["half_width"].tolist()
    old = before.boundary(kinds="quenched")
    assert ((old["ci_high"] - old["ci_low"]) / 2).tolist() == found.precision.table["half_width_before"].tolist()
    assert found.run.complete
    assert found.precision.rounds == len(found.run.dataset.plan.extensions) >= 2
    cells, first = found.run.cells(), before.cells()
    kept = [name for name in cells if name != "networks"]
    assert cells.iloc[: len(first)][kept].equals(first[kept])
    assert found.run.computed == cells["networks"].sum() - first["networks"].sum()
    assert found.run.summary()["complete"].all()
    same(found.run, clean)


def test_networks_of_an_extension_are_those_of_a_sweep_with_more(clean: gs.Run, tmp_path: Path) -> None:
    """A cell goes on at its next network, and a new one is the cell of any sweep with its parameters."""
    cells = clean.cells()
    for cell in (cells.iloc[cells["networks"].iloc[:12].argmax()], cells.iloc[-1]):
        axes = {name: cell[name] for name in ("activation", "sigma_w", "depth", "width")}
        alone = gs.run(
            SWEEP.replace(**axes, networks=int(cell["networks"])), tmp_path / str(cell["cell_id"]), progress="none"
        )
        one, other = (run.layers(cells=i).drop(columns="cell_id") for run, i in ((alone, 0), (clean, cell["cell_id"])))
        assert one.equals(other)


def test_savings(clean: gs.Run) -> None:
    found = refining.precision(clean.dataset, refining.Aim(TARGET))
    table, cells = found.table, clean.cells()
    for _, row in table.iterrows():
        assert row["networks"] == cells.loc[cells["depth"] == row["depth"], "networks"].sum()
        assert row["networks"] < row["uniform_networks"] < (row["half_width_before"] / TARGET) ** 2 * 6 * 200 * 4
    assert found.networks == cells["networks"].sum()
    assert found.uniform_networks == table["uniform_networks"].sum()


def test_any_number_of_threads_gives_the_same(clean: gs.Run, tmp_path: Path) -> None:
    same(refined(tmp_path / "run", threads=2), clean)


def test_refined_twice(clean: gs.Run, tmp_path: Path) -> None:
    """A finished refinement is left alone; a lower target goes on from it."""
    run = refined(tmp_path / "run", 2 * TARGET)
    before = {file: file.stat().st_mtime_ns for file in run.path.rglob("*") if file.is_file()}
    again = gs.open(run.path).refine(2 * TARGET, progress="none")
    assert (again.run.computed, again.precision.reached) == (0, True)
    assert {file: file.stat().st_mtime_ns for file in run.path.rglob("*") if file.is_file()} == before
    further = again.run.refine(TARGET, progress="none").run
    count = len(run.dataset.plan.extensions)
    assert further.dataset.plan.extensions[:count] == run.dataset.plan.extensions
    assert len(further.dataset.plan.extensions) > count
    assert gs.run(SWEEP, run.path, progress="none").computed == 0


def test_compacted_in_the_middle(clean: gs.Run, tmp_path: Path) -> None:
    begun = gs.run(SWEEP, tmp_path / "run", progress="none")
    known = refining.Tables.of(begun.dataset, refining.Aim(TARGET))
    more = refining.wanted(known, refining.Aim(TARGET))
    extended = begun.dataset.extended(refining.extension_of(begun.dataset.plan, more))
    small = gs.Run(extended).compact(tmp_path / "small", partial=True)
    assert (known.boundary["kind"] == "quenched").all()
    assert not small.complete
    end = small.refine(TARGET, progress="none").run
    assert end.verify().digest == clean.verify().digest
    assert end.compact(tmp_path / "smaller").verify().digest == clean.verify().digest


@pytest.mark.parametrize("shards", [1, 4])
def test_run_resumes_a_refined_directory(clean: gs.Run, tmp_path: Path, shards: int) -> None:
    """Also some of it, as a job of an array; and `status` tells what is missing."""
    shutil.copytree(clean.path, tmp_path / "run")
    for index in range(-shards, 0):
        (tmp_path / f"run/manifests/{clean.dataset.plan.shard_count + index:06d}.json").unlink()
    run = gs.open(tmp_path / "run")
    facts = run_status(run.dataset)
    assert (facts["shards_missing"], facts["cells"]) == (shards, len(clean.cells()))
    assert facts["networks"] == clean.cells()["networks"].sum() > facts["networks_done"]
    assert run.summary()["complete"].sum() < len(clean.cells())
    for part in ("1/2", "2/2"):
        gs.run(SWEEP, tmp_path / "run", shard=part, progress="none")
    same(gs.open(tmp_path / "run"), clean)


def test_one_that_was_overtaken(tmp_path: Path) -> None:
    """Another process writes the first extension, for another target: it stands, and both go on from it."""
    run = base(tmp_path / "run")
    aim = refining.Aim(2 * TARGET)
    more = refining.wanted(refining.Tables.of(run.dataset, aim), aim)
    other = refining.extension_of(run.dataset.plan, more)
    extended = Dataset.extended

    def overtaken(self, extension):
        extended(self, other) if not self.plan.extensions else None
        return extended(self, extension)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dataset, "extended", overtaken)
        found = run.refine(TARGET, progress="none")
    assert found.run.dataset.plan.extensions[0] == other
    assert found.precision.reached
    assert found.run.verify().problems == []


def test_stopped_and_resumed(clean: gs.Run, tmp_path: Path) -> None:
    run, stop = base(tmp_path / "run"), Event()
    stop.set()
    with pytest.raises(Interrupted, match="resume"):
        run.refine(TARGET, stop=stop, progress="none")
    assert len(gs.open(run.path).dataset.plan.extensions) == 1
    same(run.refine(TARGET, progress="none").run, clean)


def test_several_kinds_and_what_is_left_out(tmp_path: Path) -> None:
    sweep = SWEEP.replace(activation=["tanh", "sigmoid"], depth=[1, 8])
    run = gs.run(sweep, tmp_path / "run", progress="none")
    found = run.refine(0.02, kinds=["quenched", "median"], progress="none").precision
    table = found.table.set_index(["activation", "depth", "kind"])
    reached = table[table["reached"]]
    assert set(reached.index) == {("tanh", 8, "quenched"), ("tanh", 8, "median")}
    left = table[~table["reached"]]
    assert left["reason"].str.contains("depth 1 has no boundary|stays below 0").all()
    assert reached["reason"].isna().all()
    assert found.refinable == 2
    assert found.reached
    assert found.networks == reached["networks"].iloc[0]
    nothing = gs.run(sweep.replace(activation="sigmoid"), tmp_path / "none", progress="none").refine(0.02)
    assert (nothing.precision.reached, nothing.precision.refinable, nothing.run.computed) == (False, 0, 0)
    assert not (tmp_path / "none/extensions").exists()


def test_a_target_that_is_out_of_reach_in_so_many_rounds(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(refining, "MOST_ROUNDS", 1)
    found = base(tmp_path / "run").refine(TARGET / 3, progress="none")
    assert not found.precision.reached
    assert found.precision.rounds == 1
    assert found.precision.table["reason"].str.match(r"Half the width of its interval is still 0\.0").all()
    assert found.run.complete


def test_more_work_than_may_be_run(tmp_path: Path, monkeypatch) -> None:
    run = base(tmp_path / "run")
    monkeypatch.setattr("gradsim.simulation.plan.WORK_CAP", 2 * run.dataset.plan.normals)
    with pytest.raises(SweepError, match=r"--yes.*or take a larger target. Reached so far: 0 of 2 boundaries"):
        run.refine(TARGET, progress="none")
    assert gs.open(run.path).complete
    assert not (run.path / "extensions").exists()
    assert run.refine(TARGET, progress="none", yes=True).precision.reached
    with pytest.raises(SweepError, match="--yes"):
        gs.run(SWEEP, run.path, progress="none")


def test_own_activations(tmp_path: Path) -> None:
    import math

    mine = gs.Activation("mine", math.tanh, lambda h: 1 - math.tanh(h) ** 2)
    sweep = SWEEP.replace(activation=mine, depth=8)
    run = gs.run(sweep, tmp_path / "run", progress="none")
    with pytest.raises(SweepError, match=r"Run with the sweep that holds your gs\.Activation"):
        gs.open(run.path).refine(0.03, progress="none")
    assert not (run.path / "extensions").exists()
    found = run.refine(0.03, progress="none")
    assert found.precision.reached
    assert len(found.run.cells()) >= len(run.cells())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"target": -1}, "target"), ({"level": 1.0}, "level"), ({"kinds": "mean"}, "kind"), ({"kinds": []}, "kinds"),
        ({"engine": "dusk"}, "engine"), ({"device": "tpu"}, "device"), ({"threads": 0}, "threads"),
        ({"progress": "loud"}, "progress"), ({"yes": 1}, "yes"), ({"stop": True}, "stop"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused_before_anything_is_written(clean: gs.Run, changes, field) -> None:
    before = {file: file.stat().st_mtime_ns for file in clean.path.rglob("*")}
    with pytest.raises(SweepError, match=field):
        clean.refine(**{"target": 1e-3, "progress": "none"} | changes)
    assert {file: file.stat().st_mtime_ns for file in clean.path.rglob("*")} == before


def test_a_damaged_extension_stops_it(clean: gs.Run, tmp_path: Path) -> None:
    shutil.copytree(clean.path, tmp_path / "run")
    (tmp_path / "run/extensions/000.toml").write_bytes(b"")
    with pytest.raises(CorruptDataError, match=r"000\.toml.*copy"):
        gs.run(SWEEP, tmp_path / "run", progress="none")


def test_tables_for_other_programs(clean: gs.Run, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("xarray")
    clean.export(tmp_path, format="sql")
    connection = duckdb.connect()
    connection.execute(f"set file_search_path = '{clean.path}'")
    connection.execute((tmp_path / "views.sql").read_text())
    rows = connection.sql("select * from summary").df()
    expected = clean.summary()
    np.testing.assert_allclose(rows["quenched_log_gain"], expected["quenched_log_gain"], rtol=1e-12)
    assert rows["networks"].tolist() == expected["networks"].tolist()
    assert rows["complete"].all()
    assert len(clean.export(tmp_path / "csv")) == 4
    assert set(clean.to_xarray()["sigma_w"].values) == set(expected["sigma_w"])
    assert json.loads((clean.path / "run.json").read_text())["content_hash"] == SWEEP.content_hash
