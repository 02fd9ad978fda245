"""Blocks of networks of one cell: their size, their memory, and their simulation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gradsim.errors import SweepError
from gradsim.sweep import Sweep
from gradsim.sweep.cells import Cell, cell_key
from gradsim.sweep.inputs import root_mean_square, rows_of
from gradsim_core.architectures import PLAIN, choose_schedule
from gradsim_core.lanes import LANES
from gradsim_core.results.statistics import TOGETHER, Sums, accumulator

if TYPE_CHECKING:
    from gradsim.activations import OwnActivation
    from gradsim_core.activations import Activation
    from gradsim_core.architectures import Network
    from gradsim_core.laws import WeightLaw
    from gradsim_core.parameters import Params
    from gradsim_core.schedules.table import Schedule
    from gradsim_core.simulator import Simulator

BLOCK_NORMALS = 10**8
"""Most random normals of one block: about 0.03 s of one core (3.2e9 a second), so that stopping is prompt."""

BLOCK_NETWORKS, KEPT_NETWORKS = 2**14, 2**12
"""Most networks of one block: where their statistics are wanted, and where each is kept."""

PART_LAYERS, PART_NETWORKS = 2**16, 128
"""Layers of the networks that are simulated, then counted: few enough for the cache.

Deep networks, of which fewer than PART_NETWORKS have so many, run as one part.
"""

BLOCK_LAYERS = 2**22
"""Most layers of all networks of one block: their four float64 quantities take 128 MiB."""


@lru_cache(maxsize=64)
def _simulator(
    activation: Activation, law: WeightLaw, dtype: str, method: str, network: Network, own: OwnActivation | None,
    of_inputs: tuple[str, ...], cell: Cell | None,
) -> Simulator:  # fmt: skip
    """The simulator, kept by the digest of a user's own activation too: its functions may use values that changed."""
    from gradsim_core.simulator import Simulator

    given = rows_of(cell) if cell is not None else None
    return Simulator(activation, law, dtype, method, network=network, of_inputs=of_inputs, given=given)


def prepare(sweep: Sweep, cell: Cell) -> tuple[Simulator, Params]:
    """Return the compiled simulator and the kernel parameters of one cell of a sweep."""
    activation, law = sweep.find_activation(cell.activation), sweep.laws[cell.law]
    own = sweep.own.get(cell.activation)
    network = cell.network._replace(input_length=root_mean_square(cell, activation) or PLAIN.input_length)
    from_file = cell if cell.input_file else None
    simulator = _simulator(activation, law, sweep.dtype, sweep.method, network, own, sweep.quantities, from_file)
    key = cell_key(cell, sweep.seed)
    return simulator, simulator.params(key, cell.depth, cell.width, cell.sigma_w, cell.sigma_b)


def schedule_of(sweep: Sweep, cell: Cell) -> Schedule:
    """Return the schedule that runs a cell."""
    shape, pairs = (cell.depth, cell.width), bool(sweep.quantities)
    return choose_schedule(sweep.method, sweep.laws[cell.law], *shape, network=cell.network, pairs=pairs)


def thread_bytes(sweep: Sweep, cell: Cell, bins: int) -> int:
    """Return roughly how many bytes a thread needs for a cell.

    They hold the kernel's arrays of one network or group, the quantities of a block or a part, and with ``bins`` bins
    for each layer and quantity the windows in which they are counted and the histograms of two blocks. Windows are
    about four times as wide, and take three times as much while their array grows.
    """
    numbers = schedule_of(sweep, cell).memory(sweep.laws[cell.law], cell.depth, cell.width)
    keep = sweep.record == "networks"
    block, columns = _block_size(sweep, cell, keep=keep), len(sweep.recorded) * cell.depth
    part, occupied = block if keep else min(block, _part_size(cell.depth)), min(bins, block)
    copies = 2 if cell.depth < LANES else 1
    counted = columns if part < block else min(columns, TOGETHER * LANES)
    windows = 3 * 4 * max(counted, LANES) * 4 * occupied
    return numbers * np.dtype(sweep.dtype).itemsize + columns * (8 * copies * part + 40 * occupied) + windows


def run_block(
    simulator: Simulator, params: Params, first: int, count: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """Simulate networks first .. first + count - 1 of a cell.

    Returns
    -------
    values, status
        As `Simulator.block` returns them: (quantities, count, depth) and (count,).

    Raises
    ------
    SweepError
        If one network does not fit in memory.
    """
    with in_memory(params):
        return simulator.block(params, first, count)


def sums_of(
    simulator: Simulator, params: Params, first: int, count: int, check_stop: Callable[[], None] = lambda: None
) -> Sums:
    """Return the sums of networks first .. first + count - 1 of a cell, computed in parts that stay in the cache.

    ``check_stop`` is called before each part.

    Raises
    ------
    SweepError
        If one network does not fit in memory.
    """
    size, rows = _part_size(params.depth), simulator.recorded
    edges = [first, *range(first - first % LANES + size, first + count, size), first + count]
    with in_memory(params):
        values, sums = np.empty(rows * min(size, count) * params.depth), accumulator(rows, params.depth)
        for start, stop in pairwise(edges):
            check_stop()
            shape = rows, stop - start, params.depth
            part, _ = simulator.block(params, start, stop - start, values[: math.prod(shape)].reshape(shape))
            sums.add(part, whole=stop - start == count)
        return sums.sums()


def _part_size(depth: int) -> int:
    """Networks of a part, a multiple of 16. Deep networks get one part a block, whose windows are few at a time."""
    size = PART_LAYERS // depth if PART_LAYERS // depth >= PART_NETWORKS else max(BLOCK_LAYERS // depth, PART_NETWORKS)
    return size // LANES * LANES


@contextmanager
def in_memory(params: Params) -> Iterator[None]:
    """Convert MemoryError to :class:`SweepError` with a remedy."""
    try:
        yield
    except MemoryError:
        raise SweepError(
            "width, depth",
            (params.width, params.depth),
            "a network that fits in memory, one for each thread: gradsim run --dry-run estimates it",
            'Use fewer threads, a smaller network, or method = "conditional", which stores no weights',
        ) from None


def blocks(sweep: Sweep, cell: Cell, first: int, count: int, *, keep: bool = False) -> Iterator[tuple[int, int]]:
    """Yield blocks (first, count) of about equal work for networks first .. first + count - 1 of a cell.

    Networks that the kernel runs side by side stay in one block. With ``keep``, blocks are for single networks.
    """
    group, size = schedule_of(sweep, cell).group_size, _block_size(sweep, cell, keep=keep)
    start, stop = first, first + count
    while start < stop:
        end = min(start - start % group + size, stop)
        yield start, end - start
        start = end


def _block_size(sweep: Sweep, cell: Cell, *, keep: bool) -> int:
    group, networks = schedule_of(sweep, cell).group_size, KEPT_NETWORKS if keep else BLOCK_NETWORKS
    most = min(networks, BLOCK_LAYERS // cell.depth, BLOCK_NORMALS // sweep.normals(cell))
    return max(1, most // group) * group
