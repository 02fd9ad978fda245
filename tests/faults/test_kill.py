"""Kill anywhere: a run that stops dead at any operation, also while it recovers, loses and doubles nothing.

The state of the disk is that of a killed process: all operations before the point happened, none after it.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gradsim.dataset.dataset import Dataset
from gradsim.errors import CorruptDataError
from gradsim.system import filesystem
from gradsim.system.filesystem import calls
from tests.faults.amounts import quick_and_full
from tests.faults.operations import CHANGES, count, killed_at
from tests.gradsim.small_dataset import SWEEP, contents, full

THREE = SWEEP.replace(networks=6, record="layers", sigma_w=[1], shard_size=40)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """The disk need not be waited for: a process that dies takes no written byte with it."""
    monkeypatch.setattr(calls, "fsync", lambda descriptor: None)


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Dataset:
    return full(tmp_path_factory.mktemp("clean") / "run", THREE)


def check(path: Path, clean: Dataset) -> None:
    """The dataset is complete, and every number of it is that of a run that was never stopped."""
    assert contents(path) == contents(clean.path)
    dataset = Dataset.open(path)
    assert dataset.missing() == []
    assert [m.parts for m in dataset.manifests()] == [m.parts for m in clean.manifests()]
    assert sorted(filesystem.names(path)) == sorted(filesystem.names(clean.path))


def points(work) -> int:
    return 2 * count(work, CHANGES)


@pytest.mark.parametrize("step", quick_and_full(5, 1))
def test_every_point(clean: Dataset, tmp_path: Path, step: int) -> None:
    assert clean.plan.shard_count == 3
    total = points(lambda: full(tmp_path / "count", THREE))
    assert total > 200
    for point in range(0, total, step):
        path = tmp_path / "run"
        assert killed_at(point, lambda: full(path, THREE))  # noqa: B023
        full(path, THREE)
        check(path, clean)
        shutil.rmtree(path)


@pytest.mark.parametrize("sample", quick_and_full(2, None))
def test_every_point_of_the_recovery(clean: Dataset, tmp_path: Path, sample: int | None) -> None:
    total = points(lambda: full(tmp_path / "count", THREE))
    # Just before an operation the disk is as it was just after the one before.
    first = range(1, total, 2) if sample is None else random.Random(1).sample(range(1, total, 2), sample)
    path, stopped = tmp_path / "run", 0
    for point in first:
        killed_at(point, lambda: full(path, THREE))
        shutil.copytree(path, tmp_path / "state") if path.exists() else (tmp_path / "state").mkdir()
        for second in range(1, total, 2):
            if not killed_at(second, lambda: full(path, THREE)):
                break
            stopped += 1
            full(path, THREE)
            check(path, clean)
            shutil.rmtree(path)
            shutil.copytree(tmp_path / "state", path)
        shutil.rmtree(path)
        shutil.rmtree(tmp_path / "state")
    assert stopped > 20 * len(first)


SCRIPT = """
import os, sys
from pathlib import Path
from gradsim.system import filesystem
from tests.faults.operations import killed_at
from tests.faults.test_kill import THREE
from tests.gradsim.small_dataset import full
for folder in sys.argv[2:]:
    if not (child := os.fork()):
        killed_at(int(Path(folder).name), lambda: full(Path(folder), THREE), lambda: os._exit(9))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9, folder
"""


@pytest.mark.skipif(os.name == "nt", reason="needs fork")
@pytest.mark.parametrize("sample", quick_and_full(8, 100))
def test_processes_that_leave(clean: Dataset, tmp_path: Path, sample: int) -> None:
    """The same with real processes, which end without any clean-up of Python's."""
    total = points(lambda: full(tmp_path / "count", THREE))
    folders = [tmp_path / str(point) for point in random.Random(2).sample(range(total), sample)]
    subprocess.run([sys.executable, "-c", SCRIPT, "", *map(str, folders)], check=True)
    for path in folders:
        full(path, THREE)
        check(path, clean)


def test_files_written_in_place_are_caught(clean: Dataset, tmp_path: Path, monkeypatch) -> None:
    """The planted error: without a temporary file, the same proof finds a point at which a run cannot go on."""

    def write_in_place(tmp_dir: Path, path: Path, data: bytes, check=None) -> bool:
        if path.exists():
            return False
        filesystem.append(path, data)
        return True

    monkeypatch.setattr(filesystem, "write_new", write_in_place)
    total = points(lambda: full(tmp_path / "count", THREE))
    assert not all(recovers(tmp_path / str(point), point, clean) for point in range(total))


def recovers(path: Path, point: int, clean: Dataset) -> bool:
    killed_at(point, lambda: full(path, THREE))
    try:
        full(path, THREE)
        check(path, clean)
    except (AssertionError, CorruptDataError):
        return False
    return True
