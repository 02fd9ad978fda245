"""The GPU that is measured: what the parts ask of it beyond `gradsim_core.cuda.interface`."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import NamedTuple, Protocol

from gradsim_core.cuda import driver
from gradsim_core.cuda.interface import Facts, Stream


class Loaded(NamedTuple):
    """A kernel as the driver made it for the processor."""

    seconds: float  # that took
    registers: int  # of a thread
    local: int  # bytes of local memory of a thread; more than 0 if registers were spilled
    shared: int  # bytes of shared memory of a block
    resident: dict[str, int]  # blocks that a multiprocessor holds, by their threads


class Lab(Protocol):
    """A GPU. Tests have a stand-in."""

    facts: Facts
    multiprocessors: int
    in_processes: bool
    """Whether kernels can be compiled by processes of their own, side by side."""
    device: str
    """Its name for `gs.run`."""
    torch_device: str
    """Its name for PyTorch."""

    def stream(self, share: float = 0.6) -> Stream:
        """Return a new stream that may use this share of the memory."""

    def load(self, text: str) -> Loaded:
        """Have the driver compile a kernel, unless it has."""

    def clock(self, seconds: float) -> str | None:
        """Return the clock of the multiprocessors in MHz, the median of so many seconds; None if it cannot be read."""


class Device:
    """An NVIDIA GPU.

    Raises
    ------
    GpuError
        If it cannot be used: says why.
    """

    in_processes = True

    def __init__(self, number: int = 0) -> None:
        self.facts = driver.gpus()[number]
        self.device = self.torch_device = f"cuda:{number}"
        self._device = driver.core().Device(number)
        self.multiprocessors = int(self._device.properties.multiprocessor_count)

    def stream(self, share: float = 0.6) -> Stream:
        """As `Lab.stream`."""
        return driver.open_stream(self.facts.number, share)

    def load(self, text: str) -> Loaded:
        """As `Lab.load`; a driver may put the work off until it is asked about the kernel."""
        begin = time.perf_counter()
        self._device.set_current()
        kernel = driver.kernel(text)
        attributes, occupancy = kernel.attributes, kernel.occupancy
        registers = int(attributes.num_regs)
        seconds = time.perf_counter() - begin
        resident = {str(n): int(occupancy.max_active_blocks_per_multiprocessor(n, 0)) for n in (64, 128, 256)}
        return Loaded(seconds, registers, int(attributes.local_size_bytes), int(attributes.shared_size_bytes), resident)

    def clock(self, seconds: float) -> str | None:
        """As `Lab.clock`."""
        query = ["nvidia-smi", f"--id={self.facts.number}", "--query-gpu=clocks.sm", "--format=csv,noheader,nounits"]
        end, found = time.perf_counter() + seconds, list[int]()
        while time.perf_counter() < end:
            try:
                said = subprocess.run(query, capture_output=True, text=True, timeout=10).stdout.strip()
            except (OSError, subprocess.TimeoutExpired):
                return None
            found += [int(said)] if said.isdigit() else []
        found.sort()
        return str(found[len(found) // 2]) if found else None


def again(*arguments: str) -> list[str]:
    """The command that runs this program in another process."""
    return [sys.executable, "-m", "bench.gpu", *arguments]
