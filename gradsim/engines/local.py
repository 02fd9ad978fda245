"""The local engine: shards one after another, the blocks of each in a thread pool of this process.

On GPUs two shards are under way, so that one is computed while the one before is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event

from gradsim.engines.compute import compute_and_commit, ordered
from gradsim.engines.interface import Cancellation, Engine, Job
from gradsim.simulation.processors import Processor, processor
from gradsim.system.threads import ThreadPool, resolve_threads

_AT_ONCE = 2  # shards on GPUs


@contextmanager
def opened(threads: int | None) -> Iterator[Engine]:
    """Yield the engine."""
    count = resolve_threads(threads)

    def run(job: Job) -> None:
        device = processor(job.device)
        with stopping_pool(max(count, device.streams)) as pool:
            if device.streams:
                _run_ahead(job, partial(_compute, job, device, pool))
                return
            for index in job.shards:
                job.check_stop()
                _compute(job, device, pool, job, index)

    yield run


class _Ending:
    """The cancellation of shards under way: a stop of the job, or an error in another shard."""

    def __init__(self, job: Job) -> None:
        self._job, self.failed = job, Event()

    def check_stop(self) -> None:
        """Raise KeyboardInterrupt if these shards are no longer wanted."""
        if self.failed.is_set():
            raise KeyboardInterrupt
        self._job.check_stop()


def _run_ahead(job: Job, compute: Callable[[Cancellation, int], None]) -> None:
    """Run two shards at a time. On an error the other one stops, or ends its commit, so that no thread is left."""
    ending = _Ending(job)
    with ThreadPool(_AT_ONCE, "gradsim-shard") as pool:
        try:
            shards = (partial(compute, ending, index) for index in job.shards)
            for _ in ordered(pool, shards, _AT_ONCE, job.check_stop):
                pass
        except BaseException:
            ending.failed.set()
            raise


def _compute(job: Job, device: Processor, pool: ThreadPool, cancellation: Cancellation, index: int) -> None:
    start, in_flight = time.monotonic(), 2 * pool._max_workers
    compute_and_commit(job.dataset, index, device, pool, in_flight, job.progress, cancellation)
    job.progress.event("shard", shard=index, seconds=round(time.monotonic() - start, 3))


@contextmanager
def stopping_pool(threads: int) -> Iterator[ThreadPool]:
    """Yield a thread pool that is abandoned on an error; its results are then never visible."""
    pool = ThreadPool(threads, "gradsim")
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
