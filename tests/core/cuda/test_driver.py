"""The driver's module: streams on a stand-in for its package, errors in words, and the real package's names."""

from __future__ import annotations

import inspect
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.cuda import driver
from gradsim_core.cuda.interface import GpuError

pytestmark = pytest.mark.skipif(jit.disabled(), reason="nothing is compiled")
if not jit.disabled():
    from gradsim_core.cuda import texts
    from gradsim_core.cuda.compiler import text
    from tests.core.cuda import fake_cuda
    from tests.core.cuda.test_simulator import QUICK, assert_same


@pytest.fixture
def gpu(monkeypatch):
    for each in (driver.core, driver._kernel):
        each.cache_clear()
    yield fake_cuda.install(monkeypatch)
    for each in (driver.core, driver._kernel):
        each.cache_clear()


def test_a_block_of_networks(gpu) -> None:
    (facts,) = driver.gpus()
    assert facts == (0, "fake", (9, 0), fake_cuda.SIZE, 512)
    assert driver.driver_version() == "13.1"
    stream = driver.open_stream(0, 0.5)
    assert_same(*QUICK[0], stream=stream)
    assert gpu.live == 0
    assert stream.free_memory() == fake_cuda.SIZE // 4


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("allocate", "CUDA_ERROR_OUT_OF_MEMORY: The API call failed", "memory"),
        ("load", "CUDA_ERROR_UNSUPPORTED_PTX_VERSION: compiled with", "driver"),
        ("launch", "CUDA_ERROR_LAUNCH_FAILED: An exception occurred", "lost"),
        ("sync", "CUDA_ERROR_ILLEGAL_ADDRESS: While executing", "lost"),
        ("copy", "CUDA_ERROR_ECC_UNCORRECTABLE: ECC", "lost"),
    ],
)
def test_errors_in_words(gpu, name, text, kind) -> None:
    """Each names the cause and the remedy, and no array stays on the GPU."""
    stream = driver.open_stream(0, 0.5)
    gpu.failing[name] = text
    with pytest.raises(GpuError, match=text.partition(":")[0]) as raised:
        assert_same(*QUICK[0], stream=stream)
    assert raised.value.kind == kind
    assert gpu.live == 0


def test_errors_of_our_own_pass(gpu) -> None:
    """Only what the driver says is told as an error of the GPU."""
    stream = driver.open_stream(0, 0.5)
    gpu.failing["launch"] = "an argument of the wrong type"
    with pytest.raises(fake_cuda.CUDAError, match="an argument"):
        assert_same(*QUICK[0], stream=stream)


def test_packages_for_a_later_driver(gpu, monkeypatch) -> None:
    monkeypatch.setattr(sys.modules["cuda.bindings"], "__version__", "14.0.1")
    with pytest.raises(GpuError, match=r"has CUDA 13.1, but cuda-bindings 14.0.1 needs more.*'cuda-bindings<14'"):
        driver.gpus()


def test_no_gpu(gpu) -> None:
    gpu.failing["devices"] = "CUDA_ERROR_NO_DEVICE: No CUDA-capable devices were detected"
    with pytest.raises(GpuError, match=r"finds no GPU .* CUDA_VISIBLE_DEVICES"):
        driver.gpus()


def test_an_array_of_several_axes_and_none(gpu) -> None:
    stream = driver.open_stream(0, 0.5)
    for array in (np.arange(12.0).reshape(3, 4), np.zeros(0), np.arange(5, dtype=np.int8)):
        np.testing.assert_array_equal(stream.read(stream.upload(array)), array)
    assert not stream.read(stream.zeros((4, 2), np.int32)).any()
    stream.free()


needs_package = pytest.mark.skipif(find_spec("cuda") is None, reason="cuda-core is not installed")


@needs_package
@pytest.mark.parametrize(("name", "parameters"), [*fake_cuda.SIGNATURES.items()] if not jit.disabled() else [])
def test_the_real_package_has_what_is_called(name, parameters) -> None:
    core = pytest.importorskip("cuda.core")
    found = core
    for part in name.split("."):
        found = getattr(found, part)
    document = (found.__doc__ or "") + str(inspect.signature(found) if inspect.isfunction(found) else "")
    assert all(each in document for each in parameters)


@needs_package
def test_the_real_package_without_a_driver() -> None:
    core, bindings = pytest.importorskip("cuda.core"), pytest.importorskip("cuda.bindings.driver")
    assert all(hasattr(core.Device, each) for each in fake_cuda.PROPERTIES)
    assert all(hasattr(core.Kernel, each) for each in fake_cuda.OF_KERNELS)
    assert all(hasattr(bindings, each) for each in fake_cuda.BINDINGS)
    try:
        kind = "none" if driver.gpus() else "missing"
    except GpuError as error:
        kind = error.kind
    assert kind in ("none", "missing")


def test_old_and_new_gpus() -> None:
    """A GPU takes the text of the last capability before its own."""
    assert [texts.target_of(each) for each in ((7, 0), (7, 2), (8, 9), (12, 1))] == [(7, 0), (7, 0), (8, 0), (9, 0)]
    with pytest.raises(GpuError, match=r"too old: compute capability 6.1. 7.0 \(Volta, 2017\) or later"):
        texts.target_of((6, 1))


def test_an_llvmlite_without_the_back_end(monkeypatch) -> None:
    def missing(triple):
        raise RuntimeError("No available targets are compatible with triple")

    monkeypatch.setattr(text.llvm.Target, "from_triple", missing)
    with pytest.raises(GpuError, match="Install llvmlite from its wheel, which has it, or compute on the CPU"):
        text.machine_for((9, 0))
