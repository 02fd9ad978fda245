"""The plan of a sweep: its cells cut into shards of equal work. A pure function of the sweep."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt
from typing import NamedTuple

from gradsim.errors import SweepError
from gradsim.simulation.blocks import thread_bytes
from gradsim.sweep import Sweep
from gradsim.sweep.cells import Cell, cell_key
from gradsim.system.threads import resolve_threads
from gradsim_core.results.quantities import QUANTITIES

WORK_CAP = 10**14
"""Most random normals of a run that was not confirmed: about half a day on two cores."""

SHARD_CAP = 10**7
"""Most shards of a run: each is three files."""

VALUES_PER_SHARD = 2**22
"""Stored values that weigh as much as a shard's normals: memory stays flat where networks are cheap."""

_COST_QUANTITIES = 4  # in the cost of a network: fixed, so that a new quantity moves no border of a shard
_BINS = 256  # occupied bins of a histogram in the worst of the shipped sweeps; never more than networks
_BYTES_PER_LAYER_ROW, _BYTES_PER_BIN, _BYTES_PER_VALUE = 31, 1, 7  # measured on phase-tanh
_BYTES_PER_SHARD = 12_000  # a manifest, and what two Parquet files have besides rows
_MEMORY_BASE = 300 * 2**20  # interpreter, NumPy, Numba, PyArrow and pandas
_MEMORY_PER_VALUE = 110  # a bin in sums, sorted columns and Arrow table, measured


@dataclass(frozen=True, slots=True)
class Slice:
    """Networks ``first`` to ``first + count - 1`` of one cell."""

    cell_id: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Shard:
    """The unit of commit: consecutive slices in the order of the cells."""

    index: int
    slices: tuple[Slice, ...]

    @property
    def name(self) -> str:
        """The shard in file names: at least six digits, so that names sort."""
        return f"{self.index:06d}"


class Estimate(NamedTuple):
    """What a run will take: counts exactly, bytes on disk and peak memory roughly."""

    cells: int
    shards: int
    networks: int
    normals: int
    bytes: int
    files: int
    peak_memory: int


class Plan:
    """The cells of a sweep and its shards, each made when asked for.

    All networks stand in a row, cell after cell, and each has a cost: its normals, or more where what is stored
    of it weighs more, and never more than ``shard_size``. Shard k holds the networks that begin between k and
    k + 1 times ``shard_size``. So each shard has at least one network, and networks need no table.

    Parameters
    ----------
    sweep
        The sweep.

    Raises
    ------
    SweepError
        If two cells have the same random key.
    """

    def __init__(self, sweep: Sweep) -> None:
        self.sweep = sweep
        self.cells: list[Cell] = sweep.cells()
        _refuse_equal_keys(self.cells, sweep.seed)
        self._costs = [_cost(sweep, cell.depth, sweep.normals(cell)) for cell in self.cells]
        # Python's whole numbers: the sums may pass 2^63.
        self._starts = [0, *accumulate(cost * sweep.networks for cost in self._costs)]
        last = self._starts[-1] - self._costs[-1]
        self.shard_count: int = last // sweep.shard_size + 1

    @property
    def networks(self) -> int:
        """Networks of all cells."""
        return len(self.cells) * self.sweep.networks

    @property
    def normals(self) -> int:
        """Random normals of all cells: the work."""
        return self.sweep.networks * sum(map(self.sweep.normals, self.cells))

    def shard(self, index: int) -> Shard:
        """Return one shard; ``IndexError`` if there is none of that number."""
        if not 0 <= index < self.shard_count:
            raise IndexError(f"shard {index}: the plan has shards 0 to {self.shard_count - 1}")
        return Shard(index, tuple(self.slices(index, index)))

    def slices(self, first: int, last: int) -> list[Slice]:
        """Return the networks of shards ``first`` to ``last``, those of a cell in one slice."""
        start, stop = first * self.sweep.shard_size, (last + 1) * self.sweep.shard_size
        slices = []
        from_cell = bisect_right(self._starts, start) - 1
        for cell_id in range(from_cell, bisect_left(self._starts, stop, hi=len(self.cells))):
            begin, end = (
                min(max(-((self._starts[cell_id] - edge) // self._costs[cell_id]), 0), self.sweep.networks)
                for edge in (start, stop)
            )
            if begin < end:
                slices.append(Slice(cell_id, begin, end - begin))
        return slices

    def shards(self) -> Iterator[Shard]:
        """Iterate over all shards in order."""
        return map(self.shard, range(self.shard_count))

    def estimate(self, threads: int | None = None) -> Estimate:
        """Return counts, bytes on disk and peak memory.

        Parameters
        ----------
        threads
            How many will share a process; default: as many as this process may use.

        Notes
        -----
        Statistics: for each slice, quantity and layer a row of 31 bytes, with a histogram of 1 byte a bin; the wider
        the logarithms spread, as the root of depth / width, the more bins. With ``record = "networks"`` also 7 bytes
        for each value of each network. Memory: 300 MiB, 110 bytes for each bin or value of the largest shard, and what
        each thread keeps of its networks.
        """
        sweep, shapes = self.sweep, {(cell.law, cell.depth, cell.width): cell for cell in self.cells}
        rows = bins = 0
        for cell, cost in zip(self.cells, self._costs, strict=True):
            of_cell = len(QUANTITIES) * cell.depth * -(-cost * sweep.networks // sweep.shard_size)
            rows, bins = rows + of_cell, bins + of_cell * _bins(cell, sweep.networks)
        singles = sweep.networks * sum(cell.depth for cell in self.cells) * (sweep.record == "networks")
        wide = max(_bins(cell, sweep.networks) for cell in shapes.values())
        largest = VALUES_PER_SHARD * max(1, wide // _BINS) + 2 * len(QUANTITIES) * wide * max(sweep.depth)
        held = min(bins + len(QUANTITIES) * singles, largest)
        work = max(thread_bytes(sweep, cell, _bins(cell, sweep.networks)) for cell in shapes.values())
        return Estimate(
            len(self.cells),
            self.shard_count,
            self.networks,
            self.normals,
            rows * _BYTES_PER_LAYER_ROW
            + bins * _BYTES_PER_BIN
            + singles * len(QUANTITIES) * _BYTES_PER_VALUE
            + self.shard_count * _BYTES_PER_SHARD,
            self.shard_count * (3 + (sweep.record == "networks")) + 3,
            _MEMORY_BASE + held * _MEMORY_PER_VALUE + resolve_threads(threads) * work,
        )


def plan(sweep: Sweep) -> Plan:
    """Return the plan of a sweep."""
    return Plan(sweep)


def check_cap(plan: Plan, *, yes: bool = False) -> None:
    """Refuse, with :class:`SweepError`, over ``SHARD_CAP`` shards, and over ``WORK_CAP`` normals unless ``yes``."""
    if plan.shard_count > SHARD_CAP:
        raise SweepError(
            "shard_size",
            plan.sweep.shard_size,
            f"a size that makes at most {SHARD_CAP:,} shards, not {plan.shard_count:,}",
            "Write a larger shard_size, or leave it out",
        )
    if not yes and plan.normals > WORK_CAP:
        raise SweepError(
            "work",
            plan.normals,
            f"at most {WORK_CAP:.0e} random normals without confirmation",
            "Take fewer networks, smaller depths or widths, or confirm with --yes (Python: yes=True)",
        )


def _bins(cell: Cell, networks: int) -> int:
    """Occupied bins of a layer and quantity: 850 measured for tanh at depth 1,000 and width 16, 16 to an octave."""
    return int(min(networks, 64 + 100 * sqrt(cell.depth / cell.width)))


def _cost(sweep: Sweep, depth: int, normals: int) -> int:
    size = sweep.shard_size
    # Histograms take their place however few networks a slice has: all networks of the cell share it.
    values = min(_COST_QUANTITIES * depth * min(sweep.networks, _BINS), VALUES_PER_SHARD)
    cost = max(normals, size * values // (sweep.networks * VALUES_PER_SHARD))
    if sweep.record == "networks":
        cost = max(cost, size * _COST_QUANTITIES * depth // VALUES_PER_SHARD)
    return min(cost, size)


def _refuse_equal_keys(cells: list[Cell], seed: int) -> None:
    seen: dict[int, Cell] = {}
    for cell in cells:
        first = seen.setdefault(cell_key(cell, seed), cell)
        if first is not cell:
            raise SweepError(
                f"cells {first.cell_id} and {cell.cell_id}",
                (tuple(first), tuple(cell)),
                "cells with different random keys",
                "Change the seed: these two would use the same random numbers",
            )
