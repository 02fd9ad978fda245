"""The number of threads that a process uses."""

from __future__ import annotations

import os

from gradsim.errors import SweepError

VARIABLES = ("GRADSIM_THREADS", "NUMBA_NUM_THREADS", "SLURM_CPUS_PER_TASK")
"""Environment variables that set the number of threads; the first that is set counts."""


def available_threads() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resolve_threads(threads: int | None = None) -> int:
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
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 4096:
        raise SweepError(source, value, "a whole number from 1 to 4096", "Leave it out to use all processors")
    return value
