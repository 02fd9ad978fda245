"""Blocks of networks by the simulator for GPUs, on the stand-in: values, status and sums are the CPU's bytes."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.activations import resolve_activation
from gradsim_core.laws import resolve_law
from gradsim_core.results.statistics import reduce
from gradsim_core.simulator import Simulator
from tests.core.cuda.test_kernels import AXES, all_pairs

pytestmark = pytest.mark.skipif(jit.disabled(), reason="nothing is compiled")
if not jit.disabled():
    from gradsim_core.cuda.interface import GpuError
    from gradsim_core.cuda.simulator import GpuSimulator
    from tests.core.cuda.stand_in import FACTS, StandIn

# Activation, law, precision, method; depth, width, sigma_w, sigma_b; first network, how many.
QUICK = [
    (("tanh", "gaussian", "float32", "conditional"), (6, 13, 1.5, 0.3), (5, 70)),
    (("relu", "gaussian", "float32", "conditional"), (6, 8, 1e20, 0.0), (0, 20)),  # beyond the ordinary range
    (("relu", "gaussian", "float32", "explicit"), (6, 29, 1e8, 0.3), (10, 6)),  # which the CPU runs
]


def assert_same(words: tuple, numbers: tuple, block: tuple[int, int], stream: StandIn | None = None) -> StandIn:
    """Compare a block with the CPU's; returns the stream."""
    activation, law, *rest = words
    cpu = Simulator(resolve_activation(activation), resolve_law(law), *rest)
    cell, stream = cpu.params(777, *numbers), stream or StandIn()
    values, status = cpu.block(cell, *block)
    found = GpuSimulator(cpu).block(stream, cell, *block, keep=True)
    assert found.values is not None
    assert found.values.tobytes() == values.tobytes() or np.array_equal(found.values, values, equal_nan=True)
    np.testing.assert_array_equal(found.status, status)
    for a, b in zip(found.sums, reduce(values), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    return stream


@pytest.mark.parametrize("case", QUICK)
def test_blocks(case) -> None:
    assert_same(*case)


def test_arrays_are_given_back_and_few_slots_serve_many_groups() -> None:
    stream = StandIn(FACTS._replace(memory=2**20, threads=32))
    assert_same(*QUICK[0], stream=stream)
    assert_same(*QUICK[0], stream=stream)
    assert stream.free_memory() == 2**20 - 256


def test_memory_that_runs_out_is_told() -> None:
    stream = StandIn(FACTS._replace(memory=2**15, threads=32))
    with pytest.raises(GpuError) as raised:
        assert_same(*QUICK[0], stream=stream)
    assert raised.value.kind == "memory"
    assert stream.free_memory() == 2**15 - 256


def test_the_size_of_blocks() -> None:
    """As much as the memory takes, in whole groups."""
    cpu = Simulator(resolve_activation("tanh"), resolve_law("gaussian"), "float32", "conditional")
    cell = cpu.params(1, 32, 64, 1.0)
    sizes = [GpuSimulator(cpu).block_size(cell, memory) for memory in (2**10, 2**24, 2**40)]
    assert sizes[0] == 16
    assert sizes[0] < sizes[1] < sizes[2] == 2**17
    assert sizes[1] % 16 == 0


@pytest.mark.verify
@pytest.mark.parametrize("method", ["explicit", "conditional"])
@pytest.mark.parametrize("row", all_pairs(AXES, seed=2)[::6], ids=lambda row: "-".join(map(str, row.values())))
def test_all_pairs(row, method) -> None:
    """Whatever kernel runs them; a sixth of the combinations in which all pairs meet."""
    law = "gaussian" if method == "conditional" else row["law"]
    numbers = 1 + row["width"] % 8, row["width"], row["sigma_w"], row["sigma_b"]
    assert_same((row["activation"], law, row["dtype"], method), numbers, (7, 24))
