"""Plans with extensions: every network in exactly one shard, nothing of the sweep's own shards changed."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradsim.errors import SweepError
from gradsim.simulation import plan as plans
from gradsim.simulation.plan import Plan, check_cap, extended, plan
from gradsim.sweep import Sweep
from gradsim.sweep.extension import Extension


def make(**changes: object) -> Sweep:
    base = {"activation": "tanh", "sigma_w": [1, 2], "depth": [2, 3], "width": 4, "networks": 10, "seed": 1}
    return Sweep(**{**base, **changes})


def grown(one: Plan, cells: tuple[tuple[int, float], ...], networks: dict[int, int]) -> Plan:
    return extended(one, Extension(parent=one.content_hash, cells=cells, networks=sorted(networks.items())))


counts = st.integers(1, 60)


@settings(max_examples=60, deadline=None)
@given(
    old=st.dictionaries(st.integers(0, 3), counts, max_size=4),
    new=st.lists(counts, min_size=1, max_size=3),
    again=st.dictionaries(st.integers(0, 3), counts, min_size=1, max_size=4),
    shard_size=st.integers(1, 3000),
    record=st.sampled_from(["layers", "networks"]),
)
def test_every_network_is_in_exactly_one_shard(old, new, again, shard_size, record) -> None:
    base = plan(make(shard_size=shard_size, record=record))
    cells = tuple((0, 1.1 + i / 10) for i in range(len(new)))
    one = grown(base, cells, old | {4 + i: count for i, count in enumerate(new)})
    two = grown(one, (), again)
    expected = np.full(4 + len(new), 10)
    expected[4:] = new
    for networks in (old, again):
        for cell_id, count in networks.items():
            expected[cell_id] += count
    assert two.cell_networks.tolist() == expected.tolist()
    assert (two.networks, len(two.cells)) == (expected.sum(), 4 + len(new))
    work = [two.sweep.normals(cell) for cell in two.cells]
    assert two.normals == int(expected @ np.array(work))
    assert list(two.shards())[: base.shard_count] == list(base.shards())
    assert list(two.shards())[: one.shard_count] == list(one.shards())
    reached: dict[int, int] = defaultdict(int)
    for index, shard in enumerate(two.shards()):
        assert shard.index == index
        assert shard.slices
        for part in shard.slices:
            assert (part.first, part.count > 0) == (reached[part.cell_id], True)
            reached[part.cell_id] += part.count
        largest = max(work[part.cell_id] for part in shard.slices)
        assert sum(work[part.cell_id] * part.count for part in shard.slices) < shard_size + largest
        assert two.hash_of(two.segment_of(index)) == (base, one, two)[two.segment_of(index)].content_hash
    assert index == two.shard_count - 1
    assert reached == dict(enumerate(expected.tolist()))


def test_shards_of_one_segment() -> None:
    one = grown(plan(make(shard_size=200)), ((0, 1.5),), {0: 5, 4: 30})
    end = one.segments[1].first_shard
    assert 0 < end < one.shard_count - 1
    assert one.has(0, end - 1)
    assert one.has(end, one.shard_count - 1)
    assert not one.has(end - 1, end)
    assert not one.has(end, one.shard_count)
    assert [part.count for part in one.slices(end, one.shard_count - 1)] == [5, 30]
    assert [one.segments[1].networks_of(cell) for cell in range(6)] == [5, 0, 0, 0, 30, 0]
    with pytest.raises(IndexError):
        one.shard(one.shard_count)


def test_the_sweeps_own_hash_is_that_of_its_shards() -> None:
    one = plan(make())
    assert one.content_hash == one.sweep.content_hash == one.hash_of(0)


def test_a_foreign_extension_is_refused() -> None:
    one = plan(make())
    other = Extension(parent=plan(make(seed=2)).content_hash, networks=((0, 1),))
    with pytest.raises(SweepError, match="parent"):
        extended(one, other)
    with pytest.raises(SweepError, match=r"at most 281474976710656 networks of a cell"):
        grown(one, (), {0: 2**48 - 9})


def test_equal_keys_are_refused(monkeypatch) -> None:
    one = plan(make())
    monkeypatch.setattr(plans, "cell_key", lambda cell, seed: round(cell.sigma_w) + 10 * cell.depth)
    with pytest.raises(SweepError, match=r"cells 0 and 4 .*Change the seed"):
        grown(one, ((0, 1.2),), {4: 1})


def test_estimates_and_limits_count_extensions() -> None:
    one = plan(make(width=64, depth=32, shard_size=10**9))
    two = grown(one, ((0, 1.5),), {2: 10**6, 0: 10**6})
    before, after = one.estimate(1), two.estimate(1)
    assert (after.cells, after.networks) == (3, 20 + 2 * 10**6)
    assert after.bytes > before.bytes
    assert after.peak_memory > before.peak_memory
    check_cap(two)
    with pytest.raises(SweepError, match="random normals without confirmation"):
        check_cap(grown(two, (), {0: 10**9}))
    with pytest.raises(SweepError, match="at most 10,000,000 shards"):
        check_cap(grown(plan(make(shard_size=10)), (), {0: 10**7}), yes=True)
