"""A user's own pair: what is refused at once, and the derivative that is made by differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradsim_core.activations import ACTIVATIONS, Activation, resolve_activation
from gradsim_core.activations.own import check_compiles


def scalar(name):
    """The functions of a row of the table, of one float, in float64."""
    row = resolve_activation(name)
    return tuple(
        (lambda h, f=f: float(f(np.float64(h), np.float64(row.alpha)))) for f in (row.phi, row.dphi)
    )  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_right_pairs_are_accepted(name):
    assert not Activation("mine", *scalar(name)).built_in


KINKED = {
    "stairs of 1/16": (lambda h: round(16 * h) / 16, lambda h: 0.0),
    "a step": (lambda h: float(h > 0.3), lambda h: 0.0),
    "kinks at every place that is looked at": (
        lambda h: abs((10 * h) % 2 - 1),
        lambda h: 10.0 if (10 * h) % 2 > 1 else -10.0,
    ),
    "a slope of one at the kink of relu": (lambda h: max(h, 0.0), lambda h: float(h >= 0)),
    "two kinks close together": (
        lambda h: min(max(h - 0.1, 0.0), 1e-5),
        lambda h: float(0.1 < h < 0.1 + 1e-5),
    ),
    "a pole that is left out": (lambda h: 1 / h if h else 0.0, lambda h: -1 / h**2 if h else 0.0),
    "waves too short for differences": (lambda h: math.sin(1e7 * h), lambda h: 1e7 * math.cos(1e7 * h)),
    "rounded constants": (lambda h: 1.0507 * h, lambda h: 1.05),
    "single precision": (lambda h: float(np.tanh(np.float32(h))), lambda h: 1 / math.cosh(h) ** 2),
}


@pytest.mark.parametrize("name", KINKED)
def test_kinks_and_rounding_are_not_refused(name):
    Activation("mine", *KINKED[name])


WRONG = {
    "a constant": (math.tanh, lambda h: 1.0),
    "a sign": (math.sin, lambda h: -math.cos(h)),
    "a factor of 1.01": (lambda h: h**3, lambda h: 3.03 * h**2),
    "one side": (lambda h: max(h, 0.0), lambda h: 1.0),
    "beyond 7 only": (lambda h: h, lambda h: 1.0 if abs(h) < 7 else 0.9),
    "the step of a spiking neuron": (lambda h: float(h > 0), lambda h: math.exp(-h * h)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_derivative_is_refused_at_its_place(name):
    phi, dphi = WRONG[name]
    with pytest.raises(
        ValueError, match=r"dphi of Activation 'mine' is .* at h = .*where phi has the slope"
    ) as refused:
        Activation("mine", phi, dphi)
    h = float(str(refused.value).partition("at h = ")[2].partition(",")[0])
    assert abs(dphi(h) - (phi(h + 1e-4) - phi(h - 1e-4)) / 2e-4) > 1e-3
    assert Activation("mine", phi, dphi, surrogate=True).surrogate


@pytest.mark.parametrize(
    ("phi", "dphi", "words"),
    [
        (math.log, lambda h: 1 / h, "phi of Activation 'mine' is nan at h = 0: it must be finite"),
        (lambda h: h, lambda h: math.exp(999 * h), "dphi of Activation 'mine' is nan at h = 0.8: it must be finite"),
        (lambda h: h if abs(h) < 7 else math.inf, lambda h: 1.0, "phi of Activation 'mine' is inf at h = -?7: it must"),
        (lambda h: math.nan, None, "phi of Activation 'mine' is nan at h = 0: it must be finite"),
    ],
)
def test_values_that_are_not_finite_are_refused(phi, dphi, words):
    for surrogate in (False, True):
        with pytest.raises(ValueError, match=words):
            Activation("mine", phi, dphi, surrogate=surrogate)


@pytest.mark.parametrize("phi", [lambda h, a: h, lambda: 1.0, lambda h: None, lambda h: "text", lambda h: h.missing])
def test_functions_not_of_one_number_are_refused(phi):
    with pytest.raises(TypeError, match=r"Activation 'mine': .*Both must be functions of one number"):
        Activation("mine", phi)


@pytest.mark.parametrize("name", [3, None, b"mine", ("mine",)])
def test_a_name_must_be_text(name):
    with pytest.raises(TypeError, match=r"the name of an Activation is .*it must be text"):
        Activation(name, math.tanh)


@pytest.mark.parametrize("name", ["", " ", "mine ", "a\nb", "a\x1b[31mb", "a\x00", "a\u202eb", "a\ud800", "a\x9b1m"])
def test_a_name_must_be_printable(name):
    with pytest.raises(ValueError, match=r"the name of an Activation is .*it must be printable"):
        Activation(name, math.tanh)


@pytest.mark.parametrize("name", ["tanh", "gelu", "softsign", "relu", "hard_tanh", "selu", "relu2", "sin"])
def test_the_derivative_is_made_by_differences(name):
    """Also beside a kink, on which side the slope is that of the other side nowhere."""
    phi, dphi = scalar(name)
    mine = Activation("mine", phi)
    h = np.concatenate([np.random.default_rng(1).normal(0, 2, 200), [-1e-5, 1e-5, -1e-9, 1e-9, -1e-300, 1e-300]])
    expected = np.array([dphi(value) for value in h])
    np.testing.assert_allclose(mine.derivative(h), expected, rtol=0, atol=1e-9)


def test_the_derivative_of_relu_by_differences_is_zero_or_one():
    mine = Activation("mine", lambda h: max(h, 0.0))
    assert mine.derivative([-3.0, -1e-12, 0.0]).tolist() == [0, 0, 0]
    np.testing.assert_allclose(mine.derivative([1e-12, 1e-3, 3.0, 1e10]), 1, rtol=0, atol=1e-11)


def partly_missing(h):
    return h if h > 0 else None


@pytest.mark.parametrize(
    ("phi", "words"),
    [
        (lambda h: np.where(h > 0, h, 0.0), "returns array"),
        (lambda h: np.clip(h, 0.0, 1.0), "No implementation of function .*clip"),
        (lambda h: partly_missing(h), "Untyped global name 'partly_missing'"),
        (lambda h: h * 1j, "returns complex128"),
        (partly_missing, "returns OptionalType"),
        (lambda h: (h, h), "returns UniTuple"),
    ],
)
def test_what_numba_cannot_compile_is_told_in_a_few_sentences(phi, words):
    for field, pair in (("phi", (phi, abs)), ("dphi", (abs, phi))):
        mine = Activation.__new__(Activation)
        vars(mine).update(name="mine", phi=pair[0], dphi=pair[1])
        with pytest.raises(
            TypeError, match=f"^{field} of activation 'mine': .*{words}.*Write it for one number"
        ) as error:
            check_compiles(mine)
        assert len(str(error.value)) < 500
