"""What a pass leaves out of the measurement: gradients of earlier networks."""

from __future__ import annotations

from copy import deepcopy

import pytest

import gradsim as gs

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn


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
