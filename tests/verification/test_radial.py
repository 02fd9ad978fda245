"""The radial sampler against explicit back-propagation: 60,000 networks each, and exact laws with a million.

Each case has some forty tests, as in `test_conditional`. Over all 42 cases right code fails one of them with a chance
of at most 1e-4 (Bonferroni).
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gradsim_core.schedules import radial
from tests.core.conftest import Cell
from tests.core.exact_laws import findings, report
from tests.core.two_samples import compare

pytestmark = pytest.mark.verify

SLOPES = {"relu": 0.0, "leaky_relu(0.2)": 0.2, "linear": 1.0, "abs": -1.0}
GAUSSIAN = [("gaussian", *rest) for rest in itertools.product(SLOPES, (0.0, 0.5), ((1, 3), (2, 4), (4, 5), (16, 5)))]
HAAR = [
    ("orthogonal", "relu", 0.0, (2, 4)), ("orthogonal", "relu", 0.0, (4, 4)), ("orthogonal", "relu", 0.5, (4, 4)),
    ("orthogonal", "relu", 0.5, (8, 4)), ("orthogonal", "leaky_relu(0.2)", 0.0, (4, 4)),
    ("orthogonal", "leaky_relu(0.2)", 0.5, (3, 4)), ("orthogonal", "abs", 0.5, (8, 4)),
    ("orthogonal", "leaky_relu(0.3)", 0.5, (1, 3)), ("orthogonal", "linear", 0.5, (2, 4)),
    ("orthogonal", "relu", 0.3, (300, 3)),
]  # fmt: skip
CASES = GAUSSIAN + HAAR
NETWORKS, ALARM = 60_000, 1e-4


@pytest.mark.parametrize(("law", "activation", "sigma_b", "shape"), CASES)
def test_same_law(law, activation, sigma_b, shape):
    width, depth = shape
    slope = SLOPES.get(activation, 0.3)
    networks = NETWORKS if width < 100 else 10_000
    numbers = {"sigma_b": sigma_b, "width": width, "depth": depth, "sigma_w": np.sqrt(2 / (1 + slope**2))}
    found = compare(Cell, activation, law, networks, schedule=radial, **numbers)
    what, p = min(found, key=lambda entry: entry[1])
    print(f"\n{law} {activation} {numbers}: lowest of {len(found)} p-values {p:.2g} ({what})")
    assert p * len(found) * len(CASES) > ALARM


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [16, 64, 256, 257, 1024, 10**6])
@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_exact_laws(activation, width, dtype):
    """E ln and Var ln of a layer and of all, with a million networks: 4.5 standard errors, 192 figures, 1.3e-3."""
    sigma_w = np.sqrt(2) if activation == "relu" else 1.0
    one = Cell(activation, "gaussian", dtype, "radial", sigma_w=sigma_w, depth=8, width=width, key=1000 + width)
    found, dead, p_value = findings(one, 1_000_000)
    report(one, 1_000_000, found, dead, p_value)
    assert all(abs(entry.z) < 4.5 for entry in found), found
    assert p_value > 1e-4, dead


@pytest.mark.parametrize("width", [64, 1024])
def test_one_part_in_a_thousand_is_told_apart(width):
    one = Cell("relu", "gaussian", "float32", "radial", sigma_w=np.sqrt(2), depth=8, width=width, key=1000 + width)
    found, _, _ = findings(one, 1_000_000, planted=1.001)
    assert max(abs(entry.z) for entry in found) > 6
