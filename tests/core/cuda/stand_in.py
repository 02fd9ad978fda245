"""A stand-in for NVIDIA's driver: streams whose kernels the interpreter runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from gradsim_core.cuda.interface import DeviceArray, Facts, GpuError
from tests.core.cuda.interpreter import Program
from tests.core.cuda.launch import Launch

FACTS = Facts(0, "stand-in", (9, 0), 2**28, threads=512)


@cache
def _program(text: str) -> Program:
    return Program(text)


class StandIn:
    """`interface.Stream` in the memory of this process."""

    def __init__(self, facts: Facts = FACTS) -> None:
        self.facts = facts
        self.last: Launch | None = None  # the last launch
        self._memory, self._top = np.zeros(2**16, np.uint8), 256

    def activate(self) -> None: ...

    def free_memory(self) -> int:
        return self.facts.memory - self._top

    def upload(self, array: np.ndarray) -> DeviceArray:
        made = self.zeros(array.shape, array.dtype)
        self.overwrite(made, array)
        return made

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> DeviceArray:
        made = DeviceArray(-(-self._top // 256) * 256, shape, np.dtype(dtype))
        self._top = made.address + made.nbytes
        if self._top > self.facts.memory:
            raise GpuError("memory", "The stand-in's memory is full.")
        if self._top > len(self._memory):
            self._memory = np.append(self._memory, np.zeros(self._top, np.uint8))
        self._memory[made.address : self._top] = 0
        return made

    def overwrite(self, target: DeviceArray, array: np.ndarray) -> None:
        self._bytes(target)[:] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)

    def read(self, array: DeviceArray) -> np.ndarray:
        return self._bytes(array).view(array.dtype).reshape(array.shape).copy()

    def _bytes(self, array: DeviceArray) -> np.ndarray:
        return self._memory[array.address : array.address + array.nbytes]

    def launch(self, text: str, blocks: int, threads: int, parameters: Sequence[Any]) -> None:
        used = -(-self._top // 256) * 256
        self.last = _program(text).run(list(parameters), self._memory[:used], blocks * threads, block=threads)

    def free(self) -> None:
        self._top = 256
