"""Networks are drawn anew by each seed, and instances as their copies."""

from __future__ import annotations

from copy import deepcopy

import pytest

import gradsim as gs
from gradsim.errors import SweepError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn
from torch.nn import init


def check(*arguments, **options):
    return gs.check(*arguments, **({"networks": 8, "progress": "none"} | options))


def pair(width=8):
    return nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 3))


def test_factories_that_set_the_seed_are_refused():
    def build(before):
        if before:
            torch.manual_seed(0)
        model = pair()
        if not before:
            torch.manual_seed(0)
        return model, torch.randn(4, 8)

    with pytest.raises(SweepError, match=r"without torch\.manual_seed"):
        check(lambda: build(True))
    assert len(check(lambda: build(False)).parameters) == 4  # only the batch is the same


def test_networks_that_are_the_same_for_every_seed_are_refused():
    trained = pair()
    batch = torch.randn(4, 8)

    def isolated():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return pair(), torch.randn(4, 8)

    for model in (lambda: (trained, batch), lambda: (deepcopy(trained), torch.randn(4, 8)), isolated):
        with pytest.raises(SweepError, match="equal in all networks"):
            check(model)
    with pytest.raises(SweepError, match="equal in all networks"):
        check(trained, batch, init=lambda copy: None)


def test_identities_and_partly_loaded_networks_are_measured():
    trained = nn.Linear(8, 8)

    def identity():
        model = pair()
        for parameter in model.parameters():
            init.eye_(parameter) if parameter.ndim == 2 else init.zeros_(parameter)
        return model, torch.randn(4, 8)

    for build in (identity, lambda: (nn.Sequential(deepcopy(trained), nn.Linear(8, 3)), torch.randn(4, 8))):
        assert len(check(build).parameters) == 4
