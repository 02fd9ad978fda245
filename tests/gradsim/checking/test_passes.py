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
