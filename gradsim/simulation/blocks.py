"""The networks of a cell, a block at a time: how large blocks are, what they take, and how one is run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gradsim.errors import SweepError
from gradsim.sweep import Sweep
from gradsim.sweep.cells import Cell, cell_key
from gradsim_core.architectures import choose_schedule
from gradsim_core.results.quantities import QUANTITIES

if TYPE_CHECKING:
    from gradsim_core.activations import Activation
    from gradsim_core.laws import WeightLaw
    from gradsim_core.parameters import Params
    from gradsim_core.schedules.table import Schedule
    from gradsim_core.simulator import Simulator

BLOCK_NORMALS = 10**8
"""Random normals of one block: about 0.15 s of one core, so that signals and progress are never far."""

BLOCK_NETWORKS, BLOCK_LAYERS = 2**12, 2**22
"""Networks of one block, and layers of them all: 128 MiB of quantities."""


@lru_cache(maxsize=64)
def _simulator(activation: Activation, law: WeightLaw, dtype: str, method: str) -> Simulator:
    from gradsim_core.simulator import Simulator

    return Simulator(activation, law, dtype, method)


def prepare(sweep: Sweep, cell: Cell) -> tuple[Simulator, Params]:
    """Return the simulator and the numbers of one cell of a sweep."""
    activation, law = sweep.find_activation(cell.activation), sweep.laws[cell.law]
    simulator = _simulator(activation, law, sweep.dtype, sweep.method)
    key = cell_key(cell, sweep.seed)
    return simulator, simulator.params(key, cell.depth, cell.width, cell.sigma_w, cell.sigma_b)


def warm_up(sweep: Sweep) -> int:
    """Compile what a sweep needs, or load it from the cache; returns the number of kernels."""
    from gradsim_core.results.statistics import merge, reduce

    kinds = {(cell.activation, cell.law, _schedule(sweep, cell).name): cell for cell in reversed(sweep.cells())}
    for cell in kinds.values():
        sums = reduce(run_block(*prepare(sweep, cell), 0, 1)[0])
        merge(sums, sums)
    return len(kinds)


def _schedule(sweep: Sweep, cell: Cell) -> Schedule:
    return choose_schedule(sweep.method, sweep.laws[cell.law], cell.depth, cell.width)


def thread_bytes(sweep: Sweep, cell: Cell, bins: int) -> int:
    """Bytes that a thread needs for a cell, roughly: what its kernel keeps of a network, its block's quantities, and
    the histograms of two blocks, of so many bins a layer and quantity.
    """
    numbers = _schedule(sweep, cell).memory(sweep.laws[cell.law], cell.depth, cell.width)
    block = _block_size(sweep, cell)
    of_layers = len(QUANTITIES) * cell.depth * (8 * block + 40 * min(bins, block))
    return numbers * np.dtype(sweep.dtype).itemsize + of_layers


def run_block(
    simulator: Simulator, params: Params, first: int, count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """Simulate networks first .. first + count - 1 of a cell.

    Returns
    -------
    values, status
        As `Simulator.block` gives them.

    Raises
    ------
    SweepError
        If memory does not hold one network.
    """
    with in_memory(params):
        return simulator.block(params, first, count)


@contextmanager
def in_memory(params: Params) -> Iterator[None]:
    """Turn a lack of memory into SweepError."""
    try:
        yield
    except MemoryError:
        raise SweepError(
            "width, depth",
            (params.width, params.depth),
            "a network that fits in memory, one for each thread: gradsim run --dry-run says what that takes",
            'Take fewer threads, a smaller network, or method = "conditional", which keeps no weights',
        ) from None


def blocks(sweep: Sweep, cell: Cell, first: int, count: int) -> Iterator[tuple[int, int]]:
    """Cut networks first .. first + count - 1 of a cell into blocks (first, count) of about equal work.

    Networks that the kernel runs side by side stay in one block.
    """
    group, size = _schedule(sweep, cell).group_size, _block_size(sweep, cell)
    start, stop = first, first + count
    while start < stop:
        end = min(start - start % group + size, stop)
        yield start, end - start
        start = end


def _block_size(sweep: Sweep, cell: Cell) -> int:
    group = _schedule(sweep, cell).group_size
    most = min(BLOCK_NETWORKS, BLOCK_LAYERS // cell.depth, BLOCK_NORMALS // sweep.normals(cell))
    return max(1, most // group) * group
