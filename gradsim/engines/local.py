"""The local engine: the shards one after the other, the blocks of each on a pool of threads of this process."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np
import numpy.typing as npt

from gradsim.cells import Cell
from gradsim.dataset import Dataset
from gradsim.ensemble import blocks, prepare
from gradsim.plan import Plan, Shard
from gradsim.progress import Progress
from gradsim_core.cpu import Simulator
from gradsim_core.params import Params
from gradsim_core.statistics import Sums, merge, reduce

ENGINES = ("local",)
_MERGE_AT = 32  # parts of a cell held before they are merged: memory stays flat, merging stays cheap


@dataclass(frozen=True, slots=True)
class Block:
    """What one block of networks gave; `values` only where single networks are stored."""

    cell: Cell
    count: int
    sums: Sums
    values: npt.NDArray[np.float64] | None


def run_local(dataset: Dataset, threads: int, progress: Progress) -> None:
    """Compute and commit the missing shards of a dataset.

    Stops between blocks on an exception, KeyboardInterrupt included; committed shards stay.
    """
    plan = dataset.plan
    with ThreadPoolExecutor(threads, "gradsim") as pool:
        for index in dataset.missing():
            start = time.monotonic()
            shard = plan.shard(index)
            sums, values = compute_shard(plan, shard, pool, 2 * threads, progress)
            stored = values if dataset.sweep.record == "networks" else None
            dataset.commit_shard(shard, sums, stored, seconds=time.monotonic() - start)


def compute_shard(
    plan: Plan, shard: Shard, pool: ThreadPoolExecutor, in_flight: int, progress: Progress
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
    for block in ordered(pool, _jobs(plan, shard), in_flight):
        held = parts.setdefault(block.cell.cell_id, [])
        held.append(block.sums)
        if len(held) >= _MERGE_AT:
            held[:] = [merge(*held)]
        if block.values is not None:
            values.setdefault(block.cell.cell_id, []).append(block.values)
        progress.add(block.count * plan.sweep.normals(block.cell), block.count)
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


def ordered(pool: ThreadPoolExecutor, jobs: Iterable[Callable[[], Block]], in_flight: int) -> Iterator[Block]:
    """Results of the jobs in their order, with a bounded number under way; what is left is cancelled on an error."""
    source = iter(jobs)
    waiting: deque[Future[Block]] = deque(pool.submit(job) for job in islice(source, in_flight))
    try:
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(job) for job in islice(source, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()
