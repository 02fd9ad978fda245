"""What computes blocks of networks: the threads of this computer, or its GPUs. The numbers are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from gradsim.simulation import blocks
from gradsim.simulation.devices import Gpus
from gradsim.sweep import Sweep
from gradsim.sweep.cells import Cell
from gradsim_core.lanes import LANES
from gradsim_core.results.statistics import Sums, merge, reduce

if TYPE_CHECKING:
    from gradsim_core.cuda.simulator import GpuSimulator
    from gradsim_core.parameters import Params
    from gradsim_core.simulator import Simulator


BLOCK_NORMALS = 5 * 10**10
"""Most random normals of a block on a GPU, so that stopping is prompt: a third of a second on the fastest."""

BLOCK_BYTES = 2**30
"""Most bytes of a block's quantities, which come to the host where single networks or wide histograms are wanted."""


class Block(NamedTuple):
    """The sums of a block; quantities (quantities, count, depth) and status (count,) of its networks if asked for."""

    sums: Sums
    values: npt.NDArray[np.float64] | None = None
    status: npt.NDArray[np.int8] | None = None

    def networks(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Return values and status, of a block that was asked to keep them."""
        assert self.values is not None
        assert self.status is not None
        return self.values, self.status


class CellRunner(Protocol):
    """Computes blocks of networks of one cell; several threads may ask at the same time."""

    def blocks(self, first: int, count: int, *, keep: bool = False) -> Iterator[tuple[int, int]]:
        """Yield blocks (first, count) of about equal work for first .. first + count - 1; ``keep`` is that of `run`."""

    def run(self, first: int, count: int, *, keep: bool, check_stop: Callable[[], None] = lambda: None) -> Block:
        """Simulate networks first .. first + count - 1.

        ``keep`` asks for the values of each; ``check_stop`` is called from time to time in long work, and may raise.
        """


class Processor(Protocol):
    """What a device names.

    Attributes
    ----------
    name
        As manifests say it.
    gpus
        How many there are.
    streams
        How many blocks run on them at the same time.
    """

    name: str
    gpus: int
    streams: int

    def prepare(self, sweep: Sweep, cell: Cell) -> CellRunner:
        """Return what computes networks of a cell."""


class Cpu:
    """This computer's processor."""

    name, gpus, streams = "cpu", 0, 0

    def prepare(self, sweep: Sweep, cell: Cell) -> CellRunner:
        """As `Processor.prepare`."""
        return _OnCpu(sweep, cell)


class _OnCpu:
    def __init__(self, sweep: Sweep, cell: Cell) -> None:
        self._sweep, self._cell = sweep, cell
        self._simulator, self._params = blocks.prepare(sweep, cell)

    def blocks(self, first: int, count: int, *, keep: bool = False) -> Iterator[tuple[int, int]]:
        return blocks.blocks(self._sweep, self._cell, first, count, keep=keep)

    def run(self, first: int, count: int, *, keep: bool, check_stop: Callable[[], None] = lambda: None) -> Block:
        if not keep:
            return Block(blocks.sums_of(self._simulator, self._params, first, count, check_stop))
        values, status = blocks.run_block(self._simulator, self._params, first, count)
        return Block(reduce(values), values, status)


class Gpu:
    """GPUs of this computer. What they cannot do, such as explicit orthogonal matrices, its processor does."""

    def __init__(self, gpus: Gpus) -> None:
        self._gpus = gpus
        self.name, self.gpus, self.streams = str(gpus), len(gpus.facts), gpus.streams

    def prepare(self, sweep: Sweep, cell: Cell) -> CellRunner:
        """As `Processor.prepare`."""
        simulator, params = blocks.prepare(sweep, cell)
        machine = _on_gpu(simulator)
        if not machine.runs(params):
            return _OnCpu(sweep, cell)
        most = min(BLOCK_NORMALS // sweep.normals(cell), BLOCK_BYTES // (8 * len(sweep.recorded) * cell.depth))
        size = min(most // LANES * LANES, machine.block_size(params, self._gpus.memory))
        return _OnGpu(machine, params, self._gpus, max(LANES, size))


class _OnGpu:
    def __init__(self, machine: GpuSimulator, params: Params, gpus: Gpus, size: int) -> None:
        self._machine, self._params, self._gpus, self._size = machine, params, gpus, size

    def blocks(self, first: int, count: int, *, keep: bool = False) -> Iterator[tuple[int, int]]:
        stop = first + count
        while first < stop:
            end = min(first - first % LANES + self._size, stop)
            yield first, end - first
            first = end

    def run(self, first: int, count: int, *, keep: bool, check_stop: Callable[[], None] = lambda: None) -> Block:
        with self._gpus.stream() as stream:
            check_stop()  # while this thread waited for the stream
            return Block(*self._machine.block(stream, self._params, first, count, keep=keep, check_stop=check_stop))


@lru_cache(maxsize=64)
def _on_gpu(simulator: Simulator) -> GpuSimulator:
    from gradsim_core.cuda.simulator import GpuSimulator

    return GpuSimulator(simulator)


def processor(device: str) -> Processor:
    """Return what a device names.

    Raises
    ------
    SweepError
        If there is no such GPU.
    DeviceError
        If no GPU can be used here: says what is missing.
    """
    return Cpu() if device == "cpu" else Gpu(Gpus.of(device))


def warm_up(sweep: Sweep, device: Processor = Cpu()) -> int:  # noqa: B008, it has no state
    """Compile the kernels of a sweep, or load them from the cache; return how many there are."""
    kinds = {
        (cell.activation, cell.law, blocks.schedule_of(sweep, cell).build): cell for cell in reversed(sweep.cells())
    }
    for cell in kinds.values():
        sums = device.prepare(sweep, cell).run(0, 1, keep=False).sums
        merge(sums, sums)
    return len(kinds)
