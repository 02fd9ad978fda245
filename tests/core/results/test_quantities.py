"""The kernel of quantities against their formulas, one network at a time, to the bit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradsim_core import jit
from gradsim_core.lanes import LANES, load, store
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X
from gradsim_core.results import quantities
from gradsim_core.results.quantities import QUANTITIES, Logs, kernel, logarithm

EXTREME = [
    0.0,
    -0.0,
    -1.0,
    5e-324,
    2.0**-1000,
    2.0**-512,
    2.0**-511,
    1.0,
    2.0**513,
    2.0**1000,
    1.7e308,
    math.inf,
    math.nan,
]
EXPONENTS = [0.0, 3.0, -5000.0, 2.0**25, 2.0**39, 2.0**40, -(2.0**41), 1e300]


def one_by_one(numbers, exponents, out):
    for i in range(0, len(numbers) - LANES + 1, LANES):
        store(out, i, logarithm(load(numbers, i), load(exponents, i)))


def logarithms_of(numbers, exponents):
    """`logarithm` of every element."""
    padded = [np.append(x.ravel(), np.ones(-x.size % LANES)) for x in (numbers, exponents)]
    out = np.empty_like(padded[0])
    jit.compiled(one_by_one)(*padded, out)
    return out[: numbers.size].reshape(numbers.shape)


def run_kernel(sums, exponents, log_width, beside=5):
    """Values and status of the networks, in the middle of a block that has others."""
    _, count, depth = sums.shape
    flat = [np.append(x.ravel(), np.ones(LANES)) for x in (sums, exponents)]
    values, status = np.full((len(QUANTITIES), count + 2 * beside, depth), 77.0), np.full(count, 9, np.int8)
    jit.compiled(kernel())(*flat, depth, log_width, values.reshape(-1), beside, status)
    assert (values[:, :beside] == 77.0).all()
    assert (values[:, beside + count :] == 77.0).all()
    return values[:, beside : beside + count], status


def expected(sums, exponents, log_width):
    logs = logarithms_of(sums, exponents)
    h2, x2, delta2 = logs[SUM_H], logs[SUM_X], logs[SUM_DELTA]
    logs = Logs(h2, x2, delta2, np.repeat(delta2[:, -1:], sums.shape[2], axis=1), log_width)
    with np.errstate(invalid="ignore"):
        values = np.array([0.5 * delta2, 0.5 * (delta2 + x2), h2 - log_width, delta2 - logs.last_delta2])
    values[3][delta2 == -math.inf] = -math.inf
    layers = np.where(delta2 == -math.inf, 1, 0)
    layers[np.isnan(values).any(axis=0)] = 2
    return values, layers.max(axis=1)


@pytest.mark.parametrize("depth", [1, 3, 16, 17, 40])
@pytest.mark.parametrize("count", [1, 15, 16, 37])
@pytest.mark.parametrize("kind", ["usual", "some", "all"])
def test_quantities(depth, count, kind):
    """Usual numbers, some extreme ones among them, and extreme ones only."""
    rng = np.random.default_rng(depth + 100 * count)
    shape = 3, count, depth
    sums, exponents = np.exp(rng.normal(0.0, 3.0, shape)), rng.integers(-9, 9, shape).astype(float)
    extreme = rng.random(shape) < {"usual": 0.0, "some": 0.02, "all": 1.0}[kind]
    sums = np.where(extreme, rng.choice(EXTREME, shape), sums)
    exponents = np.where(extreme, rng.choice(EXPONENTS, shape), exponents)
    values, status = run_kernel(sums, exponents, 2.5)
    wanted, state = expected(sums, exponents, 2.5)
    np.testing.assert_array_equal(values, wanted)  # NaN equals NaN
    np.testing.assert_array_equal(status, state)


def test_every_pair_of_extremes():
    """Two vectors at once, whose checks are joint, give what each gives alone."""

    def both(a, j, b, k, first, second):
        for i in range(0, len(a), LANES):
            pair = quantities.logarithms(load(a, i), load(j, i), load(b, i), load(k, i))
            store(first, i, pair[0])
            store(second, i, pair[1])

    rows = np.array([(x, e) for x in [*EXTREME, 0.3, 2e9] for e in EXPONENTS])
    i, j = (index.ravel() for index in np.indices((len(rows), len(rows))))
    # A vector each: one extreme number must not hide behind others.
    lanes = np.repeat(np.array([*rows[i].T, *rows[j].T]), LANES, axis=1)
    first, second = np.empty(lanes.shape[1]), np.empty(lanes.shape[1])
    jit.compiled(both)(*lanes, first, second)
    np.testing.assert_array_equal(first.view(np.int64), logarithms_of(lanes[0], lanes[1]).view(np.int64))
    np.testing.assert_array_equal(second.view(np.int64), logarithms_of(lanes[2], lanes[3]).view(np.int64))
