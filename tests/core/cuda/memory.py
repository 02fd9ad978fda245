"""The memory of the stand-in for a GPU, and values as the parameters that Numba passes."""

from __future__ import annotations

import numpy as np


class Memory:
    """Arrays in one address space."""

    def __init__(self, size: int) -> None:
        self.bytes, self._top = np.zeros(size, np.uint8), 256

    def place(self, array: np.ndarray) -> int:
        """Copy an array in; return its address."""
        start = -(-self._top // 256) * 256
        self._top = start + array.nbytes
        assert self._top <= len(self.bytes), "the memory is too small"
        self.bytes[start : self._top] = np.ascontiguousarray(array).view(np.uint8).ravel()
        return start

    def read(self, address: int, like: np.ndarray) -> np.ndarray:
        """The array of this type and shape at an address."""
        return self.bytes[address : address + like.nbytes].view(like.dtype).reshape(like.shape).copy()


def flatten(memory: Memory, value: object, placed: list) -> list:
    """A value as the parameters that Numba passes for it; what is placed in memory is noted down with its address."""
    if isinstance(value, np.ndarray):
        address = memory.place(value)
        placed.append((address, value))
        return [0, 0, value.size, value.itemsize, address, *value.shape, *value.strides]
    if isinstance(value, tuple):
        return [p for each in value for p in flatten(memory, each, placed)]
    return [value]
