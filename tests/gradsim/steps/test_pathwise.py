"""Lazy matrices, completed to explicit ones, train in PyTorch as they did: every observable of every step."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from gradsim.steps.matrices import LazyMatrix
from gradsim.steps.network import Networks
from gradsim.steps.problem import Problem
from tests.gradsim.steps.oracle import completed, recorded, trained

BASE = {"width": 40, "depth": 3, "sigma_w": 1.5, "inputs": 3, "steps": 4, "learning_rate": 0.3}
ALL = {"momentum": 0.6, "weight_decay": 0.2, "sigma_b": 0.4}
CASES = {
    "plain": {},
    "momentum": {"momentum": 0.9},
    "decay": {"weight_decay": 0.5, "parametrisation": "mup"},
    "clipped": {"clip": 0.3},
    "biases": {"sigma_b": 0.5, "parametrisation": "mup"},
    "relu": {"activation": "relu", "parametrisation": "mup", **ALL},
    "gelu, ntk": {"activation": "gelu", "parametrisation": "ntk", "clip": 0.5, **ALL},
    "all": {"clip": 0.5, "depth": 4, **ALL},
    "softmax": {"cost": "softmax", "outputs": 5, "clip": 0.2, **ALL},
    "two outputs": {"outputs": 2, "clip": 1.0, "parametrisation": "mup", **ALL},
    "rank beyond width": {"width": 11, "inputs": 4, "steps": 5, "parametrisation": "mup", **ALL},
    "rank beyond width, relu": {"width": 9, "inputs": 3, "steps": 6, "activation": "relu", "clip": 0.5, **ALL},
    "more inputs than neurons": {"width": 5, "inputs": 7, "steps": 2, "parametrisation": "mup", **ALL},
    "as wide as lazy matrices are": {
        "width": 288,
        "inputs": 8,
        "steps": 5,
        "parametrisation": "mup",
        **ALL,
    },
    "one layer": {"depth": 1, **ALL},
    "one neuron": {"width": 1, "inputs": 2, "steps": 3, "parametrisation": "mup", **ALL},
}


def begun(problem, lazy=True):
    """The same networks before training: lazy ones have met nothing yet."""
    return Networks(problem.model_copy(update={"steps": 0}), _draws(problem), lazy)


def _draws(problem):
    from gradsim.steps.draws import Draws

    return Draws(problem.key, range(1), problem.method == "explicit", np.dtype(problem.dtype))


def differences(problem, lazy=True, make=Networks):
    """The largest difference of each value, relative to the largest value of its quantity in the layer."""
    networks, values = recorded(problem, lazy=lazy, make=make)
    start = begun(problem)
    matrices = completed(networks) if lazy else [each.update[0] for each in begun(problem, lazy).matrices]
    biases = [each.update[0, 0] for each in start.biases]
    expected = trained(problem, networks.inputs[0], networks.targets[0], matrices, biases, start.readout.update[0])
    scale = np.nanmax(np.abs(expected), axis=1, keepdims=True, initial=1e-300)
    assert (np.isnan(values[..., 0]) == np.isnan(expected)).all()
    return np.nanmax(np.abs(values[..., 0] - expected) / scale)


@pytest.mark.parametrize("case", CASES)
def test_lazy(case):
    assert differences(Problem(**(BASE | CASES[case]))) < 1e-10


@pytest.mark.parametrize("case", ["all", "gelu, ntk", "softmax"])
def test_explicit(case):
    assert differences(Problem(**(BASE | CASES[case] | {"method": "explicit"})), lazy=False) < 1e-10


class Forgets(LazyMatrix):
    """Does not project the random part off what the other side has shown."""

    def draw_images(self, own, other, count, role):
        super().draw_images(own, other, count, role)
        basis, _ = other.known
        drawn = self._draws.rows(role, 99, own.count, count, own.n)
        own.images[:, own.count : own.count + count] += drawn @ np.swapaxes(basis, 1, 2) @ basis


def test_a_forgotten_projection_is_seen():
    class Wrong(Networks):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            for each in self.matrices[1:]:
                each.__class__ = Forgets

    assert differences(Problem(**(BASE | CASES["all"])), make=Wrong) > 1e-3
