"""The shipped claims, and claim files with faults: each is refused in words that name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradsim.errors import SweepError, SweepFileError
from gradsim.validation import claims
from gradsim.validation.estimators import ESTIMATORS

ROOT = Path(__file__).parents[3]

GOOD = """
title = "A title"
authors = "Somebody"
year = 2020
link = "arXiv:0000.00000"

[[claims]]
id = "one"
what = "chi_1 of relu is 1"
where = "equation 1"
basis = "printed"
value = "1.00"
estimator = "chi_1"
given = { activation = "relu", sigma_w = "sqrt(2)" }
margin = { units = 0.5 }
control = "sigma_w"
"""

FAULTS = {
    "unknown key": ("year = 2020", "yaer = 2020", "year"),
    "no claims": (GOOD[GOOD.index("[[claims]]") :], "", "claims is missing"),
    "a name": ("year = 2020", 'name = "other"', "the file's name"),
    "year": ("2020", "20", "a year"),
    "unknown key of a claim": ("control = ", "controls = ", "control"),
    "no value": ('value = "1.00"', "", "value is missing"),
    "value without quotes": ('"1.00"', "1.00", "in quotes"),
    "value no formula": ('"1.00"', '"__import__(1)"', "no number and no formula"),
    "value of a power": ('"1.00"', '"10.0 ** 10 ** 10"', "value"),
    "value not finite": ('"1.00"', '"1 / 0"', "division by zero"),
    "unknown estimator": ('"chi_1"', '"chi_l"', "The nearest is chi_1"),
    "unknown parameter": ("sigma_w = ", "sigma_v = ", "The nearest is sigma_w"),
    "missing parameter": (', sigma_w = "sqrt(2)"', "", "given.sigma_w is missing"),
    "unknown activation": ('"relu"', '"rleu"', "The nearest is relu"),
    "number for a name": ('activation = "relu"', "activation = 3", "a name in quotes"),
    "parameter no number": ('"sqrt(2)"', '"root(2)"', "given.sigma_w"),
    "unknown margin": ("units = 0.5", "unit = 0.5", "The nearest is units"),
    "two margins": ("units = 0.5", "units = 0.5, relative = 0.1", "one of"),
    "margin no table": ("{ units = 0.5 }", "0.5", "one of"),
    "margin of 2 %": ("units = 0.5", "relative = 0.02", "error of 2 % must be caught"),
    "margin 0": ("units = 0.5", "absolute = 0.0", "smaller positive"),
    "margin true": ("units = 0.5", "absolute = true", "positive"),
    "units of a formula": ('"1.00"', '"1 / 1"', "no last place"),
    "unknown control": ('control = "sigma_w"', 'control = "sigma_b"', "one of sigma_w, value"),
    "control of a name": ('control = "sigma_w"', 'control = "activation"', "one of sigma_w, value"),
    "basis": ('"printed"', '"recalled"', "basis"),
    "beyond and computed": ('control = "sigma_w"', 'control = "sigma_w"\nbeyond = "No."', "beyond"),
    "dispute without a check": ('control = ', 'dispute = { instead = "2", route = "q_star" }\ncontrol = ', "check"),
    "dispute by the same route": (
        "control = ", 'dispute = { instead = "2", route = "chi_1", check = "x" }\ncontrol = ', "another estimator"
    ),
    "dispute by an unknown route": (
        "control = ", 'dispute = { instead = "2", route = "chi_2", check = "x" }\ncontrol = ', "The nearest is chi_1"
    ),
    "id": ('"one"', '"One claim"', "small letters"),
    "the same id twice": ("[[claims]]", f"{GOOD[GOOD.index('[[claims]]') :]}\n[[claims]]", "no other claim"),
}  # fmt: skip


def test_a_good_file_is_read() -> None:
    source = claims.parse_source(GOOD.encode(), "good", "good.toml")
    assert source.claims[0].estimator == "chi_1"
    assert source.label == "Somebody 2020"


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named(name: str) -> None:
    old, new, says = FAULTS[name]
    assert old in GOOD
    with pytest.raises(SweepError) as caught:
        claims.parse_source(GOOD.replace(old, new).encode(), "bad", "bad.toml")
    message = str(caught.value)
    assert says in message
    assert message.startswith("bad.toml")
    assert " = " in message or "is missing" in message


def test_whole_numbers() -> None:
    text = GOOD.replace('"chi_1"', '"boundary"').replace('sigma_w = "sqrt(2)"', "depth = 3.5")
    with pytest.raises(SweepError, match="a whole number"):
        claims.parse_source(text.encode(), "bad", "bad.toml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SweepFileError, match="cannot be read"):
        claims.load(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("title = [")
    with pytest.raises(SweepFileError, match="not a TOML file"):
        claims.load(broken)
    broken.write_text("#" * (2**20 + 1))
    with pytest.raises(SweepFileError, match="1 MiB"):
        claims.load(broken)
    with pytest.raises(SweepError, match="The nearest is he-2015"):
        claims.load("he-2016")
    with pytest.raises(SweepError, match="at least one source"):
        claims.load([])


def test_the_shipped_claims() -> None:
    """At least 60 are computed and 8 disputed, at most a third are beyond scope, and each names its place."""
    every = [claim for source in claims.load() for claim in source.claims]
    computed = [claim for claim in every if claim.beyond is None]
    assert len(computed) >= 60
    assert sum(claim.dispute is not None for claim in computed) >= 8
    assert len(every) - len(computed) <= len(every) / 3
    routes = {claim.dispute.route for claim in computed if claim.dispute}
    assert all(ESTIMATORS[route].family == "independent" or route.startswith("quad") for route in routes)
    assert {claim.estimator for claim in computed} | routes <= set(ESTIMATORS)


def test_every_estimator_is_used() -> None:
    every = [claim for source in claims.load() for claim in source.claims]
    used = {claim.estimator for claim in every} | {claim.dispute.route for claim in every if claim.dispute}
    unused = set(ESTIMATORS) - used
    assert unused <= {"mean", "mean_square", "mean_square_slope", "quad_mean_square"}, unused


def test_the_page_lists_exactly_the_claims() -> None:
    """With the claimed number, basis and a verdict that the data allow."""
    from gradsim.validation.verdicts import VERDICTS

    page = (ROOT / "docs/claims.md").read_text(encoding="utf-8")
    rows = [line.replace("\\|", "|").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    every = [claim for source in claims.load() for claim in source.claims]
    listed = [(row[0].strip("|` "), " ".join(row[1].split()), row[3], row[4]) for row in rows]
    assert listed == [(claim.id, claim.what, claim.basis, claim.value or "-") for claim in every]
    for row, claim in zip(rows, every, strict=True):
        verdict = row[8].split("**")[1]
        assert verdict in VERDICTS
        assert (verdict == "disputed", verdict == "beyond scope") == (bool(claim.dispute), bool(claim.beyond))
