"""Races in the memory of a launch: what the lockstep of the interpreter would hide.

Two threads of a warp touch the same place, one of them writes, and no barrier lies between. Votes and shuffles bring
threads together, but order no memory (CUDA C++ Programming Guide, "Warp Vote Functions"). Threads that write the same
number to the same place are no race that matters.
"""

from __future__ import annotations

import numpy as np

_NOBODY, _SEVERAL, _ATOMIC = -1, -2, -3


class Races:
    """Who has read and written each byte since the last barrier of the group, the threads that a barrier joins."""

    def __init__(self, size: int, threads: int, group: int) -> None:
        self._epoch, self._group = np.zeros(threads // group, np.int64), group
        self._reader, self._writer = np.full((2, size), _NOBODY, np.int32)
        self._read, self._written = np.full((2, size), -1, np.int64)

    def barrier(self, active: np.ndarray) -> None:
        """The groups of these threads have met."""
        self._epoch[np.unique(np.flatnonzero(active) // self._group)] += 1

    def load(self, places: np.ndarray, threads: np.ndarray) -> None:
        """Threads read places; AssertionError if one has been written by another thread of the group just before."""
        now, writer = self._epoch[threads // self._group], self._writer[places]
        fresh = (self._written[places] == now) & (writer >= 0) & (writer // self._group == threads // self._group)
        assert not (fresh & (writer != threads)).any(), "a thread reads what another one has just written"
        assert not ((self._written[places] == now) & (writer == _ATOMIC)).any(), "a thread reads what is being added up"
        others = (self._read[places] == now) & (self._reader[places] != threads)
        self._reader[places] = np.where(others | _repeated(places), _SEVERAL, threads)
        self._read[places] = now

    def atomic(self, places: np.ndarray, threads: np.ndarray) -> None:
        """Threads add to places, in any order; AssertionError if another thread has written one just before."""
        now, writer = self._epoch[threads // self._group], self._writer[places]
        fresh = (self._written[places] == now) & (writer >= 0) & (writer // self._group == threads // self._group)
        assert not (fresh & (writer != threads)).any(), "a thread adds to what another one has just written"
        self._writer[places], self._written[places] = _ATOMIC, now

    def store(self, places: np.ndarray, threads: np.ndarray, values: np.ndarray, there: np.ndarray) -> None:
        """Threads write; AssertionError if a number changes that another thread has read or written just before."""
        now, changes, repeated = self._epoch[threads // self._group], values != there, _repeated(places)
        read = (self._read[places] == now) & (self._reader[places] != threads)
        assert not (read & changes).any(), "a thread writes what another one has just read"
        writer = self._writer[places]
        other = (self._written[places] == now) & (writer != threads) & ~(repeated & (writer == _SEVERAL))
        assert not (other & changes).any(), "a thread writes what another one has just written"
        order = np.argsort(places, kind="stable")
        same = np.diff(places[order]) == 0
        assert not (same & (values[order][1:] != values[order][:-1])).any(), "two threads write to the same place"
        self._writer[places] = np.where(repeated, _SEVERAL, threads)
        self._written[places] = now


def _repeated(places: np.ndarray) -> np.ndarray:
    """Whether several threads name the place."""
    _, inverse, counts = np.unique(places, return_inverse=True, return_counts=True)
    return counts[inverse] > 1
