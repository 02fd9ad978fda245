"""Status of a run: shards done, missing and failed, the rate, and the jobs to run again."""

from __future__ import annotations

from datetime import timedelta
from operator import itemgetter, mul
from typing import Any

import numpy as np

from gradsim.dataset import directory
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.manifest import Manifest
from gradsim.simulation.partition import ranges

_RECENT = 1000  # latest commits that give the rate: earlier ones may be days old, if the run was stopped


def run_status(dataset: Dataset, jobs: int | None = None) -> dict[str, Any]:
    """Return the facts about a run by name; None if unknown. Times are in seconds.

    Parameters
    ----------
    dataset
        The run's dataset.
    jobs
        The number n of jobs ``i/n`` that share the run: ``rerun_array`` then names those with shards left.
    """
    plan, now = dataset.plan, dataset.snapshot()
    missing, manifests, done = now.missing(), now.manifests(), now.networks_done()
    failed = sorted(set(directory.failures(dataset.path)).intersection(missing))
    normals = [dataset.sweep.normals(cell) for cell in plan.cells]
    rate, seconds = _rate(manifests, normals), [manifest.seconds for manifest in manifests]
    left = plan.normals - sum(map(mul, done.tolist(), normals))
    return {
        "directory": str(dataset.path),
        "sweep": dataset.sweep.content_hash[:12],
        "cells": dataset.sweep.cell_count,
        "networks": plan.networks,
        "networks_done": int(done.sum()),
        "shards": plan.shard_count,
        "shards_missing": len(missing),
        "shards_failed": len(failed),
        "missing": ranges(missing) or None,
        "failed": ranges(failed) or None,
        "rerun_array": ranges(sorted({index % jobs + 1 for index in missing})) or None if jobs else None,
        "seconds_per_shard": round(float(np.median(seconds)), 3) if seconds else None,
        "normals_per_second": rate and round(rate),
        "seconds_left": round(left / rate) if rate and left else None,
        "complete": not missing,
    }


def _rate(manifests: list[Manifest], normals: list[int]) -> float | None:
    """Random normals per second of all processes together, over the latest commits."""
    timed = sorted(((manifest.finished, manifest) for manifest in manifests), key=itemgetter(0))[-_RECENT:]
    if not timed:
        return None
    begun = min(finished - timedelta(seconds=manifest.seconds + manifest.write_seconds) for finished, manifest in timed)
    work = sum(count * normals[cell] for _, manifest in timed for cell, _, count in manifest.slices)
    return work / max((timed[-1][0] - begun).total_seconds(), 1.0)
