"""The radial sampler of residual networks against explicit weights: 60,000 networks each, and all planted errors.

Each of the 60 cases has some forty tests, as in `test_radial`. Right code fails one of all with a chance of at most
1e-4 (Bonferroni).
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gradsim_core.activations import resolve_activation
from gradsim_core.laws import resolve_law
from gradsim_core.schedules.radial_streams import numbers
from gradsim_core.simulator import Simulator
from tests.core.schedules.planted_residual import PLANTED
from tests.core.schedules.residual_reference import Kind, by_lengths, explicit
from tests.core.schedules.test_radial_streams import DELTA, NETWORKS, Q, block, deviations, lowest, name_of, network_of
from tests.core.two_samples import p_values

pytestmark = pytest.mark.verify

SHAPES = (1, 2, 3), (2, 5, 6), (3, 2, 4), (4, 4, 4), (8, 6, 3), (6, 12, 9)  # width, inner width, depth
KINDS = [
    Kind(*shape, alpha, sigma_b=sigma_b, below=below, placement=placement)
    for (i, shape), (j, placement) in itertools.product(
        enumerate(SHAPES), enumerate(("none", "pre", "none", "pre", "none", "pre", "post", "output", "sandwich"))
    )
    for below, sigma_b, alpha in [((0.0, 0.3, -1.0, 1.0)[(i + j // 2) % 4], (0.0, 0.4)[j // 2 % 2], (0.9, -0.6)[i % 2])]
]
WIDE = [Kind(40, 300, 3), Kind(300, 40, 3, placement="pre"), Kind(64, 64, 6, below=0.3, sigma_b=0.3)]
DRAWN = [Kind(4, 6, 4), Kind(3, 2, 5, below=0.3, sigma_b=0.4, placement="pre"), Kind(8, 8, 3, placement="sandwich")]
ALARM = 1e-4 / (len(KINDS) + len(WIDE) + len(DRAWN))


def explicit_in_parts(kind, networks):
    """As `explicit`, a thousand networks at a time."""
    parts = [explicit(np.random.default_rng([1, i]), 1_000, kind) for i in range(networks // 1_000)]
    return np.concatenate([values for values, _ in parts], axis=1), np.concatenate([status for _, status in parts])


def check(kind, drawn, sampled):
    """Print the least of all p-values, and compare it with the alarm."""
    found = list(p_values(drawn, sampled))
    what, p = min(found, key=lambda entry: entry[1])
    print(f"\n{kind}: lowest of {len(found)} p-values {p:.2g} ({what})")
    assert p * len(found) > ALARM


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_same_law(kind):
    check(kind, explicit_in_parts(kind, 60_000), block(kind, 60_000))


@pytest.mark.parametrize("kind", WIDE, ids=name_of)
def test_same_law_of_wide_networks(kind):
    check(kind, explicit_in_parts(kind, 15_000), block(kind, 60_000))


@pytest.mark.parametrize("kind", DRAWN, ids=name_of)
def test_same_law_as_the_explicit_method(kind):
    """What it records is what a tape records."""
    words = resolve_activation(f"leaky_relu({kind.below:g})"), resolve_law("gaussian"), "float32", "explicit"
    each = Simulator(*words, network=network_of(kind))
    drawn = each.block(each.params(11, kind.depth, kind.width, kind.sigma_w, kind.sigma_b), 0, 60_000)
    check(kind, drawn, block(kind, 60_000, dtype="float32"))


@pytest.mark.parametrize("name", ["relu", "abs", "linear"])
def test_activations_by_name(name):
    """Each is leaky_relu with another slope, bit for bit."""
    kind = Kind(6, 9, 5, below={"relu": 0.0, "abs": -1.0, "linear": 1.0}[name], sigma_b=0.2, placement="pre")
    np.testing.assert_array_equal(block(kind, name=name)[0], block(kind)[0])


@pytest.mark.parametrize("planted", PLANTED, ids=lambda each: each.name)
def test_planted_errors_are_caught(planted, monkeypatch):
    """Interpreted; without the error the same networks agree."""
    drawn = explicit(np.random.default_rng(1), 60_000, planted.kind)
    assert lowest(drawn, block(planted.kind, NETWORKS, interpret=True)) > 1e-4
    planted.put(monkeypatch)
    assert lowest(drawn, block(planted.kind, NETWORKS, interpret=True)) < 1e-9


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("width", [2, 7, 64, 1024, 10**6])
@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_exact_growth(width, alpha, dtype):
    """Of relu forward and of linear both ways, as in `test_radial_streams`: a million networks, 140 figures, 1e-3."""
    for below, factor in ((0.0, 1 + alpha**2 * 1.3**4 / 2), (1.0, 1 + alpha**2 * 1.3**4)):
        values, _ = block(Kind(width, width, 3, alpha, below=below), 1_000_000, dtype=dtype)
        ratios = [np.exp(np.diff(values[Q]))] + [np.exp(-2.0 * np.diff(values[DELTA]))] * (below == 1.0)
        for ratio in ratios:
            assert (deviations(ratio, factor) < 4.7).all()
            assert (deviations(ratio, 1.01 * factor) > 4.7).all()


@pytest.mark.parametrize("kind", [KINDS[1], KINDS[20], KINDS[41]], ids=name_of)
def test_the_derivation_by_itself(kind):
    drawn = explicit_in_parts(kind, 60_000)
    assert lowest(drawn, by_lengths(np.random.default_rng(2), 60_000, kind)) > 1e-4


def test_groups_share_no_counters():
    """The indices of the counters of a block differ, and so far as further attempts of a chi-square go."""
    indices = numbers.PARTS, numbers.NORMALS, numbers.LENGTHS, numbers.REST, numbers.BELOW, numbers.BIAS
    assert len(set(indices)) == len(indices)
    assert max(indices) < 2**32
