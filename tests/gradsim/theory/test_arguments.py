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
from gradsim.theory.finite_width import annealed_sigma_w

MASKED = np.ma.array([1.0, 2.0], mask=[False, True])

REFUSED: dict[str, tuple[str, Callable[[], object]]] = {
    "endless": ("depth", lambda: theory.trajectory("tanh", 10**12, 1.0)),
    "too many values": ("depth", lambda: theory.trajectory("tanh", 10**5, np.ones(10**5))),
    "masked": ("without a mask", lambda: theory.trajectory("tanh", 3, MASKED)),
    "masked number": ("sigma_w", lambda: theory.mean_field("tanh", np.ma.masked)),
    "bytes": ("sigma_w", lambda: theory.mean_field("tanh", b"1.5")),  # type: ignore[arg-type]
    "truth value": ("sigma_w", lambda: theory.mean_field("tanh", np.True_)),  # type: ignore[arg-type]
    "complex": ("sigma_w", lambda: theory.mean_field("tanh", np.complex128(1.0))),  # type: ignore[arg-type]
    "array": ("sigma_b", lambda: theory.mean_field("tanh", 1.0, np.array([0.1]))),  # type: ignore[arg-type]
    "huge": ("sigma_w .* 1e30", lambda: theory.chi_1("relu", 1e300)),
    "minute": ("sigma_w .* 1e-30", lambda: theory.mean_field("relu", 1e-200, 1e-200)),
    "huge bias": ("sigma_b .* 1e30", lambda: theory.critical_sigma_w("tanh", 1e160)),
    "wide": ("width .* 1,048,576", lambda: theory.boundary("relu", 4, 0.0, 10**12)),
    "half a neuron": ("width", lambda: theory.log_factor_mean("relu", 2.5)),  # type: ignore[arg-type]
    "no width": ("width", lambda: theory.quenched_sigma_w("relu", None)),  # type: ignore[arg-type]
    "endless boundary": ("depth", lambda: theory.boundary("tanh", math.inf)),  # type: ignore[arg-type]
    "steep": ("leaves float64", lambda: theory.critical_sigma_w("leaky_relu(1e200)")),
    "no name": ("activation", lambda: theory.mean_field(None, 1.0)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_argument_is_refused(name: str) -> None:
    sentence, question = REFUSED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SweepError, match=sentence):
            question()


def test_extreme_arguments_are_answered() -> None:
    assert theory.mean_field("tanh", Decimal("1.5")) == theory.mean_field("tanh", 1.5)  # type: ignore[arg-type]
    assert theory.mean_field("tanh", np.float32(1.5)).q_star == theory.mean_field("tanh", 1.5).q_star
    assert theory.chi_1("relu", 1e30) == pytest.approx(5e59)
    assert theory.critical_sigma_w("tanh", 1e-200) == pytest.approx(1.0, rel=1e-6)
    assert theory.trajectory("tanh", 3, []).log_q.shape == (0, 3)
    assert annealed_sigma_w("leaky_relu(1e200)") == pytest.approx(math.sqrt(2) / 1e200)


def test_the_module_shows_its_functions_only() -> None:
    assert dir(theory) == sorted(theory.__all__)
