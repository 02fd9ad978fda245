"""Simulate a sweep into a dataset or resume it, and open one."""

from __future__ import annotations

from pathlib import Path
from threading import Event
from typing import Any

from gradsim import engines
from gradsim.dataset.dataset import Dataset
from gradsim.runs import computing
from gradsim.runs.placement import checked_path
from gradsim.runs.results import Run
from gradsim.simulation.plan import check_cap, plan
from gradsim.sweep import Sweep
from gradsim.system.progress import Mode


def open(path: str | Path) -> Run:
    """Open the run in a directory.

    Raises
    ------
    OutputError
        If the directory holds no dataset.
    """
    return Run(Dataset.open(checked_path("path", path)))


def run(
    sweep: Sweep | str | Path,
    out: str | Path,
    *,
    engine: Any = "local",
    device: str = "cpu",
    threads: int | None = None,
    shard: str = "1/1",
    progress: Mode = "auto",
    yes: bool = False,
    stop: Event | None = None,
) -> Run:
    """Simulate a sweep into a directory, or the missing part of one that was stopped.

    Parameters
    ----------
    sweep : Sweep or str or Path
        The sweep, its TOML file, or the name of a shipped one.
    out : str or Path
        The directory: a new one, or one that holds part of the same sweep, which is resumed.
    engine : str, Executor, Client or callable
        What computes the shards: ``"local"``; ``"dask-local:N"``, N processes of this computer;
        ``"dask://host:port"``, ``"dask+tls://host:port"`` or a Dask client; any ``concurrent.futures.Executor``, or a
        function that makes one and is called again to replace workers that died. All workers must see the directory.
    device : str
        What computes: ``"cpu"``; ``"cuda"``, all NVIDIA GPUs of the computer (of each worker's); or some of them,
        ``"cuda:0"`` or ``"cuda:0,1"``. The numbers are the same, so a run may go on on another device.
    threads : int, optional
        Threads for each shard; the numbers do not depend on it. Default: as many as this process may use, divided among
        the workers.
    shard : str
        ``"i/n"`` for the i-th of n jobs that share the work, ``"auto"`` in a Slurm array job.
    progress : {"auto", "bar", "log", "json", "none"}
        How progress is shown, on standard error.
    yes : bool
        Confirms a run of more than `gradsim.simulation.plan.WORK_CAP` random normals.
    stop : threading.Event, optional
        Once it is set, the run stops at the next block.

    Returns
    -------
    Run

    Raises
    ------
    SweepError, OutputError
        Before anything is written: a wrong value, another sweep's directory, one that cannot be written.
    StorageError
        A full disk or an I/O error: committed shards stay, and the same call resumes.
    Interrupted
        After Ctrl-C, or when `stop` was set; the same call resumes.
    DeviceError
        If no GPU can be used here, or its memory is full: says what is missing.
    DeviceLostError
        If a GPU failed while it computed; the same call resumes, also on the CPU.
    EngineStartError
        If the workers cannot start here: says why.
    EngineError
        If the workers can no longer be reached; the same call resumes.
    OutOfMemoryError
        If memory ran out; with fewer threads the same call resumes.
    ShardsFailedError
        If some shards failed in every attempt; the others are committed.
    DeterminismError
        If a shard was committed before with different numbers.
    """
    if not isinstance(sweep, Sweep):
        sweep = Sweep.from_toml(checked_path("sweep", sweep))
    means, out = computing.Means(engine, device, threads, progress, yes, stop), checked_path("out", out)
    part, work = means.check(sweep, shard), plan(sweep)
    check_cap(work, yes=yes)
    with engines.opened(engine, threads) as compute:
        dataset = Dataset.create(out, work)
        check_cap(dataset.plan, yes=yes)
        computed = computing.complete(dataset, part, compute, means)
    return Run(dataset, computed)
