"""Engines: the same bytes wherever shards are computed; workers and schedulers die, and the run goes on."""

from __future__ import annotations

import errno
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

import gradsim as gs
from gradsim.dataset import Dataset
from gradsim.engines import dispatch, tasks
from gradsim.errors import (
    DeterminismError,
    EngineError,
    GradsimError,
    Interrupted,
    OutputError,
    ShardsFailedError,
    StorageError,
    SweepError,
)
from gradsim.standing import standing
from gradsim.verification import verify
from tests.faults.amounts import quick_and_full
from tests.gradsim.small_dataset import contents

pytestmark = pytest.mark.filterwarnings("ignore")  # of Dask, about processes that were killed

RUN = {
    "activation": ["tanh", "relu"],
    "sigma_w": [0.8, 1.2, 1.6, 2.0],
    "depth": [3, 6],
    "width": 8,
    "networks": 300,
    "seed": 5,
    "shard_size": 100_000,
}
SWEEP = gs.Sweep(**RUN)


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Dataset:
    return gs.run(SWEEP, tmp_path_factory.mktemp("clean") / "run", progress="none").dataset


def run(path: Path, engine, sweep: gs.Sweep = SWEEP) -> gs.Run:
    return gs.run(sweep, path, engine=engine, progress="none")


def processes(count: int = 2) -> Executor:
    import multiprocessing

    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))


def test_threads(clean: Dataset, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        assert contents(run(tmp_path / "run", pool).path) == contents(clean.path)
        assert pool.submit(int, "1").result() == 1  # it is the caller's, and still open


def test_processes_and_a_relative_directory(clean: Dataset, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with processes() as pool:
        os.chdir("/")
        pool.submit(os.getcwd).result()
        monkeypatch.chdir(tmp_path)
        assert contents(run(Path("run"), pool).path) == contents(clean.path)


def test_what_travels_is_small(clean: Dataset) -> None:
    task = tasks.Task(str(clean.path.resolve()), SWEEP.content_hash, 3, None)
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


# What workers do in these tests in place of their task. Files say what happened before, in whichever process.


def dies_at(shard: int, times: int, folder: str, task: tasks.Task) -> tasks.Receipt:
    marks = list(Path(folder).glob("died-*"))
    if task.shard == shard and len(marks) < times:
        (Path(folder) / f"died-{len(marks)}").touch()
        os._exit(1)
    return tasks.run_task(task)


def fails_at(shard: int, times: int, folder: str, error: Exception, task: tasks.Task) -> tasks.Receipt:
    marks = list(Path(folder).glob("failed-*"))
    if task.shard == shard and len(marks) < times:
        (Path(folder) / f"failed-{len(marks)}").touch()
        raise error
    return tasks.run_task(task)


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


def test_a_worker_that_dies_is_replaced(clean: Dataset, tmp_path: Path, folder: str, monkeypatch, dying_engine) -> None:
    monkeypatch.setattr(dispatch, "run_task", partial(dies_at, 5, 1, folder))
    assert contents(run(tmp_path / "run", dying_engine).path) == contents(clean.path)
    assert len(os.listdir(folder)) == 1
    assert not (tmp_path / "run" / "failures.jsonl").exists()


def test_a_shard_that_kills_workers_is_recorded(
    clean: Dataset, tmp_path: Path, folder: str, monkeypatch, dying_engine
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(dispatch, "run_task", partial(dies_at, 5, 99, folder))
        with pytest.raises(ShardsFailedError, match=r"1 shards failed \(5\)") as caught:
            run(tmp_path / "run", dying_engine)
    assert caught.value.exit_code == 3
    dataset = Dataset.open(tmp_path / "run")
    assert dataset.missing() == [5]
    failure = json.loads((tmp_path / "run" / "failures.jsonl").read_text())
    assert (failure["shard"], failure["attempts"]) == (5, 3)
    facts = standing(dataset, jobs=4)
    assert (facts["failed"], facts["missing"], facts["rerun_array"]) == ("5", "5", "2")
    assert contents(run(tmp_path / "run", "local").path) == contents(clean.path)
    assert standing(Dataset.open(tmp_path / "run"))["shards_failed"] == 0


def test_an_executor_that_cannot_be_renewed(clean: Dataset, tmp_path: Path, folder: str, monkeypatch) -> None:
    monkeypatch.setattr(dispatch, "run_task", partial(dies_at, 5, 1, folder))
    with processes() as pool, pytest.raises(EngineError, match="engine=lambda") as caught:
        run(tmp_path / "run", pool)
    assert caught.value.exit_code == 75
    with processes() as pool:
        assert contents(run(tmp_path / "run", pool).path) == contents(clean.path)


@pytest.mark.parametrize("times", [1, 99])
def test_errors_of_a_shard(clean: Dataset, tmp_path: Path, folder: str, monkeypatch, times: int) -> None:
    """An unexpected one is tried again, then recorded; the rest finishes."""
    with monkeypatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(dispatch, "run_task", partial(fails_at, 0, times, folder, MemoryError("none left")))
        if times == 1:
            run(tmp_path / "run", pool)
        else:
            with pytest.raises(ShardsFailedError):
                run(tmp_path / "run", pool)
            assert "MemoryError: none left" in (tmp_path / "run" / "failures.jsonl").read_text()
    assert contents(run(tmp_path / "run", "local").path) == contents(clean.path)


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


def test_a_shard_that_calls_for_the_end(clean: Dataset, tmp_path: Path, monkeypatch) -> None:
    def end(*arguments) -> None:
        raise SystemExit(7)

    with monkeypatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(tasks, "compute_and_commit", end)
        with pytest.raises(ShardsFailedError):
            run(tmp_path / "run", pool)


def dies_at_once() -> None:
    os._exit(1)


def test_workers_that_never_start(tmp_path: Path) -> None:
    import multiprocessing

    made: list[Executor] = []

    def make() -> Executor:
        context = multiprocessing.get_context("spawn")
        made.append(ProcessPoolExecutor(2, context, initializer=dies_at_once))
        return made[-1]

    with pytest.raises(EngineError, match="may not start"):
        run(tmp_path / "run", make)
    assert len(made) <= dispatch._MOST_BREAKS


def test_a_worker_on_another_disk(tmp_path: Path, monkeypatch) -> None:
    elsewhere = lambda task: tasks.run_task(tasks.Task(task.path + "-elsewhere", task.content_hash, 0, 1))  # noqa: E731
    monkeypatch.setattr(dispatch, "run_task", elsewhere)
    with ThreadPoolExecutor(2) as pool, pytest.raises(OutputError, match="no gradsim dataset"):
        run(tmp_path / "run", pool)


def test_a_run_on_workers_is_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with ThreadPoolExecutor(2) as pool, pytest.raises(Interrupted):
        gs.run(SWEEP.replace(networks=10**6), tmp_path / "run", engine=pool, progress="none", stop=stop)


@pytest.mark.parametrize("engine", ["cloud", "dask-local:0", "dask-local", "dask://", "dask://host", 5, None])
def test_what_is_no_engine(tmp_path: Path, engine) -> None:
    with pytest.raises(SweepError, match="engine"):
        run(tmp_path / "run", engine)
    assert not (tmp_path / "run").exists()


# Dask


@pytest.fixture
def distributed():
    return pytest.importorskip("distributed")


def test_dask_gives_the_same_bytes(distributed, clean: Dataset, tmp_path: Path) -> None:
    assert contents(run(tmp_path / "run", "dask-local:2").path) == contents(clean.path)
    assert verify(Dataset.open(tmp_path / "run")).digest == verify(clean).digest


@pytest.mark.faults  # its kernels are compiled twice
def test_own_activations_travel(distributed, tmp_path: Path) -> None:
    """And are compiled once on each worker, not for each shard."""
    mine = gs.Activation("mine", lambda h: h + 0.01 * h**3, lambda h: 1 + 0.03 * h**2)
    sweep = gs.Sweep(activation=[mine], sigma_w=[0.5, 0.9], depth=4, width=6, networks=50, seed=1, shard_size=5000)
    one, other = (run(tmp_path / str(engine), engine, sweep) for engine in ("local", "dask-local:1"))
    assert contents(one.path) == contents(other.path)
    assert sorted(m.seconds for m in other.dataset.manifests())[-3] < 1
    assert tasks._dataset(str(one.path), sweep.content_hash, tasks.packed(sweep)) is tasks._dataset(
        str(one.path), sweep.content_hash, tasks.packed(sweep)
    )


def test_nothing_listens_beyond_this_machine(distributed, tmp_path: Path) -> None:
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.2):
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
                with suppress(psutil.Error):
                    seen.update(c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN)

    watcher = threading.Thread(target=look)
    watcher.start()
    run(tmp_path / "run", "dask-local:2")
    done.set()
    watcher.join()
    assert seen
    assert seen <= {"127.0.0.1", "::1"}


def test_no_process_is_left(distributed, tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    run(tmp_path / "run", "dask-local:2")
    time.sleep(1)
    left = [p for p in psutil.Process().children(recursive=True) if p not in before]
    assert not [p for p in left if "resource_tracker" not in " ".join(p.cmdline())]


def grown_workers() -> list[psutil.Process]:
    """Worker processes that have had time to start working: one that dies before ends the whole cluster."""
    children = psutil.Process().children(recursive=True)
    found = [p for p in children if "spawn_main" in " ".join(p.cmdline())]
    return [p for p in found if time.time() - p.create_time() > 2]


@pytest.mark.parametrize("deaths", quick_and_full(2, 50))
def test_workers_die_again_and_again(distributed, tmp_path: Path, deaths: int) -> None:
    """A killer beside the runs; each directory is finished, compared and left for a new one until enough have died."""
    killed, stop = [0], threading.Event()

    def kill() -> None:
        while not stop.wait(2.5):
            with suppress(psutil.Error):
                for process in grown_workers()[:1]:
                    process.kill()
                    killed[0] += 1

    killer = threading.Thread(target=kill)
    killer.start()
    expected, runs = verify(gs.run(LONGER, tmp_path / "expected", progress="none").dataset).digest, 0
    try:
        while killed[0] < deaths or not runs:
            path = tmp_path / str(runs)
            with suppress(ShardsFailedError, EngineError):  # hit three times by chance: the next call goes on
                assert verify(run(path, "dask-local:2", LONGER).dataset).digest == expected
                runs += 1
    finally:
        stop.set()
        killer.join()


LONGER = gs.Sweep(**RUN | {"width": 64, "networks": 40_000, "shard_size": 2 * 10**8})
"""Some seconds, in 59 shards."""


@contextmanager
def scheduler(port: int) -> Iterator[subprocess.Popen]:
    """A scheduler with two workers, all processes of their own."""
    base = [sys.executable, "-m"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    address = f"tcp://127.0.0.1:{port}"
    first = subprocess.Popen(
        [*base, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"], **quiet
    )
    second = subprocess.Popen(
        [*base, "distributed.cli.dask_worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard",
         "--host", "127.0.0.1", "--death-timeout", "10"], **quiet
    )  # fmt: skip
    try:
        yield first
    finally:
        for process in (first, second):
            with suppress(psutil.Error):
                for child in psutil.Process(process.pid).children(recursive=True):
                    child.kill()
            process.send_signal(signal.SIGKILL)
            process.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize("losses", quick_and_full(1, 3))
def test_schedulers_die(distributed, tmp_path: Path, losses: int) -> None:
    """The scheduler is killed in the middle of a run and started again: the same call goes on."""
    port, sweep = free_port(), LONGER.replace(networks=20_000)
    done: list[object] = []

    def work() -> None:
        try:
            done.append(run(tmp_path / "run", f"dask://127.0.0.1:{port}", sweep))
        except Exception as error:
            done.append(error)

    runner = threading.Thread(target=work)
    for loss in range(losses):
        with scheduler(port):
            if not loss:
                runner.start()
            before = committed(tmp_path / "run")
            while committed(tmp_path / "run") < before + 3:
                time.sleep(0.05)
                assert not done, done
    with scheduler(port):
        runner.join(120)
    assert isinstance(done[0], gs.Run), done
    assert verify(done[0].dataset).digest == verify(gs.run(sweep, tmp_path / "clean", progress="none").dataset).digest


def committed(path: Path) -> int:
    return len(os.listdir(path / "manifests")) if (path / "manifests").is_dir() else 0


def test_tasks_that_never_reach_their_workers(distributed, clean: Dataset, tmp_path: Path, monkeypatch) -> None:
    """Some are submitted into nowhere: they are sent again."""
    from gradsim.engines import dask as engine

    submit, lost = engine.Cluster.submit, []

    def forgetful(self, run_task, task):
        if len(lost) < 2:
            lost.append(task.shard)
            return Future()
        return submit(self, run_task, task)

    monkeypatch.setattr(engine, "_LOOK_SECONDS", 0.2)
    monkeypatch.setattr(engine.Cluster, "submit", forgetful)
    assert contents(run(tmp_path / "run", "dask-local:2").path) == contents(clean.path)
    assert len(lost) == 2


def test_a_scheduler_that_is_not_there(distributed, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no Dask scheduler") as caught:
        run(tmp_path / "run", f"dask://127.0.0.1:{free_port()}")
    assert caught.value.exit_code == 75
    assert not (tmp_path / "run").exists()


def test_a_client_of_the_users(distributed, clean: Dataset, tmp_path: Path) -> None:
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert contents(run(tmp_path / "run", client).path) == contents(clean.path)
        assert client.status == "running"
