"""Scale on one machine: many shards, many networks, large files."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

import gradsim as gs
from gradsim.dataset import maintenance
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.maintenance import compact, gc
from gradsim.dataset.verification import verify
from gradsim.errors import OutputError, StorageError
from gradsim.simulation.plan import Plan
from gradsim.system.filesystem import calls
from tests.faults.amounts import quick_and_full
from tests.faults.operations import killed_at
from tests.gradsim.small_dataset import SWEEP, commit, contents, full

MANY = {"activation": "tanh", "sigma_w": [1.0, 1.5], "depth": 2, "width": 4, "seed": 1, "shard_size": 3200}


@pytest.mark.parametrize("shards", quick_and_full(200, 10_000))
def test_many_shards(tmp_path: Path, shards: int) -> None:
    """The status of so many, and the resume of a run that lacks one, start within 5 s, imports included.

    In the quick suite these are seconds of a processor, which other processes do not take.
    """
    clock = time.monotonic if shards == 10_000 else processor_seconds_of_children
    path = tmp_path / "run"
    run = gs.run(gs.Sweep(**MANY, networks=50 * shards), path, progress="none")
    assert run.dataset.plan.shard_count == shards
    sweep = tmp_path / "sweep.toml"
    sweep.write_text(run.sweep.to_toml())
    last = path / f"manifests/{shards // 2:06d}.json"
    last.unlink()
    base, taken = [sys.executable, "-m", "gradsim"], []
    for command in (["status", str(path)], ["run", str(sweep), "--out", str(path), "--quiet"]):
        begin = clock()
        subprocess.run([*base, *command], check=True, stdout=subprocess.DEVNULL)
        taken.append(clock() - begin)
    print(f"{shards} shards: status {taken[0]:.1f} s, resume {taken[1]:.1f} s")
    assert last.exists()
    assert max(taken) < 5


def processor_seconds_of_children() -> float:
    """Of those that have ended and been waited for."""
    times = os.times()
    return times.children_user + times.children_system


MEMORY = """
import re, sys
import gradsim as gs
sweep = gs.Sweep(activation="tanh", sigma_w=[1.0, 1.5], depth=8, width=16, networks=int(sys.argv[1]) // 2, seed=1,
                 shard_size=4 * 10**7, method=sys.argv[3])
gs.run(sweep, sys.argv[2], progress="none")
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])  # ru_maxrss would be the parent's
"""


@pytest.mark.parametrize(
    ("method", "most"),
    [
        pytest.param("conditional", 10**6),
        pytest.param("conditional", 10**7, marks=pytest.mark.faults),
        pytest.param("explicit", 10**7, marks=pytest.mark.faults),
    ],
)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to say what the peak was")
def test_memory_is_flat(tmp_path: Path, method: str, most: int) -> None:
    peaks = {}
    for networks in (10**5, most):
        command = [sys.executable, "-c", MEMORY, str(networks), str(tmp_path / str(networks)), method]
        peaks[networks] = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(f"{method}: peak memory {peaks} kB")
    assert peaks[most] < 1.05 * peaks[10**5]


PEAK = """
import re, sys
import gradsim as gs
from gradsim.simulation.plan import Plan, plan
method, width, depth, networks = sys.argv[2], *map(int, sys.argv[3:])
sweep = gs.Sweep(activation="tanh", sigma_w=1.5, depth=depth, width=width, networks=networks, seed=1, method=method)
gs.run(sweep, sys.argv[1], threads=2, progress="none")
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
print(peak, plan(sweep).estimate(threads=2).peak_memory // 1024)
"""


@pytest.mark.parametrize(
    ("method", "width", "depth", "networks"),
    [
        pytest.param("explicit", 3000, 8, 4),  # weights
        pytest.param("conditional", 16, 1000, 30_000),  # wide histograms
        pytest.param("conditional", 16, 1000, 300_000, marks=pytest.mark.faults),
        pytest.param("conditional", 2, 20_000, 100, marks=pytest.mark.faults),
        pytest.param("explicit", 64, 32, 30_000, marks=pytest.mark.faults),
    ],
)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to say what the peak was")
def test_memory_is_what_the_plan_says(tmp_path: Path, method: str, width: int, depth: int, networks: int) -> None:
    command = [sys.executable, "-c", PEAK, str(tmp_path / "run"), method, *map(str, (width, depth, networks))]
    found, said = map(int, subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    print(f"{method}, width {width}, depth {depth}, {networks} networks: {found} kB, estimate {said} kB")
    assert 0.7 * found < said < 1.7 * found


@pytest.fixture
def made(tmp_path: Path) -> Dataset:
    return full(tmp_path / "run")


def test_compacted_values_are_the_same(made: Dataset, tmp_path: Path) -> None:
    small = compact(made, tmp_path / "small")
    assert len(small.manifests()) == 1
    assert small.missing() == []
    assert sorted(contents(small.path)) == [
        f"data/{kind}/part-000000-{made.plan.shard_count - 1:06d}.parquet"
        for kind in ("histograms", "layers", "networks")
    ]
    for read in (Dataset.read_layers, Dataset.read_histograms, Dataset.read_networks):
        pd.testing.assert_frame_equal(read(small), read(made))
    assert small.networks_done().tolist() == made.networks_done().tolist()
    for one in (small, compact(small, tmp_path / "again")):
        assert verify(one)[:3] == ([], [], verify(made).digest)
    layers = pd.read_parquet(small.path / "data/layers")
    assert len(layers) == len(made.read_layers())  # a row for each key, and sorted
    order = layers["quantity"].map({"log_delta": 0, "log_weight_grad": 1, "log_q": 2, "log_gain": 3})
    assert layers.assign(order=order).sort_values(["order", "layer", "cell_id"]).index.is_monotonic_increasing


@pytest.mark.parametrize("bytes_per_file", [1, 3000, 6000])
def test_several_files_and_gaps(tmp_path: Path, monkeypatch, bytes_per_file: int) -> None:
    """An unfinished run is compacted, cells cut between files and all, and finished in its compacted form."""
    monkeypatch.setattr(maintenance, "FILE_BYTES", bytes_per_file)
    monkeypatch.setattr(maintenance, "_BATCH_ROWS", {"layers": 20, "histograms": 50})
    fine = SWEEP.replace(shard_size=30)
    part = Dataset.create(tmp_path / "part", Plan(fine))
    assert part.plan.shard_count == 10
    for index in (0, 1, 2, 4, 5, 6, 7):
        commit(part, part.plan.shard(index))
    with pytest.raises(OutputError, match=r"of 10 shards 3 must still be computed.*--partial"):
        compact(part, tmp_path / "small")
    small = compact(part, tmp_path / "small", partial=True)
    assert small.committed() == part.committed()
    assert verify(small)[:3] == ([], [], verify(part).digest)
    assert {span.last < 3 or span.first > 3 for span in small.spans()} == {True}
    assert verify(full(small.path, fine)).digest == verify(full(tmp_path / "whole")).digest
    assert Dataset.open(small.path).networks_done().tolist() == [SWEEP.networks] * 4


def test_a_compaction_that_is_killed_goes_on(made: Dataset, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(maintenance, "FILE_BYTES", 4000)
    monkeypatch.setattr(calls, "fsync", lambda descriptor: None)
    expected = contents(compact(made, tmp_path / "clean").path)
    for point in range(0, 1000, 23):
        path = tmp_path / str(point)
        if not killed_at(point, lambda: compact(made, path)):  # noqa: B023
            break
        assert contents(compact(made, path).path) == expected
    assert point > 200


def test_where_nothing_can_be_compacted_to(made: Dataset, tmp_path: Path) -> None:
    with pytest.raises(gs.GradsimError, match="itself"):
        compact(made, made.path)
    half = Dataset.create(tmp_path / "half", Plan(SWEEP))
    commit(half, half.plan.shard(1))
    with pytest.raises(gs.GradsimError, match="already exists"):
        compact(made, half.path)
    with pytest.raises(gs.GradsimError, match="itself"):
        compact(made, made.path / "data/layers/new")
    half = Dataset.create(tmp_path / "new.compacting", Plan(SWEEP))
    commit(half, half.plan.shard(1))
    with pytest.raises(gs.GradsimError, match=r"left manifests/000001\.json"):
        compact(made, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_gc_removes_only_what_no_manifest_names(made: Dataset, tmp_path: Path) -> None:
    expected, path = contents(made.path), made.path
    (path / "tmp/part-000000.parquet.1.abc").write_bytes(b"half")
    (path / "data/layers/part-999999.parquet").write_bytes((path / "data/layers/part-000000.parquet").read_bytes())
    (path / "data/layers/part-000001-000002.parquet").write_bytes(b"")
    (path / "data/more.parquet").write_bytes(b"")
    (path / "manifests/000003.json").unlink()  # its tables are whole: a run may be about to name them
    (path / "manifests/000004.json").unlink()
    (path / "data/layers/part-000004.parquet").write_bytes(b"PAR1")  # a resume puts it aside
    removed = gc(Dataset.open(path))
    assert sorted(removed) == [
        "data/layers/part-000001-000002.parquet",
        "data/layers/part-999999.parquet",
        "data/more.parquet",
        "tmp/part-000000.parquet.1.abc",
    ]
    found = verify(Dataset.open(path))
    assert [problem.partition(":")[0] for problem in found.problems] == [str(path / "data/layers/part-000004.parquet")]
    assert contents(full(path).path) == expected
    assert gc(Dataset.open(path)) == []
    assert not verify(Dataset.open(path)).problems


def test_gc_goes_on_after_what_it_cannot_remove(made: Dataset) -> None:
    (made.path / "data/layers/a folder").mkdir()
    (made.path / "tmp/rest").write_bytes(b"")
    (made.path / "data/z.parquet").write_bytes(b"")
    with pytest.raises(StorageError, match="a folder"):
        gc(made)
    assert [problem for problem in verify(made).problems if "a folder" not in problem] == []


@pytest.mark.parametrize("rounds", quick_and_full(5, 100))
def test_gc_and_verify_beside_a_run(tmp_path: Path, rounds: int) -> None:
    """Both again and again while a run commits: it ends well, nothing of it is removed, and no problem is seen."""
    sweep = SWEEP.replace(shard_size=20)
    for i in range(rounds):
        path = tmp_path / str(i)
        dataset = Dataset.create(path, Plan(sweep))
        writer = threading.Thread(target=full, args=(path, sweep))
        writer.start()
        while writer.is_alive():
            gc(Dataset.open(path))
            assert verify(Dataset.open(path)).problems == []
            writer.join(0.003)
        writer.join()
        assert dataset.missing() == []
        assert verify(dataset)[:2] == ([], [])


def test_gc_beside_a_compaction(made: Dataset, tmp_path: Path, monkeypatch) -> None:
    """Its tables, which no manifest names yet, stay."""
    from gradsim.dataset import commit as commits

    place = commits._place

    def slow(root: Path, *arguments):
        part = place(root, *arguments)
        assert gc(Dataset.open(root)) == []
        return part

    monkeypatch.setattr(commits, "_place", slow)
    assert verify(compact(made, tmp_path / "small"))[:2] == ([], [])
