"""The plan of a sweep and its extensions: cells cut into shards of equal work. A pure function of these."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from operator import mul
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gradsim.errors import SweepError
from gradsim.simulation.blocks import schedule_of, thread_bytes
from gradsim.simulation.segments import COMMON_BINS, VALUES_PER_SHARD, Segment, Shard, Slice
from gradsim.sweep import Sweep
from gradsim.sweep.cells import Cell, cell_key
from gradsim.sweep.extension import Extension
from gradsim.sweep.fields import NETWORKS_CAP
from gradsim.system.threads import resolve_threads

WORK_CAP = 10**14
"""Most random normals of a run without confirmation: about 4 hours on two cores (3.2e9 a second on each)."""

SHARD_CAP = 10**7
"""Most shards of a run; each is three files."""

_SPREAD = 64  # times as many bins as is typical: safely more than any distribution has
_BYTES_PER_LAYER_ROW, _BYTES_PER_BIN, _BYTES_PER_VALUE = 31, 1, 7  # measured on phase-tanh
_BYTES_PER_SHARD = 12_000  # a manifest, and the metadata of two Parquet files
_MEMORY_BASE = 300 * 2**20  # interpreter, NumPy, Numba, PyArrow and pandas
_MEMORY_PER_VALUE = 110  # measured: a bin in sums, sorted columns and the Arrow table


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
    """The cells of a sweep and its extensions, cut into shards. A shard is made when it is asked for.

    The networks of the sweep come first, then those of each extension: a segment each, so that an extension changes no
    earlier shard.

    Parameters
    ----------
    sweep
        The sweep. That its cells have different keys of random numbers is checked by `plan`, before anything is
        computed, and not again for each reader of a dataset: it takes ten seconds for a million cells.
    generators
        Versions of the schedules' random numbers by the schedules' names, as a dataset stores them: those above 1. By
        default those of this version of gradsim.
    extensions
        What was added to the sweep, in order.

    Raises
    ------
    SweepError
        If an extension does not fit what is before it.
    """

    def __init__(
        self, sweep: Sweep, generators: Mapping[str, int] | None = None, extensions: Sequence[Extension] = ()
    ) -> None:
        self.sweep = sweep
        self.extensions: tuple[Extension, ...] = ()
        self.cells: list[Cell] = sweep.cells()
        self.generators = versions_now(sweep, self.cells) if generators is None else dict(generators)
        count = len(self.cells)
        self.cell_networks: npt.NDArray[np.int64] = np.full(count, sweep.networks, np.int64)
        self.segments = [Segment(sweep, self.cells[:count], [0] * count, [sweep.networks] * count)]
        for extension in extensions:
            self._append(extension)

    def _append(self, extension: Extension) -> None:
        if extension.parent != self.content_hash:
            remedy = "Take the extensions of this sweep, in their order"
            raise SweepError("parent", extension.parent, f"{self.content_hash}, the hash before it", remedy)
        new = extension.new_cells(self.cells)
        self.cells += new
        self.cell_networks = np.append(self.cell_networks, np.zeros(len(new), np.int64))
        ids, counts = map(list, zip(*extension.networks, strict=True))
        firsts: list[int] = self.cell_networks[ids].tolist()
        most = max(first + count for first, count in zip(firsts, counts, strict=True))
        if most > NETWORKS_CAP:
            raise SweepError("networks", most, f"at most {NETWORKS_CAP} networks of a cell", "Add fewer")
        self.cell_networks[ids] += np.array(counts)
        self.segments.append(Segment(self.sweep, [self.cells[i] for i in ids], firsts, counts, self.shard_count))
        self.extensions = (*self.extensions, extension)

    @property
    def shard_count(self) -> int:
        """Number of shards."""
        return self.segments[-1].first_shard + self.segments[-1].shard_count

    @property
    def networks(self) -> int:
        """Number of networks of all cells."""
        return sum(sum(segment.counts) for segment in self.segments)

    @property
    def normals(self) -> int:
        """Number of random normals of all cells: the work."""
        return sum(map(self.normals_of, range(len(self.segments))))

    @property
    def content_hash(self) -> str:
        """Hash of the sweep with all its extensions."""
        return self.hash_of(len(self.extensions))

    def normals_of(self, segment: int) -> int:
        """Return the number of random normals of the sweep itself (0) or of an extension (from 1)."""
        found = self.segments[segment]
        return sum(map(mul, map(self.sweep.normals, found.cells), found.counts))

    def hash_of(self, segment: int) -> str:
        """Return the hash of the sweep itself (0), or of the sweep with extensions 1 to ``segment``."""
        return self.extensions[segment - 1].content_hash if segment else self.sweep.content_hash

    def segment_of(self, shard: int) -> int:
        """Return which segment has a shard: 0 is the sweep; IndexError for a number outside 0 .. shard_count - 1."""
        if not 0 <= shard < self.shard_count:
            raise IndexError(f"shard {shard}: the plan has shards 0 to {self.shard_count - 1}")
        return bisect_right(self.segments, shard, key=lambda segment: segment.first_shard) - 1

    def has(self, first: int, last: int) -> bool:
        """Whether these are consecutive shards of one segment: a commit never goes from one to the next."""
        return 0 <= first <= last < self.shard_count and self.segments[self.segment_of(first)].holds(last)

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
        return Shard(index, tuple(self.slices(index, index)))

    def slices(self, first: int, last: int) -> list[Slice]:
        """Return the networks of shards ``first`` to ``last`` of one segment, one slice per cell."""
        return self.segments[self.segment_of(first)].slices(first, last)

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
        rows, bins, layers = self._stored()
        network_rows, most = layers * (sweep.record == "networks"), int(self.cell_networks.max())
        wide = max(_bins(cell, most) for cell in shapes.values())
        largest = VALUES_PER_SHARD * max(1, wide // COMMON_BINS) + 2 * len(sweep.recorded) * wide * max(sweep.depth)
        held = min(bins + len(sweep.recorded) * network_rows, largest)
        work = max(thread_bytes(sweep, cell, _bins(cell, most)) for cell in shapes.values())
        return Estimate(
            len(self.cells),
            self.shard_count,
            self.networks,
            self.normals,
            rows * _BYTES_PER_LAYER_ROW
            + bins * _BYTES_PER_BIN
            + network_rows * len(sweep.recorded) * _BYTES_PER_VALUE
            + self.shard_count * _BYTES_PER_SHARD,
            self.shard_count * (3 + (sweep.record == "networks")) + 3 + len(self.extensions),
            _MEMORY_BASE + held * _MEMORY_PER_VALUE + resolve_threads(threads) * work,
        )

    def _stored(self) -> tuple[int, int, int]:
        """Rows of statistics, bins of histograms, and layers of single networks that are stored, about."""
        rows = bins = layers = 0
        for segment in self.segments:
            for cell, each, count in zip(segment.cells, segment.costs, segment.counts, strict=True):
                of_cell = len(self.sweep.recorded) * cell.depth * -(-each * count // self.sweep.shard_size)
                rows, bins = rows + of_cell, bins + of_cell * _bins(cell, count)
                layers += count * cell.depth
        return rows, bins, layers


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


def extended(plan: Plan, extension: Extension) -> Plan:
    """Return a plan with one more extension, to be run.

    Raises
    ------
    SweepError
        If it does not fit, or two cells have the same key of random numbers.
    """
    made = Plan(plan.sweep, plan.generators, (*plan.extensions, extension))
    if extension.cells:
        _refuse_equal_keys(made.cells, plan.sweep.seed)
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
