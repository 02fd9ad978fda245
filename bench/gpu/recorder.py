"""A stream that notes what a block launches, so that each kernel can be launched again by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gradsim_core.cuda.interface import DeviceArray, Stream

PER_BLOCK = 128
"""Threads of a block of the networks' kernels, as `GpuSimulator` launches them where there are enough networks."""


class Launched(NamedTuple):
    """A launch of a kernel."""

    text: str
    blocks: int
    threads: int
    parameters: tuple[Any, ...]

    def reshaped(self, threads: int) -> Launched:
        """The same threads in blocks of another size, for kernels whose threads are numbered through all blocks."""
        every = self.blocks * self.threads
        return self._replace(blocks=every // threads, threads=threads) if every % threads == 0 else self


class Recorder:
    """A stream whose arrays stay until `close`.

    Parameters
    ----------
    stream : Stream
    threads : int, optional
        Threads of the networks' thread blocks, if not as the simulator has them.
    in_flight : int, optional
        How many threads are in flight, if not as many as the GPU has.
    """

    def __init__(self, stream: Stream, threads: int | None = None, in_flight: int | None = None) -> None:
        self._stream, self._threads = stream, threads
        self.facts = stream.facts._replace(threads=in_flight or stream.facts.threads)
        self.launches: list[Launched] = []
        self.arrays: list[DeviceArray] = []
        self.before: Callable[[str], Any] = lambda text: None  # is called before each launch

    def activate(self) -> None:
        self._stream.activate()

    def free_memory(self) -> int:
        return self._stream.free_memory()

    def upload(self, array: np.ndarray) -> DeviceArray:
        self.arrays.append(self._stream.upload(array))
        return self.arrays[-1]

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> DeviceArray:
        self.arrays.append(self._stream.zeros(shape, dtype))
        return self.arrays[-1]

    def overwrite(self, target: DeviceArray, array: np.ndarray) -> None:
        self._stream.overwrite(target, array)

    def read(self, array: DeviceArray) -> np.ndarray:
        return self._stream.read(array)

    def launch(self, text: str, blocks: int, threads: int, parameters: Sequence[Any]) -> None:
        made = Launched(text, blocks, threads, tuple(parameters))
        if self._threads and threads == PER_BLOCK:
            made = made.reshaped(self._threads)
        self.before(text)
        self.launches.append(made)
        self._stream.launch(*made)

    def launch_again(self, launched: Launched) -> None:
        """Launch a kernel once more; it is not noted."""
        self._stream.launch(*launched)

    def free(self) -> None:
        """Keep the arrays: kernels are launched again."""

    def close(self) -> None:
        """Give back all arrays."""
        self._stream.free()

    def named(self, runs_fast: bool) -> dict[str, Launched]:
        """The launches of one block of `GpuSimulator` by the kernels' names."""
        *networks, finish, add, count = self.launches
        names = ("fast", "whole") if runs_fast else ("whole",)
        found = dict(zip(names, networks, strict=False))
        return {**found, "finish": finish, "sum": add, "count": count}

    def squares(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums and exponents of a block: `GpuSimulator` makes these arrays first."""
        sums, exponents = map(self.read, self.arrays[:2])
        return sums, exponents
