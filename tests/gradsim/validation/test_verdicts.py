"""The verdict is computed: every kind of it, and every kind of failure, from numbers that are given here."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gradsim.validation.claims import Claim
from gradsim.validation.estimators import Estimate
from gradsim.validation.verdicts import Verdict, compare, judge

DISPUTE = {"instead": "1.5925374", "route": "quad_forward_gain", "check": "by quadrature"}


def claim(value: str = "1.750", margin: dict[str, float] | None = None, **others: Any) -> Claim:
    rest = {"basis": "printed", "control": "value", **others}
    return Claim(
        id="a", what="a", where="a", value=value, estimator="forward_gain", given={"activation": "tanh"},
        margin=margin or {"units": 0.5}, **rest,
    )  # fmt: skip


def verdict(claimed: Claim, ours: float, error: float = 0.0, second: float | None = None) -> Verdict:
    planted = Estimate(1.02 * ours, error)
    return judge(claimed, Estimate(ours, error), planted, None if second is None else Estimate(second))


def test_refined_and_confirmed() -> None:
    assert verdict(claim(), 1.75049) == ("refined", "More digits: 1.75049.")
    assert verdict(claim(), 1.7505).name == "refined"  # a tie rounds to it
    assert verdict(claim("1.7501234567"), 1.7501234567).name == "confirmed"
    assert verdict(claim("7 / 4", {"relative": 1e-3}, basis="formula"), 1.7501).name == "confirmed"
    assert verdict(claim("1.750", basis="equations"), 1.7501).name == "confirmed"


def test_one_unit_off_fails() -> None:
    found = verdict(claim(), 1.7506)
    assert found.name == "failed"
    assert "off by +0.0006; allowed 0.0005" in found.reason


@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_margins(kind: str) -> None:
    size = 0.005 * (1.75 if kind == "absolute" else 1.0)
    for off, name in ((0.0049, "refined"), (-0.0049, "refined"), (0.0051, "failed"), (-0.0051, "failed")):
        assert verdict(claim("1.750", {kind: size}), 1.75 * (1 + off)).name == name


def test_standard_errors() -> None:
    """4 standard errors of ours, or of both where the source has one; and half a unit of rounding."""
    ours = claim("1.0", {"standard_errors": 4.0}, basis="formula")
    assert verdict(ours, 1.0 + 0.05 + 3.9e-4, 1e-4).name == "confirmed"
    assert verdict(ours, 1.0 + 0.05 + 4.1e-4, 1e-4).name == "failed"
    exact = claim("1 / 1", {"standard_errors": 4.0}, basis="formula")
    assert verdict(exact, 1.0039, 1e-3).name == "confirmed"
    assert verdict(exact, 1.0041, 1e-3).name == "failed"
    measured = claim("1.0000", {"standard_errors": 4.0}, value_error=3e-3)
    assert compare(measured, Estimate(1.0, 4e-3)).allowed == pytest.approx(4 * 5e-3 + 5e-5)
    assert verdict(measured, 1.001, 1e-4).name == "refined"
    assert judge(measured, Estimate(1.001, 4e-3), Estimate(1.1, 4e-3)).name == "confirmed"


def test_a_control_that_is_not_caught_fails() -> None:
    """An error of 2 % hides in two printed digits, and in a standard error of 1 %."""
    found = verdict(claim("1.7e4"), 17022.5)
    assert found == ("failed", "The planted error of 2 % in value is not caught: 17362.95.")
    assert verdict(claim("1 / 1", {"standard_errors": 4.0}, basis="formula"), 1.0, 0.01).name == "failed"


def test_disputes() -> None:
    disputed = claim("5 / 3", {"relative": 0.01}, dispute=DISPUTE)
    found = verdict(disputed, 1.59253742, second=1.59253742)
    assert found.name == "disputed"
    assert "1.666666667 is off by +4.7 %: it is 1.5925374. Check: by quadrature" in found.reason


@pytest.mark.parametrize(
    ("ours", "second", "says"),
    [
        (1.66, 1.66, "ours agrees with it"),  # the file is wrong
        (1.59253742, 1.5926, "by the route quad_forward_gain it is 1.5926"),
        (1.59253742, None, "it is missing"),
        (1.59, 1.59, "not 1.5925374, which the dispute gives"),
        (math.nan, 1.59253742, "NaN"),
    ],
)
def test_disputes_that_do_not_hold(ours: float, second: float | None, says: str) -> None:
    found = verdict(claim("5 / 3", {"relative": 0.01}, dispute=DISPUTE), ours, second=second)
    assert found.name == "failed"
    assert says in found.reason


def test_the_control_of_a_dispute_is_compared_with_the_right_number() -> None:
    """2 % more than ours agrees with the number that replaces the claimed one: the dispute could not tell."""
    dispute = DISPUTE | {"instead": "2"}
    found = verdict(claim("5 / 3", {"relative": 0.01}, dispute=dispute), 2.0, second=2.0)
    assert found.name == "failed"
    assert "not caught" in found.reason
