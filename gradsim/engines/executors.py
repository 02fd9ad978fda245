"""Any `concurrent.futures.Executor` as an engine: pools of processes, MPI, and whatever has its interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from gradsim.engines.dispatch import Dispatch
from gradsim.engines.interface import Engine
from gradsim.engines.starting import check_locks, check_processes, reason, root_cause
from gradsim.engines.tasks import Receipt, Task
from gradsim.errors import EngineError, SweepError, shown
from gradsim.system.threads import share_of_threads

_ALLOWED = "a function without arguments that makes a concurrent.futures.Executor"
_UNKNOWN_SIZE = 16  # tasks in flight if a pool does not report its size; it queues those that cannot run yet


class Pool:
    """An executor, or a function that makes one and is called again after workers have died."""

    def __init__(self, source: Executor | Callable[[], Executor], threads: int | None) -> None:
        self._make = None if isinstance(source, Executor) else source
        self.executor = source if isinstance(source, Executor) else _made(source)
        # mpi4py and loky have the first attribute, the standard library the second.
        sizes = (getattr(self.executor, name, None) for name in ("num_workers", "_max_workers"))
        self._size = next((size for size in sizes if isinstance(size, int) and size > 0), _UNKNOWN_SIZE)
        self.threads: int | None = share_of_threads(threads, self._size)

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
        self.executor = _made(self._make)

    def close(self) -> None:
        """Shut down an executor that was made here."""
        if self._make is not None:
            processes = getattr(self.executor, "_processes", None) or {}
            self.executor.shutdown(wait=False, cancel_futures=True)
            for process in list(processes.values()):  # else Python would wait at exit for abandoned shards
                process.terminate()


def _made(make: Callable[[], Executor]) -> Executor:
    """Call a user's function that makes an executor; raise :class:`SweepError` if it makes none."""
    try:
        executor = make()
    except Exception as error:
        if isinstance(root_cause(error), OSError):
            check_locks()
        remedy = f"The function raised {reason(error)}. Call it by itself to see where"
        raise SweepError("engine", make, _ALLOWED, remedy) from error
    if not (hasattr(executor, "submit") and hasattr(executor, "shutdown")):
        raise SweepError("engine", make, _ALLOWED, f"The function returned {shown(executor)}")
    return executor


def _check_start(executor: Executor) -> None:
    """Raise :class:`GradsimError` if an executor takes no tasks: closed, broken, abstract, or unable to start."""
    if isinstance(executor, ProcessPoolExecutor):
        context = getattr(executor, "_mp_context", None)
        check_processes((context or get_context()).get_start_method())
    try:
        future = executor.submit(int)
    except Exception as error:
        remedy = f"It refuses a task ({reason(error)}). Pass a new one, or a function that makes one"
        raise SweepError("engine", executor, "an Executor that takes tasks", remedy) from error
    if not isinstance(future, Future):
        raise SweepError("engine", executor, "an Executor whose submit returns a concurrent.futures.Future",
                         f"It returned {shown(future)}")  # fmt: skip
    future.cancel()


@contextmanager
def opened(source: Executor | Callable[[], Executor], threads: int | None) -> Iterator[Engine]:
    """Yield the engine."""
    pool = Pool(source, threads)
    try:
        _check_start(pool.executor)
        yield lambda job: Dispatch(job, pool).run()
    finally:
        pool.close()
