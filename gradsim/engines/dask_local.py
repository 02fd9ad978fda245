"""A Dask cluster of processes on this computer, which only the process that starts it can use.

Dask listens on TCP ports, which every user of a computer can reach, and a scheduler runs whatever code it is sent. So
all connections need a certificate that is made for one cluster and kept in memory.
"""

from __future__ import annotations

from functools import partial
from tempfile import TemporaryDirectory
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
    """Return the client of a new cluster of ``count`` processes; `gradsim_cleanup` holds what ends the cluster."""
    import dask

    check_processes(dask.config.get("distributed.worker.multiprocessing-method"))
    check_loopback()
    security = _security(distributed)
    # Dask's own directory in /tmp is shared with other users.
    directory = TemporaryDirectory(prefix="gradsim-dask-", ignore_cleanup_errors=True)
    options: dict[str, Any] = {"n_workers": count, "threads_per_worker": 1, "processes": True, "silence_logs": 50}
    options |= {"host": "tls://127.0.0.1", "security": security, "local_directory": directory.name}
    options |= {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": _HTTP}}
    with dask.config.set(_SETTINGS):
        try:
            cluster = distributed.LocalCluster(worker_dashboard_address=None, **options)
        except (OSError, RuntimeError) as error:
            directory.cleanup()
            busy = isinstance(root_cause(error), TimeoutError)
            raise (EngineError if busy else EngineStartError)(
                f"dask-local:{count}: its processes cannot be started ({reason(error)}). They may have printed "
                'more above. Use fewer processes, or compute in this process, with engine="local".'
            ) from error
    made = distributed.Client(cluster)
    made.gradsim_cleanup = (partial(cluster.close, timeout=5), directory.cleanup)
    return made


def _security(distributed: Any) -> Any:
    """Certificate and key of a new cluster."""
    try:
        return distributed.Security.temporary()
    except ImportError as error:
        remedy = 'Install it with: pip install "gradsim[dask]"'
        raise SweepError("engine", "dask-local", "with the package cryptography installed", remedy) from error
