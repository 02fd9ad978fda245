"""Element by element against the naive oracle, PyTorch autograd and central differences."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from gradsim_core.activations import ACTIVATIONS, Activation
from gradsim_core.laws import LAWS
from tests import naive
from tests.core.conftest import BOTH, on_both

SHAPES = [{"depth": 1, "width": 1}, {"depth": 2, "width": 3}, {"depth": 4, "width": 5}]
TOLERANCE = {"float64": 1e-12, "float32": 1e-4}


def worst(one, count=2):
    """Largest difference of ln from the oracle; infinite where one side is dead and the other is not."""
    values, _ = one.block(count)
    difference = 0.0
    for network in range(count):
        expected = np.array(naive.quantities(one.machine.activation.name, *one.weights(network)))
        got = values[:, network]
        with np.errstate(invalid="ignore"):
            gap = np.where(got == expected, 0.0, np.abs(got - expected) / np.maximum(1.0, np.abs(expected)))
        difference = max(difference, float(np.nan_to_num(gap, nan=np.inf).max()))
    return difference


@pytest.mark.parametrize("sigma_b", [0.0, 0.3])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("activation", naive.PHI)
@on_both(BOTH)
def test_interpreted_in_full(cell, schedule, activation, dtype, sigma_b):
    """Every activation, law, precision and shape, by the interpreter, side by side and one by one.

    With this key no h lies on a kink: units of equal size and rademacher weights can cancel to 0 but for rounding.
    """
    for law in LAWS:
        for shape in SHAPES:
            one = cell(activation, law, dtype, interpret=True, key=778, sigma_w=1.3, sigma_b=sigma_b, **shape)
            assert worst(one, 1) < TOLERANCE[dtype], (law, shape)


# Compiled: every activation and every law, with widths on both sides of whole vectors. A kernel takes seconds to
# compile: the quick suite has most in float32, some in float64 and some one by one.
COMPILED = [("gaussian", activation) for activation in naive.PHI] + [(law, "tanh") for law in LAWS if law != "gaussian"]
VERIFIED = ("celu", "relu6", "hard_swish", "hard_sigmoid", "relu2", "snake")
QUICK = [("gaussian", "tanh"), ("gaussian", "relu"), ("gaussian", "gelu"), ("orthogonal", "tanh")]
KERNELS = [
    pytest.param(*kernel, dtype, schedule, marks=[] if quick else pytest.mark.verify)
    for kernel in COMPILED
    for dtype, schedule, quick in (
        ("float32", "narrow", kernel[1].partition("(")[0] not in VERIFIED),
        ("float64", "narrow", kernel in QUICK),
        ("float32", "explicit", kernel in QUICK[:2]),
        ("float64", "explicit", kernel in QUICK[:1]),
    )
]


@pytest.mark.parametrize(("law", "activation", "dtype", "schedule"), KERNELS, indirect=["schedule"])
def test_compiled(cell, law, activation, dtype, schedule):
    for width, depth, sigma_w, sigma_b in [
        (16, 8, 1.5, 0.3),
        (5, 4, 1.0, 0.0),
        (1, 1, 2.0, 0.5),
        (13, 8, 1.2, 0.0),
        (16, 8, 0.7, 1.0),
    ]:
        # |h|^2 grows; sin(2) and snake are chaotic
        depth = min(depth, 4) if activation in ("relu2", "sin(2)", "snake", "snake(0.5)") else depth
        one = cell(activation, law, dtype, sigma_w=sigma_w, sigma_b=sigma_b, depth=depth, width=width)
        assert worst(one, 4) < TOLERANCE[dtype], (width, depth, sigma_w, sigma_b)


@pytest.mark.parametrize("width", [15, 17, 33, 64])
def test_wider(cell, width):
    for law in ("gaussian", "orthogonal"):
        assert worst(cell("tanh", law, sigma_w=1.1, sigma_b=0.1, depth=3, width=width), 2) < 1e-12


def torch_functions(torch):
    f = torch.nn.functional
    return {
        "linear": lambda h: h, "relu": f.relu, "leaky_relu": f.leaky_relu,
        "leaky_relu(0.2)": lambda h: f.leaky_relu(h, 0.2), "tanh": torch.tanh, "sigmoid": torch.sigmoid,
        "abs": torch.abs, "erf": torch.erf, "hard_tanh": f.hardtanh, "softplus": lambda h: f.softplus(h, threshold=1e9),
        "softsign": f.softsign, "elu": f.elu,
        "elu(0.5)": lambda h: f.elu(h, 0.5), "selu": f.selu, "gelu": f.gelu,
        "gelu_tanh": lambda h: f.gelu(h, approximate="tanh"), "silu": f.silu, "mish": f.mish, "sin": torch.sin,
        "sin(2)": lambda h: torch.sin(2 * h), "celu": f.celu, "celu(0.5)": lambda h: f.celu(h, 0.5),
        "relu6": f.relu6, "hard_swish": f.hardswish, # F.hardsigmoid, but its slope is 1/6 in float32.
        "hard_sigmoid": lambda h: f.relu6(h + 3) / 6, "relu2": lambda h: f.relu(h) ** 2,
        "snake": lambda h: h + torch.sin(h) ** 2, "snake(0.5)": lambda h: h + 2 * torch.sin(h / 2) ** 2,
    }  # fmt: skip


def test_naive_oracle_covers_the_table():
    assert {name.split("(")[0] for name in naive.PHI} == set(ACTIVATIONS)


@pytest.mark.parametrize(
    ("interpret", "depth", "width"), [(True, 5, 6), pytest.param(False, 8, 16, marks=pytest.mark.verify)]
)
@pytest.mark.parametrize(("law", "activation"), COMPILED)
@on_both(BOTH)
def test_autograd(cell, schedule, law, activation, interpret, depth, width):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    phi = torch_functions(torch)[activation]
    one = cell(activation, law, interpret=interpret, sigma_w=1.5, sigma_b=0.3, depth=depth, width=width)
    values, _ = one.block(2)
    for network in range(2):
        x0, W, b, v = (torch.tensor(array, dtype=torch.float64) for array in one.weights(network))
        W.requires_grad_(), b.requires_grad_()
        x = x0
        for layer in range(depth):
            x = phi(W[layer] @ x + b[layer])
        (v @ x).backward()
        log_delta, log_weight_grad = (torch.log(g.flatten(1).norm(dim=1)).numpy() for g in (b.grad, W.grad))
        np.testing.assert_allclose(values[0, network], log_delta, rtol=0, atol=1e-10)
        np.testing.assert_allclose(values[1, network], log_weight_grad, rtol=0, atol=1e-10)


@pytest.mark.parametrize("activation", ["tanh", "gelu", "sin", "softplus"])
def test_central_differences(cell, activation):
    """dC/db of layer 1 by moving each bias: no formula of the derivative is involved."""
    one = cell(activation, sigma_w=1.2, sigma_b=0.3, depth=4, width=5)
    values, _ = one.block(1)
    x0, W, b, v = one.weights(0)
    phi = naive.PHI[activation][0]

    def cost(first_bias):
        x = phi(W[0] @ x0 + first_bias)
        for layer in range(1, 4):
            x = phi(W[layer] @ x + b[layer])
        return v @ x

    step = 1e-6
    slopes = [(cost(b[0] + step * e) - cost(b[0] - step * e)) / (2 * step) for e in np.eye(5)]
    assert np.log(np.linalg.norm(slopes)) == pytest.approx(values[0, 0, 0], abs=1e-8)


def test_a_wrong_formula_is_caught(cell, monkeypatch):
    """The oracle test fails where dphi is off by one part in 10^9."""
    phi, dphi = naive.PHI["tanh"]
    monkeypatch.setitem(naive.PHI, "tanh", (phi, lambda h: dphi(h) * (1 + 1e-9)))
    assert worst(cell("tanh", sigma_w=1.5, sigma_b=0.3, depth=8, width=16)) > 1e-10


@pytest.mark.parametrize(
    ("law", "method", "width"),
    [("gaussian", "explicit", 5), ("gaussian", "conditional", 18),
     *(pytest.param(*rest, marks=pytest.mark.verify)
       for rest in (("gaussian", "explicit", 30), ("orthogonal", "conditional", 6)))],
)  # fmt: skip
def test_own_activation(cell, law, method, width):
    """A user's own pair of scalar functions gives what the table gives, in every schedule."""
    own = Activation("mine", lambda h: 1 / (1 + exp(-h)), lambda h: exp(-h) / (1 + exp(-h)) ** 2)
    numbers = {"sigma_w": 2.0, "sigma_b": 0.5, "depth": 4, "width": width}
    for interpret in (True, False):
        mine, table = (
            cell(activation, law, "float64", method, interpret=interpret, **numbers).block(3)[0]
            for activation in (own, "sigmoid")
        )
        np.testing.assert_allclose(mine, table, rtol=0, atol=1e-13)


def test_own_relu_with_a_slope_of_one_at_zero(cell):
    """The slopes of a user's pair are taken beside 0, not at it: relu's law also where h is below 2^-50."""
    own = Activation("my_relu", lambda h: h if h > 0.0 else 0.0, lambda h: 1.0 if h >= 0.0 else 0.0)
    numbers = {"sigma_w": 1e-9, "depth": 6, "width": 8}
    np.testing.assert_allclose(
        cell(own, interpret=True, **numbers).block(5)[0],
        cell("relu", interpret=True, **numbers).block(5)[0],
        atol=1e-12,
    )
