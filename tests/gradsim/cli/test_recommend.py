"""The command `gradsim recommend`: text for people, records for programs."""

from __future__ import annotations

import io
import json

import pandas as pd
import pytest

ASKED = ("recommend", "--depth", "16", "--width", "32")


def test_text_gives_the_answer_the_spread_the_presets_and_code(call):
    text = call(*ASKED, "--activation", "relu")[1]
    for part in ("sigma_w       1.4", "std           0.2", "PyTorch gain", "He multiple", "95 % interval", "exact",
                 "typical gain", "unlucky", "Xavier, LeCun", "PyTorch:", "Flax:", "Keras:"):  # fmt: skip
        assert part in text
    assert max(map(len, text.splitlines())) <= 120
    assert "Flax" not in call(*ASKED, "--activation", "relu", "--framework", "pytorch")[1]


def test_records_have_every_number(call):
    found = json.loads(call(*ASKED, "--activation", "relu", "--format", "json")[1])
    assert found["theory"] == pytest.approx(found["sigma_w"], rel=1e-5)
    assert {"pytorch", "flax", "keras"} == set(found["code"])
    assert found["level"] is True
    assert found["reason"] is None
    assert len(found["presets"]) == 5
    table = pd.read_csv(io.StringIO(call(*ASKED, "--activation", "relu", "--format", "csv")[1]))
    assert table["sigma_w"].tolist() == [found["sigma_w"]]


def test_no_recommendation_comes_with_an_alternative(call):
    asked = ("recommend", "--activation", "gelu", "--depth", "64", "--width", "256")
    found = json.loads(call(*asked, "--format", "json")[1])
    assert found["sigma_w"] is None
    assert found["code"]["pytorch"] is None
    assert found["alternative"]["sigma_b"] == 0.42
    assert found["alternative"]["level"]
    text = call(*asked)[1]
    assert "No sigma_w is recommended" in text
    assert "With sigma_b = 0.42" in text
    assert "std=0.42" in text


def test_a_wrong_name_is_refused_at_once(call):
    code, _, err = call(*ASKED, "--activation", "rleu")
    assert code == 2
    assert "The nearest is relu" in err
