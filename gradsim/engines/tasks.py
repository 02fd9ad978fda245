"""A shard as a task that travels: a small specification to a worker, a small receipt back.

The worker writes the shard itself, so it must see the same directory. Tables never travel.
"""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gradsim.dataset import directory
from gradsim.dataset.dataset import Dataset
from gradsim.engines.compute import compute_and_commit, work_of
from gradsim.engines.local import stopping_pool
from gradsim.errors import OutputError, SweepError
from gradsim.simulation.plan import Plan
from gradsim.sweep import Sweep
from gradsim.sweep.activations import OwnActivation
from gradsim.system.threads import resolve_threads


@dataclass(frozen=True, slots=True)
class Task:
    """One shard of the dataset in a directory; `sweep` as `packed` gives it."""

    path: str
    content_hash: str
    shard: int
    threads: int | None
    sweep: bytes | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a task."""

    shard: int
    normals: int
    networks: int
    seconds: float
    host: str


class _Unattended:
    """Progress sink and cancellation of a task: a worker reports nothing, and is stopped by the end of its process."""

    def add(self, normals: int, networks: int) -> None:
        """Report nothing."""

    def check_stop(self) -> None:
        """Go on."""


def run_task(task: Task) -> Receipt:
    """Compute and commit one shard, on a worker.

    Raises
    ------
    OutputError
        If the worker does not see the dataset.
    GradsimError
        As a local run does.
    """
    start, dataset = time.monotonic(), _dataset(task.path, task.content_hash, task.sweep)
    threads = _threads(task.threads)
    try:
        with stopping_pool(threads) as pool:
            compute_and_commit(dataset, task.shard, pool, 2 * threads, _Unattended(), _Unattended())
    except SystemExit as error:  # from a user's function: it would end the process that waits for the task
        raise RuntimeError(f"the shard called for the end of its process ({error.code})") from error
    normals, networks = work_of(dataset.plan, dataset.plan.shard(task.shard))
    return Receipt(task.shard, normals, networks, time.monotonic() - start, platform.node())


def packed(sweep: Sweep) -> bytes | None:
    """Return a sweep with a user's own activations, whose functions no text can hold, as bytes; None for all others.

    Equal bytes are unpacked once in a process, and so compiled once.

    Raises
    ------
    SweepError
        If cloudpickle is not installed.
    """
    if all(isinstance(one, str | OwnActivation) for one in sweep.activation):
        return None
    try:
        import cloudpickle
    except ImportError as error:
        remedy = "Install it with: pip install cloudpickle"
        raise SweepError("activation", "your own", "what can be sent to workers with cloudpickle", remedy) from error
    return bytes(cloudpickle.dumps(sweep))


@lru_cache(maxsize=4)
def _dataset(path: str, content_hash: str, sweep: bytes | None) -> Dataset:
    stored = directory.stored_sweep(Path(path))
    if stored is None or stored.content_hash != content_hash:
        found = "there is no gradsim dataset" if stored is None else "this is the dataset of another sweep"
        raise OutputError(f"{path}: on {platform.node()} {found}. Give all the same disk.")
    if sweep is not None:
        import cloudpickle

        stored = cloudpickle.loads(sweep)
    return Dataset(Path(path), Plan(stored))


def _threads(threads: int | None) -> int:
    """The task's threads, else this worker's share of the processors."""
    if threads is not None:
        return threads
    try:
        from distributed import get_worker

        sharing = int(get_worker().state.nthreads)
    except (ImportError, ValueError):  # no Dask here, or this is none of its workers
        sharing = 1
    return max(1, resolve_threads() // sharing)
