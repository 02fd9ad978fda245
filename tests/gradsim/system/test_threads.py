"""Threads: how many a process uses, and a system that starts fewer."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import gradsim as gs
from gradsim.engines.executors import Pool
from gradsim.errors import EngineStartError, SweepError
from gradsim.system import threads
from gradsim.system.cgroups import cpu_quota
from gradsim.system.threads import ThreadPool, available_threads, resolve_threads
from tests.gradsim.small_dataset import RUN, contents

CELL = {"activation": "linear", "sigma_w": 1.0, "depth": 2, "width": 4, "networks": 8}
V1, V2 = "4:cpu,cpuacct:/job/step\n1:name=systemd:/\n", "0::/job/step\n"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch) -> None:
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("membership", "files", "quota"),
    [
        (V2, {"job/step/cpu.max": "max 100000\n", "job/cpu.max": "250000 100000\n"}, 2.5),
        (V2, {"job/step/cpu.max": "150000 100000\n", "job/cpu.max": "250000 100000\n"}, 1.5),
        (V2, {"cpu.max": "50000 100000\n"}, 0.5),  # of a container, whose path is the host's
        (V2, {"job/step/cpu.max": "max 100000\n"}, math.inf),
        (V2, {"job/step/cpu.max": "rubbish\n"}, math.inf),
        (V1, {"cpu/job/step/cpu.cfs_quota_us": "300000\n", "cpu/job/step/cpu.cfs_period_us": "100000\n"}, 3.0),
        (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "300000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 3.0),
        (V1, {"cpu/job/cpu.cfs_quota_us": "-1\n", "cpu/job/cpu.cfs_period_us": "100000\n"}, math.inf),
        (V1 + V2, {"cpu/job/cpu.cfs_quota_us": "200000\n", "cpu/job/cpu.cfs_period_us": "50000\n"}, 4.0),
        (None, {}, math.inf),  # no Linux
    ],
)
def test_quota_of_a_control_group(tmp_path: Path, membership: str | None, files: dict, quota: float) -> None:
    if membership is not None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(membership)
    for name, text in files.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert cpu_quota(tmp_path) == quota


@pytest.mark.parametrize(("quota", "expected"), [(0.5, 1), (1.0, 1), (2.5, 3), (7.0, 7), (100.0, 8), (math.inf, 8)])
def test_the_smaller_of_affinity_and_quota(monkeypatch, quota: float, expected: int) -> None:
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "cpu_quota", lambda: quota)
    assert available_threads() == expected
    assert resolve_threads() == expected


@pytest.mark.parametrize("count", [np.int64(3), np.uint8(3), np.array(3), 3])
def test_whole_numbers_of_any_type(count) -> None:
    assert type(resolve_threads(count)) is int
    assert resolve_threads(count) == 3
    assert len(gs.simulate(**CELL, threads=count).log_gain) == 8


@pytest.mark.parametrize("count", [True, np.bool_(True), 3.0, np.float64(3), "3", 0, np.int64(-1), 5000, np.arange(2)])
def test_what_is_no_number_of_threads(count) -> None:
    with pytest.raises(SweepError, match="threads"):
        resolve_threads(count)


@pytest.mark.parametrize("name", threads.VARIABLES)
def test_workers_share_the_threads_of_the_environment(monkeypatch, name: str) -> None:
    pytest.importorskip("distributed")
    from gradsim.engines import dask

    monkeypatch.setenv(name, "12")
    with ThreadPoolExecutor(3) as pool, ProcessPoolExecutor(5) as processes:
        assert Pool(pool, None).threads == 4
        assert Pool(processes, None).threads == 2
        assert Pool(pool, 7).threads == 7
    made: list[int | None] = []
    monkeypatch.setattr(dask, "Cluster", lambda client, count, **others: made.append(count) or _Closed())
    for engine in ("dask-local:3", "dask-local:20", "dask://host:8786"):
        with dask.opened(engine, None):
            pass
    assert made == [4, 1, None]  # a running cluster's workers know their own numbers


class _Closed:
    def close(self) -> None:
        """Nothing was opened."""


@pytest.fixture
def few_threads(monkeypatch):
    """Lets so many threads start, and then no more."""

    def allow(count: int) -> None:
        start, started = threading.Thread.start, []

        def limited(thread: threading.Thread) -> None:
            if len(started) == count:
                raise RuntimeError("can't start new thread")
            started.append(thread)
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", limited)

    return allow


def test_a_system_that_starts_fewer_threads(few_threads, tmp_path: Path) -> None:
    expected = gs.run(gs.Sweep(**RUN), tmp_path / "many", threads=8, progress="none")
    few_threads(1)
    few = gs.run(gs.Sweep(**RUN), tmp_path / "few", threads=8, progress="none")
    assert contents(few.path) == contents(expected.path)


def test_each_job_runs_once_on_fewer_threads(few_threads) -> None:
    few_threads(2)
    done: list[int] = []
    with ThreadPool(8) as pool:
        assert list(pool.map(lambda job: done.append(job) or job, range(100))) == list(range(100))
    assert sorted(done) == list(range(100))


def test_a_system_that_starts_no_thread(few_threads) -> None:
    few_threads(0)
    with pytest.raises(EngineStartError, match="ulimit -u") as caught:
        gs.simulate(**CELL, threads=2)
    assert caught.value.exit_code == 2
