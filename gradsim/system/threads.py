"""The number of threads that a process uses, and pools of them."""

from __future__ import annotations

import math
import os
from concurrent.futures import CancelledError, ThreadPoolExecutor
from threading import Event
from types import TracebackType
from typing import SupportsIndex

from gradsim.errors import EngineStartError, whole_number
from gradsim.system.cgroups import cpu_quota

VARIABLES = ("GRADSIM_THREADS", "NUMBA_NUM_THREADS", "SLURM_CPUS_PER_TASK")
"""Environment variables that set the number of threads; the first that is set counts."""


class ThreadPool(ThreadPoolExecutor):
    """A pool that goes on with fewer threads where the system starts no more, since results do not depend on them.

    An exception that leaves its ``with``, such as KeyboardInterrupt, cancels what has not begun; long tasks call
    `check`, which then ends them as well.
    """

    def __init__(self, threads: int, name: str = "") -> None:
        super().__init__(threads, name)
        self._stopped = Event()

    def check(self) -> None:
        """Raise :class:`CancelledError` in a task whose result is no longer wanted."""
        if self._stopped.is_set():
            raise CancelledError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stopped.set()
        self.shutdown(wait=True, cancel_futures=kind is not None)

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except RuntimeError as error:
            if not self._threads:
                raise EngineStartError(
                    f"The system starts no thread for this process ({error}). Raise the limit on processes and threads "
                    "(ulimit -u, or pids.max of the container)."
                ) from error


def available_threads() -> int:
    """Return the number of processors that this process may use: its affinity or its quota, whichever is smaller."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return math.ceil(min(allowed, cpu_quota()))


def resolve_threads(threads: SupportsIndex | None = None) -> int:
    """Return the number of threads: the argument, else the environment's, else the processors available.

    Raises
    ------
    SweepError
        If it is not a whole number >= 1.
    """
    source: str = "threads"
    value: object = threads
    if threads is None:
        source = next((name for name in VARIABLES if os.environ.get(name)), "")
        if not source:
            return available_threads()
        text = os.environ[source]
        value = int(text) if text.isascii() and text.isdigit() else text
    return whole_number(source, value, 1, 4096, "Leave it out to use all processors")


def share_of_threads(threads: SupportsIndex | None, workers: int) -> int:
    """Return the threads of each of ``workers`` processes: the argument, else their share of `resolve_threads`."""
    return resolve_threads(threads) if threads is not None else max(1, resolve_threads() // workers)
