"""Refinement that is killed anywhere, or done by several at once: nothing is lost, and nothing counts twice."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

import gradsim as gs
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.verification import verify
from gradsim.simulation.plan import Plan
from gradsim.sweep.extension import Extension
from gradsim.system import filesystem
from gradsim.system.filesystem import calls
from tests.faults.amounts import quick_and_full
from tests.faults.operations import CHANGES, count, killed_at
from tests.gradsim.refined import TARGET, base, refined, same
from tests.gradsim.small_dataset import SWEEP, commit, contents

THREE = SWEEP.replace(networks=6, record="layers", sigma_w=[1], shard_size=40)
ADDED = [
    {"cells": ((0, 1.5),), "networks": ((1, 4), (2, 6))},
    {"networks": ((0, 20), (2, 2))},
]


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> gs.Run:
    return refined(tmp_path_factory.mktemp("clean") / "run", threads=1)


def grown(path: Path) -> Dataset:
    """A dataset with two extensions, each made once all shards so far are committed; goes on where it was stopped."""
    dataset = Dataset.create(path, Plan(THREE))
    while True:
        for index in dataset.missing():
            commit(dataset, dataset.plan.shard(index))
        if len(dataset.plan.extensions) == len(ADDED):
            return dataset
        added = ADDED[len(dataset.plan.extensions)]
        dataset = dataset.extended(Extension(parent=dataset.plan.content_hash, **added))


@pytest.mark.parametrize("step", quick_and_full(23, 1))
def test_every_point(tmp_path: Path, monkeypatch, step: int) -> None:
    """Stopped dead before and after any operation on the disk, and then done again."""
    monkeypatch.setattr(calls, "fsync", lambda descriptor: None)
    clean = grown(tmp_path / "clean")
    total = 2 * count(lambda: grown(tmp_path / "count"), CHANGES)
    assert total > 500
    for point in range(0, total, step):
        path = tmp_path / "run"
        assert killed_at(point, lambda: grown(path))  # noqa: B023
        assert not path.exists() or not _opened(path) or not verify(_opened(path)).problems
        end = grown(path)
        assert contents(path) == contents(clean.path)
        assert [one.parts for one in end.manifests()] == [one.parts for one in clean.manifests()]
        for name in (".", "extensions", "manifests"):
            assert filesystem.names(path / name) == filesystem.names(clean.path / name)
        assert (path / "cells.parquet").read_bytes() == (clean.path / "cells.parquet").read_bytes()
        found = verify(end)
        assert (found.problems, found.digest) == ([], verify(clean).digest)
        shutil.rmtree(path)


def _opened(path: Path) -> Dataset | None:
    """The dataset, once there is one."""
    ready = filesystem.exists(path / "sweep.toml") and filesystem.exists(path / "run.json")
    return Dataset.open(path) if ready else None


# A process for each moment, forked from one that has imported everything and compiled the kernels.
SCRIPT = """
import os, random, shutil, signal, sys, time
from pathlib import Path
import gradsim as gs
from gradsim.dataset.verification import verify
from tests.gradsim.refined import TARGET, base, refined
folder, count = Path(sys.argv[1]), int(sys.argv[2])
made = base(folder / "base").path
start = time.monotonic()
digest = refined(folder / "first", threads=1).verify().digest
seconds, rng, killed, ends, out = time.monotonic() - start, random.Random(7), 0, 0, folder / "run"
while killed < count:
    if not out.exists():
        shutil.copytree(made, out)
    before = set(os.listdir(out / "manifests"))
    if not (child := os.fork()):
        gs.open(out).refine(TARGET, threads=1, progress="none")
        os._exit(0)
    time.sleep(rng.uniform(0, seconds))  # any moment will do
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    assert before <= set(os.listdir(out / "manifests"))
    found = gs.open(out).verify()
    assert not found.problems, found.problems
    killed += code != 0
    if code == 0:
        assert found.digest == digest and not found.missing
        shutil.rmtree(out)
        ends += 1
if out.exists():
    assert refined(out, threads=1).verify().digest == digest
print(killed, "kills,", ends, "ends")
"""


@pytest.mark.skipif(os.name == "nt", reason="needs fork")
@pytest.mark.parametrize("count", quick_and_full(8, 200))
def test_killed_at_random_moments(tmp_path: Path, count: int) -> None:
    """SIGKILL to real processes, each of which goes on where the one before was killed."""
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(tmp_path), str(count)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    assert done.stdout.startswith(f"{count} kills")


def refine(path: str) -> str | None:
    return gs.open(path).refine(TARGET, threads=1, progress="none").run.verify().digest


@pytest.mark.parametrize("rounds", quick_and_full(1, 10))
def test_two_at_the_same_time(clean: gs.Run, tmp_path: Path, rounds: int) -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for i in range(rounds):
            base(tmp_path / str(i))
            assert list(pool.map(refine, [str(tmp_path / str(i))] * 2)) == [clean.verify().digest] * 2
            same(gs.open(tmp_path / str(i)), clean)


def test_on_processes(clean: gs.Run, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        same(refined(tmp_path / "run", engine=pool), clean)


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore")
def test_on_dask(clean: gs.Run, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    same(refined(tmp_path / "run", engine="dask-local:2"), clean)


def test_extensions_that_are_written_in_place_are_caught(tmp_path: Path, monkeypatch) -> None:
    """The planted error: without a temporary file, there is a point at which half an extension stays behind."""
    clean, whole = grown(tmp_path / "clean"), filesystem.write_new

    def write_in_place(tmp_dir: Path, path: Path, data: bytes, check=None) -> bool:
        if path.suffix != ".toml" or path.parent.name != "extensions":
            return whole(tmp_dir, path, data, check)
        if path.exists():
            return False
        filesystem.append(path, data)
        return True

    monkeypatch.setattr(calls, "fsync", lambda descriptor: None)
    monkeypatch.setattr(filesystem, "write_new", write_in_place)
    total = 2 * count(lambda: grown(tmp_path / "count"), CHANGES)
    assert not all(
        _recovers(tmp_path / str(point), point, clean) for point in random.Random(1).sample(range(total), 200)
    )


def _recovers(path: Path, point: int, clean: Dataset) -> bool:
    killed_at(point, lambda: grown(path))
    try:
        return contents(grown(path).path) == contents(clean.path)
    except gs.GradsimError:
        return False
