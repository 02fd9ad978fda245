"""A user's own pairs: a right number, NoCriticalPoint with a reason, or a refusal that names the h."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable

import numpy as np
import pytest

from gradsim import theory
from gradsim.errors import GradsimError, SweepError
from gradsim_core.activations import Activation

Function = Callable[[float], float]


def logistic(h: float) -> float:
    return 1 / (1 + np.exp(-h))


def tanh_of_exp(h: float) -> float:
    return (math.exp(h) - math.exp(-h)) / (math.exp(h) + math.exp(-h))


def slope_of_tanh(h: float) -> float:
    return 1 - math.tanh(h) ** 2


# Pairs with the critical sigma_w at sigma_b = 0.3, or with the start of the reason why there is none. The numbers are
# those of the library's own function, or of a closed form.
ANSWERED: dict[str, tuple[Function, Function, str]] = {
    "swish with math.exp": (
        lambda h: h / (1 + math.exp(-h)),
        lambda h: (1 + math.exp(-h) + h * math.exp(-h)) / (1 + math.exp(-h)) ** 2,
        "q runs to infinity at sigma_w = 1.52962",
    ),
    "swish with np.exp": (
        lambda h: h / (1 + np.exp(-h)),
        lambda h: (1 + np.exp(-h) + h * np.exp(-h)) / (1 + np.exp(-h)) ** 2,
        "q runs to infinity at sigma_w = 1.52962",
    ),
    "square of swish kind": (
        lambda h: h * h * logistic(h),
        lambda h: 2 * h * logistic(h) + h * h * logistic(h) * (1 - logistic(h)),
        "q runs to infinity",
    ),
    "the same with math.exp": (
        lambda h: h * h / (1 + math.exp(-h)),
        lambda h: 2 * h / (1 + math.exp(-h)) + h * h * math.exp(-h) / (1 + math.exp(-h)) ** 2,
        "q runs to infinity",
    ),
    "clipped": (lambda h: min(max(h, 0.0), 6.0), lambda h: float(0 < h < 6), "relu6"),
    "softplus of exp": (
        lambda h: math.log(1 + math.exp(h)),
        lambda h: math.exp(h) / (1 + math.exp(h)),
        "chi_1 reaches 1 only in the limit of infinite q",
    ),
    "tanh of exp": (tanh_of_exp, lambda h: 1 - tanh_of_exp(h) ** 2, "tanh"),
    "NaN far out": (
        lambda h: math.tanh(h) if h < 100 else math.nan,
        lambda h: slope_of_tanh(h) if h < 100 else math.nan,
        "tanh",
    ),
    "raises far out": (lambda h: math.tanh(h) if abs(h) < 99 else {}[h], slope_of_tanh, "tanh"),  # type: ignore[misc]
    "size": (abs, lambda h: math.copysign(1.0, h), "linear"),
    "constant": (lambda h: 0.7, lambda h: 0.0, "chi_1 stays below 1"),
    "nothing": (lambda h: 0.0, lambda h: 0.0, "chi_1 stays below 1"),
    "steep": (lambda h: math.tanh(100 * h) / 100, lambda h: slope_of_tanh(100 * h), ""),
    "exp": (math.exp, math.exp, "q runs to infinity"),
    "sinh": (math.sinh, math.cosh, "q runs to infinity"),
    "cube": (lambda h: h**3, lambda h: 3 * h * h, "q runs to infinity"),
    "tenth power": (lambda h: h**10, lambda h: 10 * h**9, "q runs to infinity"),
    "bell": (lambda h: math.exp(-h * h), lambda h: -2 * h * math.exp(-h * h), ""),
    "wave": (math.sin, math.cos, "sin"),
    "growing wave": (lambda h: h * math.sin(h), lambda h: math.sin(h) + h * math.cos(h), "q jumps"),
    "logarithm": (lambda h: math.copysign(math.log1p(abs(h)), h), lambda h: 1 / (1 + abs(h)), ""),
    "bump": (
        lambda h: math.exp(-1 / (1 - h * h)) if abs(h) < 1 else 0.0,
        lambda h: -2 * h / (1 - h * h) ** 2 * math.exp(-1 / (1 - h * h)) if abs(h) < 1 else 0.0,
        "",
    ),
    "single precision": (
        lambda h: float(np.tanh(np.float32(h))),
        lambda h: float(1 - np.tanh(np.float32(h)) ** 2),
        "tanh",
    ),
    "rounded constants": (
        lambda h: 0.5 * h * (1 + math.tanh(0.79788 * (h + 0.0447 * h**3))),
        lambda h: (
            0.5 * (1 + math.tanh(0.7979 * (h + 0.0447 * h**3)))
            + 0.5 * h * slope_of_tanh(0.7979 * (h + 0.0447 * h**3)) * 0.7979 * (1 + 0.1341 * h * h)
        ),
        "q runs to infinity",
    ),
    "relu far from 0": (lambda h: max(h - 100, 0.0), lambda h: float(h > 100), "q runs to infinity"),
}

REFUSED: dict[str, tuple[Function, Function, str]] = {
    "NaN near": (lambda h: math.tanh(h) if h < 3 else math.nan, slope_of_tanh, "phi has no finite value at h = 3"),
    "NaN slope": (
        math.tanh,
        lambda h: slope_of_tanh(h) if abs(h) > 0.1 else math.nan,
        r"dphi has no finite value at h = -?0\.0",
    ),
    "root": (
        lambda h: math.sqrt(h + 50),
        lambda h: 0.5 / math.sqrt(h + 50),
        "phi has no finite value at h = -50",
    ),
    "far root": (
        lambda h: math.sqrt(h + 100),
        lambda h: 0.5 / math.sqrt(h + 100),
        "phi has no finite value at h = -100",
    ),
    "ln": (math.log, lambda h: 1 / h, "phi has no finite value at h = -0"),
    "complex": (lambda h: h**0.5, lambda h: 0.5 * h**-0.5, "phi has no finite value at h = -0"),
    "array": (lambda h: np.array([h, h]), lambda h: 1.0, "phi has no finite value at h = "),  # type: ignore[dict-item]
    "index": (lambda h: [][1], lambda h: 1.0, "phi has no finite value at h = "),  # type: ignore[misc]
    "steep root": (
        lambda h: math.copysign(math.sqrt(abs(h)), h),
        lambda h: 0.5 / math.sqrt(abs(h)),
        r"dphi\^2 cannot be integrated near h = -?0",
    ),
    "pole": (lambda h: 1 / h, lambda h: -1 / h**2, "near h = "),
    "exp of a square": (
        lambda h: math.exp(h * h),
        lambda h: 2 * h * math.exp(h * h),
        "phi or dphi has grown too large at h = 8",
    ),
    "constant slope": (math.tanh, lambda h: 1.0, "phi changes by 0.244919, and the integral of dphi is 0.25"),
    "wrong sign": (math.tanh, lambda h: -slope_of_tanh(h), "from h = -0.25 to 0 phi changes by 0.244919"),
    "a local fault": (
        math.tanh,
        lambda h: slope_of_tanh(h) + (0.01 if 2 < h < 2.5 else 0.0),
        "from h = 2 to 2.5 phi changes",
    ),
    "sign": (lambda h: math.copysign(1.0, h), lambda h: 0.0, "phi changes by 2, and the integral of dphi is 0"),
}


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def pair(name: str, phi: Function, dphi: Function) -> Activation:
    """A pair that no check has seen when it was made."""
    own = Activation(name, math.tanh, slope_of_tanh)
    object.__setattr__(own, "phi", phi)
    object.__setattr__(own, "dphi", dphi)
    return own


def answer(root: Callable[[], float]) -> tuple[float | None, str]:
    """The number, or the reason why there is none."""
    try:
        return root(), ""
    except theory.NoCriticalPoint as none:
        return None, none.reason


@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_or_a_reason(name: str) -> None:
    phi, dphi, expected = ANSWERED[name]
    own = pair(name, phi, dphi)
    root, reason = answer(lambda: theory.critical_sigma_w(own, 0.3))
    if root is None:
        assert expected
        assert expected in reason
    else:
        if expected:
            assert root == pytest.approx(theory.critical_sigma_w(expected, 0.3), rel=1e-6 if "single" in name else 1e-9)
        assert theory.chi_1(own, root * (1 - 1e-6), 0.3) <= 1.0 <= theory.chi_1(own, root * (1 + 1e-6), 0.3)
    field = theory.mean_field(own, 5.0)._asdict()
    assert not np.isnan([field["q_star"], field["chi_1"], field["xi_grad"]]).any()


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_that_names_the_h(name: str) -> None:
    phi, dphi, fault = REFUSED[name]
    own = pair(name, phi, dphi)
    for question in (
        lambda: theory.critical_sigma_w(own, 0.3),
        lambda: theory.mean_field(own, 5.0),
        lambda: theory.boundary(own, 8, 0.1),
        lambda: theory.trajectory(own, 50, 3.0),
    ):
        with pytest.raises(SweepError, match=fault) as caught:
            question()
        assert re.search(r"h = -?\d", str(caught.value))
        assert name in str(caught.value)


def test_closed_forms_of_pairs_that_overflow() -> None:
    """E exp(2 h) = exp(2 q), E h^6 = 15 q^3: where q diverges, and the layers before."""
    exp, cube = Activation("exp", math.exp, math.exp), Activation("cube", lambda h: h**3, lambda h: 3 * h * h)
    with pytest.raises(theory.NoCriticalPoint, match=f"sigma_w = {math.sqrt(0.5 / math.e):.6g}, where chi_1"):
        theory.critical_sigma_w(exp)
    assert theory.mean_field(exp, 0.4).q_star == pytest.approx(0.16 * math.exp(2 * theory.mean_field(exp, 0.4).q_star))
    assert theory.mean_field(cube, 5.0).q_star == math.inf
    log_q = theory.trajectory(cube, 40, 3.0).log_q
    np.testing.assert_allclose(log_q[1:], math.log(15 * 9) + 3 * log_q[:-1], rtol=1e-9)


def test_a_number_of_no_use_is_not_an_answer() -> None:
    """The average at q_star = 10 is beyond what the Gaussian weighs; below it there are numbers."""
    own = Activation("steep exp", lambda h: math.exp(h * h / 8), lambda h: h / 4 * math.exp(h * h / 8))
    assert theory.mean_field(own, 0.5, 0.1).q_star < 1.0
    with pytest.raises(SweepError, match="has grown too large at h = "):
        theory.mean_field(own, 0.01, 3.0)


def test_no_critical_point_is_an_error_of_gradsim() -> None:
    assert issubclass(theory.NoCriticalPoint, GradsimError)
    assert issubclass(theory.NoCriticalPoint, ValueError)


def test_numpy_may_raise_on_every_floating_point_error() -> None:
    """Nor do a user's functions see it."""
    own = pair("np.exp", lambda h: h / (1 + np.exp(-h)), ANSWERED["swish with np.exp"][1])
    with np.errstate(all="raise"):
        for name in ("relu2", "tanh", "snake", own):
            theory.mean_field(name, 1.3, 0.0)
            theory.mean_field(name, 3.0, 0.2)
            theory.trajectory(name, 200, [0.01, 3.0])
            for root in (lambda name=name: theory.critical_sigma_w(name), lambda name=name: theory.boundary(name, 9)):
                number, reason = answer(root)
                assert number or reason
        theory.boundary("leaky_relu(1e-9)", 4, width=3)
        theory.log_factor_mean("relu", 2**20)
