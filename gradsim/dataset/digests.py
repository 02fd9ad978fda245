"""Digests of the values in tables: the same however rows are ordered, encoded, cut into shards or compacted.

Each row is mixed to two 64-bit words, and these are added up. That finds accidents, in which two tables differ: the
bytes of files have a SHA-256 besides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gradsim.dataset import wide
from gradsim.dataset.codec import Columns, from_table
from gradsim.dataset.manifest import Kind
from gradsim.dataset.merging import KEYS, Merging
from gradsim.simulation.segments import Segment

_Words = npt.NDArray[np.uint64]

_SEEDS = np.array([0x243F6A8885A308D3, 0x13198A2E03707344], np.uint64)  # digits of pi
_MASK = 2**64 - 1
_ALL = 2**31  # beyond any cell_id


class Digest:
    """The digest of rows that are added in any order and number."""

    def __init__(self) -> None:
        self._rows, self._sums = 0, [0] * len(_SEEDS)

    def add(self, rows: Columns) -> None:
        """Add rows, each of which is complete."""
        self.add_each([self], rows, [0])

    @staticmethod
    def add_each(digests: list[Digest], rows: Columns, starts: list[int]) -> None:
        """Add rows to several digests: to each those from its start to the next, at least one. As `add`, but faster."""
        words = [word for column in rows.values() for word in _words(column)]
        count = len(words[0])
        if not count:
            return
        mixed = np.repeat(_SEEDS, count).reshape(len(_SEEDS), -1)
        for word in words:
            mixed = _mix(mixed ^ word)
        totals = np.add.reduceat(mixed, starts, axis=1).T.tolist()
        for digest, length, total in zip(digests, np.diff([*starts, count]).tolist(), totals, strict=True):
            digest._rows += length
            digest._sums = [old + new for old, new in zip(digest._sums, total, strict=True)]

    def hexdigest(self) -> str:
        """Return the digest as 64 hexadecimal digits."""
        text = " ".join(str(number & _MASK) for number in (self._rows, *self._sums))
        return hashlib.sha256(text.encode()).hexdigest()


class WholeDigest:
    """The digest of all rows of one kind, whose sums may be cut into shards anywhere.

    Parameters
    ----------
    kind
        Of which tables.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._digest, self._cut = Digest(), dict[int, Merging]()
        self._segment: Segment | None = None

    def start(self, slices: Iterable[tuple[int, int, int]], segment: Segment) -> None:
        """Begin with the next shards, in their order: those of these slices of a segment.

        A cell that has fewer networks here than in the segment goes on in another shard, and its rows are merged first.
        """
        slices = list(slices)
        self._finish(slices[0][0] if segment is self._segment else _ALL)
        self._segment = segment
        cut = (cell for cell, _, count in slices if count < segment.networks_of(cell))
        self._partial = list(cut) if self.kind in KEYS else []

    def add(self, rows: Columns) -> None:
        """Add rows of these shards."""
        whole = np.ones(len(rows["cell_id"]), bool)
        for cell in self._partial:
            here = rows["cell_id"] == cell
            if here.any():
                self._cut.setdefault(cell, Merging(self.kind)).add({name: rows[name][here] for name in rows})
                whole &= ~here
        if whole.any():
            self._digest.add({name: column[whole] for name, column in rows.items()})

    def hexdigest(self) -> str:
        """Return the digest of all that was added."""
        self._finish(_ALL)
        return self._digest.hexdigest()

    def _finish(self, before: int) -> None:
        for cell in [cell for cell in self._cut if cell < before]:
            self._digest.add(self._cut.pop(cell).whole())


def digest(tables: Iterable[pa.Table], kind: Kind) -> str:
    """Return the digest of the rows of tables of one kind."""
    found = Digest()
    for table in tables:
        found.add(from_table(kind, table))
    return found.hexdigest()


def _words(column: np.ndarray) -> list[_Words]:
    if column.ndim == 2:
        return wide.words(column)
    if column.dtype.kind == "f":
        column = np.where(np.isnan(column), np.nan, column)  # one NaN of the many
        return [np.ascontiguousarray(column, "<f8").view(np.uint64)]
    return [column.astype(np.int64).view(np.uint64)]


def _mix(word: _Words) -> _Words:
    """The finaliser of splitmix64 (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195), which is one to one."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
