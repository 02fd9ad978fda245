"""Engines compute the missing shards of a dataset.

`opened` makes one from what a user gives: ``"local"``, ``"dask://host:port"``, ``"dask+tls://host:port"``,
``"dask-local:N"``, a Dask client, any `concurrent.futures.Executor`, or a function that makes one.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

from gradsim.engines import dask, executors, local
from gradsim.engines.interface import Engine, Job, Opened
from gradsim.errors import SweepError, suggestion

NAMES = ("local", "dask://host:port", "dask+tls://host:port", "dask-local:N")
_ALLOWED = f"one of {', '.join(NAMES)}, a Dask client, an Executor, or a function that makes one"

__all__ = ["Engine", "Job", "Opened", "check", "opened"]


def check(engine: Any) -> None:
    """Raise :class:`SweepError` unless ``engine`` names or is an engine."""
    if isinstance(engine, str):
        found, address = dask.LOCAL.fullmatch(engine), dask.ADDRESS.fullmatch(engine)
        port, processes = int(address["port"]) if address else 0, int(found[1]) if found else 0
        known = engine == "local" or 0 < port < 2**16 or processes > 0
    else:
        known = isinstance(engine, Executor) or callable(engine) or hasattr(engine, "get_executor")
    if not known:
        remedy = suggestion(engine, NAMES) if isinstance(engine, str) else 'Write engine="local"'
        raise SweepError("engine", engine, _ALLOWED, remedy)


def opened(engine: Any, threads: int | None) -> Opened:
    """Return a context manager that yields the engine, and on exit stops whatever it started.

    Parameters
    ----------
    engine
        What `check` allows.
    threads
        Threads for each shard; None for all that this process may use, divided among the workers.

    Raises
    ------
    SweepError
        If it is not an engine, or not installed.
    EngineError
        If no workers can be reached.
    """
    check(engine)
    if engine == "local":
        return local.opened(threads)
    if isinstance(engine, str) or hasattr(engine, "get_executor"):
        return dask.opened(engine, threads)
    return executors.opened(engine, threads)
