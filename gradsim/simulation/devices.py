"""Devices: the names that users give, and the GPUs behind them."""

from __future__ import annotations

import os
import queue
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gradsim.errors import DeviceError, DeviceLostError, SweepError
from gradsim_core import jit

if TYPE_CHECKING:
    from gradsim_core.cuda.interface import Facts, Stream

NAMES = ("cpu", "cuda", "cuda:0", "cuda:0,1")
"""Examples of every form of a device's name."""

STREAMS = 4
"""Blocks that run at the same time on a GPU: small ones fill it together, and copies overlap with kernels."""

_CUDA = re.compile(r"cuda(?::([0-9]{1,3}(?:,[0-9]{1,3})*))?")
_SHARE_OF_MEMORY = 0.9  # of what is free; the rest is for the driver and the code of kernels
_ALLOWED = "cpu, cuda (all GPUs), or the numbers of GPUs, such as cuda:0 or cuda:0,1"


def check_device(device: str) -> None:
    """Raise :class:`SweepError` unless a text names a device, or if Numba is set to compile nothing for it.

    It does not look whether the device is there: see `Gpus.of`.
    """
    if not isinstance(device, str) or (device != "cpu" and not _CUDA.fullmatch(device)):
        raise SweepError("device", device, _ALLOWED, 'Write device = "cpu"')
    if jit.disabled():
        allowed = "0 or nothing: without the compiler the same sweep gives other numbers"
        raise SweepError("NUMBA_DISABLE_JIT", 1, allowed, "Unset it and start Python again")


class Gpus:
    """GPUs of this computer, and the streams on them, which threads share.

    Attributes
    ----------
    facts
        What the driver says of each.
    memory
        Bytes that a stream may use.
    """

    def __init__(self, facts: tuple[Facts, ...]) -> None:
        from gradsim_core.cuda import driver

        self.facts, self._process = facts, os.getpid()
        self._free: queue.LifoQueue[Stream] = queue.LifoQueue()
        with translated_errors():
            numbers = [each.number for each in facts] * STREAMS
            streams = [driver.open_stream(number, _SHARE_OF_MEMORY / STREAMS) for number in numbers]
        self.memory = min(each.free_memory() for each in streams)
        for each in streams:
            self._free.put(each)

    @staticmethod
    def of(device: str) -> Gpus:
        """Return the GPUs that a device names; the same object whenever a process asks for the same GPUs.

        Raises
        ------
        DeviceError
            If a package, the driver or a GPU is missing: says what, and how to get it.
        """
        from gradsim_core.cuda import driver
        from gradsim_core.cuda.compiler.text import machine_for
        from gradsim_core.cuda.texts import target_of

        with translated_errors():
            there = {each.number: each for each in driver.gpus()}
        listed = _CUDA.fullmatch(device)
        numbers = [int(n) for n in listed[1].split(",")] if listed and listed[1] else list(there)
        missing = [number for number in numbers if number not in there]
        if missing or not there:
            found = ", ".join(f"{each.number} ({each.name})" for each in there.values()) or "none"
            raise SweepError("device", device, f"GPUs that are there: {found}", "Write device = cuda for all of them")
        chosen = tuple(there[number] for number in dict.fromkeys(numbers))
        with translated_errors():
            for each in chosen:
                machine_for(target_of(each.capability))
        gpus: Gpus = _opened(chosen)
        if gpus._process != os.getpid():
            raise DeviceError(
                "A forked process cannot use the GPUs of its parent. Start processes by the method spawn."
            )
        return gpus

    @property
    def streams(self) -> int:
        """How many blocks run at the same time."""
        return STREAMS * len(self.facts)

    def __str__(self) -> str:
        return ", ".join(f"cuda:{each.number} ({each.name})" for each in self.facts)

    @contextmanager
    def stream(self) -> Iterator[Stream]:
        """Wait for a free stream, and yield it; errors are told in words."""
        taken = self._free.get()
        try:
            with translated_errors():
                taken.activate()
                yield taken
        finally:
            self._free.put(taken)


@jit.once
def _opened(facts: tuple[Facts, ...]) -> Gpus:
    return Gpus(facts)


def described() -> dict[str, str]:
    """Return what there is for ``device = "cuda"``, by name: the driver and each GPU, or what is missing."""
    from gradsim_core.cuda import driver
    from gradsim_core.cuda.interface import GpuError

    try:
        there = driver.gpus()
        facts = {"CUDA driver": driver.driver_version()}
    except GpuError as error:
        return {"GPU": f"none. {error}"}
    for each in there:
        major, minor = each.capability
        size = f"{each.memory / 2**30:.0f} GiB"
        facts[f"cuda:{each.number}"] = f"{each.name}, compute capability {major}.{minor}, {size}"
    return facts


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn an error of a GPU into :class:`DeviceError`, or :class:`DeviceLostError` if it may pass."""
    from gradsim_core.cuda.interface import GpuError

    try:
        yield
    except GpuError as error:
        raise (DeviceLostError if error.kind == "lost" else DeviceError)(error.reason) from error
