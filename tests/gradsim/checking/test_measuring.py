"""What hooks measure, against numbers computed by hand, and against gradsim's own networks."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import gradsim as gs

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn
from torch.nn import functional, init

from gradsim.checking.hooks import first_tensor, log_square
from gradsim.checking.measurements import measure
from gradsim.checking.models import Networks
from tests.gradsim.checking.models import TOKENS, chain, he


def measured(factory, networks=8, seed=1):
    return measure(Networks(factory, None, None), networks, seed, lambda share: None)


def small():
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)), torch.randn(4, 6)


def test_numbers_are_those_of_a_pass_by_hand():
    torch.manual_seed(1)
    model, batch = small()
    h = batch @ model[0].weight.T + model[0].bias
    h.retain_grad()
    output = torch.tanh(h) @ model[2].weight.T + model[2].bias
    # The readout is drawn after the model and the batch, from the same generator.
    (torch.randn_like(output) / 3**0.5 * output).sum().backward()
    found = measured(small, networks=2)
    assert found.outputs["0"][0] == pytest.approx(h.detach().square().mean(1).log().mean().item(), rel=1e-5)
    assert found.norms["0"][0] == pytest.approx(h.grad.norm(dim=1).log().mean().item(), rel=1e-5)
    assert found.weight_grads["0.weight"][0] == pytest.approx(model[0].weight.grad.norm().log().item(), rel=1e-5)
    first = measured(small, networks=1).moments["0.weight"]
    assert first.std == pytest.approx(model[0].weight.std(unbiased=False).item(), rel=1e-5)
    assert found.outputs["0"][0] != found.outputs["0"][1]


@pytest.mark.parametrize(
    ("act", "fill", "cell"),
    [
        (nn.ReLU, he, {"activation": "relu", "sigma_w": 2**0.5}),
        (nn.Tanh, partial(init.orthogonal_, gain=1.3), {"activation": "tanh", "sigma_w": 1.3, "law": "orthogonal"}),
        (nn.GELU, partial(init.xavier_uniform_, gain=1.8), {"activation": "gelu", "sigma_w": 1.8, "law": "uniform"}),
    ],
)
def test_chains_have_the_law_of_gradsims_networks(act, fill, cell):
    """|z| < 4.5: false alarm in 1 of 10,000 for 64 networks; with sigma_w 10 % off it is above."""
    found = gs.check(lambda: (chain(act, fill, (64,) * 11), torch.randn(8, 64)), networks=64, progress="none")
    (law,) = found.laws.itertuples()
    assert (law.activation, law.depth, law.width, law.networks) == (cell["activation"], 10, 64, 64)
    assert law.sigma_w == pytest.approx(cell["sigma_w"], rel=0.01)
    assert law.weights == cell.get("law", "gaussian")
    assert abs(law.z) < 4.5
    wrong = gs.simulate(**(cell | {"sigma_w": 1.1 * cell["sigma_w"]}), depth=10, width=64, networks=1000)
    assert abs(law.log_gain - wrong.log_gain[:, 0].mean()) > 4.5 * law.log_gain_se
    layers = found.modules[found.modules["kind"] == "Linear"]
    ens = gs.simulate(**cell, depth=10, width=64, networks=1000)
    for quantity in ("log_q", "log_gain"):
        values, errors = layers[quantity].to_numpy()[:9], layers[f"{quantity}_se"].to_numpy()[:9]
        expected = getattr(ens, quantity).mean(0)[:9] + (quantity == "log_gain") * (layers["log_gain"].iloc[9])
        if quantity == "log_q":
            assert (np.abs(values - expected) < 5 * errors + 0.02).all()


def test_inputs_that_the_law_does_not_have_are_said():
    found = gs.check(lambda: (chain(nn.Tanh, he, (64,) * 5), 3.0 * torch.randn(8, 64)), networks=8, progress="none")
    (law,) = found.laws.itertuples()
    assert np.isnan(law.z)
    assert "standardised inputs" in law.reason


def test_samples_that_are_zero_are_left_out_and_lost_numbers_are_nan():
    values = torch.tensor([[0.0, 0.0], [2.0, 2.0], [1.0, 1.0]])
    assert log_square(values) == (pytest.approx(np.log(4.0) / 2), 2)
    assert log_square(torch.zeros(3, 2))[0] == -np.inf
    assert np.isnan(log_square(torch.tensor([[float("inf"), 1.0]]))[0])
    assert log_square(torch.full((1, 2), 1e-30))[0] == pytest.approx(2 * np.log(1e-30), rel=1e-6)  # no underflow


def test_the_first_tensor_of_nested_outputs():
    tensor = torch.ones(2)
    assert first_tensor({"a": (torch.ones(1, dtype=torch.int64), [tensor])}) is tensor
    assert first_tensor("text") is None


class Streams(nn.Module):
    """A rotary sum, a sum of two tables, a functional residual sum with the branch on the left, in place."""

    def __init__(self, before):
        super().__init__()
        self.words, self.places = nn.Embedding(8, 16), nn.Embedding(TOKENS, 16)
        self.norms = nn.ModuleList(nn.LayerNorm(16) for _ in range(4))
        self.ups, self.downs = (nn.ModuleList(nn.Linear(16, 16) for _ in range(4)) for _ in range(2))
        self.before = before

    def forward(self, words):
        x = self.words(words) + self.places(torch.arange(TOKENS))
        for norm, up, down in zip(self.norms, self.ups, self.downs, strict=True):
            h = norm(x) if self.before else x
            h = 0.6 * h + 0.8 * torch.roll(h, 1, -1)
            branch = down(functional.silu(up(h))).clone()
            branch += x
            x = branch if self.before else norm(branch)
        return x


@pytest.mark.parametrize("before", [True, False])
def test_streams_are_found_without_names(before):
    found = measured(lambda: (Streams(before), torch.randint(0, 8, (2, TOKENS))), networks=2).structure
    (stream,) = found.streams
    assert stream.writers == [f"downs.{layer}.weight" for layer in range(4)]
    assert stream.tables == ("places.weight", "words.weight")
    assert stream.normalised is not before
    assert all(branch.is_left and not branch.scaled for branch in stream.branches)
    assert [len(one.modules) for one in found.chains] == []


def test_branches_that_end_in_an_activation_and_checkpointed_ones():
    from torch.utils.checkpoint import checkpoint

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(8, 8), nn.ReLU()) for _ in range(4))

        def forward(self, x):
            for block in self.blocks:
                x = x + checkpoint(block, x, use_reentrant=False)
            return x

    (stream,) = measured(lambda: (Model(), torch.randn(2, 8)), networks=2).structure.streams
    assert stream.writers == [f"blocks.{block}.0.weight" for block in range(4)]
    assert not stream.normalised


def test_layers_without_activation_are_a_linear_chain():
    model = lambda: (nn.Sequential(*(nn.Linear(16, 16) for _ in range(5))), torch.randn(2, 16))  # noqa: E731
    (found,) = measured(model, networks=2).structure.chains
    assert found.activation == "linear"
    assert found.modules == ("0", "1", "2", "3", "4")
    fault = gs.check(model, networks=16, progress="none").verdicts
    assert fault["rule"].tolist() == ["gain"]


def test_functional_activations_make_chains():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(6))

        def forward(self, x):
            for layer in self.layers[:3]:
                x = functional.leaky_relu(layer(x), 0.2)
            for layer in self.layers[3:]:
                x = torch.tanh(layer(x))
            return x

    found = measured(lambda: (Functional(), torch.randn(2, 16)), networks=2).structure
    assert [(one.activation, one.modules) for one in found.chains] == [
        ("leaky_relu(0.2)", ("layers.0", "layers.1", "layers.2")),
        ("tanh", ("layers.3", "layers.4", "layers.5")),
    ]
    assert not found.streams
    assert not found.tied
