"""What the simulator asks of a GPU, and how it fails. `driver` provides it; tests have a stand-in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

Kind = Literal["missing", "driver", "memory", "lost"]


class GpuError(RuntimeError):
    """A GPU cannot be used, or has failed.

    Parameters
    ----------
    kind : {"missing", "driver", "memory", "lost"}
        A package, the driver or the device is not there; the driver is too old or refuses; memory ran out; the device
        failed while it computed.
    reason : str
        What is wrong, and the remedy.
    """

    def __init__(self, kind: Kind, reason: str) -> None:
        self.kind, self.reason = kind, reason
        super().__init__(kind, reason)

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class DeviceArray:
    """An array in the memory of a GPU, C-contiguous."""

    address: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class Facts(NamedTuple):
    """A GPU as its driver describes it.

    Attributes
    ----------
    number
        As the driver counts, from 0, among those that the process may see.
    name
    capability
        The compute capability, such as (9, 0).
    memory
        In bytes.
    threads
        How many are in flight at most.
    """

    number: int
    name: str
    capability: tuple[int, int]
    memory: int
    threads: int


class Stream(Protocol):
    """A queue of work on one GPU, and the arrays of a block of networks. Used by one thread at a time."""

    facts: Facts

    def activate(self) -> None:
        """Make its GPU that of this thread."""

    def free_memory(self) -> int:
        """Return how many bytes can be had."""

    def upload(self, array: np.ndarray) -> DeviceArray:
        """Copy an array to the GPU."""

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> DeviceArray:
        """Make an array of zeros."""

    def overwrite(self, target: DeviceArray, array: np.ndarray) -> None:
        """Copy an array over one on the GPU, of the same size."""

    def read(self, array: DeviceArray) -> np.ndarray:
        """Return a copy of an array once all work before is done."""

    def launch(self, text: str, blocks: int, threads: int, parameters: Sequence[Any]) -> None:
        """Run the kernel of a PTX text in so many blocks of so many threads; it has begun, not ended, on return."""

    def free(self) -> None:
        """Give back all arrays."""
