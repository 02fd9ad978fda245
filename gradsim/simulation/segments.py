"""Networks laid end to end and cut into shards of equal work."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from gradsim.sweep import Sweep
from gradsim.sweep.cells import Cell

VALUES_PER_SHARD = 2**22
"""Stored values that cost as much as ``shard_size`` normals: bounds a shard's memory where networks draw few."""

COMMON_BINS = 256
"""Most occupied bins of a histogram in the shipped sweeps."""

_COST_QUANTITIES = 4  # in the cost of a network: fixed, so that a new quantity moves no boundary of a shard


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


class Segment:
    """The networks of a sweep, or of one extension: laid end to end, cell after cell, and cut into shards.

    Each network has a cost: its random normals, or more if storing it costs more, and at most ``shard_size``. Shard k
    holds the networks whose start lies in [k, k + 1) times ``shard_size``. So each shard has at least one network, and
    no table of networks is needed.

    Parameters
    ----------
    sweep
        The sweep, which says what a network costs.
    cells
        The cells whose networks these are, ascending in cell_id.
    firsts, counts
        First network of each cell, and the number of its networks.
    first_shard
        Number of the first shard in the plan.

    Attributes
    ----------
    shard_count : int
        Number of shards.
    """

    def __init__(
        self, sweep: Sweep, cells: Sequence[Cell], firsts: Sequence[int], counts: Sequence[int], first_shard: int = 0
    ) -> None:
        self.cells, self.firsts, self.counts, self.first_shard = cells, firsts, counts, first_shard
        self._ids, self._size = [cell.cell_id for cell in cells], sweep.shard_size
        kinds = {(cell.depth, cell.width, count): cell for cell, count in zip(cells, counts, strict=True)}
        found = {kind: cost(sweep, kind[0], sweep.normals(cell), kind[2]) for kind, cell in kinds.items()}
        self.costs = [found[cell.depth, cell.width, count] for cell, count in zip(cells, counts, strict=True)]
        # Python integers: the sums may exceed 2^63.
        whole = (each * count for each, count in zip(self.costs, counts, strict=True))
        self._starts = [0, *accumulate(whole)]
        self.shard_count: int = (self._starts[-1] - self.costs[-1]) // self._size + 1

    def holds(self, shard: int) -> bool:
        """Whether a shard of the plan is one of these."""
        return 0 <= shard - self.first_shard < self.shard_count

    def networks_of(self, cell_id: int) -> int:
        """Return how many networks of a cell are in this segment."""
        place = bisect_left(self._ids, cell_id)
        return self.counts[place] if place < len(self._ids) and self._ids[place] == cell_id else 0

    def slices(self, first: int, last: int) -> list[Slice]:
        """Return the networks of shards ``first`` to ``last`` of the plan, one slice per cell."""
        start, stop = ((shard - self.first_shard) * self._size for shard in (first, last + 1))
        slices = []
        for place in range(bisect_right(self._starts, start) - 1, bisect_left(self._starts, stop, hi=len(self._ids))):
            begin, end = (
                min(max(-((self._starts[place] - edge) // self.costs[place]), 0), self.counts[place])
                for edge in (start, stop)
            )
            if begin < end:
                slices.append(Slice(self._ids[place], self.firsts[place] + begin, end - begin))
        return slices


def cost(sweep: Sweep, depth: int, normals: int, networks: int) -> int:
    """Return the cost in normals, from 1 to ``shard_size``, of one of so many networks of a cell.

    It is the random normals that the network draws, or what storing it costs if that is more.
    """
    size, quantities = sweep.shard_size, _COST_QUANTITIES + len(sweep.quantities)
    # The networks of a cell share the cost of its histograms, which take space however few networks there are.
    values = min(quantities * depth * min(networks, COMMON_BINS), VALUES_PER_SHARD)
    found = max(normals, size * values // (networks * VALUES_PER_SHARD))
    if sweep.record == "networks":
        found = max(found, size * quantities * depth // VALUES_PER_SHARD)
    return min(found, size)
