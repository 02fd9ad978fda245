"""Prediction of the time that a plan takes on this computer, measured in a second."""

from __future__ import annotations

import time

from gradsim.simulation.plan import Plan
from gradsim.simulation.processors import Processor
from gradsim.sweep.cells import Cell
from gradsim.system.threads import ThreadPool
from gradsim_core.architectures import Network

SECONDS = 1.0
"""Time of the whole measurement, compilation left out."""

_NORMALS, _NORMALS_ON_GPU = 1e7, 1e10  # of a block that is timed
_MOST_NORMALS = 1e9  # of one timed network: less than a second
_WIDTH, _WEIGHTS = 4096, 2**26  # most of a timed network: its weights have to fit in memory
_KINDS = 8  # kinds of cell that are timed at most, those with the most work


def predicted_seconds(plan: Plan, threads: int, device: Processor) -> float:
    """Return the seconds that the whole plan takes, measured for a second on its own cells.

    Cells of one kind (activation, law, width, network) cost about the same per weight; each kind is timed on a network
    of its smallest depth, compilation left out.
    """
    kinds: dict[tuple[str, str, int, Network], list[Cell]] = {}
    for cell in plan.cells:
        kinds.setdefault((cell.activation, cell.law, cell.width, cell.network), []).append(cell)
    networks = plan.cell_networks.tolist()

    def work(cells: list[Cell]) -> float:
        return float(sum(plan.sweep.normals(cell) * networks[cell.cell_id] for cell in cells))

    heaviest = sorted(kinds.values(), key=work, reverse=True)[:_KINDS]
    timed = seconds = 0.0
    threads = max(threads, device.streams)
    with ThreadPool(threads) as pool:
        for cells in heaviest:
            normals = work(cells)
            timed += normals
            shallow = min(cells, key=lambda cell: cell.depth)
            seconds += normals * _seconds_per_normal(plan, shallow, device, pool, SECONDS / len(heaviest))
    return seconds * plan.normals / timed


def _seconds_per_normal(plan: Plan, cell: Cell, device: Processor, pool: ThreadPool, seconds: float) -> float:
    width = min(cell.width, _WIDTH)
    cell = cell._replace(width=width, depth=max(1, min(cell.depth, _WEIGHTS // width**2)))
    of_a_layer = plan.sweep.normals(cell._replace(depth=1))
    cell = cell._replace(depth=max(1, min(cell.depth, int(_MOST_NORMALS // of_a_layer))))
    runner, normals = device.prepare(plan.sweep, cell), plan.sweep.normals(cell)

    def block(count: int) -> int:
        runner.run(0, count, keep=False)
        return count

    block(1)
    most = _NORMALS_ON_GPU if device.streams else _NORMALS
    _, count = next(runner.blocks(0, max(1, int(most // normals))))
    start, done = time.monotonic(), 0
    while (elapsed := time.monotonic() - start) < seconds or not done:
        done += sum(pool.map(block, [count] * (device.streams or pool._max_workers)))
    return elapsed / (done * normals)
