"""The local engine: shards one after another, the blocks of each in a thread pool of this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from gradsim.engines.compute import compute_and_commit
from gradsim.engines.interface import Engine, Job
from gradsim.system.threads import ThreadPool, resolve_threads


@contextmanager
def opened(threads: int | None) -> Iterator[Engine]:
    """Yield the engine."""
    count = resolve_threads(threads)

    def run(job: Job) -> None:
        with stopping_pool(count) as pool:
            for index in job.shards:
                job.check_stop()
                start = time.monotonic()
                compute_and_commit(job.dataset, index, pool, 2 * count, job.progress, job)
                job.progress.event("shard", shard=index, seconds=round(time.monotonic() - start, 3))

    yield run


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
