"""The command `refine`: what it prints, its exit codes, and that it can be stopped."""

from __future__ import annotations

import json
import shutil

import pytest

import gradsim as gs
from gradsim.runs import refining
from tests.gradsim.refined import SWEEP, TARGET, base


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return base(tmp_path_factory.mktemp("made") / "run").path


@pytest.fixture
def path(made, tmp_path):
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


def test_a_dry_run_writes_nothing(call, path):
    before = sorted(path.rglob("*"))
    code, out, _ = call("refine", path, "--target", TARGET, "--dry-run")
    assert code == 0
    assert "half_width_before" in out
    assert "0 extensions of the sweep" in out
    assert "To reach ± 0.015: about" in out
    assert sorted(path.rglob("*")) == before
    (path / "manifests/000001.json").unlink()
    code, out, err = call("refine", path, "--target", TARGET, "--dry-run")
    assert (code, "1 shard must be computed first" in err, "To reach" in out) == (0, True, False)


def test_refine(call, path):
    code, out, err = call("refine", path, "--target", TARGET, "--progress", "log", "--threads", 1)
    assert code == 0
    assert "a uniform grid of the same precision would take about" in out
    assert "Extension 0: 2 intervals wider than ± 0.015;" in err
    assert "networks computed by this command" in err
    rows = json.loads(call("refine", path, "--target", TARGET, "--progress", "none", "--format", "json")[1])
    assert [row["reached"] for row in rows] == [True, True]
    assert all(row["half_width"] <= TARGET < row["half_width_before"] for row in rows)
    assert call("verify", path)[0] == 0
    assert "extensions" in call("status", path)[1]
    (path / "sweep-file.toml").write_text(SWEEP.to_toml())
    code, out, _ = call("run", path / "sweep-file.toml", "--out", path, "--dry-run")
    assert f"{gs.open(path).dataset.plan.networks:,}" in out
    code, out, _ = call("run", path / "sweep-file.toml", "--out", path, "--progress", "none")
    assert (code, "already holds the complete sweep" in out) == (0, True)


def test_what_is_not_reached(call, path, monkeypatch):
    monkeypatch.setattr(refining, "MOST_ROUNDS", 1)
    code, out, err = call("refine", path, "--target", TARGET / 3, "--progress", "none")
    assert code == 75
    assert "Half the width of its interval is still" in out
    assert "Give the same command again" in err
    code, out, err = call("refine", path, "--target", TARGET, "--kind", "decades(90)", "--progress", "none")
    assert (code, "No boundary can be refined" in err) == (0, True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--target", "-1"), "target = -1.0 is refused; allowed: a finite number > 0"),
        (("--target", "0.1", "--kind", "mean"), "kind = 'mean' is refused"),
        (("--target", "0.1", "--level", "2"), "level"),
        (("--target", "0.1", "--engine", "dusk"), "engine = 'dusk' is refused"),
        ((), "Missing option '--target'"),
    ],
)
def test_refused(call, path, options, sentence):
    code, _, err = call("refine", path, *options, "--progress", "none")
    assert (code, sentence in err) == (2, True), err
    assert not (path / "extensions").exists()


def test_no_dataset(call, tmp_path):
    code, _, err = call("refine", tmp_path, "--target", "0.1")
    assert (code, "there is no gradsim dataset" in err) == (2, True)
