"""The CPU's schedules as they are, for GPUs: of sixteen networks side by side, a thread runs one.

They serve every law, activation and range. Fast kernels of their own leave to them what they cannot do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gradsim_core import jit
from gradsim_core.lanes import LANES

from .slots import own
from .threads import block_index, block_size, thread_index


def build(run_block: Any, name: str) -> Callable[..., None]:
    """The kernel that runs a schedule's block kernel on groups of sixteen networks.

    Parameters
    ----------
    run_block : function
        From `Schedule.build`, of a schedule with `group_size` 16.
    name : str
        Tells it from all others.

    Returns
    -------
    function
        Of (cell, slopes, first group, work of all slots, slots, sums, exponents); the last two are
        (groups, 3, 16, depth).
    """
    run = jit.make_closure_compilable(run_block, name)

    def kernel(cell, slopes, first, work, slots, sums, exponents):
        slot = (block_index() * block_size() + thread_index()) // LANES
        mine = own(work, slot, slots)
        for group in range(slot, len(sums), slots):
            run(cell, slopes, (first + group) * LANES, mine, sums[group], exponents[group])

    return kernel
