"""The status of a run: time left, exit codes, watching; and what an unfinished run refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gradsim.cli import inspect
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.manifest import Manifest, Span
from gradsim.runs.status import run_status
from gradsim.simulation.plan import Plan
from tests.gradsim.small_dataset import SWEEP, commit, full

SHARDS = SWEEP.replace(shard_size=20)


@pytest.fixture
def half(tmp_path: Path) -> Dataset:
    dataset = Dataset.create(tmp_path / "run", Plan(SHARDS))
    for index in dataset.missing()[::2]:
        commit(dataset, dataset.plan.shard(index))
    return dataset


def timed(dataset: Dataset, seconds: list[float], ends: list[float]) -> dict:
    """The status if the committed shards took so many seconds and ended at these times."""
    for span, length, end in zip(dataset.spans(), seconds, ends, strict=True):
        path = dataset.path / span.manifest
        one = Manifest.decode(path.read_bytes(), "manifest")
        finished = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=end)
        path.write_bytes(
            one.model_copy(update={"seconds": length, "write_seconds": 0.0, "finished": finished}).encode()
        )
    return run_status(Dataset.open(dataset.path))


def test_pauses_and_compilation_are_no_speed(half: Dataset) -> None:
    count = len(half.spans())
    steady = timed(half, [1.0] * count, [1.0 + i for i in range(count)])
    paused = timed(half, [1.0] * count, [1.0 + i + 3000 * (i > count // 2) for i in range(count)])
    assert paused["seconds_left"] == steady["seconds_left"]
    compiled = timed(half, [600.0] + [1.0] * (count - 1), [600.0 + i for i in range(count)])
    assert compiled["seconds_left"] <= 1.1 * steady["seconds_left"]
    parallel = timed(half, [1.0] * count, [1.0 + i // 2 for i in range(count)])
    assert parallel["normals_per_second"] > 1.6 * steady["normals_per_second"]


def test_exit_codes(half: Dataset, call) -> None:
    assert call("status", half.path)[0] == 0
    assert call("status", half.path, "--check")[0] == 75
    full(half.path, SHARDS)
    assert call("status", half.path, "--check")[0] == 0
    (half.path / Span(0, 0).part("layers")).unlink()
    assert call("status", half.path, "--check", "--watch")[0] == 4


def test_watching_ends_with_the_run(half: Dataset, call, monkeypatch) -> None:
    def sleep(seconds: float) -> None:
        commit(half, half.plan.shard(half.missing()[0]))

    monkeypatch.setattr(inspect.time, "sleep", sleep)
    missing = len(half.missing())
    code, said, _ = call("status", half.path, "--watch", "--check", "--format", "json")
    assert code == 0
    shown = [json.loads(text)[0]["shards_missing"] for text in said.split("\n\n")]
    assert shown == list(range(missing, -1, -1))


def test_compact_of_an_unfinished_run(half: Dataset, call, tmp_path: Path) -> None:
    code, _, error = call("compact", half.path, "--output", tmp_path / "small", "--progress", "none")
    assert code == 2
    assert "Finish the run first" in error
    assert not (tmp_path / "small").exists()
    code, said, _ = call("compact", half.path, "--output", tmp_path / "small", "--progress", "none", "--partial")
    assert code == 0
    assert f"{len(half.missing())} of which are still to be computed" in said
