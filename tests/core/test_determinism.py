"""Numbers are a pure function of the cell and the network: not of blocks, threads, order, or the processor."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

import gradsim
from gradsim_core.results import statistics
from tests.core import digest

CELLS = [("tanh", "gaussian", 13), ("tanh", "gaussian", 32), ("relu", "sparse(0.3)", 17), ("gelu", "orthogonal", 5)]
CONDITIONAL = [("tanh", "gaussian", 16, "conditional"), ("gelu", "orthogonal", 5, "conditional")]
RADIAL = [("relu", "gaussian", 16, "radial"), ("leaky_relu(0.2)", "orthogonal", 300, "radial")]
ALL = [(*one, "explicit") for one in CELLS] + CONDITIONAL + RADIAL
METHODS = pytest.mark.parametrize(
    ("activation", "method"), [("tanh", "explicit"), ("tanh", "conditional"), ("relu", "radial")]
)
# (CPU, features) as LLVM names them, beside the processor at hand. The first has neither AVX nor fma: every fma is then
# a call into libm.
TARGETS = {"generic": ("x86-64", ""), "AVX2": ("x86-64-v3", "+avx2,+fma,-avx512f")}


def assert_same(a, b):
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.verify)])
@pytest.mark.parametrize(("activation", "law", "width", "method"), ALL)
def test_blocks(cell, activation, law, width, method, dtype):
    """The same bits for blocks of 1, 7 and 1000 networks, and from any first network."""
    one = cell(activation, law, dtype, method, sigma_w=1.7, sigma_b=0.2, depth=12, width=width)
    values, status = one.block(1000)
    assert_same(one.block(400), (values[:, :400], status[:400]))
    for size, stop in ((1, 30), (7, 1000)):
        for first in range(0, stop, size):
            count = min(size, stop - first)
            assert_same(one.block(count, first), (values[:, first : first + count], status[first : first + count]))
    assert len(np.unique(values[0, :, 0])) > 990  # and the networks differ


def test_statistics_do_not_depend_on_blocks(cell):
    one = cell("tanh", "gaussian", "float32", sigma_w=1.7, depth=12, width=16)
    whole = statistics.reduce(one.block(1000)[0])
    for size in (1, 7):
        parts = [statistics.reduce(one.block(min(size, 1000 - first), first)[0]) for first in range(0, 1000, size)]
        assert_same(statistics.merge(*parts[::-1]), whole)


@METHODS
def test_far_networks(cell, activation, method):
    """Networks are numbered to 2^48: those beyond 2^32 are others, and a block may cross it."""
    one = cell(activation, "gaussian", "float32", method, sigma_w=1.7, depth=6, width=16)
    crossing = one.block(4, 2**32 - 2)[0]
    assert_same((crossing[:, 2:],), (one.block(2, 2**32)[0],))
    assert not np.isin(crossing[0, 2:], one.block(8)[0][0]).any()
    assert np.isfinite(one.block(2, 2**48 - 2)[0]).all()


@METHODS
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads(dtype, activation, method, monkeypatch):
    """gradsim.simulate gives the same bits on 1, 2, 5 and 8 threads, in many small blocks."""
    monkeypatch.setattr("gradsim.simulation.blocks.BLOCK_NORMALS", 10_000)
    cell = {"sigma_w": 1.7, "sigma_b": 0.2, "depth": 12, "width": 16, "dtype": dtype, "method": method}
    one, *others = (gradsim.simulate(activation, networks=300, threads=threads, **cell) for threads in (1, 2, 5, 8))
    for other in others:
        assert_same(one, other)
    assert_same(gradsim.simulate(activation, networks=100, threads=2, **cell), [part[:100] for part in one])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("activation", "law", "width", "method"), ALL)
def test_interpreter(cell, activation, law, width, method, dtype):
    """The interpreter rounds twice in each fma: close, not equal. Random words and shapes of the law are the same."""
    numbers = {"sigma_w": 1.2, "sigma_b": 0.2, "depth": 4, "width": width}
    compiled, interpreted = (cell(activation, law, dtype, method, interpret=flag, **numbers) for flag in (False, True))
    tolerance = {"float32": 2e-5, "float64": 1e-13}[dtype]
    np.testing.assert_allclose(compiled.block(2)[0], interpreted.block(2)[0], rtol=tolerance, atol=tolerance)
    if method != "explicit":
        return
    for a, b in zip(compiled.weights(1), interpreted.weights(1), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


def start(target, *flags):
    # Numba keys kernels by processor, so those of all targets share the cache.
    name, features = TARGETS[target]
    processor = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
    if target == "generic":  # the libraries too, as far as they can be told
        found = [feature for feature in __cpu_dispatch__ if __cpu_features__[feature]]
        processor["NPY_DISABLE_CPU_FEATURES"] = " ".join(found)
        processor["GLIBC_TUNABLES"] = "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX,-AVX512F,-ERMS"
    command = [sys.executable, "-m", "tests.core.digest", *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | processor)


def host_has_avx2():
    try:
        with open("/proc/cpuinfo") as file:
            return {"avx2", "fma"} <= set(next(line for line in file if line.startswith("flags")).split())
    except (OSError, StopIteration):
        return False


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="names x86 processors")
@pytest.mark.parametrize("full", [False, pytest.param(True, marks=pytest.mark.verify)], ids=["quick", "full"])
def test_processors(full):
    """The same bytes compiled for this processor, for one with neither AVX nor fma, and in full for AVX2.

    Each has to compile its kernels, so the quick form leaves out AVX2, whose vectors lie between the other two, tapes,
    streams, and training in float64.
    """
    targets = TARGETS if full and host_has_avx2() else ["generic"]
    running = [start(target, *(["--full"] if full else [])) for target in targets]
    here = "".join(digest.all_digests(full))
    assert len(here.splitlines()) == (3 * len(digest.FULL) + 16 if full else 3 * len(digest.QUICK) + 2)
    for process in running:
        assert process.communicate()[0] == here
        assert process.returncode == 0
