"""Normals of many networks, and activations of whole arrays: the interpreter's and the definition's numbers."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.activations import Activation, resolve_activation
from gradsim_core.rng import philox
from gradsim_core.rng.philox import EXPLICIT_STEPS, STEPS_BACKWARD, STEPS_INPUT
from gradsim_core.stepping.elementwise import activate
from gradsim_core.stepping.normals import normal_rows

DTYPES = [np.dtype("float32"), np.dtype("float64")]


def rows(networks=range(3), layer=2, role=STEPS_INPUT, numbers=range(4), n=70, dtype=DTYPES[1], **options):
    return normal_rows(9, networks, layer, role, numbers, n, dtype, **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 16, 70])
def test_compiled_normals_are_the_interpreters(dtype, n):
    """To rounding: NumPy has no fused multiply-add."""
    assert rows(n=n, dtype=dtype) == pytest.approx(
        rows(n=n, dtype=dtype, interpret=True), abs=64 * float(np.finfo(dtype).eps)
    )


def test_a_number_depends_on_its_network_and_row_alone():
    whole = rows()
    assert (rows(range(1, 3), numbers=range(2, 4)) == whole[1:, 2:]).all()
    for other in (rows(layer=3), rows(role=STEPS_INPUT + 1)):
        assert not (other == whole).any()
    assert len(np.unique(whole)) == whole.size


def test_normals_are_standard():
    """Mean, variance and kurtosis of 1.6 million numbers, within 6 standard errors: a false alarm of 6e-9."""
    z = rows(range(4), n=100_000)
    for power, expected in ((1, 0.0), (2, 1.0), (4, 3.0)):
        sample = z.ravel() ** power
        assert abs(sample.mean() - expected) < 6 * sample.std() / z.size**0.5


def test_roles_are_distinct():
    """The method's roles, and those of the explicit one, are nobody else's."""
    own = [value for name, value in vars(philox).items() if name.startswith("STEPS_")]
    others = [
        value
        for name, value in vars(philox).items()
        if name.startswith(("ROLE_", "GROUP_", "NARROW_", "LAZY_", "TAPE_"))
    ]
    roles = [*own, *(each + EXPLICIT_STEPS for each in own), *others]
    assert len(set(roles)) == len(roles)
    assert max(roles) < 256
    assert max(own) == STEPS_BACKWARD


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "leaky_relu(0.2)"])
@pytest.mark.parametrize("shape", [(5,), (2, 3, 7)])
def test_activations(name, dtype, shape):
    activation = resolve_activation(name)
    h = np.linspace(-3.0, 3.0, np.prod(shape)).reshape(shape).astype(dtype)
    x, slope = activate(activation, h)
    assert x.dtype == dtype
    assert x.shape == h.shape
    tolerance = 4 * np.finfo(dtype).eps
    assert abs(x - activation(h)).max() < tolerance
    assert abs(slope - activation.derivative(h)).max() < tolerance
    for compiled, interpreted in zip((x, slope), activate(activation, h, interpret=True), strict=True):
        assert abs(compiled - interpreted).max() < tolerance


def test_a_pair_of_the_user():
    cubic = Activation("cubic", lambda h: h**3 + h, lambda h: 3 * h**2 + 1)
    h = np.linspace(-2.0, 2.0, 40)
    x, slope = activate(cubic, h)
    assert x == pytest.approx(h**3 + h, abs=1e-14)
    assert slope == pytest.approx(3 * h**2 + 1, abs=1e-14)
