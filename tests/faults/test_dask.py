"""Dask: the same bytes, dying workers and schedulers, and nothing left behind or open to others."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

import gradsim as gs
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.verification import verify
from gradsim.engines import tasks
from gradsim.errors import EngineError, ShardsFailedError, SweepError
from tests.faults.amounts import quick_and_full
from tests.faults.engine_runs import command, run
from tests.faults.moments import PATIENCE, committed, wait_until
from tests.gradsim.small_dataset import RUN, contents

pytestmark = pytest.mark.filterwarnings("ignore")  # of Dask, about processes that were killed


@pytest.mark.faults  # its kernels are compiled
def test_own_activations_travel(distributed, tmp_path: Path) -> None:
    """And are unpacked once on each worker, not for each shard, with the digest of those that were sent."""
    mine = gs.Activation("mine", lambda h: h + 0.01 * h**3, lambda h: 1 + 0.03 * h**2)
    sweep = gs.Sweep(activation=[mine], sigma_w=[0.5, 0.9], depth=4, width=6, networks=50, seed=1, shard_size=5000)
    one, other = (run(tmp_path / str(engine), engine, sweep) for engine in ("local", "dask-local:1"))
    assert contents(one.path) == contents(other.path)
    assert tasks._dataset(str(one.path), sweep.content_hash, tasks.packed(sweep)) is tasks._dataset(
        str(one.path), sweep.content_hash, tasks.packed(sweep)
    )


def oldest_worker() -> psutil.Process | None:
    """The worker process that has had most time to start working, once it talks to its scheduler.

    One that dies before ends the whole cluster.
    """
    children = psutil.Process().children(recursive=True)
    workers = sorted((p for p in children if "spawn_main" in command(p)), key=psutil.Process.create_time)
    for process in workers:
        with suppress(psutil.Error):
            if any(c.status == psutil.CONN_ESTABLISHED for c in process.net_connections("inet")):
                return process
    return None


@pytest.mark.parametrize("deaths", quick_and_full(2, 50))
def test_workers_die_again_and_again(distributed, tmp_path: Path, deaths: int) -> None:
    """A killer beside the runs; each directory is finished, compared and left for a new one until enough have died.

    It waits for some commits after each death, so that the run goes on however slow the machine.
    """
    killed, stop, runs = [0], threading.Event(), [0]

    def kill() -> None:
        seen = (0, 0)
        while killed[0] < deaths and not stop.wait(0.05):
            number, count = runs[0], committed(tmp_path / str(runs[0]))
            if count < (seen[1] if number == seen[0] else 0) + 5:
                continue
            with suppress(psutil.Error):
                if process := oldest_worker():
                    process.kill()
                    killed[0], seen = killed[0] + 1, (number, count)

    expected = verify(gs.run(LONGER, tmp_path / "expected", progress="none").dataset).digest
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        for _ in range(10 * deaths):
            if killed[0] >= deaths and runs[0]:
                break
            with suppress(ShardsFailedError, EngineError):  # hit three times by chance: the next call goes on
                assert verify(run(tmp_path / str(runs[0]), "dask-local:2", LONGER).dataset).digest == expected
                runs[0] += 1
    finally:
        stop.set()
        killer.join()
    assert killed[0] >= deaths
    assert runs[0]


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
         "--host", "127.0.0.1", "--death-timeout", str(PATIENCE)], **quiet
    )  # fmt: skip
    try:
        wait_until(lambda: answers(port), first)
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


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


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
            wait_for = committed(tmp_path / "run") + 3
            wait_until(lambda: committed(tmp_path / "run") >= wait_for or done)  # noqa: B023
            assert not done
    with scheduler(port):
        runner.join(PATIENCE)
    assert isinstance(done[0], gs.Run), done
    assert (
        verify(done[0].dataset).digest == verify(gs.run(sweep, tmp_path / "local_run", progress="none").dataset).digest
    )


@pytest.fixture
def client(distributed) -> Iterator:
    """A client of a cluster of threads, which starts faster than processes."""
    options = {"processes": False, "protocol": "tcp", "host": "127.0.0.1", "dashboard_address": None}
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_tasks_that_never_reach_their_workers(client, local_run: Dataset, tmp_path: Path, monkeypatch) -> None:
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
    assert contents(run(tmp_path / "run", client).path) == contents(local_run.path)
    assert len(lost) == 2


def test_all_workers_are_gone_for_good(distributed, tmp_path: Path, monkeypatch) -> None:
    """Dask does not replace a worker that dies while it starts; a local cluster without workers is replaced."""
    from gradsim.engines import dask as engine

    made, start = [], engine.dask_local.client
    monkeypatch.setattr(engine, "_LOOK_SECONDS", 0.5)
    monkeypatch.setattr(engine.dask_local, "client", lambda *args: made.append(start(*args)) or made[-1])

    def remove() -> None:
        wait_until(lambda: committed(tmp_path / "run") >= 3)
        made[0].gradsim_cluster.scale(0)

    remover = threading.Thread(target=remove)
    remover.start()
    sweep = LONGER.replace(networks=10_000)
    found = verify(run(tmp_path / "run", "dask-local:2", sweep).dataset).digest
    remover.join()
    assert len(made) == 2
    assert found == verify(gs.run(sweep, tmp_path / "local", progress="none").dataset).digest


def test_a_scheduler_that_is_not_there(distributed, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no Dask scheduler") as caught:
        run(tmp_path / "run", f"dask://127.0.0.1:{free_port()}")
    assert caught.value.exit_code == 75
    assert not (tmp_path / "run").exists()


def test_a_client_of_the_users(client, local_run: Dataset, tmp_path: Path) -> None:
    assert contents(run(tmp_path / "run", client).path) == contents(local_run.path)
    assert client.status == "running"


def test_a_client_that_is_closed(client, tmp_path: Path) -> None:
    client.close()
    with pytest.raises(SweepError, match="connected"):
        run(tmp_path / "run", client)
    assert not (tmp_path / "run").exists()
