"""What is given as an engine: refused in words, before anything is written, unless it takes tasks."""

from __future__ import annotations

from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

import gradsim as gs
from gradsim.errors import SweepError
from tests.gradsim.small_dataset import RUN, contents

SWEEP = gs.Sweep(**RUN)


def closed(kind: type[Executor]) -> Executor:
    executor = kind(1)
    executor.shutdown()
    return executor


def fails() -> Executor:
    raise ConnectionError("no such host")


class Immediate(Executor):
    """Returns results in place of futures."""

    def submit(self, function, *arguments):
        return function(*arguments)


class Named:
    """Has a method of Dask's clients, and no other."""

    def get_executor(self) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        (lambda: None, "returned None"),
        (int, "returned 0"),
        (object, "returned <object"),
        (lambda cluster: cluster, "missing 1 required"),
        (fails, "ConnectionError: no such host"),
        (Executor(), "NotImplementedError"),
        (Executor, "NotImplementedError"),
        (closed(ThreadPoolExecutor), "after shutdown"),
        (closed(ProcessPoolExecutor), "after shutdown"),
        (lambda: closed(ThreadPoolExecutor), "after shutdown"),
        (Immediate(), "returned 0"),
        ("dask://host:65536", "dask://host:port"),
        ("dask+tls://host:0", "dask[+]tls://host:port"),
        ("tls://host:8786", "dask"),
    ],
)
def test_what_takes_no_tasks(tmp_path: Path, engine, words: str) -> None:
    with pytest.raises(SweepError, match=f"engine.*allowed: .*{words}") as caught:
        gs.run(SWEEP, tmp_path / "run", engine=engine, progress="none")
    assert caught.value.exit_code == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("engine", [Named(), Named])
def test_what_is_no_client(tmp_path: Path, engine) -> None:
    distributed = pytest.importorskip("distributed")
    for given in (engine, distributed.Client):
        with pytest.raises(SweepError, match="a Dask client"):
            gs.run(SWEEP, tmp_path / "run", engine=given, progress="none")
    assert not (tmp_path / "run").exists()


def test_what_was_made_and_is_refused_is_shut_down(tmp_path: Path) -> None:
    made: list[Executor] = []

    class Recorded(Immediate):
        def shutdown(self, *arguments, **options) -> None:
            made.append(self)

    with pytest.raises(SweepError, match="returned 0"):
        gs.run(SWEEP, tmp_path / "run", engine=Recorded, progress="none")
    assert len(made) == 1


class Alike:
    """Has the interface of an executor, without being one."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)

    def submit(self, function, *arguments):
        return self._pool.submit(function, *arguments)

    def shutdown(self, wait=True, *, cancel_futures=False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def test_a_class_makes_an_executor(tmp_path: Path) -> None:
    first, second = (
        gs.run(SWEEP, tmp_path / engine.__name__, engine=engine, progress="none")
        for engine in (Alike, ThreadPoolExecutor)
    )
    assert contents(first.path) == contents(second.path)
