"""Cells of the core by words, and what they give."""

from __future__ import annotations

import pytest

from gradsim_core.activations import resolve_activation
from gradsim_core.laws import resolve_law
from gradsim_core.schedules import narrow
from gradsim_core.simulator import Simulator

# Both schedules of real weights take any width: up to narrow.WIDEST sixteen networks side by side, else one by one.
WIDEST = {"explicit": 0, "narrow": 10**6}
BOTH = ["explicit", "narrow"]


class Cell:
    """A simulator with the numbers of one cell."""

    def __init__(
        self, activation, law="gaussian", dtype="float64", method="explicit", *, interpret=False, key=777, **numbers
    ):
        words = resolve_activation(activation), resolve_law(law), dtype, method
        self.machine = Simulator(*words, interpret=interpret)
        self.params = self.machine.params(key, **numbers)

    def block(self, count, first=0):
        return self.machine.block(self.params, first, count)

    def weights(self, network):
        return self.machine.weights(self.params, network)


@pytest.fixture
def cell():
    return Cell


@pytest.fixture
def schedule(monkeypatch, request):
    monkeypatch.setattr(narrow, "WIDEST", WIDEST[request.param])


def on_both(parameters):
    return pytest.mark.parametrize("schedule", parameters, indirect=True)


def mostly_verified(names, quick=("tanh", "relu", "gelu", "hard_tanh")):
    """Kernels take seconds to compile: the quick suite has a few, `make verify` all."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.verify) for name in names]
