"""Formulas of numbers, and the digits of decimals."""

from __future__ import annotations

import math

import pytest

from gradsim.validation import formulas

VALUES = {
    "2.01e-5": 2.01e-5, "-0.5": -0.5, "1 / 3": 1 / 3, "sqrt(2) * exp(1.2 / (max(8, 6) - 2.4))": 1.7521775077,
    "ln(2 / 8) + digamma(4)": -0.1301767, "-(2 ** -3) + pi": math.pi - 0.125, " 7 ": 7.0,
}  # fmt: skip


@pytest.mark.parametrize("text", VALUES)
def test_values(text: str) -> None:
    assert formulas.evaluate(text) == pytest.approx(VALUES[text], rel=1e-7)


@pytest.mark.parametrize(
    "text",
    ["", "x", "2 2", "exp(x=1)", "(1).real", "[1]", "True", "1 if 1 else 2", "__import__('os')", "sqrt(-1)",
     "(-8) ** 0.5", "1e999", "10 ** 400", "exp(1e9)", "9" * 5000, "(" * 3000, "sqrt(1, 2)", "1 // 2", "'1'", "1j"],
)  # fmt: skip
def test_what_is_no_formula(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the messages are Python's
        formulas.evaluate(text)


@pytest.mark.parametrize(
    ("text", "place", "digits"),
    [("1.750", 1e-3, 4), ("2.01e-5", 1e-7, 3), ("0.055514317", 1e-9, 8), ("12", 1.0, 2), ("-1.5e3", 100.0, 2)],
)
def test_places(text: str, place: float, digits: int) -> None:
    assert formulas.last_place(text) == pytest.approx(place)
    assert formulas.significant_digits(text) == digits


@pytest.mark.parametrize("text", ["1 / 3", "pi", "nan"])
def test_formulas_have_no_last_place(text: str) -> None:
    assert formulas.last_place(text) is None
