"""Results that theory keeps are forgotten when a value changes that a user's own functions use."""

from __future__ import annotations

import math

import pytest

from gradsim import theory
from gradsim.theory import memory
from gradsim_core.activations import Activation

SLOPE = 1.0


def phi(h: float) -> float:
    return math.tanh(SLOPE * h)


def dphi(h: float) -> float:
    return SLOPE * (1 - math.tanh(SLOPE * h) ** 2)


def test_a_value_that_changes(monkeypatch) -> None:
    steep = Activation("steep", phi, dphi)
    answers = lambda: (theory.critical_sigma_w(steep), theory.boundary(steep, 8))  # noqa: E731
    before = answers()
    monkeypatch.setitem(globals(), "SLOPE", 2.0)
    after = answers()
    monkeypatch.undo()
    assert before == pytest.approx([1.0, theory.boundary("tanh", 8)], rel=1e-9)
    assert after[0] == pytest.approx(0.5)
    assert after[1] < before[1] - 0.1
    assert answers() == before


def test_nothing_is_computed_again_while_nothing_changes(monkeypatch) -> None:
    steep = Activation("steep", phi, dphi)
    theory.critical_sigma_w(steep)
    monkeypatch.setattr("gradsim.theory.averages.moments.Moments", None)
    theory.critical_sigma_w(Activation("steep", phi, dphi))


def test_what_is_remembered_is_bounded() -> None:
    for i in range(3 * memory._MOST):
        memory.current(Activation(f"a{i}", phi, dphi))
    assert len(memory._digests) <= memory._MOST


def test_a_known_activation_is_not_forgotten_where_no_more_fit(monkeypatch) -> None:
    steep = Activation("steep", phi, dphi)
    monkeypatch.setattr(memory, "_digests", {})
    theory.critical_sigma_w(steep)
    for i in range(memory._MOST - 1):
        memory.current(Activation(f"b{i}", phi, dphi))
    monkeypatch.setattr("gradsim.theory.averages.moments.Moments", None)
    theory.critical_sigma_w(steep)
