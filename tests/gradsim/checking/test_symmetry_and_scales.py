"""Constant matrices, streams without norms, structures that vary, and the scale of branches in every place.

Models have fixed seeds and lie far from the thresholds, each of which is passed by chance in 1 of 10,000 checks.
"""

from __future__ import annotations

import pytest

import gradsim as gs

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn
from torch.nn import functional

from gradsim.checking.measurements import measure
from gradsim.checking.models import Networks
from gradsim.checking.rules.finding import times_exp
from gradsim_core.activations import ACTIVATIONS as TABLE


def check(build, networks=8):
    return gs.check(build, networks=networks, progress="none")


class Skipping(nn.Module):
    """Layers that are skipped at random, as LayerDrop does, or whose activation is drawn."""

    def __init__(self, skip):
        super().__init__()
        self.layers, self.skip = nn.ModuleList(nn.Linear(16, 16) for _ in range(6)), skip

    def forward(self, x):
        for layer in self.layers:
            if torch.rand(()) < 0.6:
                x = torch.relu(layer(x))
            elif not self.skip:
                x = torch.tanh(layer(x))
        return x


@pytest.mark.parametrize("skip", [True, False])
def test_chains_that_vary_between_networks_are_left_out_and_said(skip):
    found = check(lambda: (Skipping(skip), torch.randn(4, 16)))
    assert found.sound
    assert found.laws["places"].tolist() == ["model"]
    assert "Networks differ" in found.laws["reason"].iloc[0]
    assert "Networks differ" in found.text()


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
    model = Acting(act)
    measured = measure(Networks(lambda: (model, torch.randn(4, 16)), None, None), 2, 1, lambda share: None)
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

    (law,) = check(build, 32).laws.itertuples()
    assert law.activation == name
    assert abs(law.z) < 4.5
    wrong = gs.simulate("tanh" if name == "softsign" else "relu", sigma_w=1.3, depth=6, width=48, networks=500)
    assert abs(law.log_gain - wrong.log_gain[:, 0].mean()) > 4.5 * law.log_gain_se


def filled(act, fill, dtype=torch.float32):
    """Return six layers whose parameters `fill` sets, given the number of the layer and the layer."""

    def build():
        layers = [make() for _ in range(6) for make in (lambda: nn.Linear(16, 16, dtype=dtype), act)]
        for number, layer in enumerate(layers[::2]):
            fill(number, layer)
        return nn.Sequential(*layers, nn.Linear(16, 4, dtype=dtype)), torch.randn(4, 16, dtype=dtype)

    return build


def all_at(value, layers=range(6)):
    def fill(number, layer):
        for parameter in layer.parameters() if number in layers else ():
            nn.init.constant_(parameter, value)

    return fill


@pytest.mark.parametrize("act", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("value", [0.1, 0.01, -1.0])
def test_constant_matrices_are_named(act, value):
    found = check(filled(act, all_at(value)))
    (row,) = found.verdicts.itertuples()
    assert (row.rule, row.places) == ("constant matrix", "*.weight")
    assert f"({value:g})" in row.verdict
    assert "std 0.25 " in row.verdict
    assert found.text()


def test_a_constant_matrix_among_random_ones_is_named():
    found = check(filled(nn.Tanh, all_at(0.3, [2]))).verdicts
    assert "constant matrix" in set(found["rule"])


def test_the_remedy_for_constant_matrices_makes_them_sound():
    def fill(number, layer):
        nn.init.normal_(layer.weight, 0.0, 0.25 * 5 / 3)
        nn.init.constant_(layer.bias, 0.1)

    assert check(filled(nn.Tanh, fill)).sound


class Scales(nn.Module):
    """Constants on purpose: two-dimensional scales, depthwise averages, one output, identities."""

    def __init__(self):
        super().__init__()
        self.norm, self.scale = nn.LayerNorm((6, 8)), nn.Parameter(torch.full((6, 8), 0.5))
        self.blur = nn.Conv1d(6, 6, 3, padding=1, groups=6, bias=False)
        self.head, self.identities = nn.Linear(8, 1), nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        nn.init.constant_(self.blur.weight, 1.0 / 3.0)
        nn.init.constant_(self.head.weight, 0.1)
        for one in self.identities:
            nn.init.eye_(one.weight)

    def forward(self, x):
        x = self.blur(self.norm(x) * self.scale)
        for one in self.identities:
            x = torch.tanh(one(x))
        return self.head(x)


def test_constants_on_purpose_are_sound():
    assert check(lambda: (Scales(), torch.randn(4, 6, 8))).sound


def at(std):
    return lambda number, layer: nn.init.normal_(layer.weight, 0.0, std)


def zero_at(*layers):
    return all_at(0.0, layers)


EXTREMES = {
    "nan": (all_at(float("nan")), torch.float32, "not finite"),
    "inf": (all_at(float("inf")), torch.float32, "not finite"),
    "huge": (at(1e100), torch.float64, "not finite"),
    "large": (at(1e20), torch.float64, "gain"),
    "tiny": (at(1e-38), torch.float32, "dead networks"),
    "square below float64": (at(1e-200), torch.float64, "dead networks"),
    "zeros first": (zero_at(0, 1), torch.float32, "zeroed matrix"),
    "zeros but one": (zero_at(1, 2, 3, 4, 5), torch.float32, "no gradient"),
    "zeros": (zero_at(*range(6)), torch.float32, "no gradient"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", EXTREMES)
def test_numbers_at_the_ends_of_their_range_have_a_verdict(name):
    fill, dtype, rule = EXTREMES[name]
    found = check(filled(nn.ReLU, fill, dtype))
    assert rule in set(found.verdicts["rule"])
    assert found.text()


def test_laws_without_error_have_no_z():
    """One unit and orthogonal weights: every network has the same gain."""
    model = lambda: (nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in range(4))), torch.randn(4, 1))  # noqa: E731

    def build():
        layers, batch = model()
        for layer in layers:
            nn.init.orthogonal_(layer.weight)
        return layers, batch

    assert check(build).laws["z"].isna().all()


def test_factors_beyond_float64_are_words():
    assert [times_exp(log) for log in (0.0, 1000.0, -1000.0)] == ["1", "1e+434", "1e-434"]
