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


BRANCHES = ("recommend", "--activation", "relu", "--depth", "8", "--width", "64", "--architecture", "transformer",
            "--normalisation", "layer", "--inputs", "4", "--heads", "2")  # fmt: skip


def test_networks_with_branches_print_the_std_first(call):
    code, text, _ = call(*BRANCHES)
    assert code == 0
    lines = text.splitlines()
    assert lines[0].startswith("relu transformer, 8 blocks, width 64, layer norm, placement pre, 4 tokens, 2 heads")
    assert "Set these standard deviations (depth_scaled):" in lines[2:4]
    assert "attention output        0.03125     fan_in 64, sigma 0.25" in text  # 1 / sqrt(64 * 16)
    assert "nn.init.normal_(block.o_proj.weight, std=0.03125)" in text
    assert max(map(len, lines)) <= 120
    assert "PyTorch" not in call(*BRANCHES, "--framework", "none")[1]


def test_records_of_networks_with_branches(call):
    found = json.loads(call(*BRANCHES, "--format", "json")[1])
    assert found["best"] == "depth_scaled"
    assert found["level"] is True
    assert [row["matrix"] for row in found["stds"]] == ["queries", "values", "attention", "up", "down"]
    assert found["code"]["flax"] is None
    table = pd.read_csv(io.StringIO(call(*BRANCHES, "--format", "csv")[1]))
    assert table["initialisation"].tolist() == [row["initialisation"] for row in found["initialisations"]]
    assert table.loc[table["best"], "initialisation"].tolist() == ["depth_scaled"]
    assert set(table["inputs"]) == {4}


def test_options_reach_the_network(call):
    asked = ("recommend", "--activation", "relu", "--depth", "4", "--width", "64")
    text = call(*asked, "--architecture", "residual2", "--branch-scale", "0.5", "--expansion", "2")[1]
    assert "branch_scale 0.5, expansion 2.0" in text
    assert "down (out of the MLP)   " in text
    assert "fan_in 128" in text
    code, _, err = call(*asked, "--gated")
    assert code == 2
    assert "unless the architecture is residual2 or transformer" in err
