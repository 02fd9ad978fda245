"""The command and the function: verdicts of real claims, planted faults with exit code 4, and every format."""

from __future__ import annotations

import json

import pandas as pd
import pytest

import gradsim as gs
from gradsim.validation import load, referee
from tests.gradsim.validation.test_claims import GOOD

QUICK = ["klambauer-2017", "critmlp", "kedia-2024"]
DISPUTED = """
dispute = { instead = "1.59253742", route = "quad_forward_gain", check = "by quadrature" }
"""
GAIN = (
    GOOD.replace("chi_1", "forward_gain").replace('"1.00"', '"1.667"').replace('sigma_w = "sqrt(2)"', "q = 1")
    .replace('"relu"', '"tanh"').replace('control = "sigma_w"', 'control = "q"')
)  # fmt: skip
PLANTED = {
    "a wrong value": (GOOD.replace('"1.00"', '"1.01"'), "Ours is 1, off by -0.01"),
    "a dispute that agrees": (
        GAIN.replace('"1.667"', '"1.593"') + DISPUTED, "ours agrees with it: 1.59253742"
    ),
    "a dispute with another number": (GAIN + DISPUTED.replace("1.5925", "1.5926"), "not 1.59263742"),
    "a control that is not caught": (GOOD.replace('"1.00"', '"1e0"'), "planted error of 2 % in sigma_w is not caught"),
    "a simulation without power": (
        GOOD.replace('"chi_1"', '"mean_gain"').replace('"1.00"', '"1 / 1"')
        .replace("units = 0.5", "standard_errors = 4")
        .replace('"sqrt(2)"', '"sqrt(2)", depth = 2, width = 4, networks = 64'),
        "not caught",
    ),
    "no critical point": (
        GOOD.replace('"chi_1"', '"critical_sigma_w"').replace('"relu"', '"softplus"')
        .replace(', sigma_w = "sqrt(2)"', "").replace('control = "sigma_w"', 'control = "value"'),
        "There is no number",
    ),
    "a root that does not exist": (
        GOOD.replace('"chi_1"', '"truncated_normal_std"').replace('activation = "relu", sigma_w = "sqrt(2)"', "cut = 0")
        .replace('control = "sigma_w"', 'control = "value"'),
        "There is no number",
    ),
}  # fmt: skip


@pytest.fixture
def file(tmp_path):
    def write(text, name="planted.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_verdicts():
    found = gs.validate(QUICK, progress="none").set_index("id")
    assert set(found["verdict"]) == {"confirmed", "refined", "disputed", "beyond scope"}
    swish = found.loc["critmlp/swish-bias"]
    assert swish["verdict"] == "disputed"
    assert swish["ours"] == pytest.approx(swish["second"], rel=1e-9)
    computed = found[found["verdict"] != "beyond scope"]
    assert (computed["control_margins"] > 1).all()
    assert computed["ours"].notna().all()


@pytest.mark.parametrize("name", PLANTED)
def test_planted_faults_fail(call, file, name):
    text, says = PLANTED[name]
    code, out, _ = call("validate", file(text), "--progress", "none")
    assert code == 4
    assert says in out
    assert "1 failed" in out


def test_the_same_without_the_fault(call, file):
    code, out, _ = call("validate", file(GOOD), "--progress", "none")
    assert (code, "1 refined" in out) == (0, True)
    code, out, _ = call("validate", file(GAIN + DISPUTED), "--progress", "none")
    assert (code, "1 disputed" in out) == (0, True)


def test_a_disputed_claim_needs_its_dispute(call, file):
    assert call("validate", file(GAIN), "--progress", "none")[0] == 4


def test_quick_leaves_out_full_claims(file):
    text = GOOD + GOOD[GOOD.index("[[claims]]") :].replace('"one"', '"two"') + 'cost = "full"\n'
    assert gs.validate(file(text), quick=True, progress="none")["id"].tolist() == ["planted/one"]
    assert len(gs.validate(file(text), progress="none")) == 2


def test_formats_and_files(call, file, tmp_path):
    path = file(GOOD)
    code, out, err = call("validate", path, "--format", "csv")
    assert code == 0
    assert out.startswith("id,what,where")
    assert err == "" or "validate" in err
    (row,) = json.loads(call("validate", path, "--format", "json")[1])
    assert (row["verdict"], row["claimed"], row["reason"]) == ("refined", "1.00", "More digits: 1.")
    assert "| `one` | chi_1 of relu is 1 | equation 1 |" in call("validate", path, "--format", "markdown")[1]
    for suffix, read in ((".parquet", pd.read_parquet), (".csv", pd.read_csv), (".json", pd.read_json)):
        output = tmp_path / "new" / f"claims{suffix}"
        assert call("validate", path, "--output", output)[0] == 0
        assert read(output)["verdict"].tolist() == ["refined"]
    assert call("validate", path, "--output", tmp_path / "claims.md")[0] == 0
    assert (tmp_path / "claims.md").read_text(encoding="utf-8").startswith("# Published numbers")


def test_lists_sources(call):
    code, out, _ = call("validate", "--list")
    assert code == 0
    assert "he-2015" in out
    rows = json.loads(call("validate", "he-2015", "--list", "--format", "json")[1])
    assert rows == [{"source": "he-2015", "claims": 6, "by": "He, Zhang, Ren, Sun 2015", "link": "arXiv:1502.01852"}]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["he-2016"], "The nearest is he-2015"),
        (["he-2015", "--output", "claims.txt"], ".parquet, .csv, .json, .md"),
        (["he-2015", "--progress", "loud"], "'loud' is not one of"),
    ],
)
def test_bad_arguments_write_nothing(call, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("validate", *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert not list(tmp_path.iterdir())


def test_a_parameter_out_of_range_is_bad_input(call, file, tmp_path):
    path = file(GOOD.replace('"sqrt(2)"', '"-1"'))
    code, out, err = call("validate", path, "--output", tmp_path / "out.csv", "--progress", "none")
    assert (code, out) == (2, "")
    assert "planted/one: sigma_w = -1.0" in err
    assert not (tmp_path / "out.csv").exists()


def test_progress_adds_up(file):
    class Counter:
        total = 0.0

        def add(self, share):
            self.total += share

    counter = Counter()
    list(referee.run(load(["cho-saul-2009", "kedia-2024"]), share=counter))
    assert counter.total == pytest.approx(1.0)
