"""What a billion and a trillion networks take, from constants measured here: `python -m bench.scale`.

The numbers of docs/scale.md. Networks of tanh, width 64, depth 32, at 26 values of sigma_w.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import gradsim as gs
from bench.compare_peers import machine
from gradsim.dataset.dataset import Dataset
from gradsim.report.text import size
from gradsim.simulation.plan import Plan
from gradsim.simulation.processors import warm_up
from gradsim.system.progress import duration

CORES = (1, 100, 10_000)


class Constants(NamedTuple):
    """Measured on one machine."""

    normals: float  # random normals a second of a core
    bytes: float  # of a shard: its tables and its manifest
    commit: float  # seconds to store a shard
    manifest: float  # seconds to read one
    task: float  # seconds of Dask's scheduler and client for a task


def sweep(total: float, method: str, shard_size: float = 4e10) -> gs.Sweep:
    """A sweep of so many networks."""
    grid = {"start": 0.5, "stop": 3.0, "num": 26}
    return gs.Sweep(
        activation="tanh", sigma_w=grid, depth=32, width=64, networks=round(total / 26), seed=1, method=method,
        shard_size=round(shard_size),
    )  # fmt: skip


def seconds(work: Callable[[], object]) -> float:
    """How long some work takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def measure(method: str, folder: Path) -> Constants:
    """Time one shard on one core, its commit, and what 2,000 small ones add."""
    one = sweep(26 * (4e10 / Plan(sweep(26, method)).normals * 26), method)  # a cell, about one shard
    one = one.replace(sigma_w=[1.5])
    warm_up(one)
    run = gs.run(one, folder / method, threads=1, progress="none")
    manifest = run.dataset.manifests()[0]
    small = sweep(2000 * 26, "conditional").replace(sigma_w=[1.5], depth=2, width=4, shard_size=16 * 26)
    stored = sum((run.path / part.path).stat().st_size for part in manifest.parts.values())
    stored += (run.path / manifest.span.manifest).stat().st_size
    normals = sum(count for _, _, count in manifest.slices) * one.normals(run.dataset.plan.cells[0])
    gs.run(small, folder / f"{method}-small", threads=1, progress="none")
    made = Dataset.open(folder / f"{method}-small")
    reading = seconds(made.manifests) / made.plan.shard_count
    again = seconds(lambda: gs.run(small, folder / f"{method}-1", threads=1, progress="none"))
    begun = seconds(
        lambda: gs.run(small.replace(networks=16), folder / f"{method}-2", engine="dask-local:1", progress="none")
    )
    sent = seconds(lambda: gs.run(small, folder / f"{method}-3", engine="dask-local:1", progress="none"))
    return Constants(
        normals / manifest.seconds,
        stored,
        manifest.write_seconds,
        reading,
        (sent - begun - again) / made.plan.shard_count,
    )


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory(dir=os.environ.get("SCRATCH")) as name:
        for method in ("explicit", "conditional"):
            found = measure(method, Path(name))
            print(f"{method}: {found.normals:.3g} normals/s a core, {size(found.bytes)} a shard")
            times = {"commit": found.commit, "manifest read": found.manifest, "Dask, a task": found.task}
            print("  " + ", ".join(f"{name} {1e3 * value:.2f} ms" for name, value in times.items()))
            for total, shard_size in ((1e9, 4e10), (1e12, 4e10), (1e12, 4e12)):
                show(sweep(total, method, shard_size), found)


def show(wanted: gs.Sweep, found: Constants) -> None:
    """Print the line of one sweep."""
    plan = Plan(wanted)
    work = plan.normals / found.normals + plan.shard_count * found.commit
    per_shard = work / plan.shard_count
    times = ", ".join(f"{cores:,}: {duration(per_shard * -(-plan.shard_count // cores))}" for cores in CORES)
    facts = {
        "networks": f"{plan.networks:.0e}",
        "shard_size": f"{wanted.shard_size:.0e}",
        "shards": f"{plan.shard_count:,} of {duration(per_shard)}",
        "core-hours": f"{work / 3600:,.1f}",
        "time on cores": times,
        "dataset": f"{size(plan.shard_count * found.bytes)} in {plan.estimate().files:,} files",
        "commits/s of 10,000 cores": f"{1e4 / per_shard:,.0f}",
        "status": duration(plan.shard_count * found.manifest),
    }
    print("  " + "; ".join(f"{name} {value}" for name, value in facts.items()))


if __name__ == "__main__":
    main()
