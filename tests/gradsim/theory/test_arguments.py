"""Arguments of the theory: every bad one is refused in a sentence, and extreme ones are answered."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest

from gradsim import theory
from gradsim.errors import SweepError
from gradsim.theory.finite_width.roots import annealed_sigma_w

MASKED = np.ma.array([1.0, 2.0], mask=[False, True])

REFUSED: dict[str, tuple[str, Callable[[], object]]] = {
    "endless": ("depth", lambda: theory.trajectory("tanh", 10**12, 1.0)),
    "too many values": ("depth", lambda: theory.trajectory("tanh", 10**5, np.ones(10**5))),
    "masked": ("without a mask", lambda: theory.trajectory("tanh", 3, MASKED)),
    "masked number": ("sigma_w", lambda: theory.mean_field("tanh", np.ma.masked)),
    "bytes": ("sigma_w", lambda: theory.mean_field("tanh", b"1.5")),
    "truth value": ("sigma_w", lambda: theory.mean_field("tanh", np.True_)),
    "complex": ("sigma_w", lambda: theory.mean_field("tanh", np.complex128(1.0))),
    "one of an array": ("sigma_b", lambda: theory.mean_field("tanh", 1.0, [0.1, -1.0])),
    "shapes": (r"sigma_w \(2,\), sigma_b \(3,\)", lambda: theory.mean_field("tanh", [1.0, 2.0], [0.1, 0.2, 0.3])),
    "masked array": ("without a mask", lambda: theory.mean_field("tanh", MASKED)),
    "names": ("nearest is tanh", lambda: theory.chi_1(["tanh", "tahn"], 1.0)),
    "probability": ("from 0 to 1", lambda: theory.gain_law("relu", 4, 8, 1.0).ppf([0.5, 1.5])),
    "one layer": ("depth", lambda: theory.gain_law("relu", 1, 8, 1.0)),
    "moment": ("s = 2.5", lambda: theory.moment_sigma_w("relu", 2.5, 8)),
    "correlation": ("from -1 to 1", lambda: theory.c_map("tanh", 1.5, 1.0)),
    "negative variance": ("q = -1", lambda: theory.q_map("tanh", -1.0, 1.0)),
    "a pole": ("at h = 0.3", lambda: theory.gaussian_mean(lambda h: 1 / (h - 0.3))),
    "no function": ("function", lambda: theory.gaussian_mean(2.0)),  # type: ignore[arg-type]
    "huge": ("sigma_w .* 1e30", lambda: theory.chi_1("relu", 1e300)),
    "minute": ("sigma_w .* 1e-30", lambda: theory.mean_field("relu", 1e-200, 1e-200)),
    "huge bias": ("sigma_b .* 1e30", lambda: theory.critical_sigma_w("tanh", 1e160)),
    "wide": ("width .* 1,048,576", lambda: theory.boundary("relu", 4, 0.0, 10**12)),
    "half a neuron": ("width", lambda: theory.log_factor_mean("relu", 2.5)),
    "no width": ("width", lambda: theory.quenched_sigma_w("relu", None)),
    "endless boundary": ("depth", lambda: theory.boundary("tanh", math.inf)),
    "steep": ("leaves float64", lambda: theory.critical_sigma_w("leaky_relu(1e200)")),
    "no name": ("activation", lambda: theory.mean_field(None, 1.0)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_argument_is_refused(name: str) -> None:
    sentence, question = REFUSED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SweepError, match=sentence):
            question()


def test_extreme_arguments_are_answered() -> None:
    assert theory.mean_field("tanh", Decimal("1.5")) == theory.mean_field("tanh", 1.5)
    assert theory.mean_field("tanh", np.float32(1.5)).q_star == theory.mean_field("tanh", 1.5).q_star
    assert theory.chi_1("relu", 1e30) == pytest.approx(5e59)
    assert theory.critical_sigma_w("tanh", 1e-200) == pytest.approx(1.0, rel=1e-6)
    assert theory.trajectory("tanh", 3, []).log_q.shape == (0, 3)
    assert annealed_sigma_w("leaky_relu(1e200)") == pytest.approx(math.sqrt(2) / 1e200)


def test_the_module_shows_its_functions_only() -> None:
    assert dir(theory) == sorted(theory.__all__)
