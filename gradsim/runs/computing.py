"""The part of a run that computes: its progress, and its end, be it early."""

from __future__ import annotations

from collections.abc import Iterable

from gradsim import engines
from gradsim.dataset.snapshot import Snapshot
from gradsim.engines.compute import work_of
from gradsim.errors import DeviceLostError, Interrupted, OutOfMemoryError
from gradsim.simulation.partition import ALL, ShardPart
from gradsim.simulation.plan import Plan
from gradsim.system.progress import Mode, Progress
from gradsim.system.streams import counted


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
