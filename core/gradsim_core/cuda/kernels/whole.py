"""The CPU's schedules as they are, for GPUs: of sixteen networks side by side, a thread runs one.

They serve every law, activation and range. The fast kernel of the conditional method leaves to them what it cannot do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, load, store

from .slots import PerSlot, arrays, own, part
from .threads import slot_of_thread


def build(run_block: Any, name: str) -> Callable[..., None]:
    """The kernel that runs a schedule's block kernel on groups of sixteen networks.

    Parameters
    ----------
    run_block : function
        From `Schedule.build`, of a schedule whose `group_size` is 16.
    name : str
        Tells it from all others.

    Returns
    -------
    function
        Of (cell, slopes, work of all slots, launch, delivered). It runs the groups that are marked in `launch.failed`,
        and takes the mark away.
    """
    run = jit.make_closure_compilable(run_block, name)

    def kernel(cell, slopes, work, launch, delivered):
        first, slots, sums, exponents, failed = launch
        slot, size = slot_of_thread(), 3 * cell.depth * LANES
        mine = own(work, slot, slots)
        for group in range(slot, len(failed), slots):
            if failed[group] != 0:
                run(cell, slopes, (first + group) * LANES, mine, delivered[slot, 0], delivered[slot, 1])
                copy(mine.sums, part(sums, group * size, size))
                copy(mine.exponents, part(exponents, group * size, size))
                failed[group] = 0

    return kernel


def copy(source, target):
    """Copy an array, each lane its own numbers."""
    for i in range(0, len(source), LANES):
        store(target, i, load(source, i))


def work_of(work: Any, slots: int) -> tuple[Any, PerSlot]:
    """The arrays of all slots, and `delivered`, where the CPU's block kernel writes its results."""
    return arrays(work, slots), PerSlot(np.zeros((2, 3, LANES, len(work.sums) // (3 * LANES))), slots)


jit.register_leaves(__name__, inline=True)
