"""The kernels on one thread, and the reduction of a block to statistics."""

from __future__ import annotations

import pytest

from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import Network
from gradsim_core.laws import resolve_law
from gradsim_core.results.statistics import merge, reduce
from gradsim_core.simulator import Simulator

SIZES = [(64, 32, 300), (256, 64, 8), (16, 16, 10_000), (1024, 4, 6)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("width", "depth", "networks"), SIZES)
def test_explicit_block(benchmark, width, depth, networks, dtype):
    """Networks per second of one thread; extra_info has ns per weight."""
    if benchmark.disabled:
        networks = 1
    simulator = Simulator(resolve_activation("tanh"), resolve_law("gaussian"), dtype)
    cell = simulator.params(1, depth, width, 1.5)
    simulator.block(cell, 0, 1)
    benchmark(simulator.block, cell, 0, networks)
    if not benchmark.disabled:
        seconds = benchmark.stats.stats.median
        benchmark.extra_info["networks_per_second"] = networks / seconds
        benchmark.extra_info["ns_per_weight"] = seconds * 1e9 / (networks * depth * width**2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("width", "depth", "networks"), [(64, 32, 4096), (256, 64, 512), (16, 16, 16_384)])
def test_conditional_block(benchmark, width, depth, networks, dtype):
    """Networks per second of one thread; extra_info has ns per normal."""
    if benchmark.disabled:
        networks = 16
    simulator = Simulator(resolve_activation("tanh"), resolve_law("gaussian"), dtype, "conditional")
    cell = simulator.params(1, depth, width, 1.5)
    simulator.block(cell, 0, 16)
    benchmark(simulator.block, cell, 0, networks)
    if not benchmark.disabled:
        seconds = benchmark.stats.stats.median
        benchmark.extra_info["networks_per_second"] = networks / seconds
        benchmark.extra_info["ns_per_normal"] = seconds * 1e9 / (2 * networks * depth * width)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("width", "depth", "networks"), [(64, 32, 16_384), (1024, 64, 8192), (10**6, 100, 4096)])
@pytest.mark.parametrize("architecture", ["plain", "residual2"])
def test_radial_block(benchmark, architecture, width, depth, networks, dtype):
    """Networks per second of one thread; extra_info has ns per layer of a network."""
    if benchmark.disabled:
        networks = 16
    words = resolve_activation("relu"), resolve_law("gaussian"), dtype, "radial"
    simulator = Simulator(*words, network=Network(architecture))
    cell = simulator.params(1, depth, width, 2**0.5)
    simulator.block(cell, 0, 16)
    benchmark(simulator.block, cell, 0, networks)
    if not benchmark.disabled:
        seconds = benchmark.stats.stats.median
        benchmark.extra_info["networks_per_second"] = networks / seconds
        benchmark.extra_info["ns_per_layer"] = seconds * 1e9 / (networks * depth)


@pytest.mark.parametrize(("width", "depth", "networks"), SIZES[:3])
def test_reduction(benchmark, width, depth, networks):
    """A block to exactly mergeable sums and histograms."""
    simulator = Simulator(resolve_activation("tanh"), resolve_law("gaussian"))
    values, _ = simulator.block(simulator.params(1, depth, width, 1.5), 0, 10 if benchmark.disabled else networks)
    benchmark(reduce, values)
    if not benchmark.disabled:
        benchmark.extra_info["ns_per_value"] = benchmark.stats.stats.median * 1e9 / values.size


def test_merge(benchmark):
    """Thirty-two blocks of a cell into one."""
    simulator = Simulator(resolve_activation("tanh"), resolve_law("gaussian"))
    cell = simulator.params(1, 64, 16, 1.5)
    parts = [reduce(simulator.block(cell, 200 * k, 200)[0]) for k in range(2 if benchmark.disabled else 32)]
    benchmark(merge, *parts)
