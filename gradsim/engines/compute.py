"""One shard: its blocks on a pool of threads, merged in their order, and its commit."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gradsim.cells import Cell
from gradsim.dataset import Dataset
from gradsim.engines.job import POLL_SECONDS
from gradsim.ensemble import blocks, prepare
from gradsim.plan import Plan, Shard
from gradsim_core.cpu import Simulator
from gradsim_core.params import Params
from gradsim_core.statistics import Sums, merge, reduce

_MERGE_AT = 32  # parts of a cell held before they are merged: memory stays flat, merging stays cheap


class Meter(Protocol):
    """Who is told of work that is done: normals and networks."""

    def add(self, normals: int, networks: int) -> None:
        """Count work that has just been done."""


class Watch(Protocol):
    """Who is asked whether to stop."""

    @property
    def progress(self) -> Meter:
        """Who is told of what is done."""

    def check_stop(self) -> None:
        """Raise KeyboardInterrupt if the computation is to stop."""


@dataclass(frozen=True, slots=True)
class Block:
    """What one block of networks gave; `values` only where single networks are stored."""

    cell: Cell
    count: int
    sums: Sums
    values: npt.NDArray[np.float64] | None


def compute_and_commit(dataset: Dataset, index: int, pool: ThreadPoolExecutor, in_flight: int, watch: Watch) -> bool:
    """Compute a shard of a dataset and commit it; False if another process committed it first."""
    shard, start = dataset.plan.shard(index), time.monotonic()
    if dataset.is_committed(shard):
        watch.progress.add(*work_of(dataset.plan, shard))
        return False
    sums, values = compute_shard(dataset.plan, shard, pool, in_flight, watch)
    stored = values if dataset.sweep.record == "networks" else None
    return dataset.commit_shard(shard, sums, stored, seconds=time.monotonic() - start)


def work_of(plan: Plan, shard: Shard) -> tuple[int, int]:
    """Return the normals and the networks of a shard."""
    normals = sum(part.count * plan.sweep.normals(plan.cells[part.cell_id]) for part in shard.slices)
    return normals, sum(part.count for part in shard.slices)


def compute_shard(
    plan: Plan, shard: Shard, pool: ThreadPoolExecutor, in_flight: int, watch: Watch
) -> tuple[dict[int, Sums], dict[int, npt.NDArray[np.float64]]]:
    """Simulate one shard.

    Returns
    -------
    dict of Sums
        The merged sums of each cell_id of the shard.
    dict of arrays
        With ``record = "networks"``, the quantities (4, count, depth) of each cell_id, else empty.
    """
    parts: dict[int, list[Sums]] = {}
    values: dict[int, list[npt.NDArray[np.float64]]] = {}
    for block in ordered(pool, _jobs(plan, shard), in_flight, watch.check_stop):
        held = parts.setdefault(block.cell.cell_id, [])
        held.append(block.sums)
        if len(held) >= _MERGE_AT:
            held[:] = [merge(*held)]
        if block.values is not None:
            values.setdefault(block.cell.cell_id, []).append(block.values)
        watch.progress.add(block.count * plan.sweep.normals(block.cell), block.count)
    return (
        {cell_id: merge(*held) for cell_id, held in parts.items()},
        {cell_id: np.concatenate(held, axis=1) for cell_id, held in values.items()},
    )


def _jobs(plan: Plan, shard: Shard) -> Iterator[Callable[[], Block]]:
    for part in shard.slices:
        cell = plan.cells[part.cell_id]
        machine, params = prepare(plan.sweep, cell)
        for first, count in blocks(plan.sweep, cell, part.first, part.count):
            yield partial(_run_block, machine, params, cell, first, count, plan.sweep.record == "networks")


def _run_block(machine: Simulator, params: Params, cell: Cell, first: int, count: int, keep: bool) -> Block:
    values, _ = machine.block(params, first, count)
    return Block(cell, count, reduce(values), values if keep else None)


def ordered(
    pool: ThreadPoolExecutor,
    jobs: Iterable[Callable[[], Block]],
    in_flight: int,
    check_stop: Callable[[], None] = lambda: None,
) -> Iterator[Block]:
    """Results of the jobs in their order, with a bounded number under way; what is left is cancelled on an error."""
    source = iter(jobs)
    waiting: deque[Future[Block]] = deque(pool.submit(job) for job in islice(source, in_flight))
    try:
        while waiting:
            check_stop()
            while not wait([waiting[0]], POLL_SECONDS).done:
                check_stop()
            result = waiting.popleft().result()
            waiting.extend(pool.submit(job) for job in islice(source, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()
