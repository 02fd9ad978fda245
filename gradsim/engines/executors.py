"""Any `concurrent.futures.Executor` as an engine: pools of processes, MPI, and whatever has its interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager

from gradsim.engines.dispatch import Dispatch
from gradsim.engines.interface import Engine
from gradsim.engines.tasks import Receipt, Task
from gradsim.errors import EngineError
from gradsim.system.threads import available_threads, resolve_threads

_UNKNOWN_SIZE = 16  # tasks in flight if a pool does not report its size; it queues those that cannot run yet


class Pool:
    """An executor, or a function that makes one and is called again after workers have died."""

    def __init__(self, source: Executor | Callable[[], Executor], threads: int | None) -> None:
        self._make = None if isinstance(source, Executor) else source
        self.executor = source if isinstance(source, Executor) else source()
        # mpi4py and loky have the first attribute, the standard library the second.
        sizes = (getattr(self.executor, name, None) for name in ("num_workers", "_max_workers"))
        self._size = next((size for size in sizes if isinstance(size, int) and size > 0), _UNKNOWN_SIZE)
        share = max(1, available_threads() // self._size)
        self.threads: int | None = share if threads is None else resolve_threads(threads)

    def slots(self) -> int:
        """Return the size of the pool; not more, since queued tasks would be lost with a worker as well."""
        return self._size

    def submit(self, run: Callable[[Task], Receipt], task: Task) -> Future[Receipt]:
        """Submit a task; a broken pool is reported by the future."""
        try:
            return self.executor.submit(run, task)
        except BrokenExecutor as error:
            failed: Future[Receipt] = Future()
            failed.set_exception(error)
            return failed
        except RuntimeError as error:
            raise EngineError(
                f"The executor takes no more work: {error}. Give the same call again with a new one."
            ) from error

    def lost(self) -> bool:
        """Return False: an executor has no connection that could be lost."""
        return False

    def renew(self) -> None:
        """Make a new executor."""
        if self._make is None:
            raise EngineError(
                "A worker died, and the executor cannot replace it; committed shards are kept. Repeat the call with "
                "a new executor, or with a function that makes one: engine=lambda: ProcessPoolExecutor(4)."
            )
        self.close()
        self.executor = self._make()

    def close(self) -> None:
        """Shut down an executor that was made here."""
        if self._make is not None:
            processes = getattr(self.executor, "_processes", None) or {}
            self.executor.shutdown(wait=False, cancel_futures=True)
            for process in list(processes.values()):  # else Python would wait at exit for abandoned shards
                process.terminate()


@contextmanager
def opened(source: Executor | Callable[[], Executor], threads: int | None) -> Iterator[Engine]:
    """Yield the engine."""
    pool = Pool(source, threads)
    try:
        yield lambda job: Dispatch(job, pool).run()
    finally:
        pool.close()
