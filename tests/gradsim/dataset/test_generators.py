"""Datasets that an older version began, which drew some networks from other random numbers: read, never continued."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import gradsim as gs
from gradsim.errors import CorruptDataError, RunExistsError
from gradsim.simulation.plan import Plan
from gradsim_core.architectures import ARCHITECTURES

NARROW = gs.Sweep(activation="tanh", sigma_w=1.2, depth=3, width=[4, 40], networks=60, seed=1, shard_size=20_000)
SENTENCE = r"begun by another version of gradsim.*\(schedule narrow\).*read with gs\.open.*new directory"


@pytest.fixture
def older(monkeypatch):
    """A context in which every schedule draws version 1."""
    plain = ARCHITECTURES["plain"]
    schedules = tuple(replace(row, generator=1) for row in plain.schedules)

    def context():
        patch = monkeypatch.context()
        inner = patch.__enter__()
        inner.setitem(ARCHITECTURES, "plain", replace(plain, schedules=schedules))
        return patch

    return context


def run(out: Path, shard: str = "1/1") -> gs.Run:
    return gs.run(NARROW, out, shard=shard, progress="none", threads=1)


def test_what_a_plan_says() -> None:
    assert Plan(NARROW).generators == {"narrow": 2}
    assert Plan(NARROW.replace(width=40)).generators == {}
    assert Plan(NARROW.replace(method="conditional")).generators == {}


def test_an_older_dataset_is_read_and_not_continued(older, tmp_path: Path) -> None:
    old = older()
    assert run(tmp_path / "part", "1/2").dataset.missing()
    digest = run(tmp_path / "whole").verify().digest
    old.__exit__(None, None, None)

    with pytest.raises(RunExistsError, match=SENTENCE):
        run(tmp_path / "part")
    assert gs.open(tmp_path / "part").verify().problems == []
    assert len(gs.open(tmp_path / "part").layers()) > 0
    assert run(tmp_path / "whole").computed == 0
    assert gs.open(tmp_path / "whole").compact(tmp_path / "compact").verify().digest == digest
    assert gs.open(tmp_path / "compact").dataset.plan.generators == {}


def test_shards_of_two_versions_never_meet(older, tmp_path: Path) -> None:
    run(tmp_path / "new", "1/2")
    old = older()
    with pytest.raises(RunExistsError, match=SENTENCE):
        run(tmp_path / "new", "2/2")
    run(tmp_path / "old")
    old.__exit__(None, None, None)
    manifest = gs.open(tmp_path / "new").dataset.missing()[0]
    name = f"manifests/{manifest:06d}.json"
    (tmp_path / "new" / name).write_bytes((tmp_path / "old" / name).read_bytes())
    with pytest.raises(CorruptDataError, match=r"another version than run\.json says"):
        gs.open(tmp_path / "new").layers()


def test_a_lost_run_json_does_not_make_an_older_dataset_a_damaged_one(older, tmp_path: Path) -> None:
    old = older()
    digest = run(tmp_path / "run").verify().digest
    old.__exit__(None, None, None)
    (tmp_path / "run" / "run.json").unlink()
    assert len(gs.open(tmp_path / "run").layers()) > 0
    again = run(tmp_path / "run").verify()  # writes run.json anew
    assert (again.problems, again.digest) == ([], digest)
