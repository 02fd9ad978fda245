"""What a pass leaves out of the measurement: gradients of earlier networks, dropout."""

from __future__ import annotations

from copy import deepcopy

import pytest

import gradsim as gs
from gradsim.checking.dropout import without_dropout

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn
from torch.nn import functional


def check(*arguments, **options):
    return gs.check(*arguments, **({"networks": 8, "progress": "none"} | options))


def test_gradients_of_earlier_networks_are_not_added():
    shared = nn.Sequential(nn.Linear(12, 12), nn.Tanh(), nn.Linear(12, 3))

    def build(model):
        for layer in model[::2]:
            layer.reset_parameters()
        return model, torch.randn(4, 12)

    found = check(lambda: build(deepcopy(shared)))
    assert check(lambda: build(shared)).parameters.equals(found.parameters)


class Dropping(nn.Module):
    """Calls a function that drops entries."""

    def __init__(self, function):
        super().__init__()
        self.function, self.layer = function, nn.Linear(8, 8)

    def forward(self, x):
        return self.function(self.layer(x), self.training)


class Recurrent(nn.GRU):
    def forward(self, x):
        return super().forward(x)[0]


class Attending(nn.MultiheadAttention):
    def forward(self, x):
        return super().forward(x, x, x, need_weights=False)[0]


class Masking(nn.Module):
    def __init__(self):
        super().__init__()
        self.dropout, self.layer = 0.5, nn.Linear(8, 8)

    def forward(self, x):
        return self.layer(x) * (torch.rand(8) >= self.dropout)


DROPPING = {
    "functional": lambda: Dropping(lambda x, training: functional.dropout(x, 0.5, training)),
    "functional, by name": lambda: Dropping(lambda x, training: functional.alpha_dropout(x, p=0.5, training=training)),
    "default rate": lambda: Dropping(lambda x, training: functional.dropout1d(x)),
    "in place": lambda: Dropping(lambda x, training: torch.dropout_(x.clone(), 0.5, training)),
    "attention": lambda: Dropping(lambda x, _: functional.scaled_dot_product_attention(x, x, x, dropout_p=0.5)),
    "attention, by place": lambda: Dropping(lambda x, _: functional.scaled_dot_product_attention(x, x, x, None, 0.5)),
    "module": lambda: nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5)),
    "attention module": lambda: Attending(8, 2, dropout=0.5, batch_first=True),
    "recurrent module": lambda: Recurrent(8, 8, 2, dropout=0.5, batch_first=True),
    "encoder layer": lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5, batch_first=True),
    "attribute": Masking,
}


@pytest.mark.parametrize("name", DROPPING)
def test_dropout_is_off_whatever_drops(name):
    torch.manual_seed(1)
    model, batch = DROPPING[name](), torch.randn(4, 5, 8)
    assert not model(batch).equal(model(batch))
    with without_dropout(model):
        first, second = model(batch), model(batch)
    assert first.equal(second)
    assert first.isfinite().all()
    assert first.ne(0.0).all()
    assert not model(batch).equal(model(batch))  # as it was


def test_measurements_are_those_of_the_model_without_dropout():
    def build(rate):
        return nn.TransformerEncoderLayer(8, 2, 16, dropout=rate, batch_first=True), torch.randn(4, 5, 8)

    assert check(lambda: build(0.5)).parameters.equals(check(lambda: build(0.0)).parameters)


def _tanh_chain(depth, outputs):
    layers = [make() for _ in range(depth) for make in (lambda: nn.Linear(16, 16), nn.Tanh)]
    return nn.Sequential(*layers, nn.Linear(16, outputs))


class Several(nn.Module):
    """Two chains from one trunk; ``pick`` makes the output of trunk, first head and second head."""

    def __init__(self, pick):
        super().__init__()
        self.trunk, self.first, self.second = nn.Linear(16, 16), _tanh_chain(5, 4), _tanh_chain(5, 1)
        self.pick = pick

    def forward(self, x):
        hidden = self.trunk(x)
        return self.pick(hidden, self.first(hidden), self.second(hidden))


CHAINS = {"first.0 … first.8", "second.0 … second.8"}


@pytest.mark.parametrize(
    ("pick", "chains"),
    [
        (lambda hidden, first, second: (first, second), CHAINS),
        (lambda hidden, first, second: {"hidden": hidden, "all": [first, second]}, CHAINS),
        (lambda hidden, first, second: (hidden.clone(), hidden, first, second.mean(), second), CHAINS),
        (lambda hidden, first, second: (first, second.detach()), {"first.0 … first.8"}),
        (lambda hidden, first, second: first, {"first.0 … first.8"}),
        (lambda hidden, first, second: (first, second.mean()), {"first.0 … first.8"}),
        (lambda hidden, first, second: (first.mean(), second.mean()), CHAINS),
    ],
)
def test_all_outputs_have_a_readout(pick, chains):
    found = check(lambda: (Several(pick), torch.randn(8, 16)))
    assert set(found.laws.loc[found.laws["law"] == "plain chain", "places"]) == chains
    grads = found.parameters.set_index("parameter")["log_weight_grad"]
    for name in ("first", "second"):
        assert grads.filter(like=name).notna().all() == any(name in chain for chain in chains)
    trunk = found.modules.set_index("module").loc["trunk", "log_delta"]
    # The readout goes through a chain of default layers, which shrinks it by 3 or more a layer, not to the trunk.
    assert trunk < -1.5


def test_chains_that_are_not_called_in_every_network_are_left_out():
    class Skipping(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(6))

        def forward(self, x):
            for number, layer in enumerate(self.layers):
                if number < 2 or torch.rand(()) < 0.5:
                    x = torch.relu(layer(x))
            return x

    found = check(lambda: (Skipping(), torch.randn(4, 8)))
    assert set(found.modules["module"]) >= {"layers.0", "layers.1"}
    assert "layers.5" not in found.laws["places"].str.cat()


def test_rates_that_cannot_be_set_are_left():
    class Fixed(nn.Linear):
        dropout = property(lambda self: 0.5)

    module = Fixed(4, 4)
    with without_dropout(module):
        assert module.dropout == 0.5
    assert check(lambda: (Fixed(4, 4), torch.randn(2, 4))).sound
