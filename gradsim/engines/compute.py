"""Computes one shard, its blocks in a thread pool, and commits it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from threading import Lock
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from gradsim.dataset.dataset import Dataset
from gradsim.engines.interface import POLL_SECONDS, Cancellation, ProgressSink
from gradsim.simulation.plan import Plan
from gradsim.simulation.processors import Processor
from gradsim.simulation.segments import Shard
from gradsim.sweep import Sweep
from gradsim.sweep.cells import Cell
from gradsim_core.results.statistics import Sums, merge

Result = TypeVar("Result")

_MERGE_AT, _MERGE_BINS = 32, 2**20  # sums held of a cell, or bins in them, before they are merged: bounds memory


@dataclass(frozen=True, slots=True)
class Block:
    """A finished block of networks; `values` is None unless single networks are stored."""

    cell: Cell
    count: int
    values: npt.NDArray[np.float64] | None


class CellRun:
    """One cell, run by several threads, which also merge its sums: these are exact, so their order does not matter."""

    def __init__(self, sweep: Sweep, cell: Cell, processor: Processor, check_stop: Callable[[], None]) -> None:
        self._check_stop = check_stop
        self.cell, self._keep = cell, sweep.record == "networks"
        self.runner = processor.prepare(sweep, cell)
        self._held: list[Sums] = []
        self._lock = Lock()

    def run(self, first: int, count: int) -> Block:
        """Simulate networks first .. first + count - 1 and add their sums."""
        sums, values, _ = self.runner.run(first, count, keep=self._keep, check_stop=self._check_stop)
        self._collect(sums)
        return Block(self.cell, count, values)

    def sums(self) -> Sums:
        """Return the merged sums of all networks simulated so far."""
        return merge(*self._held)

    def _collect(self, sums: Sums) -> None:
        with self._lock:
            self._held.append(sums)
            if len(self._held) < _MERGE_AT and sum(len(held.hist_bin) for held in self._held) < _MERGE_BINS:
                return
            taken, self._held = self._held, []
        merged = merge(*taken)  # without the lock: other threads go on
        with self._lock:
            self._held.append(merged)


def compute_and_commit(
    dataset: Dataset,
    index: int,
    processor: Processor,
    pool: ThreadPoolExecutor,
    in_flight: int,
    progress: ProgressSink,
    cancellation: Cancellation,
) -> bool:
    """Compute a shard of a dataset and commit it; False if another process committed it first."""
    shard, start = dataset.plan.shard(index), time.monotonic()
    if dataset.is_committed(shard):
        progress.add(*work_of(dataset.plan, shard))
        return False
    sums, values = compute_shard(dataset.plan, shard, processor, pool, in_flight, progress, cancellation)
    stored = values if dataset.sweep.record == "networks" else None
    return dataset.commit_shard(shard, sums, stored, time.monotonic() - start, processor.name)


def work_of(plan: Plan, shard: Shard) -> tuple[int, int]:
    """Return the numbers of random normals and of networks of a shard."""
    normals = sum(part.count * plan.sweep.normals(plan.cells[part.cell_id]) for part in shard.slices)
    return normals, sum(part.count for part in shard.slices)


def compute_shard(
    plan: Plan,
    shard: Shard,
    processor: Processor,
    pool: ThreadPoolExecutor,
    in_flight: int,
    progress: ProgressSink,
    cancellation: Cancellation,
) -> tuple[dict[int, Sums], dict[int, npt.NDArray[np.float64]]]:
    """Simulate one shard.

    Returns
    -------
    dict of Sums
        The merged sums of each cell_id of the shard.
    dict of arrays
        With ``record = "networks"``, the values (quantities, count, depth) of each cell_id, else empty.
    """
    cells: dict[int, CellRun] = {}
    values: dict[int, list[npt.NDArray[np.float64]]] = {}
    run_of = partial(CellRun, plan.sweep, processor=processor, check_stop=cancellation.check_stop)
    for block in ordered(pool, _jobs(plan, shard, run_of, cells), in_flight, cancellation.check_stop):
        if block.values is not None:
            values.setdefault(block.cell.cell_id, []).append(block.values)
        progress.add(block.count * plan.sweep.normals(block.cell), block.count)
    return (
        {cell_id: cell.sums() for cell_id, cell in cells.items()},
        {cell_id: np.concatenate(held, axis=1) for cell_id, held in values.items()},
    )


def _jobs(
    plan: Plan, shard: Shard, run_of: Callable[[Cell], CellRun], cells: dict[int, CellRun]
) -> Iterator[Callable[[], Block]]:
    for part in shard.slices:
        cell = cells[part.cell_id] = run_of(plan.cells[part.cell_id])
        for first, count in cell.runner.blocks(part.first, part.count, keep=plan.sweep.record == "networks"):
            yield partial(cell.run, first, count)


def ordered(
    pool: ThreadPoolExecutor,
    jobs: Iterable[Callable[[], Result]],
    in_flight: int,
    check_stop: Callable[[], None] = lambda: None,
) -> Iterator[Result]:
    """Yield the results of the jobs in order, at most ``in_flight`` submitted at a time; cancel them on an error."""
    source = iter(jobs)
    waiting: deque[Future[Result]] = deque(pool.submit(job) for job in islice(source, in_flight))
    try:
        while waiting:
            check_stop()
            while not waiting[0].done():  # of a pool that was abandoned, too, whose futures `wait` never returns
                wait([waiting[0]], POLL_SECONDS)
                check_stop()
            result = waiting.popleft().result()
            waiting.extend(pool.submit(job) for job in islice(source, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()
