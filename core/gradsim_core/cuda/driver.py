"""NVIDIA's driver through `cuda.core`: the one module that imports it. Its errors are told in words.

PTX is compiled for the processor by the driver, which keeps the result on disk (in ~/.nv/ComputeCache).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from .interface import DeviceArray, Facts, GpuError, Kind

INSTALL = "Install it with: pip install 'gradsim[cuda]'"
OLDEST = "CUDA 12"
"""The oldest driver for which there are packages; our PTX would need CUDA 11.8."""

_CODE = "CUDA_ERROR_"
_MEMORY = ("CUDA_ERROR_OUT_OF_MEMORY",)
_ABSENT = ("CUDA_ERROR_NO_DEVICE", "CUDA_ERROR_INVALID_DEVICE", "CUDA_ERROR_STUB_LIBRARY")
_BUSY = ("CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA_ERROR_DEVICES_UNAVAILABLE")
_LOST = (
    "CUDA_ERROR_ILLEGAL_ADDRESS", "CUDA_ERROR_LAUNCH_FAILED", "CUDA_ERROR_LAUNCH_TIMEOUT", "CUDA_ERROR_ASSERT",
    "CUDA_ERROR_ECC_UNCORRECTABLE", "CUDA_ERROR_HARDWARE_STACK_ERROR", "CUDA_ERROR_ILLEGAL_INSTRUCTION",
    "CUDA_ERROR_MISALIGNED_ADDRESS", "CUDA_ERROR_INVALID_ADDRESS_SPACE", "CUDA_ERROR_INVALID_PC",
    "CUDA_ERROR_CONTEXT_IS_DESTROYED", "CUDA_ERROR_UNKNOWN",
)  # fmt: skip
_DRIVER = (
    "CUDA_ERROR_INVALID_PTX", "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "CUDA_ERROR_NO_BINARY_FOR_GPU",
    "CUDA_ERROR_JIT_COMPILER_NOT_FOUND", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "CUDA_ERROR_SYSTEM_NOT_READY",
)  # fmt: skip
_NO_DRIVER = "DynamicLibNotFoundError"
_lock = threading.Lock()


@cache
def core() -> ModuleType:
    """Import `cuda.core`.

    Raises
    ------
    GpuError
        If it is not installed, or does not find the driver.
    """
    try:
        import cuda.core
    except ImportError as error:
        raise GpuError("missing", f"The package cuda-core is needed for GPUs ({error}). {INSTALL}.") from None
    return cuda.core


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn errors of the driver into GpuError; any other error is one of ours, and passes."""
    try:
        yield
    except GpuError:
        raise
    except Exception as error:
        if str(error).startswith(_CODE) or type(error).__name__ == _NO_DRIVER:
            raise GpuError(*in_words(error)) from error
        raise


def in_words(error: Exception) -> tuple[Kind, str]:
    """What an error of the driver means, and what to do about it."""
    text = str(error).split("\n")[0].rstrip(". ")
    code = text.partition(":")[0].strip()
    if type(error).__name__ == _NO_DRIVER:
        return (
            "missing",
            "There is no NVIDIA driver on this machine (libcuda was not found). Install one, or use the CPU.",
        )
    if code in _ABSENT:
        return "missing", f"The NVIDIA driver finds no GPU ({text}). Look at nvidia-smi and CUDA_VISIBLE_DEVICES."
    if code in _MEMORY:
        return "memory", f"The GPU's memory is full ({text}). End other programs on it, or take smaller networks."
    if code in _BUSY:
        return "missing", f"The GPU is in use, and serves one program alone ({text}). Wait, or ask for another one."
    if code in _DRIVER:
        return "driver", f"The NVIDIA driver cannot load our code ({text}). Update it: {OLDEST} or later is needed."
    if code in _LOST:
        return "lost", f"The GPU has failed ({text}). Look at nvidia-smi and the system's log, and start Python again."
    return "driver", f"The NVIDIA driver refuses ({text}). Look at nvidia-smi, update the driver, or use the CPU."


def driver_version() -> str:
    """Return the version of CUDA that the driver supports, such as "13.0"."""
    core()
    from cuda.bindings import driver

    with translated_errors():
        (version,) = _values(driver.cuDriverGetVersion())
    return f"{version // 1000}.{version % 1000 // 10}"


def _values(result: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a function of `cuda.bindings` returns, without its error."""
    error, *values = result
    if error:
        raise RuntimeError(error.name)
    return tuple(values)


def check_packages() -> None:
    """Raise GpuError if the packages are for a later driver than this one."""
    core()
    from cuda.bindings import __version__ as bindings

    needed, there = bindings.partition(".")[0], driver_version()
    if int(needed) > int(there.partition(".")[0]):
        remedy = f"Install the packages for it: pip install 'cuda-bindings<{needed}'. Or update the driver"
        raise GpuError(
            "driver", f"The NVIDIA driver has CUDA {there}, but cuda-bindings {bindings} needs more. {remedy}."
        )


def gpus() -> list[Facts]:
    """Return what there is.

    Raises
    ------
    GpuError
        If there is no driver, or no GPU.
    """
    library = core()
    check_packages()
    with translated_errors():
        return [_facts(device) for device in library.Device.get_all_devices()]


def _facts(device: Any) -> Facts:
    """What the driver says of a GPU, without a context on it, which takes half a gigabyte."""
    from cuda.bindings import driver

    (handle,) = _values(driver.cuDeviceGet(device.device_id))
    (memory,) = _values(driver.cuDeviceTotalMem(handle))
    properties = device.properties
    threads = properties.multiprocessor_count * properties.max_threads_per_multiprocessor
    capability = tuple(map(int, device.compute_capability))
    return Facts(int(device.device_id), device.name, (capability[0], capability[1]), int(memory), threads)


def open_stream(number: int, share: float) -> CudaStream:
    """Return a new stream on a GPU, which may use a share of the memory that is free there."""
    with translated_errors():
        return CudaStream(core().Device(number), share)


def kernel(text: str) -> Any:
    """Load the kernel of a PTX text, once in a process; it serves all GPUs."""
    with _lock:
        return _kernel(text)


@cache
def _kernel(text: str) -> Any:
    return core().ObjectCode.from_ptx(text.encode()).get_kernel("kernel")


class CudaStream:
    """`interface.Stream` on a real GPU."""

    def __init__(self, device: Any, share: float) -> None:
        from cuda.bindings import driver

        device.set_current()
        free, _ = _values(driver.cuMemGetInfo())
        self._device, self.facts, self._memory = device, _facts(device), int(share * free)
        self._stream, self._buffers = device.create_stream(), dict[int, Any]()

    def activate(self) -> None:
        """Make its GPU that of this thread."""
        with translated_errors():
            core().Device(self.facts.number).set_current()

    def free_memory(self) -> int:
        """Return how many bytes can be had."""
        return max(0, self._memory - sum(buffer.size for buffer in self._buffers.values()))

    def upload(self, array: np.ndarray) -> DeviceArray:
        """Copy an array to the GPU."""
        made = self._allocate(array.shape, array.dtype)
        self.overwrite(made, array)
        return made

    def zeros(self, shape: tuple[int, ...], dtype: Any) -> DeviceArray:
        """Make an array of zeros."""
        made = self._allocate(shape, np.dtype(dtype))
        if made.nbytes:
            with translated_errors():
                self._buffers[made.address].fill(0, stream=self._stream)
        return made

    def _allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> DeviceArray:
        size = DeviceArray(0, shape, dtype).nbytes
        with translated_errors():
            buffer = self._device.allocate(max(size, 1), stream=self._stream)
        address = int(buffer.handle)
        self._buffers[address] = buffer
        return DeviceArray(address, shape, dtype)

    def overwrite(self, target: DeviceArray, array: np.ndarray) -> None:
        """Copy an array over one on the GPU, of the same size."""
        if array.nbytes:
            flat = np.ascontiguousarray(array)
            with translated_errors():
                self._buffers[target.address].copy_from(self._on_host(flat), stream=self._stream)
                self._stream.sync()  # the copy on the host may go

    def read(self, array: DeviceArray) -> np.ndarray:
        """Return a copy of an array once all work before is done."""
        found = np.empty(array.shape, array.dtype)
        with translated_errors():
            if found.nbytes:
                self._buffers[array.address].copy_to(self._on_host(found), stream=self._stream)
            self._stream.sync()
        return found

    @staticmethod
    def _on_host(array: np.ndarray) -> Any:
        return core().Buffer.from_handle(array.ctypes.data, array.nbytes, owner=array)

    def launch(self, text: str, blocks: int, threads: int, parameters: Sequence[Any]) -> None:
        """Run the kernel of a PTX text."""
        with translated_errors():
            config = core().LaunchConfig(grid=blocks, block=threads)
            core().launch(self._stream, config, kernel(text), *parameters)

    def free(self) -> None:
        """Give back all arrays."""
        buffers, self._buffers = self._buffers, {}
        for buffer in buffers.values():
            with suppress(Exception):  # of a GPU that has failed: its error has been raised already
                buffer.close(self._stream)
