"""A shard as a task for a worker: a small specification is sent, a small receipt comes back.

The worker writes the tables itself, so it must see the same directory; tables are never sent.
"""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gradsim.activations import OwnActivation
from gradsim.dataset import directory, extensions
from gradsim.dataset.dataset import Dataset
from gradsim.engines.compute import compute_and_commit, work_of
from gradsim.engines.local import stopping_pool
from gradsim.errors import DeviceError, DeviceLostError, OutputError, SweepError
from gradsim.simulation.plan import Plan
from gradsim.simulation.processors import processor
from gradsim.sweep import Sweep
from gradsim.system.threads import resolve_threads


@dataclass(frozen=True, slots=True)
class Task:
    """One shard of the dataset in a directory, for a device; `sweep` is the result of `packed`.

    ``content_hash`` is that of the plan: with the extensions, so that a worker does not keep an older plan.
    """

    path: str
    content_hash: str
    shard: int
    threads: int | None
    sweep: bytes | None = None
    device: str = "cpu"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result of a task: networks and random normals done, seconds taken, and the host."""

    shard: int
    normals: int
    networks: int
    seconds: float
    host: str


class _Unattended:
    """Progress sink and cancellation of a task: a worker reports nothing, and stops when its process is ended."""

    def add(self, normals: int, networks: int) -> None:
        """Do nothing."""

    def check_stop(self) -> None:
        """Do nothing: a task is not stopped from inside."""


def run_task(task: Task) -> Receipt:
    """Compute and commit one shard, on a worker.

    Raises
    ------
    OutputError
        If the worker does not see the dataset.
    GradsimError
        As in a local run.
    """
    start, dataset = time.monotonic(), _dataset(task.path, task.content_hash, task.sweep)
    try:
        device = processor(task.device)
        threads = max(_threads(task.threads), device.streams)
        with stopping_pool(threads) as pool:
            compute_and_commit(dataset, task.shard, device, pool, 2 * threads, _Unattended(), _Unattended())
    except (DeviceError, DeviceLostError) as error:
        raise type(error)(f"On {platform.node()}: {error.args[0]}") from error
    except SystemExit as error:  # from a user's function: it would end the process that waits for the task
        raise RuntimeError(f"the shard called sys.exit({error.code})") from error
    normals, networks = work_of(dataset.plan, dataset.plan.shard(task.shard))
    return Receipt(task.shard, normals, networks, time.monotonic() - start, platform.node())


def packed(sweep: Sweep) -> bytes | None:
    """Return a sweep as bytes if it has a user's own activations, whose functions TOML cannot hold; otherwise None.

    A process unpacks equal bytes once, and so compiles the functions once.

    Raises
    ------
    SweepError
        If cloudpickle is not installed.
    """
    if all(isinstance(value, str | OwnActivation) for value in sweep.activation):
        return None
    try:
        import cloudpickle
    except ImportError as error:
        remedy = "Install it with: pip install cloudpickle"
        raise SweepError("activation", "your own", "functions that cloudpickle can send to workers", remedy) from error
    return bytes(cloudpickle.dumps(sweep))


@lru_cache(maxsize=4)
def _dataset(path: str, content_hash: str, sweep: bytes | None) -> Dataset:
    stored = directory.stored_sweep(Path(path))
    plan = extensions.stored(Path(path), Plan(stored)) if stored else None
    if plan is None or content_hash not in map(plan.hash_of, range(len(plan.segments))):
        found = "there is no gradsim dataset" if plan is None else "this is the dataset of another sweep"
        raise OutputError(f"{path}: on {platform.node()} {found}. All workers must see the same disk.")
    if sweep is not None:
        import cloudpickle

        plan = Plan(cloudpickle.loads(sweep), plan.generators, plan.extensions)
    return Dataset(Path(path), plan)


def _threads(threads: int | None) -> int:
    """The task's threads, else this worker's share of the processors."""
    if threads is not None:
        return threads
    try:
        from distributed import get_worker

        sharing = int(get_worker().state.nthreads)
    except (ImportError, ValueError):  # no Dask, or not one of its workers
        sharing = 1
    return max(1, resolve_threads() // sharing)
