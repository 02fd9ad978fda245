"""Prediction of the time that a plan takes on this computer, measured in a second."""

from __future__ import annotations

import time

from gradsim.simulation.blocks import prepare
from gradsim.simulation.plan import Plan
from gradsim.sweep.cells import Cell
from gradsim.system.threads import ThreadPool
from gradsim_core.results.statistics import reduce

SECONDS = 1.0
"""Time of the whole measurement, compilation left out."""

_WIDTH, _WEIGHTS = 4096, 2**26  # most of a timed network: its weights have to fit in memory
_KINDS = 8  # kinds of cell that are timed at most, those with the most work


def predicted_seconds(plan: Plan, threads: int) -> float:
    """Return the seconds that the whole plan takes, measured for a second on its own cells.

    Cells of one kind (activation, law, width) cost about the same per weight; each kind is timed on a network of its
    smallest depth, compilation left out.
    """
    kinds: dict[tuple[str, str, int], list[Cell]] = {}
    for cell in plan.cells:
        kinds.setdefault((cell.activation, cell.law, cell.width), []).append(cell)
    heaviest = sorted(kinds.values(), key=lambda cells: -sum(map(plan.sweep.normals, cells)))[:_KINDS]
    timed = seconds = 0.0
    with ThreadPool(threads) as pool:
        for cells in heaviest:
            normals = float(sum(map(plan.sweep.normals, cells)))
            timed += normals
            seconds += normals * _seconds_per_normal(
                plan, min(cells, key=lambda cell: cell.depth), threads, pool, len(heaviest)
            )
    total = float(sum(map(plan.sweep.normals, plan.cells)))
    return seconds * plan.sweep.networks * total / timed


def _seconds_per_normal(plan: Plan, cell: Cell, threads: int, pool: ThreadPool, kinds: int) -> float:
    width = min(cell.width, _WIDTH)
    cell = cell._replace(width=width, depth=max(1, min(cell.depth, _WEIGHTS // width**2)))
    simulator, params = prepare(plan.sweep, cell)

    def block(count: int) -> int:
        reduce(simulator.block(params, 0, count)[0])
        return count

    block(1)
    count = max(1, int(1e7 // plan.sweep.normals(cell)))
    start, done = time.monotonic(), 0
    while (elapsed := time.monotonic() - start) < SECONDS / kinds or not done:
        done += sum(pool.map(block, [count] * threads))
    return elapsed / (done * plan.sweep.normals(cell))
