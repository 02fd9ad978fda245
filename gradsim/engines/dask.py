"""Dask as an engine: a running cluster, or local processes started for the run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

from gradsim.engines import dask_local
from gradsim.engines.dispatch import Dispatch
from gradsim.engines.interface import Engine
from gradsim.engines.tasks import Receipt, Task
from gradsim.errors import EngineError, SweepError
from gradsim.system.threads import resolve_threads, share_of_threads

Client = Any
"""A `distributed.Client`; not imported here, since Dask is optional."""

ADDRESS = re.compile(r"dask(\+tls)?://([^/\s:]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})")
LOCAL = re.compile(r"dask-local:([0-9]{1,4})")

CONNECT_SECONDS = 5
"""Seconds that a first connection may take."""

RECONNECT_SECONDS = 120
"""Seconds to wait for a lost scheduler, which a job manager may restart."""

_REFRESH_SECONDS = 1.0  # age at which the number of workers is asked for again
_LOOK_SECONDS, _IDLE_LOOKS = 5.0, 3  # tasks wait and all workers idle at so many checks in a row: tasks are lost


class Cluster:
    """A Dask client, or a function that makes one and is called again after the scheduler was lost.

    ``workers_return`` says whether a cluster without workers may get some: one of this process does not, since Dask
    gives up a worker that dies while it starts.
    """

    def __init__(
        self, source: Client | Callable[[float], Client], threads: int | None, *, workers_return: bool = True
    ) -> None:
        self._make = source if callable(source) else None
        self._workers_return = workers_return
        self.client = source(CONNECT_SECONDS) if callable(source) else source
        self.threads = None if threads is None else resolve_threads(threads)
        self._executor = self.client.get_executor(pure=False)
        self._slots, self._counted = 1, float("-inf")
        self._looked, self._idle, self._patience = time.monotonic(), 0, _IDLE_LOOKS

    def slots(self) -> int:
        """Return the number of threads of all workers, one task each; at least 1, to wait for a first worker."""
        if time.monotonic() - self._counted > _REFRESH_SECONDS:
            with suppress(OSError, RuntimeError, ValueError):  # no answer while a scheduler is replaced
                self._slots = max(1, sum(self.client.nthreads().values()))
            self._counted = time.monotonic()
        return self._slots

    def submit(self, run: Callable[[Task], Receipt], task: Task) -> Future[Receipt]:
        """Start a task."""
        self._looked, self._idle = time.monotonic(), 0
        future: Future[Receipt] = self._executor.submit(run, task)
        return future

    def lost(self) -> bool:
        """Whether the scheduler is gone, or has forgotten the tasks."""
        return bool(self.client.status != "running") or self._idles()

    def _idles(self) -> bool:
        # Observed rarely on a busy computer while processes start: scheduler and workers run, tasks never arrive; and a
        # local cluster whose workers were killed one after another, the last while they started.
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            with suppress(OSError, RuntimeError, ValueError):
                waits = self._workers_return and not self.client.nthreads()
                self._idle = 0 if waits or self.client.call_stack() else self._idle + 1
        return self._idle >= self._patience

    def renew(self) -> None:
        """Connect again, waiting for a scheduler that is being restarted."""
        if self._make is None and self.client.status != "running":
            raise EngineError(
                "The Dask client lost its scheduler; committed shards are kept. Repeat the call with a new client, or "
                'with an address, engine="dask://host:port", to which gradsim reconnects.'
            )
        if self._make is not None:
            _close(self.client)
            self.client = self._make(RECONNECT_SECONDS)
        self._executor = self.client.get_executor(pure=False)
        self._counted, self._looked, self._idle = float("-inf"), time.monotonic(), 0
        self._patience *= 2  # workers may be slow to import, on a busy shared disk

    def close(self) -> None:
        """Close a client that was made here."""
        if self._make is not None:
            _close(self.client)


@contextmanager
def opened(source: str | Client, threads: int | None) -> Iterator[Engine]:
    """Yield the engine for an address, ``dask-local:N``, or a client."""
    distributed = _distributed()
    if not isinstance(source, str):
        client: Any = _checked(source, distributed)
    elif local := LOCAL.fullmatch(source):
        count = int(local[1])
        threads = share_of_threads(threads, count)
        client = lambda timeout: dask_local.client(distributed, count)  # noqa: E731
    else:
        client = lambda timeout: _connected(distributed, source, timeout)  # noqa: E731
    cluster = Cluster(client, threads, workers_return=not (isinstance(source, str) and LOCAL.fullmatch(source)))
    try:
        yield lambda job: Dispatch(job, cluster).run()
    finally:
        cluster.close()


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        remedy = 'Install it with: pip install "gradsim[dask]"'
        raise SweepError("engine", "dask", "an engine that is installed", remedy) from error
    return distributed


def _checked(client: Client, distributed: Any) -> Client:
    """Return a user's client; raise :class:`SweepError` unless it can be used."""
    allowed, remedy = "a Dask client", "Pass a client: distributed.Client(cluster)"
    if not isinstance(client, distributed.Client):
        raise SweepError("engine", client, allowed, remedy)
    if client.asynchronous or client.status != "running":
        raise SweepError("engine", client, f"{allowed} that is connected, and not asynchronous", remedy)
    return client


def _connected(distributed: Any, engine: str, timeout: float) -> Client:
    """Return a client of the scheduler at ``dask://host:port`` or ``dask+tls://host:port``."""
    security, tls = distributed.Security(), engine.startswith("dask+tls")
    if tls or security.require_encryption:
        _check_certificate(security, engine, tls)
    try:
        address = f"{'tls' if tls else 'tcp'}://{engine.partition('://')[2]}"
        return distributed.Client(address, timeout=timeout, security=security)
    except (OSError, ValueError) as error:
        refused = "refuses your certificate" if tls else "wants TLS, for which you write dask+tls://"
        raise EngineError(
            f"{engine}: no Dask scheduler answers there, or it {refused}. Start one, or correct the address; then give "
            "the same command again: finished shards are kept."
        ) from error


def _check_certificate(security: Any, engine: str, tls: bool) -> None:
    """Raise :class:`SweepError` unless Dask's configuration has the certificate that TLS needs."""
    if not tls:
        raise SweepError(
            "engine", engine, "dask+tls://host:port, since Dask's configuration has require-encryption", "Write that"
        )
    try:
        found = security.get_connection_args("client")["ssl_context"]
        reason = "it names none"
    except OSError as error:  # a file that is missing, or no certificate
        found, reason = None, str(error)
    if not found:
        raise SweepError(
            "engine", engine, f"a readable certificate in Dask's configuration ({reason})",
            "Set distributed.comm.tls.ca-file, client.cert and client.key below it: see docs/clusters.md",
        )  # fmt: skip


def _close(client: Client) -> None:
    """Close a client and the cluster that was made for it; errors of Dask while closing are ignored."""
    started: list[Any] = [client, getattr(client, "gradsim_cluster", None)]
    for each in filter(None, started):
        with suppress(Exception):
            each.close(timeout=5)
