"""Activations are read from PyTorch's graph by the names of gradsim's table."""

from __future__ import annotations

import pytest

import gradsim as gs

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn
from torch.nn import functional

from gradsim.checking.measurements import measure
from gradsim.checking.models import Networks
from gradsim_core.activations import ACTIVATIONS as TABLE

ACTIVATIONS = {
    "linear": nn.Identity, "relu": nn.ReLU, "leaky_relu(0.3)": lambda: nn.LeakyReLU(0.3), "abs": lambda: torch.abs,
    "softplus": nn.Softplus, "elu(0.5)": lambda: nn.ELU(0.5), "selu": nn.SELU, "celu(0.5)": lambda: nn.CELU(0.5),
    "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "erf": lambda: torch.erf, "softsign": nn.Softsign, "gelu": nn.GELU,
    "gelu_tanh": lambda: nn.GELU("tanh"), "silu": nn.SiLU, "mish": nn.Mish, "sin": lambda: torch.sin,
    "hard_tanh": nn.Hardtanh, "relu6": nn.ReLU6, "hard_sigmoid": nn.Hardsigmoid, "hard_swish": nn.Hardswish,
    "relu2": lambda: lambda h: functional.relu(h).square(),
}  # fmt: skip
COMPOSED = {
    "relu": lambda h: h.clamp(min=0), "hard_tanh": lambda h: h.clamp(-1, 1), "relu6": lambda h: h.clamp(0, 6),
    "silu": lambda h: torch.sigmoid(h) * h, "softsign": lambda h: h / (1 + h.abs()), "leaky_relu(0.25)": nn.PReLU(16),
}  # fmt: skip
OTHERS = {
    "softplus": nn.Softplus(2.0), "hardtanh": nn.Hardtanh(-2.0, 2.0), "norm": lambda h: h / (1 + h.norm()),
    "clamp": lambda h: h.clamp(0, 5), "cube": lambda h: h**3, "log_sigmoid": nn.LogSigmoid(),
    "gated": lambda h: h * torch.sigmoid(2 * h), "shifted": lambda h: h / (h + h.abs()),
}  # fmt: skip


class Acting(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.layers, self.act = nn.ModuleList(nn.Linear(16, 16) for _ in range(5)), act

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = self.act(layer(x))
        return self.layers[-1](x)


def chains(act):
    measured = measure(Networks(lambda: (Acting(act), torch.randn(4, 16)), None, None), 2, 1, lambda share: None)
    return measured.structure.chains


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_pytorch_are_known(name):
    (found,) = chains(ACTIVATIONS[name]())
    assert (found.activation, len(found.modules)) == (name, 5 if name == "linear" else 4)


def test_all_activations_of_the_table_are_tried():
    without = {"snake"}  # of which PyTorch has neither module nor function
    assert {name.partition("(")[0] for name in ACTIVATIONS} == set(TABLE) - without


@pytest.mark.parametrize("name", COMPOSED)
def test_activations_of_several_operations_are_known(name):
    assert [found.activation for found in chains(COMPOSED[name])] == [name]


@pytest.mark.parametrize("name", OTHERS)
def test_other_functions_are_not_taken_for_activations(name):
    assert not chains(OTHERS[name])


@pytest.mark.verify  # compiling takes half a minute
@pytest.mark.parametrize(("act", "name"), [(nn.Softsign, "softsign"), (lambda: nn.CELU(0.5), "celu(0.5)")])
def test_softsign_and_celu_have_a_law(act, name):
    """|z| < 4.5: false alarm in 1 of 10,000."""

    def build():
        layers = [make() for _ in range(6) for make in (lambda: nn.Linear(48, 48, bias=False), act)]
        for layer in layers[::2]:
            nn.init.normal_(layer.weight, 0.0, 1.3 / 48**0.5)
        return nn.Sequential(*layers, nn.Linear(48, 4)), torch.randn(16, 48)

    (law,) = gs.check(build, networks=32, progress="none").laws.itertuples()
    assert law.activation == name
    assert abs(law.z) < 4.5
    wrong = gs.simulate("tanh" if name == "softsign" else "relu", sigma_w=1.3, depth=6, width=48, networks=500)
    assert abs(law.log_gain - wrong.log_gain[:, 0].mean()) > 4.5 * law.log_gain_se
