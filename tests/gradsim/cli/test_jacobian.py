"""The command `gradsim jacobian`."""

from __future__ import annotations

import json

import pytest

import gradsim as gs

CELL = ("jacobian", "relu", "--width", 16, "--depth", 3, "--sigma-w", 1.4, "--networks", 20, "--seed", 2)


def test_formats(call):
    found = gs.jacobian("relu", width=16, depth=3, sigma_w=1.4, networks=20, seed=2)
    code, text, _ = call(*CELL, "--top", 2)
    assert code == 0
    assert "variance_theory" in text
    assert len(text.strip().splitlines()) == 6
    code, text, _ = call(*CELL, "--top", 2, "--format", "json")
    rows = json.loads(text)
    assert [row["index"] for row in rows] == [1, 2]
    assert rows[0]["mean"] == pytest.approx(found.table()["mean"][0])
    assert rows[1]["variance"] == pytest.approx(found.moments().variance)
    assert rows[0]["activation"] == "relu"
    code, text, _ = call(*CELL, "--format", "csv")
    assert len(text.strip().splitlines()) == 5


def test_a_picture(call, tmp_path):
    pytest.importorskip("matplotlib")
    code, _, _ = call(*CELL, "--plot", tmp_path / "a.png")
    assert code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_bad_input(call):
    code, text, error = call("jacobian", "relu", "--width", 400, "--method", "explicit")
    assert (code, text) == (2, "")
    assert "at most 256" in error
    assert call("jacobian", "rleu")[0] == 2


def test_help_teaches(call):
    code, text, _ = call("jacobian", "--help")
    assert code == 0
    for words in ("dynamical isometry", "2 L for relu", "Examples:", "conditional"):
        assert words in text
