"""Status of a run: shards done, missing and failed, the rate, and the jobs to run again."""

from __future__ import annotations

from operator import attrgetter, mul
from statistics import median_high
from typing import Any, NamedTuple, Self

import numpy as np

from gradsim.dataset import directory
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.manifest import Manifest
from gradsim.simulation.partition import ranges

_RECENT = 1000  # latest commits that give the rate
_SHORTEST = 1e-3  # seconds of a shard: shorter ones are not timed well


def run_status(dataset: Dataset, jobs: int | None = None) -> dict[str, Any]:
    """Return the facts about a run by name; None if unknown. Times are in seconds.

    Parameters
    ----------
    dataset
        The run's dataset.
    jobs
        The number n of jobs ``i/n`` that share the run: ``rerun_array`` then names those with shards left.
    """
    dataset = dataset.now()
    plan, now = dataset.plan, dataset.snapshot()
    missing, manifests, done = now.missing(), now.manifests(), now.networks_done()
    damaged = sorted(index for span in now.damaged() for index in range(span.first, span.last + 1))
    failed = sorted(set(directory.failures(dataset.path)).intersection(missing))
    normals = [dataset.sweep.normals(cell) for cell in plan.cells]
    rate, seconds = _rate(manifests, normals), [manifest.seconds for manifest in manifests]
    left = plan.normals - sum(map(mul, done.tolist(), normals))
    return {
        "directory": str(dataset.path),
        "sweep": dataset.sweep.content_hash[:12],
        "extensions": len(plan.extensions) or None,
        "cells": len(plan.cells),
        "networks": plan.networks,
        "networks_done": int(done.sum()),
        "shards": plan.shard_count,
        "shards_missing": len(missing),
        "shards_failed": len(failed),
        "shards_damaged": len(damaged),
        "missing": ranges(missing) or None,
        "failed": ranges(failed) or None,
        "damaged": ranges(damaged) or None,
        "rerun_array": ranges(sorted({index % jobs + 1 for index in missing})) or None if jobs else None,
        "seconds_per_shard": round(float(np.median(seconds)), 3) if seconds else None,
        "normals_per_second": rate and round(rate),
        "seconds_left": round(left / rate) if rate and left else None,
        "complete": not missing and not damaged,
    }


def _rate(manifests: list[Manifest], normals: list[int]) -> float | None:
    """Random normals per second of all processes together, over the latest commits.

    It is the speed of a typical shard times the number of shards computed at the same time. So neither pauses between
    commits count, in which nothing was computed, nor the compilation of kernels within the first shard of a process.
    """
    timed = sorted((_Interval.of(manifest, normals) for manifest in manifests), key=attrgetter("end"))[-_RECENT:]
    busy, end = 0.0, 0.0
    for part in sorted(timed, key=attrgetter("begin")):
        busy += max(part.end - max(part.begin, end), 0.0)
        end = max(end, part.end)
    if not busy:
        return None
    together = sum(part.end - part.begin for part in timed) / busy
    return median_high(part.normals / max(part.end - part.begin, _SHORTEST) for part in timed) * together


class _Interval(NamedTuple):
    """When a commit was computed and written, in seconds, and its random normals."""

    begin: float
    end: float
    normals: int

    @classmethod
    def of(cls, manifest: Manifest, normals: list[int]) -> Self:
        end, work = manifest.finished.timestamp(), sum(count * normals[cell] for cell, _, count in manifest.slices)
        return cls(end - manifest.seconds - manifest.write_seconds, end, work)
