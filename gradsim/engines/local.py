"""The local engine: shards one after another, the blocks of each in a thread pool of this process.

On GPUs two shards are under way, so that one is computed while the one before is written.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from gradsim.engines.compute import compute_and_commit, ordered
from gradsim.engines.interface import Engine, Job
from gradsim.simulation.processors import Processor, processor
from gradsim.system.threads import ThreadPool, resolve_threads

_AT_ONCE = 2  # shards on GPUs


@contextmanager
def opened(threads: int | None) -> Iterator[Engine]:
    """Yield the engine."""
    count = resolve_threads(threads)

    def run(job: Job) -> None:
        made = processor(job.device)
        with stopping_pool(max(count, made.streams)) as pool:
            shards = (partial(_compute, job, made, pool, index) for index in job.shards)
            if made.streams:
                with stopping_pool(_AT_ONCE) as ahead:
                    for _ in ordered(ahead, shards, _AT_ONCE, job.check_stop):
                        pass
                return
            for compute in shards:
                job.check_stop()
                compute()

    yield run


def _compute(job: Job, made: Processor, pool: ThreadPool, index: int) -> None:
    start, in_flight = time.monotonic(), 2 * pool._max_workers
    compute_and_commit(job.dataset, index, made, pool, in_flight, job.progress, job)
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
