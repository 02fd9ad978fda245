"""Blocks of networks on a GPU, with the numbers of `simulator.Simulator` in every bit.

The fast kernel runs all networks and marks those that leave its range. These are run by the schedule of the CPU as it
is, compiled for the GPU, or by the CPU itself. Quantities, sums and histograms follow on the GPU; only these come back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gradsim_core import simulator
from gradsim_core.activations import ACTIVATIONS
from gradsim_core.lanes import LANES
from gradsim_core.laws import LAWS
from gradsim_core.parameters import Params
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.results.statistics import Sums, reduce
from gradsim_core.schedules.table import Schedule
from gradsim_core.simulator import Simulator

from . import statistics, texts
from .arguments import parameters, placed, types_of
from .interface import DeviceArray, Stream
from .kernels.slots import bytes_of
from .kernels.threads import Launch
from .texts import Family, Route, route_of

MOST_NETWORKS = 2**17
"""Of a block: more than an H100 has threads in flight, 84,480 with the registers of the fast conditional kernel."""

_PER_BLOCK = 8  # slots in a thread block: 128 threads
_SHARE_OF_MEMORY = 0.4  # of what is free, for the numbers of a block, and as much for its slots


class Block(NamedTuple):
    """Result of a block; `values` and `status` as of `Simulator.block`, or None where they stayed on the GPU."""

    sums: Sums
    values: np.ndarray | None
    status: np.ndarray | None


class GpuSimulator:
    """Runs blocks of networks of a simulator on a GPU.

    Parameters
    ----------
    cpu : Simulator
        The same on the CPU.
    """

    def __init__(self, cpu: Simulator) -> None:
        self.cpu = cpu
        activation = cpu.activation
        self._activation = ACTIVATIONS[activation.name.split("(")[0]] if activation.built_in else activation
        self._law = LAWS[cpu.law.name.split("(")[0]]

    def runs(self, cell: Params) -> bool:
        """Whether a GPU runs networks of a cell at all."""
        return route_of(self.cpu.schedule(cell)).runs(self._law)

    def block_size(self, cell: Params, memory: int) -> int:
        """How many networks a block should have: whole groups, as many as fit in so many bytes or as a GPU needs."""
        of_network = 8 * (6 + len(QUANTITIES)) * cell.depth  # sums, exponents and quantities
        fit = int(_SHARE_OF_MEMORY * memory) // of_network
        return max(LANES, min(fit, MOST_NETWORKS) // LANES * LANES)

    def block(
        self,
        stream: Stream,
        cell: Params,
        first: int,
        count: int,
        *,
        keep: bool = False,
        check_stop: Callable[[], None] = lambda: None,
    ) -> Block:
        """Simulate networks first .. first + count - 1.

        Parameters
        ----------
        stream : Stream
        cell : Params
            From `Simulator.params`.
        first, count : int
            Number of the first network, and how many.
        keep : bool
            Whether to return the quantities of every network.
        check_stop : function
            Is called before each network that the CPU runs; what it raises ends the block.

        Raises
        ------
        GpuError
            If memory runs out, or the GPU fails.
        """
        try:
            return _Run(self, stream, cell, (first, count), check_stop).block(keep)
        finally:
            stream.free()


class _Run:
    """One block: its groups of sixteen networks, which may reach beyond it at both ends, and its arrays."""

    def __init__(
        self,
        machine: GpuSimulator,
        stream: Stream,
        cell: Params,
        networks: tuple[int, int],
        check_stop: Callable[[], None],
    ) -> None:
        self.cpu, self.stream, self.cell, self.check_stop = machine.cpu, stream, cell, check_stop
        self.first, self.count = first, count = networks
        self.group, self.groups = first // LANES, (first + count - 1) // LANES + 1 - first // LANES
        self.schedule: Schedule = self.cpu.schedule(cell)
        self.family = Family.of(machine._activation, machine._law, self.schedule)
        self.route: Route = route_of(self.schedule)
        self.work = self.cpu._work(cell)

    def block(self, keep: bool) -> Block:
        """Run the networks, then compute quantities and statistics."""
        size = 3 * self.groups * LANES * self.cell.depth
        sums, exponents = (self.stream.zeros((size,), np.float64) for _ in range(2))
        units = self.groups * (1 if self.route.side_by_side else LANES)
        failed = np.ones(units, np.int8)
        if self.route.runs_fast(self.family.law):
            failed = self._run_fast(sums, exponents, failed)
        if failed.any() and self.route.whole:
            self._run_whole(sums, exponents, failed)
        elif failed.any():
            self._run_on_cpu(sums, exponents, failed)
        values, status, counted = self._finish(sums, exponents)
        found = statistics.sums(self.stream, values, counted, self.cell.depth)
        if found is not None and not keep:
            return Block(found, None, None)
        on_host, codes = self._on_host(values), self.stream.read(status)[self._own].astype(np.int8)
        return Block(found or reduce(on_host), on_host, codes)

    @property
    def _own(self) -> slice:
        """The block's networks among those of its groups."""
        start = self.first - self.group * LANES
        return slice(start, start + self.count)

    def _slots(self, work: Any, units: int) -> int:
        """How many groups, or networks where each has sixteen threads, are in flight."""
        fit = int(_SHARE_OF_MEMORY * self.stream.free_memory()) // max(bytes_of(work), 1)
        return _whole_blocks(min(units, self.stream.facts.threads // LANES), max(fit, 1))

    def _run_fast(self, sums: DeviceArray, exponents: DeviceArray, failed: np.ndarray) -> np.ndarray:
        assert self.route.fast is not None
        work_of, first = self.route.fast.work_of, self.group * (1 if self.route.side_by_side else LANES)
        slots = self._slots(work_of(self.work, 1), len(failed))
        marks = self.stream.zeros(failed.shape, np.int8)
        work = placed(self.stream, work_of(self.work, slots))
        arguments = self.cell, self.cpu._slopes, work, Launch(first, slots, sums, exponents, marks)
        text = texts.fast_text(self.family, types_of(arguments), self.stream.facts.capability)
        self._launch(text, slots, arguments)
        return self.stream.read(marks)

    def _run_whole(self, sums: DeviceArray, exponents: DeviceArray, failed: np.ndarray) -> None:
        """Run the marked groups by the schedule of the CPU as it is."""
        work, _ = texts.whole.work_of(self.work, 1)
        slots = self._slots(work, len(failed))
        work, delivered = (placed(self.stream, each) for each in texts.whole.work_of(self.work, slots))
        launch = Launch(self.group, slots, sums, exponents, self.stream.upload(failed))
        arguments = self.cell, self.cpu._slopes, work, launch, delivered
        text = texts.whole_text(self.family, types_of(arguments), self.stream.facts.capability)
        self._launch(text, slots, arguments)

    def _run_on_cpu(self, sums: DeviceArray, exponents: DeviceArray, failed: np.ndarray) -> None:
        """Run the marked networks of the block on this processor."""
        shape = self.groups, 3, self.cell.depth, LANES
        on_host = [self.stream.read(each).reshape(shape) for each in (sums, exponents)]
        one = np.zeros((2, 3, 1, self.cell.depth))
        for n in np.arange(len(failed))[self._own][failed[self._own] != 0]:
            self.check_stop()
            self.cpu._run(self.cell, int(self.group * LANES + n), self.work, one[0], one[1])
            for target, source in zip(on_host, one, strict=True):
                target[n // LANES, :, :, n % LANES] = source[:, 0]
        for device, host in zip((sums, exponents), on_host, strict=True):
            self.stream.overwrite(device, host)

    def _finish(self, sums: DeviceArray, exponents: DeviceArray) -> tuple[DeviceArray, DeviceArray, DeviceArray]:
        """Quantities, status, and which networks count (see `finish`)."""
        networks, depth = self.groups * LANES, self.cell.depth
        counted = np.zeros((2, networks))
        counted[0, self._own] = 1.0
        values = self.stream.zeros((len(QUANTITIES) * networks * depth,), np.float64)
        status, on_device = self.stream.zeros((networks,), np.float64), self.stream.upload(counted.reshape(-1))
        slots = _whole_blocks(min(self.groups, self.stream.facts.threads // LANES), self.groups + _PER_BLOCK)
        launch = Launch(0, slots, sums, exponents, self.stream.zeros((0,), np.int8))
        arguments = depth, simulator._log(self.cell.width), launch, values, status, on_device
        self._launch(texts.common_text("finish", types_of(arguments), self.stream.facts.capability), slots, arguments)
        return values, status, on_device

    def _launch(self, text: str, slots: int, arguments: tuple[Any, ...]) -> None:
        threads = min(slots, _PER_BLOCK) * LANES
        self.stream.launch(text, slots * LANES // threads, threads, parameters(arguments))

    def _on_host(self, values: DeviceArray) -> np.ndarray:
        """Quantities (quantities, count, depth) of the block's networks."""
        groups = self.stream.read(values).reshape(self.groups, len(QUANTITIES), self.cell.depth, LANES)
        networks = groups.transpose(1, 0, 3, 2).reshape(len(QUANTITIES), -1, self.cell.depth)
        return np.ascontiguousarray(networks[:, self._own])


def _whole_blocks(wanted: int, most: int) -> int:
    """So many slots, at most `most`, that thread blocks have no threads beyond them."""
    slots = min(-(-wanted // _PER_BLOCK) * _PER_BLOCK, most)
    return slots if slots < _PER_BLOCK else slots - slots % _PER_BLOCK
