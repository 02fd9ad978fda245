"""Any engine: the same bytes wherever shards are computed; workers die, shards fail, and the run goes on."""

from __future__ import annotations

import errno
import json
import os
import pickle
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

import gradsim as gs
from gradsim.dataset.dataset import Dataset
from gradsim.engines import dispatch, tasks
from gradsim.errors import (
    DeterminismError,
    EngineError,
    EngineStartError,
    GradsimError,
    Interrupted,
    OutputError,
    ShardsFailedError,
    StorageError,
    SweepError,
)
from gradsim.runs.status import run_status
from tests.faults.engine_runs import SWEEP, run
from tests.faults.moments import stop_after_commits
from tests.faults.worker_tasks import dies_at, fails_at
from tests.gradsim.small_dataset import contents

pytestmark = pytest.mark.filterwarnings("ignore")  # of Dask, about processes that were killed


def processes(count: int = 2) -> Executor:
    import multiprocessing

    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))


def test_threads(local_run: Dataset, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        assert contents(run(tmp_path / "run", pool).path) == contents(local_run.path)
        assert pool.submit(int, "1").result() == 1  # it is the caller's, and still open


def test_processes_and_a_relative_directory(local_run: Dataset, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with processes() as pool:
        os.chdir("/")
        pool.submit(os.getcwd).result()
        monkeypatch.chdir(tmp_path)
        assert contents(run(Path("run"), pool).path) == contents(local_run.path)


def test_what_travels_is_small(local_run: Dataset) -> None:
    task = tasks.Task(str(local_run.path.resolve()), SWEEP.content_hash, 3, None)
    receipt = tasks.run_task(task)
    assert len(pickle.dumps(task)) < 1024
    assert len(pickle.dumps(receipt)) < 1024
    assert receipt.networks > 0


@pytest.mark.parametrize(
    "error",
    [
        StorageError("path", OSError(28, "full")),
        SweepError("field", 1, "allowed", "Remedy"),
        DeterminismError("numbers"),
        EngineError("gone"),
        ShardsFailedError("some"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_travel(error: GradsimError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "marks").mkdir()
    return str(tmp_path / "marks")


@pytest.fixture(params=["processes", "dask"])
def dying_engine(request):
    """Engines whose workers may die."""
    if request.param == "dask":
        pytest.importorskip("distributed")
        return "dask-local:2"
    return processes


def test_a_worker_that_dies_is_replaced(
    local_run: Dataset, tmp_path: Path, folder: str, monkeypatch, dying_engine
) -> None:
    monkeypatch.setattr(dispatch, "run_task", partial(dies_at, 5, 1, folder))
    assert contents(run(tmp_path / "run", dying_engine).path) == contents(local_run.path)
    assert len(os.listdir(folder)) == 1
    assert not (tmp_path / "run" / "failures.jsonl").exists()


def test_a_shard_that_kills_workers_is_recorded(
    local_run: Dataset, tmp_path: Path, folder: str, monkeypatch, dying_engine
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(dispatch, "run_task", partial(dies_at, 5, 99, folder))
        with pytest.raises(ShardsFailedError, match=r"1 shard failed \(5\)") as caught:
            run(tmp_path / "run", dying_engine)
    assert caught.value.exit_code == 3
    dataset = Dataset.open(tmp_path / "run")
    assert dataset.missing() == [5]
    failure = json.loads((tmp_path / "run" / "failures.jsonl").read_text())
    assert (failure["shard"], failure["attempts"]) == (5, 3)
    facts = run_status(dataset, jobs=4)
    assert (facts["failed"], facts["missing"], facts["rerun_array"]) == ("5", "5", "2")
    assert contents(run(tmp_path / "run", "local").path) == contents(local_run.path)
    assert run_status(Dataset.open(tmp_path / "run"))["shards_failed"] == 0


def test_an_executor_that_cannot_be_renewed(local_run: Dataset, tmp_path: Path, folder: str, monkeypatch) -> None:
    monkeypatch.setattr(dispatch, "run_task", partial(dies_at, 5, 1, folder))
    with processes() as pool, pytest.raises(EngineError, match="engine=lambda") as caught:
        run(tmp_path / "run", pool)
    assert caught.value.exit_code == 75
    with processes() as pool:
        assert contents(run(tmp_path / "run", pool).path) == contents(local_run.path)


@pytest.mark.parametrize("times", [1, 99])
def test_errors_of_a_shard(local_run: Dataset, tmp_path: Path, folder: str, monkeypatch, times: int) -> None:
    """An unexpected one is tried again, then recorded; the rest finishes."""
    with monkeypatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(dispatch, "run_task", partial(fails_at, 0, times, folder, MemoryError("none left")))
        if times == 1:
            run(tmp_path / "run", pool)
        else:
            with pytest.raises(ShardsFailedError):
                run(tmp_path / "run", pool)
            assert "MemoryError: none left" in (tmp_path / "run" / "failures.jsonl").read_text()
    assert contents(run(tmp_path / "run", "local").path) == contents(local_run.path)


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (StorageError("file", OSError(errno.ESTALE, "Stale file handle")), 3),
        (StorageError("file", OSError(errno.ENOSPC, "No space left")), 1),
        (DeterminismError("other numbers"), 1),
    ],
    ids=["storage", "full", "numbers"],
)
def test_errors_that_end_the_run(tmp_path: Path, folder: str, monkeypatch, error: GradsimError, times: int) -> None:
    """Soon, and not after all other shards."""
    monkeypatch.setattr(dispatch, "run_task", partial(fails_at, 0, 99, folder, error))
    with ThreadPoolExecutor(2) as pool, pytest.raises(type(error)):
        run(tmp_path / "run", pool)
    assert len(os.listdir(folder)) == times
    assert len(Dataset.open(tmp_path / "run").missing()) > 5


def test_a_shard_that_calls_for_the_end(local_run: Dataset, tmp_path: Path, monkeypatch) -> None:
    def end(*arguments) -> None:
        raise SystemExit(7)

    with monkeypatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(tasks, "compute_and_commit", end)
        with pytest.raises(ShardsFailedError):
            run(tmp_path / "run", pool)


def test_workers_that_never_start(tmp_path: Path) -> None:
    import multiprocessing

    made: list[Executor] = []

    def make() -> Executor:
        context = multiprocessing.get_context("spawn")
        made.append(ProcessPoolExecutor(2, context, initializer=os._exit, initargs=(1,)))
        return made[-1]

    with pytest.raises(EngineStartError, match="may not start") as caught:
        run(tmp_path / "run", make)
    assert caught.value.exit_code == 2
    assert len(made) <= dispatch._MOST_BREAKS


def test_a_worker_on_another_disk(tmp_path: Path, monkeypatch) -> None:
    elsewhere = lambda task: tasks.run_task(tasks.Task(task.path + "-elsewhere", task.content_hash, 0, 1))  # noqa: E731
    monkeypatch.setattr(dispatch, "run_task", elsewhere)
    with ThreadPoolExecutor(2) as pool, pytest.raises(OutputError, match="no gradsim dataset"):
        run(tmp_path / "run", pool)


def test_a_run_on_workers_is_stopped(tmp_path: Path) -> None:
    stop, _ = stop_after_commits(tmp_path / "run")
    with ThreadPoolExecutor(2) as pool, pytest.raises(Interrupted):
        gs.run(SWEEP.replace(networks=10**6), tmp_path / "run", engine=pool, progress="none", stop=stop)


@pytest.mark.parametrize("engine", ["cloud", "dask-local:0", "dask-local", "dask://", "dask://host", 5, None])
def test_what_is_no_engine(tmp_path: Path, engine) -> None:
    with pytest.raises(SweepError, match="engine"):
        run(tmp_path / "run", engine)
    assert not (tmp_path / "run").exists()
