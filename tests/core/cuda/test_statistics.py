"""Sums and histograms by the kernels for GPUs, run by the interpreter: the CPU's `Sums`, whatever the values are."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.lanes import LANES
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.results.statistics import Sums, reduce

pytestmark = pytest.mark.skipif(jit.disabled(), reason="nothing is compiled")
if not jit.disabled():
    from gradsim_core.cuda import statistics, texts
    from tests.core.cuda.stand_in import StandIn
    from tests.core.cuda.test_kernels import check_text

DEPTH = 3


def values_of(networks: int, spread: float, seed: int = 1) -> np.ndarray:
    """Quantities (quantities, networks, depth): some dead, not finite, beyond the sums, or 0."""
    rng = np.random.default_rng(seed)
    values = rng.normal(rng.normal(0.0, 40.0, (len(QUANTITIES), 1, DEPTH)), spread, (len(QUANTITIES), networks, DEPTH))
    for special in (-np.inf, np.inf, np.nan, 1e9, -1e9, 0.0):
        values[rng.random(values.shape) < 0.03] = special
    values[0, :, 1] = np.nan  # a column without a finite value
    return values


def on_gpu(values: np.ndarray, first: int, count: int) -> Sums | None:
    """The sums of networks first .. first + count - 1, as the simulator has them on a GPU."""
    stream, networks = StandIn(), values.shape[1]
    groups = values.reshape(len(QUANTITIES), -1, LANES, DEPTH).transpose(1, 0, 3, 2)
    counted = np.zeros((2, networks))
    counted[:, first : first + count] = 1.0
    counted[1, values[list(QUANTITIES).index("log_delta"), :, -1] == -np.inf] = 0.0
    on_device = (stream.upload(np.ascontiguousarray(each).reshape(-1)) for each in (groups, counted))
    return statistics.sums(stream, *on_device, DEPTH)


def assert_same(found: Sums | None, expected: Sums) -> None:
    assert found is not None
    for name, a, b in zip(Sums._fields, found, expected, strict=True):
        assert a.dtype == b.dtype, name
        np.testing.assert_array_equal(a, b, name)


@pytest.mark.parametrize(("networks", "first", "count"), [(16, 0, 16), (48, 5, 30), (960, 3, 950)])
def test_sums(networks, first, count) -> None:
    values = values_of(networks, 3.0)
    assert_same(on_gpu(values, first, count), reduce(values[:, first : first + count]))


def test_wide_histograms() -> None:
    """Wider than a window in shared memory, and wider than all that a GPU counts."""
    values = values_of(160, 2000.0)
    assert_same(on_gpu(values, 0, 160), reduce(values))
    values[0, 0, 0], values[0, 1, 0] = -6e6, 6e6
    assert on_gpu(values, 0, 160) is None


def test_texts(monkeypatch, tmp_path) -> None:
    """A rounding in every float operation; NVIDIA's assembler, where it is there, takes shared memory and atomics."""
    found = []
    plain = texts.common_text
    monkeypatch.setattr(statistics, "common_text", lambda *kind: found.append(plain(*kind)) or found[-1])
    on_gpu(values_of(16, 3.0), 0, 16)
    assert len(found) == 2
    for text in found:
        check_text(text, tmp_path, ["", ""])


@pytest.mark.parametrize("barrier", [0, 1])
def test_a_barrier_left_out_is_caught(barrier, monkeypatch) -> None:
    """Counting before the window is empty, and reading it before all have counted."""
    plain = texts.common_text

    def without(name, types, capability):
        text = plain(name, types, capability)
        if name != "count":
            return text
        parts = text.split("\tbar.sync \t0;\n")
        assert len(parts) == 3
        return parts[0] + ("\tbar.sync \t0;\n" if barrier else "") + parts[1] + parts[2]

    monkeypatch.setattr(statistics, "common_text", without)
    with pytest.raises(AssertionError, match=r"just written|being added up"):
        on_gpu(values_of(960, 3.0), 0, 960)
