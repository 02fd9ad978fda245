"""Many small shards and many cells: the work grows as their number does, and each file is read once."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from gradsim.dataset import maintenance
from gradsim.dataset.codec import from_table
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.merging import Merging
from gradsim.dataset.verification import verify
from gradsim.runs import Run
from gradsim.simulation import plan as plans
from gradsim.system import filesystem
from gradsim.system.filesystem import calls
from tests.gradsim.small_dataset import SWEEP, full

FINE = SWEEP.replace(shard_size=20, record="layers")


@pytest.fixture
def fine(tmp_path: Path) -> Dataset:
    return full(tmp_path / "fine", FINE)


@pytest.fixture
def opened(monkeypatch) -> Counter:
    """How often each file was opened for reading."""
    found, open_read = Counter[str](), calls.open_read

    def counted(path: Path, follow: bool = False):
        found[f"{path.parent.name}/{path.name}"] += 1
        return open_read(path, follow)

    monkeypatch.setattr(calls, "open_read", counted)
    return found


def steps(work) -> int:
    """Calls and returns of functions and generators, of Python and of C."""
    count = 0

    def step(*_) -> None:
        nonlocal count
        count += 1

    sys.setprofile(step)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", ["layers", "histograms"])
def test_merging_takes_steps_in_proportion(fine: Dataset, kind) -> None:
    part = from_table(kind, pq.read_table(fine.path / fine.spans()[0].part(kind)).slice(0, 1))

    def merged(count: int) -> None:
        merging = Merging(kind)
        for _ in range(count):
            merging.add(part)
        assert merging.whole()["networks"].tolist() == [count * part["networks"][0]]

    assert steps(lambda: merged(2000)) < 2.5 * steps(lambda: merged(1000))


@pytest.mark.parametrize("check", [verify, maintenance.gc])
def test_uncommitted_tables_do_not_list_the_manifests_each(fine: Dataset, monkeypatch, check) -> None:
    listed, names = Counter[str](), filesystem.names

    def counted(path: Path) -> list[str]:
        listed[path.name] += 1
        return names(path)

    for span in fine.spans()[::2]:
        (fine.path / span.manifest).unlink()
    monkeypatch.setattr(filesystem, "names", counted)
    check(fine)
    assert listed["manifests"] <= 3


def test_a_summary_and_its_boundary_read_each_file_once(fine: Dataset, opened: Counter) -> None:
    run = Run(fine)
    run.boundary(summary=run.summary())
    assert {count for name, count in opened.items() if name.endswith(".parquet")} == {1}
    assert len(opened) == 3 * fine.plan.shard_count


def test_compact_reads_each_file_once(fine: Dataset, opened: Counter, tmp_path: Path) -> None:
    names = {f"{kind}/{Path(span.part(kind)).name}" for span in fine.spans() for kind in ("layers", "histograms")}
    maintenance.compact(fine, tmp_path / "small")
    assert {opened[name] for name in names} == {1}


def test_cells_of_a_dataset_are_not_checked_again(fine: Dataset, monkeypatch) -> None:
    """Keys of random numbers are compared when a run is planned; a million take ten seconds."""
    monkeypatch.setattr(plans, "cell_key", None)
    assert Dataset.open(fine.path).missing() == []


def test_the_command_computes_the_summary_once(call, opened: Counter, tmp_path: Path) -> None:
    sweep = tmp_path / "sweep.toml"
    sweep.write_text(SWEEP.replace(record="layers", shard_size=10**6).to_toml())
    dataset = full(tmp_path / "run", SWEEP.replace(record="layers", shard_size=10**6))
    opened.clear()
    assert call("run", sweep, "--out", dataset.path, "--no-plot", "--progress", "none")[0] == 0
    assert {opened[f"{kind}/part-000000.parquet"] for kind in ("layers", "histograms")} == {1}
