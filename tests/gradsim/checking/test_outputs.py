"""Outputs of several kinds, gradients that are zero for good reasons, and memory."""

from __future__ import annotations

import gc
import weakref
from copy import deepcopy

import numpy as np
import pytest

import gradsim as gs
from gradsim.errors import SweepError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn

from gradsim.checking.measurements import measure
from gradsim.checking.models import Networks


class LastState(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.head = nn.LSTM(6, 12, batch_first=True), nn.Linear(12, 5)

    def forward(self, x):
        return self.head(self.inner(x)[1][0][-1])


class Cut(nn.Module):
    def forward(self, x):
        return x.chunk(2, dim=-1)


class SecondPart(nn.Module):
    """Uses the second part of what one operation has cut, and not the first."""

    def __init__(self):
        super().__init__()
        self.inner, self.cut, self.head = nn.Linear(6, 24), Cut(), nn.Linear(12, 5)

    def forward(self, x):
        return self.head(self.cut(self.inner(x))[1])


@pytest.mark.parametrize("model", [LastState, SecondPart])
def test_an_output_of_an_operation_may_have_no_gradient(model):
    found = gs.check(lambda: (model(), torch.randn(4, 9, 6)), networks=8)
    assert found.sound
    assert set(found.modules["module"]) >= {"head"}


def test_all_outputs_of_an_lstm_are_read_out():
    """The sequence is no question of the state, though one operation computes both."""
    found = gs.check(lambda: (nn.LSTM(6, 12), torch.randn(9, 4, 6)), networks=8)
    assert found.sound
    assert found.parameters["log_weight_grad"].notna().all()


class ReZero(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.ModuleList(nn.Linear(32, 32) for _ in range(6))
        self.scale = nn.ParameterList(nn.Parameter(torch.zeros(1)) for _ in range(6))
        self.norms = nn.ModuleList(nn.LayerNorm(32) for _ in range(6))

    def forward(self, x):
        for layer, scale, norm in zip(self.inner, self.scale, self.norms, strict=True):
            x = x + scale * torch.relu(layer(norm(x)))
        return x


def one_step():
    return nn.RNN(6, 12), torch.randn(1, 4, 6)


def zero_batch():
    return nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 4)), torch.zeros(4, 16)


@pytest.mark.parametrize("factory", [lambda: (ReZero(), torch.randn(4, 32)), one_step, zero_batch])
def test_gradients_that_are_zero_on_purpose_are_no_dead_networks(factory):
    assert "dead networks" not in set(gs.check(factory, networks=8).verdicts["rule"])


class WithTarget(nn.Module):
    """A network and a frozen copy of it, as in BYOL and DQN."""

    def __init__(self):
        super().__init__()
        self.online = nn.Sequential(*(make() for _ in range(4) for make in (lambda: nn.Linear(16, 16), nn.Tanh)))
        self.target = deepcopy(self.online).requires_grad_(False)

    def forward(self, x):
        return self.online(x) - self.target(x)


def test_a_target_network_is_no_copied_block():
    assert "copied blocks" not in set(gs.check(lambda: (WithTarget(), torch.randn(4, 16)), networks=8).verdicts["rule"])


class Exploding(nn.Module):
    def __init__(self, std):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(32, 32, bias=False) for _ in range(24))
        for layer in self.layers:
            nn.init.normal_(layer.weight, 0.0, std)
        nn.init.zeros_(self.layers[7].weight)

    def forward(self, x):
        for layer in self.layers:
            x = x + layer(torch.relu(x))
        return x


@pytest.mark.parametrize(("std", "rule"), [(0.35, "depth scale missing"), (2.0, "exploding stream")])
def test_remedies_are_numbers_beside_a_zeroed_branch(std, rule):
    found = gs.check(lambda: (Exploding(std), torch.randn(4, 32)), networks=8).verdicts.set_index("rule")["verdict"]
    assert {rule, "zeroed matrix"} <= set(found.index)
    assert "nan" not in found[rule]
    assert "e-12" not in found[rule]


class Added(nn.Module):
    """x + layer(x) / 10, in one of three ways to write it."""

    def __init__(self, add):
        super().__init__()
        self.add, self.layers = add, nn.ModuleList(nn.Linear(32, 32) for _ in range(8))

    def forward(self, x):
        for layer in self.layers:
            x = self.add(x, layer(x))
        return x


def test_a_sum_has_the_factor_of_its_second_summand():
    ways = [
        lambda x, y: x + 0.1 * y, lambda x, y: torch.add(x, y, alpha=0.1), lambda x, y: x.add(y, alpha=0.1)
    ]  # fmt: skip
    plain, *others = (
        measure(Networks(lambda way=way: (Added(way), torch.randn(4, 32)), None, None), 2, 1, lambda share: None).sums
        for way in ways
    )
    for other in others:
        np.testing.assert_allclose(other, plain, atol=1e-5)


def test_empty_parameters_and_batches():
    class Empty(nn.Linear):
        def __init__(self):
            super().__init__(6, 4)
            self.none = nn.Parameter(torch.empty(0, 3))

    assert gs.check(lambda: (Empty(), torch.randn(4, 6)), networks=8).sound
    with pytest.raises(SweepError, match=r"shape \(0, 6\)"):
        gs.check(lambda: (nn.Linear(6, 4), torch.randn(0, 6)), networks=8)


def test_networks_are_freed():
    """A node that holds its own record through a hook never is, nor are the parameters that its graph holds."""
    weights = []

    def build():
        model = Exploding(0.1)
        weights.append(weakref.ref(model.layers[0].weight))
        return model, torch.randn(2, 32)

    gs.check(build, networks=8)
    gc.collect()
    assert len(weights) >= 8
    assert not any(weight() is not None for weight in weights)
