"""The command `gradsim coordcheck`: verdicts for people, tables for programs, files."""

from __future__ import annotations

import json
from io import StringIO

import pandas as pd
import pytest

ASKED = (
    "coordcheck", "--depth", "2", "--sigma-w", "1.5", "--learning-rate", "0.3", "--steps", "1", "--inputs", "2",
    "--networks", "20", "--width", "32", "--width", "128",
)  # fmt: skip


def test_text(call):
    code, out, _ = call(*ASKED, "--parametrisation", "ntk", "--networks", "60", "--width", "512")
    assert code == 0
    assert "Hidden features do not move under ntk" in out
    assert "Change of h since step 0" in out
    assert "  layer 2   N^-0." in out


def test_json_has_all_tables(call):
    code, out, _ = call(*ASKED, "--format", "json", "--clip", "1.0", "--cost", "softmax")
    found = json.loads(out)
    assert code == 0
    assert found["widths"] == [32, 128]
    assert (found["clip"], found["cost"], found["activation"]) == (1.0, "softmax", "tanh")
    assert len(found["verdicts"]) == 12
    assert len(found["exponents"]) == 18
    assert found["summary"]


@pytest.mark.parametrize(("table", "column"), [("verdicts", "words"), ("exponents", "ci_low"), ("sizes", "median")])
def test_one_table(call, table, column):
    code, out, _ = call(*ASKED, "--table", table, "--format", "csv")
    assert code == 0
    assert column in pd.read_csv(StringIO(out))


def test_output(call, tmp_path):
    pytest.importorskip("matplotlib")
    code, _, _ = call(*ASKED, "--output", tmp_path / "found")
    assert code == 0
    names = {"verdicts.parquet", "exponents.parquet", "sizes.parquet", "forward.png", "backward.png"}
    assert {path.name for path in (tmp_path / "found").iterdir()} == names
    assert len(pd.read_parquet(tmp_path / "found" / "exponents.parquet")) == 18


def test_refused(call):
    code, _, said = call(*ASKED, "--momentum", "2")
    assert code == 2
    assert "momentum = 2.0 is refused" in said


def test_help_teaches(call):
    code, out, _ = call("coordcheck", "--help")
    assert code == 0
    assert "maximal update: 0, the learning rate carries over" in out
    assert "gradsim coordcheck --depth 3" in out
