"""A Dask cluster of processes on this computer, which only the process that starts it can use.

Dask listens on TCP ports, which every user of a computer can reach, and a scheduler runs whatever code it is sent. So
all connections need a certificate that is made for one cluster and kept in memory.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from gradsim.engines.starting import check_loopback, check_processes, reason, root_cause
from gradsim.errors import EngineError, EngineStartError, SweepError

_SETTINGS = {
    # The death of a worker is reported at once: `Dispatch` finds the shard that killed it by running shards again.
    "distributed.scheduler.allowed-failures": 0,
    # Dask cannot do without its HTTP servers, which know no certificates: they serve no page.
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
_HTTP = "127.0.0.1:0"


def client(distributed: Any, count: int) -> Any:
    """Return the client of a new cluster of ``count`` processes; its `gradsim_cluster` is closed after it."""
    import dask

    check_processes(dask.config.get("distributed.worker.multiprocessing-method"))
    check_loopback()
    security = _security(distributed)
    options: dict[str, Any] = {"n_workers": count, "threads_per_worker": 1, "processes": True, "silence_logs": 50}
    options |= {"host": "tls://127.0.0.1", "security": security}
    options |= {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": _HTTP}}
    settings = _SETTINGS | {"temporary-directory": _directory()}
    options["config"] = settings  # of workers that are replaced later, too
    with dask.config.set(settings):
        try:
            cluster = distributed.LocalCluster(worker_dashboard_address=None, **options)
        except (OSError, RuntimeError) as error:
            busy = isinstance(root_cause(error), TimeoutError)
            raise (EngineError if busy else EngineStartError)(
                f"dask-local:{count}: its processes cannot be started ({reason(error)}). They may have printed "
                'more above. Use fewer processes, or compute in this process, with engine="local".'
            ) from error
    made = distributed.Client(cluster)
    made.gradsim_cluster = cluster
    return made


def _directory() -> str:
    """Return a directory that no other user can write to, since Dask's processes import modules from it.

    Dask's own default is one directory for all users. Dask removes there what killed processes have left.
    """
    user = getattr(os, "getuid", int)()
    path = Path(tempfile.gettempdir()) / f"gradsim-dask-{user}"
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    private = stat.S_ISDIR(status.st_mode) and status.st_uid == user and not status.st_mode & 0o077
    return str(path) if private else tempfile.mkdtemp(prefix=f"{path.name}-")


def _security(distributed: Any) -> Any:
    """Certificate and key of a new cluster."""
    try:
        return distributed.Security.temporary()
    except ImportError as error:
        remedy = 'Install it with: pip install "gradsim[dask]"'
        raise SweepError("engine", "dask-local", "with the package cryptography installed", remedy) from error
