"""The part of a run that computes: its progress, and its end, be it early."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Event
from typing import Any

from gradsim import engines
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.snapshot import Snapshot
from gradsim.engines.compute import work_of
from gradsim.errors import DeviceLostError, Interrupted, OutOfMemoryError
from gradsim.runs.placement import check_placement, check_sweep, check_type
from gradsim.simulation.partition import ALL, ShardPart
from gradsim.simulation.plan import Plan
from gradsim.sweep import Sweep
from gradsim.system.progress import Mode, Progress, check_mode
from gradsim.system.streams import counted


@dataclass(frozen=True)
class Means:
    """How a run computes: see `run`."""

    engine: Any = "local"
    device: str = "cpu"
    threads: int | None = None
    progress: Mode = "auto"
    yes: bool = False
    stop: Event | None = None

    def check(self, sweep: Sweep, shard: str = "1/1") -> ShardPart:
        """Return the part of the plan that ``shard`` names; :class:`SweepError` for a wrong value of any of these."""
        part = check_placement(self.engine, self.device, self.threads, shard)
        check_mode(self.progress)
        check_type("yes", self.yes, bool, "True or False", "Write yes=True to confirm a large run")
        check_type("stop", self.stop, Event | None, "a threading.Event", "Leave it out, or give threading.Event()")
        check_sweep(self.device, sweep)
        return part


def complete(dataset: Dataset, part: ShardPart, engine: engines.Engine, means: Means) -> int:
    """Compute and commit the missing shards of a part of a dataset; return the number of networks computed."""
    before = dataset.snapshot()
    for error in before.damaged(part).values():  # found before anything is computed
        raise error
    found = meter(dataset.plan, part, shards := before.missing(part), means.progress)
    computed = -found.done_networks
    if shards:
        dataset.check_can_grow()
        job = engines.Job(dataset, shards, means.threads, found, means.stop or Event(), means.device)
        compute(engine, job, len(before.shards)).manifests(part)
    return computed + found.done_networks


def meter(work: Plan, part: ShardPart, shards: list[int], mode: Mode) -> Progress:
    """Progress of this part of the plan, with its committed shards counted as done."""
    total = (work.normals, work.networks) if part == ALL else _work(work, part.shards(work.shard_count))
    left = _work(work, shards)
    meter = Progress(*total, mode)
    meter.resume(total[0] - left[0], total[1] - left[1])
    return meter


def _work(work: Plan, shards: Iterable[int]) -> tuple[int, int]:
    found = [work_of(work, work.shard(index)) for index in shards]
    return sum(normals for normals, _ in found), sum(networks for _, networks in found)


def compute(engine: engines.Engine, job: engines.Job, before: int) -> Snapshot:
    """Compute a job; return the snapshot afterwards. `before` is the number of shards committed already."""
    path, work = job.dataset.path, job.dataset.plan
    job.progress.event("start", directory=str(path), shards=len(job.shards), of_shards=work.shard_count)
    try:
        with job.progress:
            engine(job)
    except MemoryError as error:
        raise OutOfMemoryError(path, work.estimate(job.threads).peak_memory, error) from None
    except DeviceLostError as error:
        kept = "Finished shards are kept: give the same command again, or with --device cpu."
        raise DeviceLostError(f"{path}: {error.args[0]} {kept}") from error
    except KeyboardInterrupt:
        finished = len(job.dataset.committed())
        job.progress.event("stopped", committed=finished, of_shards=work.shard_count)
        raise Interrupted(
            f"{path}: stopped with {finished} of {counted(work.shard_count, 'shard')} committed. "
            "Give the same command again to resume."
        ) from None
    now = job.dataset.snapshot()
    job.progress.event("done", committed=len(now.shards), before=before, of_shards=work.shard_count)
    return now
