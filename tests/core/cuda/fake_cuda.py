"""A stand-in for the packages `cuda.core` and `cuda.bindings`: what `driver` calls, on the interpreter.

`SIGNATURES` names every call with its parameters; a test compares them with the real packages where there are any.
"""

from __future__ import annotations

import ctypes
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from tests.core.cuda.interpreter import Program

SIGNATURES = {
    "Device.get_all_devices": (),
    "Device.set_current": (),
    "Device.create_stream": (),
    "Device.allocate": ("size", "stream"),
    "Buffer.from_handle": ("ptr", "size", "owner"),
    "Buffer.copy_from": ("src", "stream"),
    "Buffer.copy_to": ("dst", "stream"),
    "Buffer.fill": ("value", "stream"),
    "Buffer.close": ("stream",),
    "Stream.sync": (),
    "ObjectCode.from_ptx": ("module",),
    "ObjectCode.get_kernel": ("name",),
    "LaunchConfig": ("grid", "block"),
    "launch": ("stream", "config", "kernel"),
}
PROPERTIES = ("device_id", "name", "compute_capability", "properties")
ATTRIBUTES = ("multiprocessor_count", "max_threads_per_multiprocessor")
OF_KERNELS = ("attributes", "occupancy")
BINDINGS = ("cuDeviceGet", "cuDeviceTotalMem", "cuMemGetInfo", "cuDriverGetVersion")

FIRST, SIZE = 256, 2**26  # addresses of the GPU; those of the host are far greater


class CUDAError(Exception):
    """As `cuda.core` raises it."""


class State:
    """The memory of the GPU, and what is to fail: a function's name and the error's text."""

    def __init__(self) -> None:
        self.memory, self.top, self.live = np.zeros(SIZE, np.uint8), FIRST, 0
        self.failing: dict[str, str] = {}

    def check(self, name: str) -> None:
        if name in self.failing:
            raise CUDAError(self.failing[name])


class Buffer:
    def __init__(self, state: State | None, handle: int, size: int) -> None:
        self._state, self.handle, self.size = state, handle, size

    @classmethod
    def from_handle(cls, ptr: int, size: int, owner: Any = None) -> Buffer:
        assert owner is not None
        return cls(None, ptr, size)

    def _bytes(self, state: State) -> Any:
        if self._state is not None:
            return state.memory[self.handle : self.handle + self.size]
        return np.ctypeslib.as_array((ctypes.c_uint8 * self.size).from_address(self.handle))

    def copy_from(self, src: Buffer, *, stream: Any) -> None:
        assert self.size == src.size
        assert self._state is not None
        self._state.check("copy")
        self._bytes(self._state)[:] = src._bytes(self._state)

    def copy_to(self, dst: Buffer, *, stream: Any) -> None:
        assert self.size == dst.size
        assert self._state is not None
        self._state.check("copy")
        dst._bytes(self._state)[:] = self._bytes(self._state)

    def fill(self, value: int, *, stream: Any) -> None:
        assert self._state is not None
        self._bytes(self._state)[:] = value

    def close(self, stream: Any = None) -> None:
        assert self._state is not None
        self._state.live -= 1
        if not self._state.live:
            self._state.top = FIRST


class Kernel(Program):
    """A program with what the driver tells of a kernel."""

    attributes = SimpleNamespace(num_regs=80, local_size_bytes=0, shared_size_bytes=0)
    occupancy = SimpleNamespace(max_active_blocks_per_multiprocessor=lambda block_size, dynamic_shared_memory_size: 4)


def install(monkeypatch: Any) -> State:
    """Put the stand-in where Python looks for the packages."""
    state = State()

    class Device:
        def __init__(self, number: int = 0) -> None:
            self.device_id, self.name, self.compute_capability = number, "fake", (9, 0)
            self.properties = SimpleNamespace(multiprocessor_count=2, max_threads_per_multiprocessor=256)

        @staticmethod
        def get_all_devices() -> list[Device]:
            state.check("devices")
            return [Device(0)]

        def set_current(self) -> None: ...

        def create_stream(self) -> Any:
            return SimpleNamespace(sync=lambda: state.check("sync"))

        def allocate(self, size: int, *, stream: Any) -> Buffer:
            state.check("allocate")
            address = -(-state.top // 256) * 256
            state.top, state.live = address + size, state.live + 1
            return Buffer(state, address, size)

    def launch(stream: Any, config: Any, kernel: Program, *arguments: Any) -> None:
        state.check("launch")
        assert all(isinstance(each, np.generic) for each in arguments)
        used = -(-state.top // 256) * 256
        kernel.run(list(arguments), state.memory[:used], config.grid * config.block, block=config.block)

    def from_ptx(module: bytes) -> Any:
        state.check("load")
        return SimpleNamespace(get_kernel=lambda name: Kernel(module.decode()) if name == "kernel" else None)

    _install_modules(monkeypatch, Device=Device, launch=launch, ObjectCode=SimpleNamespace(from_ptx=from_ptx))
    return state


def _install_modules(monkeypatch: Any, **names: Any) -> None:
    core: Any = ModuleType("cuda.core")
    vars(core).update(names, Buffer=Buffer)
    core.LaunchConfig = lambda grid, block: SimpleNamespace(grid=grid, block=block)
    bindings: Any = ModuleType("cuda.bindings")
    bindings.__version__ = "13.0.0"
    bindings.driver = SimpleNamespace(
        cuDeviceGet=lambda number: (0, number),
        cuDeviceTotalMem=lambda device: (0, SIZE),
        cuMemGetInfo=lambda: (0, SIZE // 2, SIZE),
        cuDriverGetVersion=lambda: (0, 13010),
    )  # fmt: skip
    package: Any = ModuleType("cuda")
    package.core, package.bindings = core, bindings
    for name, module in (("cuda", package), ("cuda.core", core), ("cuda.bindings", bindings)):
        monkeypatch.setitem(sys.modules, name, module)
