"""Tables as text: what a user called something is neither run by a spreadsheet nor obeyed by a terminal."""

from __future__ import annotations

import json
import tomllib

import pandas as pd
import pytest

import gradsim as gs
from gradsim.report import text

HOSTILE = ["=HYPERLINK(1)", "+1+cmd", "-x", "@SUM(A1)", "\x1b[2Jgone", "a\nb", "\x7f", "\r=1"]
FRAME = pd.DataFrame({"activation": HOSTILE, "value": [-1.5 - k for k in range(len(HOSTILE))]})


def test_csv_holds_no_formulas():
    rows = [line.rsplit(",", 1) for line in text.render(FRAME, "csv").splitlines()[1:]]
    assert [name.strip('"')[0] in "=+-@\r\t" for name, _ in rows] == [False] * len(HOSTILE)
    assert [float(value) for _, value in rows] == FRAME["value"].tolist()
    numbers = pd.DataFrame({"depth": ["4", "-inf"], "left": pd.array([1, None], "Int64"), "x": [-1.0, -2.5]})
    assert text.render(numbers, "csv").splitlines()[1:] == ["4,1,-1.0", "-inf,,-2.5"]


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_no_control_characters_in_a_table(form):
    shown = text.render(FRAME, form)
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert len(shown.splitlines()) == (1 if form == "json" else 1 + len(HOSTILE))
    if form == "json":
        assert [row["activation"] for row in json.loads(shown)] == HOSTILE


@pytest.mark.parametrize("name", ['"quoted"', "back\\slash", "it's", "größer als 0", "激活", "=1+1"], ids=ascii)
def test_a_stored_sweep_can_be_read_whatever_the_name(name):
    own = gs.Activation(name, lambda h: h, lambda h: 1.0)
    sweep = gs.Sweep(activation=own, sigma_w=1.0, depth=2, width=4, networks=1, seed=1)
    assert tomllib.loads(sweep.stored_text())["activation"][0]["name"] == name
