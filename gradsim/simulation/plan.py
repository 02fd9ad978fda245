"""The plan of a sweep: its cells cut into shards of equal work. A pure function of the sweep."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt
from typing import NamedTuple

from gradsim.errors import SweepError
from gradsim.simulation.blocks import schedule_of, thread_bytes
from gradsim.sweep import Sweep
from gradsim.sweep.cells import Cell, cell_key
from gradsim.system.threads import resolve_threads
from gradsim_core.results.quantities import QUANTITIES

WORK_CAP = 10**14
"""Most random normals of a run without confirmation: about 4 hours on two cores (3.2e9 a second on each)."""

SHARD_CAP = 10**7
"""Most shards of a run; each is three files."""

VALUES_PER_SHARD = 2**22
"""Stored values that cost as much as ``shard_size`` normals: bounds a shard's memory where networks draw few."""

_COST_QUANTITIES = 4  # in the cost of a network: fixed, so that a new quantity moves no boundary of a shard
_BINS = 256  # most occupied bins of a histogram in the shipped sweeps
_SPREAD = 64  # times as many bins as is typical: safely more than any distribution has
_BYTES_PER_LAYER_ROW, _BYTES_PER_BIN, _BYTES_PER_VALUE = 31, 1, 7  # measured on phase-tanh
_BYTES_PER_SHARD = 12_000  # a manifest, and the metadata of two Parquet files
_MEMORY_BASE = 300 * 2**20  # interpreter, NumPy, Numba, PyArrow and pandas
_MEMORY_PER_VALUE = 110  # measured: a bin in sums, sorted columns and the Arrow table


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
    """What a run will take: exact counts; approximate ``bytes`` on disk and ``peak_memory`` of a process in bytes."""

    cells: int
    shards: int
    networks: int
    normals: int
    bytes: int
    files: int
    peak_memory: int


class Plan:
    """The cells of a sweep, cut into shards. A shard is made when it is asked for.

    Each network has a cost: its random normals, or more if storing it costs more, and at most ``shard_size``. Lay all
    networks end to end, cell after cell: shard k holds those whose start lies in [k, k + 1) times ``shard_size``. So
    each shard has at least one network, and no table of networks is needed.

    Parameters
    ----------
    sweep
        The sweep. That its cells have different keys of random numbers is checked by `plan`, before anything is
        computed, and not again for each reader of a dataset: it takes ten seconds for a million cells.
    generators
        Versions of the schedules' random numbers by the schedules' names, as a dataset stores them: those above 1. By
        default those of this version of gradsim.
    """

    def __init__(self, sweep: Sweep, generators: Mapping[str, int] | None = None) -> None:
        self.sweep = sweep
        self.cells: list[Cell] = sweep.cells()
        shapes = {(cell.depth, cell.width): cell for cell in self.cells}
        self.generators = versions_now(sweep, self.cells) if generators is None else dict(generators)
        costs = {shape: _cost(sweep, cell.depth, sweep.normals(cell)) for shape, cell in shapes.items()}
        self._costs = [costs[cell.depth, cell.width] for cell in self.cells]
        # Python integers: the sums may exceed 2^63.
        self._starts = [0, *accumulate(cost * sweep.networks for cost in self._costs)]
        last = self._starts[-1] - self._costs[-1]
        self.shard_count: int = last // sweep.shard_size + 1

    @property
    def networks(self) -> int:
        """Number of networks of all cells."""
        return len(self.cells) * self.sweep.networks

    @property
    def normals(self) -> int:
        """Number of random normals of all cells: the work."""
        return self.sweep.networks * sum(map(self.sweep.normals, self.cells))

    def most_bins(self, cell_id: int, networks: int) -> int:
        """Return the most bins of a layer and quantity that so many networks of a cell can occupy.

        Where phi grows as a line at most, logarithms spread like a random walk in the layers, and `_SPREAD` times the
        typical number of bins is beyond reach. A faster one may spread them without bound.
        """
        cell = self.cells[cell_id]
        activation = self.sweep.activations[cell.activation]
        tame = getattr(activation, "slope_inf", None) or getattr(activation, "period", None)
        return min(networks, _SPREAD * _bins(cell, networks)) if tame else networks

    def shard(self, index: int) -> Shard:
        """Return one shard; IndexError for a number outside 0 .. shard_count - 1."""
        if not 0 <= index < self.shard_count:
            raise IndexError(f"shard {index}: the plan has shards 0 to {self.shard_count - 1}")
        return Shard(index, tuple(self.slices(index, index)))

    def slices(self, first: int, last: int) -> list[Slice]:
        """Return the networks of shards ``first`` to ``last``, one slice per cell."""
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
            Threads of the process; default: as many as this process may use.

        Notes
        -----
        Statistics take 31 bytes for each slice, quantity and layer, and 1 byte for each bin of its histogram; the
        number of bins grows with the spread of the logarithms, as sqrt(depth / width). ``record = "networks"`` adds 7
        bytes for each value of each network. Memory is 300 MiB, 110 bytes for each bin or value of the largest shard,
        and the arrays of each thread.
        """
        sweep, shapes = self.sweep, {(cell.law, cell.depth, cell.width): cell for cell in self.cells}
        rows = bins = 0
        for cell, cost in zip(self.cells, self._costs, strict=True):
            of_cell = len(QUANTITIES) * cell.depth * -(-cost * sweep.networks // sweep.shard_size)
            rows, bins = rows + of_cell, bins + of_cell * _bins(cell, sweep.networks)
        network_rows = sweep.networks * sum(cell.depth for cell in self.cells) * (sweep.record == "networks")
        wide = max(_bins(cell, sweep.networks) for cell in shapes.values())
        largest = VALUES_PER_SHARD * max(1, wide // _BINS) + 2 * len(QUANTITIES) * wide * max(sweep.depth)
        held = min(bins + len(QUANTITIES) * network_rows, largest)
        work = max(thread_bytes(sweep, cell, _bins(cell, sweep.networks)) for cell in shapes.values())
        return Estimate(
            len(self.cells),
            self.shard_count,
            self.networks,
            self.normals,
            rows * _BYTES_PER_LAYER_ROW
            + bins * _BYTES_PER_BIN
            + network_rows * len(QUANTITIES) * _BYTES_PER_VALUE
            + self.shard_count * _BYTES_PER_SHARD,
            self.shard_count * (3 + (sweep.record == "networks")) + 3,
            _MEMORY_BASE + held * _MEMORY_PER_VALUE + resolve_threads(threads) * work,
        )


def versions_now(sweep: Sweep, cells: list[Cell]) -> dict[str, int]:
    """Return the versions of the random numbers of now, those above 1, by the schedules that run the cells."""
    kinds = {(cell.law, cell.depth, cell.width): cell for cell in cells}
    schedules = {schedule_of(sweep, cell) for cell in kinds.values()}
    return {schedule.name: schedule.generator for schedule in schedules if schedule.generator > 1}


def plan(sweep: Sweep) -> Plan:
    """Return the plan of a sweep that is to be run.

    Raises
    ------
    SweepError
        If two cells have the same key of random numbers.
    """
    made = Plan(sweep)
    _refuse_equal_keys(made.cells, sweep.seed)
    return made


def check_cap(plan: Plan, *, yes: bool = False) -> None:
    """Raise :class:`SweepError` above ``SHARD_CAP`` shards, and above ``WORK_CAP`` normals unless ``yes``."""
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
            "Use fewer networks, smaller depths or widths, or confirm with --yes (Python: yes=True)",
        )


def _bins(cell: Cell, networks: int) -> int:
    """Occupied bins of a layer and quantity: 850 measured for tanh at depth 1,000 and width 16, 16 to an octave."""
    return int(min(networks, 64 + 100 * sqrt(cell.depth / cell.width)))


def _cost(sweep: Sweep, depth: int, normals: int) -> int:
    """Cost of a network in normals, from 1 to ``shard_size``: its normals, or what storing it costs if that is more."""
    size = sweep.shard_size
    # The networks of a cell share the cost of its histograms, which take space however few networks there are.
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
                "cells with different keys of random numbers",
                "Change the seed: these two cells would use the same random numbers",
            )
