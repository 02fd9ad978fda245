"""Plans: every network in exactly one shard, shards of equal work, cheap for any size."""

from __future__ import annotations

import tracemalloc
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradsim.errors import SweepError
from gradsim.simulation import plan as plans
from gradsim.simulation.plan import VALUES_PER_SHARD, Slice, check_cap, plan
from gradsim.sweep import Sweep


def make(**changes: object) -> Sweep:
    base = {"activation": "tanh", "sigma_w": [1, 2], "depth": [2, 3], "width": 4, "networks": 10, "seed": 1}
    return Sweep(**{**base, **changes})


def test_small_sweep_is_one_shard() -> None:
    made = plan(make())
    assert made.shard_count == 1
    assert made.shard(0).slices == tuple(Slice(cell_id, 0, 10) for cell_id in range(4))
    assert made.shard(0).name == "000000"
    assert (made.networks, made.normals) == (40, 10 * 2 * 16 * (2 + 3))
    with pytest.raises(IndexError):
        made.shard(1)


@settings(max_examples=60, deadline=None)
@given(
    networks=st.integers(1, 40),
    depth=st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
    width=st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
    shard_size=st.integers(1, 3000),
    record=st.sampled_from(["layers", "networks"]),
)
def test_every_network_is_in_exactly_one_shard(networks, depth, width, shard_size, record) -> None:
    sweep = make(networks=networks, depth=depth, width=width, shard_size=shard_size, record=record)
    made = plan(sweep)
    work = {cell.cell_id: sweep.normals(cell) for cell in made.cells}
    reached: dict[int, int] = defaultdict(int)
    for index, shard in enumerate(made.shards()):
        assert shard.index == index
        assert shard.slices
        assert [part.cell_id for part in shard.slices] == sorted({part.cell_id for part in shard.slices})
        for part in shard.slices:
            assert part.first == reached[part.cell_id]
            assert part.count > 0
            reached[part.cell_id] += part.count
        largest = max(work[part.cell_id] for part in shard.slices)
        assert sum(work[part.cell_id] * part.count for part in shard.slices) < shard_size + largest
    assert index == made.shard_count - 1
    assert reached == dict.fromkeys(work, networks)


def test_shards_are_equal_work() -> None:
    sweep = Sweep.from_toml("phase-tanh")
    made = plan(sweep)
    work = [sum(sweep.normals(made.cells[p.cell_id]) * p.count for p in shard.slices) for shard in made.shards()]
    assert len(work) == -(-made.normals // sweep.shard_size) == 3
    assert all(abs(one - sweep.shard_size) < 64 * 64**2 for one in work[:-1])


def test_the_plan_does_not_depend_on_how_a_sweep_was_written() -> None:
    one, other = make(shard_size=100), make(shard_size=100, sigma_w={"start": 1.0, "stop": 2.0, "num": 2})
    assert list(plan(one).shards()) == list(plan(other).shards())


def test_what_is_stored_is_work_too() -> None:
    networks = plan(make(depth=64, width=1, sigma_w=1, networks=10**6, record="networks"))
    stored = [sum(part.count for part in shard.slices) * 64 * 4 for shard in networks.shards()]
    assert max(stored) <= VALUES_PER_SHARD + 64 * 4
    layers = plan(make(depth=500, width=1, sigma_w=range(1, 1001), networks=100))
    bins = 4 * 500 * 100
    assert layers.shard_count > 1
    assert max(len(shard.slices) * bins for shard in layers.shards()) <= VALUES_PER_SHARD + 2 * bins


def test_many_cells_and_huge_counts_are_cheap() -> None:
    sweep = make(sigma_w=range(1, 101), depth=range(1, 101), networks=2**48, shard_size=10**12)
    plan(make()).estimate()  # imports
    tracemalloc.start()
    made = plan(sweep)
    shard = made.shard(made.shard_count // 2)
    estimate = made.estimate()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1000 * len(made.cells)  # nothing is held for a network or a shard
    assert shard.slices
    assert estimate.networks == 10**4 * 2**48
    assert estimate.shards == made.shard_count > 10**6


def test_memory_of_wide_networks_counts_for_each_thread() -> None:
    wide = plan(make(width=2**14, depth=2, sigma_w=1))
    one, two = (wide.estimate(threads).peak_memory for threads in (1, 2))
    assert one > 2 * 2**28 * 4  # weights, float32
    assert two - one > 2 * 2**28 * 4
    assert plan(make(width=2**14, depth=2, sigma_w=1, method="conditional")).estimate(1).peak_memory < one / 4


def test_equal_keys_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(plans, "cell_key", lambda cell, seed: cell.depth)
    with pytest.raises(SweepError, match=r"cells 0 and 1 .*tanh.*Change the seed"):
        plan(make())


def test_work_cap() -> None:
    large = plan(make(networks=10**14))
    with pytest.raises(SweepError, match=r"work = .* is refused.*--yes") as caught:
        check_cap(large)
    assert caught.value.exit_code == 2
    check_cap(large, yes=True)
    check_cap(plan(make()))


def test_shard_cap() -> None:
    with pytest.raises(SweepError, match=r"shard_size = 1 .* at most 10,000,000 shards"):
        check_cap(plan(make(networks=10**7, shard_size=1)), yes=True)
