"""The conditional sampler against explicit back-propagation: 1e5 networks each, in every combination.

Each cell has some forty tests: Kolmogorov-Smirnov in every layer and quantity, rank correlations between layers and
between quantities, and Fisher's exact test of the dead. Over all 48 cells right code fails one of them with a chance of
at most 1e-6 (Bonferroni). Power: a scale that is off by 1 %, a projection left out and h of the wrong layer all fail it
by many orders of magnitude.
"""

from __future__ import annotations

import pytest

from tests.core.conftest import Cell
from tests.core.schedules.test_conditional import PLANTED, plant
from tests.core.two_samples import compare

pytestmark = pytest.mark.verify

NETWORKS, CELLS, ALARM = 100_000, 48, 1e-6


def lowest(*arguments, **options):
    """The least p-value of a cell, for all tests of all cells, and which test it is of."""
    found = compare(Cell, *arguments, NETWORKS, **options)
    what, p = min(found, key=lambda entry: entry[1])
    print(f"\n{arguments} {options}: lowest of {len(found)} p-values {p:.2g} ({what})")
    return p * len(found) * CELLS


@pytest.mark.parametrize("law", ["gaussian", "orthogonal"])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "gelu"])
def test_same_law(activation, law):
    for sigma_b in (0.0, 0.3):
        for width in (4, 16, 64):
            assert lowest(activation, law, sigma_b=sigma_b, width=width) > ALARM, (sigma_b, width)


@pytest.mark.parametrize("law", ["gaussian", "orthogonal"])
def test_one_neuron(law):
    for sigma_b in (0.0, 0.3):
        assert lowest("tanh", law, sigma_b=sigma_b, width=1) > ALARM, sigma_b


@pytest.mark.parametrize("width", [4, 16, 64])
def test_sigma_w_off_by_one_percent(width):
    assert lowest("tanh", "gaussian", width=width, planted=1.01, depth=16) < ALARM


@pytest.mark.parametrize("width", [4, 16])
@pytest.mark.parametrize("name", PLANTED)
def test_planted_errors(monkeypatch, name, width):
    plant(monkeypatch, name)
    assert lowest("tanh", "gaussian", width=width, build=True) < ALARM
