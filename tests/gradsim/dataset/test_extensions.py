"""Datasets with extensions: what is stored, what older and stale readers see, damage and its remedy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from gradsim.dataset import directory, schema
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.maintenance import compact, gc
from gradsim.dataset.verification import verify
from gradsim.errors import CorruptDataError, OutputError, SweepError
from gradsim.simulation.plan import Plan
from gradsim.sweep.extension import Extension
from tests.gradsim.small_dataset import SWEEP, commit, contents, full, sums_of, values_of

FIRST = {"cells": ((0, 1.5), (2, 1.25)), "networks": ((1, 6), (4, 12), (5, 20))}
SECOND = {"networks": ((1, 8), (4, 3))}
NETWORKS = [9, 23, 9, 9, 15, 20]


def extend(dataset: Dataset, **values: object) -> Dataset:
    made = dataset.extended(Extension(parent=dataset.plan.content_hash, **values))
    for index in made.missing():
        commit(made, made.plan.shard(index))
    return made


def grown(path: Path, sweep=SWEEP) -> Dataset:
    return extend(extend(full(path, sweep), **FIRST), **SECOND)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Dataset:
    return grown(tmp_path_factory.mktemp("extended") / "run")


@pytest.fixture
def path(made: Dataset, tmp_path: Path) -> Path:
    shutil.copytree(made.path, tmp_path / "run")
    return tmp_path / "run"


def test_cells_and_networks(made: Dataset) -> None:
    dataset = Dataset.open(made.path)
    cells = dataset.cells()
    assert cells["networks"].tolist() == NETWORKS == dataset.networks_done().tolist()
    assert cells["sigma_w"].tolist() == [1.0, 2.0, 1.0, 2.0, 1.5, 1.25]
    assert cells.equals(pq.read_table(made.path / "cells.parquet").to_pandas())
    assert sorted(file.name for file in (made.path / "extensions").iterdir()) == ["000.toml", "001.toml"]
    assert verify(dataset).problems == []


def test_values_are_merged_over_the_sweep_and_its_extensions(made: Dataset) -> None:
    rows = made.read_layers(quantity="log_gain").set_index(["cell_id", "layer"])
    for cell in made.plan.cells:
        values = values_of(cell.cell_id, 0, NETWORKS[cell.cell_id], cell.depth)
        live = np.isfinite(values[3])
        assert rows.loc[cell.cell_id]["networks"].tolist() == [NETWORKS[cell.cell_id]] * cell.depth
        means = [values[3, live[:, layer], layer].mean() for layer in range(cell.depth)]
        np.testing.assert_allclose(rows.loc[cell.cell_id]["mean"], means, rtol=0, atol=2.0**-20)  # fixed point
    single = made.read_networks(cells=1, layer=1)
    assert single["network"].tolist() == list(range(23))
    assert made.read_layers(cells=[5]).shape[0] > 0
    with pytest.raises(SweepError, match="cells"):
        made.read_layers(cells=[6])


def test_what_was_there_is_not_touched(made: Dataset, tmp_path: Path) -> None:
    before = full(tmp_path / "base").path
    kept = {name: data for name, data in contents(made.path).items() if name in contents(before)}
    assert kept == contents(before)
    for name in (before / "manifests").iterdir():
        one, other = (json.loads((path / "manifests" / name.name).read_text()) for path in (before, made.path))
        assert {key: one[key] for key in ("schema_version", "sweep", "slices", "parts")} == {
            key: other[key] for key in ("schema_version", "sweep", "slices", "parts")
        }
    assert not (before / "extensions").exists()
    assert json.loads((before / "run.json").read_text())["schema_version"] == schema.SCHEMA_VERSION


def test_an_older_gradsim_refuses_it(made: Dataset, monkeypatch) -> None:
    """It reads layouts up to 2, and looks into run.json before anything else."""
    stored = {json.loads(file.read_text())["schema_version"] for file in (made.path / "manifests").iterdir()}
    assert (stored, json.loads((made.path / "run.json").read_text())["schema_version"]) == ({2}, 3)
    monkeypatch.setattr(schema, "EXTENDED_VERSION", 2)
    with pytest.raises(Exception, match=r"run\.json: schema version 3 was written by a newer gradsim"):
        Dataset.open(made.path)


def test_run_json_that_is_lost_is_marked_again(path: Path) -> None:
    (path / "run.json").unlink()
    assert Dataset.create(path, Plan(SWEEP)).plan.networks == sum(NETWORKS)
    assert json.loads((path / "run.json").read_text())["schema_version"] == 3
    assert verify(Dataset.open(path)).problems == []


@pytest.mark.parametrize("partial", [False, True])
def test_compaction_keeps_extensions_and_digest(made: Dataset, path: Path, tmp_path: Path, partial: bool) -> None:
    dataset = Dataset.open(path)
    if partial:
        for index in (0, dataset.plan.shard_count - 1):
            (path / f"manifests/{index:06d}.json").unlink()
        for kind in ("layers", "histograms", "networks"):
            shutil.rmtree(path / "data" / kind)
            shutil.copytree(made.path / "data" / kind, path / "data" / kind)
    small = compact(dataset, tmp_path / "small", partial=partial)
    assert small.plan.content_hash == made.plan.content_hash
    assert verify(small).digest == verify(dataset).digest
    ends = [segment.first_shard for segment in small.plan.segments[1:]]
    assert not any(span.first < end <= span.last for span in small.spans() for end in ends)
    assert len(small.spans()) == len({dataset.plan.segment_of(index) for index in dataset.committed()})
    for index in small.missing():
        commit(small, small.plan.shard(index))
    assert verify(small).digest == verify(made).digest
    assert small.read_layers().equals(made.read_layers())


def test_a_compaction_of_an_earlier_state_is_not_taken_up(path: Path, tmp_path: Path) -> None:
    compact(full(tmp_path / "base"), tmp_path / "small")
    (tmp_path / "small").rename(tmp_path / "small.compacting")
    other = Dataset.open(tmp_path / "small.compacting")
    other.extended(Extension(parent=other.plan.content_hash, networks=((0, 1),)))
    with pytest.raises(OutputError, match="another compaction"):
        compact(Dataset.open(path), tmp_path / "small")


def test_a_second_extension_of_the_same_number_yields(path: Path) -> None:
    dataset = Dataset.open(path)
    early = Dataset(path, Plan(SWEEP, dataset.plan.generators, dataset.plan.extensions[:1]))
    found = early.extended(Extension(parent=early.plan.content_hash, networks=((0, 77),)))
    assert found.plan.content_hash == dataset.plan.content_hash
    assert found.cells()["networks"].tolist() == NETWORKS


def test_readers_from_before_an_extension_see_what_they_know(made: Dataset, tmp_path: Path) -> None:
    before = full(tmp_path / "run")
    rows = before.read_layers()
    shutil.copytree(made.path, tmp_path / "run", dirs_exist_ok=True)
    assert before.read_layers().equals(rows)
    assert before.missing() == []
    assert before.now().plan.content_hash == made.plan.content_hash
    assert gc(before) == []
    assert verify(before).digest == verify(made).digest
    assert Dataset.open(tmp_path / "run").before.read_layers().equals(rows)


def test_gc_keeps_tables_of_an_extension_that_are_not_committed_yet(made: Dataset, tmp_path: Path) -> None:
    before = full(tmp_path / "run")
    shutil.copytree(made.path, tmp_path / "run", dirs_exist_ok=True)
    last = made.plan.shard_count - 1
    (before.path / f"manifests/{last:06d}.json").unlink()
    assert gc(before) == []
    assert not verify(before).problems


def test_an_extension_whose_cells_are_not_stored_yet(path: Path) -> None:
    """A process that was killed between the two: a note, and the next run mends it."""
    dataset, cells = Dataset.open(path), (path / "cells.parquet").read_bytes()
    extended = dataset.extended(Extension(parent=dataset.plan.content_hash, networks=((0, 5),)))
    (path / "cells.parquet").write_bytes(cells)
    found = verify(extended)
    assert found.problems == []
    assert any("lacks the last extension" in note for note in found.notes)
    Dataset.create(path, Plan(SWEEP))
    assert directory.has_cells(path, extended.plan)
    (path / "cells.parquet").write_bytes(b"junk")
    assert any("cells.parquet: the file is damaged" in problem for problem in verify(extended).problems)


def replaced(old: bytes, new: bytes) -> Callable[[Path], object]:
    return lambda file: file.write_bytes(file.read_bytes().replace(old, new, 1))


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(file.read_bytes()[:-4] + b'zz"\n'),
        lambda file: file.write_bytes(file.read_bytes()[:-40]),
        lambda file: file.write_bytes(b"\xff" + file.read_bytes()),
        replaced(b"[1, ", b"[0, "),
        replaced(b'parent = "', b'parent = "f'),
        lambda file: file.write_text(Extension(parent="0" * 64, networks=((0, 1),)).text()),
    ],
)
def test_damaged_missing_or_foreign_files(path: Path, number: int, damage: Callable[[Path], object]) -> None:
    file = path / f"extensions/{number:03d}.toml"
    damage(file)
    with pytest.raises(CorruptDataError, match=r"extensions|manifests/0000") as caught:
        Dataset.open(path).read_layers()
    assert "copy" in str(caught.value)
    with pytest.raises(CorruptDataError):
        Dataset.create(path, Plan(SWEEP)).manifests()


def test_an_extension_that_was_written_anew_is_noticed(path: Path) -> None:
    """Whoever changes a number and mends every hash: the manifests of its shards are of another chain."""
    one = Dataset.open(path).plan.extensions[0]
    first = Extension(parent=one.parent, cells=((0, 1.6), (2, 1.25)), networks=one.networks)
    second = Extension(parent=first.content_hash, **SECOND)
    for number, extension in enumerate((first, second)):
        (path / f"extensions/{number:03d}.toml").write_text(extension.text())
    with pytest.raises(CorruptDataError, match="not of this sweep's shard"):
        Dataset.open(path).read_layers()
    assert verify(Dataset.open(path)).problems


def test_what_verify_reports(path: Path) -> None:
    (path / "extensions/notes.txt").write_text("")
    (path / "extensions/1.toml").write_text("")
    file = path / "extensions/000.toml"
    file.write_bytes(file.read_bytes() + b"# note\n")
    problems = verify(Dataset.open(path)).problems
    assert len(problems) == 3
    assert sum("no extension has such a name" in problem for problem in problems) == 2
    assert any("000.toml: the file was changed" in problem for problem in problems)


def test_a_commit_never_goes_from_one_extension_to_the_next(path: Path) -> None:
    dataset = Dataset.open(path)
    end = dataset.plan.segments[1].first_shard
    values = json.loads((path / f"manifests/{end:06d}.json").read_text())
    for index in (end - 1, end):
        (path / f"manifests/{index:06d}.json").unlink()
    (path / f"manifests/{end - 1:06d}-{end:06d}.json").write_text(json.dumps(values))
    with pytest.raises(CorruptDataError, match="has no shard"):
        Dataset.open(path).manifests()


def test_sums_of_other_networks_are_not_committed(path: Path) -> None:
    dataset = Dataset.open(path)
    made = dataset.extended(Extension(parent=dataset.plan.content_hash, networks=((0, 5),)))
    shard = made.plan.shard(made.missing()[0])
    with pytest.raises(ValueError, match="not of the networks"):
        made.commit_shard(shard, {0: sums_of(values_of(0, 9, 4, 1))})
