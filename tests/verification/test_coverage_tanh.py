"""Intervals cover where no law is known: experiments drawn with replacement from a large pool of tanh networks.

The pool is the law, to 1/30 of the standard error of an experiment of 1,000 networks. As in `test_coverage`, 2,000
replicas cover 95 +- 1.6 % but for one case in a thousand.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradsim as gs
from gradsim import analysis
from tests.verification.replicas import summaries
from tests.verification.test_coverage import HIGH, LOW, REPLICAS, cells_of, share

POOL = 1_000_000
DEPTH = 8
DECADE = math.log(100)


def pool(width, sigma_w, networks=POOL, seed=1):
    return gs.simulate("tanh", sigma_w, 0.0, DEPTH, width, networks, seed, method="conditional").log_gain[:, 0].copy()


@pytest.mark.verify
@pytest.mark.parametrize("networks", [50, 200, 1000])
@pytest.mark.parametrize("width", [4, 16, 64])
def test_estimates(width, networks):
    rng, everyone = np.random.default_rng([width, networks]), pool(width, 1.6)
    gain = everyone[rng.integers(0, POOL, (REPLICAS, networks))]
    rows = summaries(gain, cells_of("tanh", width, DEPTH, np.full(REPLICAS, 1.6)))
    q05, median, q95 = np.quantile(everyone, [0.05, 0.5, 0.95])
    truths = {
        "quenched_log_gain": everyone.mean(), "median_log_gain": median, "q05": q05, "q95": q95,
        "std": everyone.std(), "live_share": np.mean(np.abs(everyone) <= DECADE),
    }  # fmt: skip
    for column, truth in truths.items():
        if column == "live_share" and not 0.05 <= truth <= 0.95:
            continue
        covered = share(rows[f"{column}_low"], rows[f"{column}_high"], truth)
        print(f"tanh {width}x{DEPTH} {networks} networks: {column} {covered:.4f}")
        slack = 0.01 if networks < 1000 else 0.0  # counts of a few networks are coarse
        assert LOW - slack <= covered <= HIGH + slack, column


def root(width, kind):
    """sigma_w at which the mean or median is 0: a cubic through eleven pools of a million networks."""
    grid = np.linspace(1.4, 2.6, 25)
    estimate = {"quenched": np.mean, "median": np.median}[kind]
    coarse = [estimate(pool(width, s, 20_000)) for s in grid]
    middle = float(np.interp(0.0, coarse, grid))
    near = middle * np.linspace(0.95, 1.05, 11)
    values = [estimate(pool(width, s, POOL, seed=7)) for s in near]
    return float(np.polyval(np.polyfit(values, near, 3), 0.0))


@pytest.mark.verify
@pytest.mark.parametrize(("cells", "networks"), [(5, 50), (5, 200), (5, 1000), (60, 50), (60, 200), (60, 1000)])
@pytest.mark.parametrize("width", [16, 64])
def test_boundaries(width, cells, networks):
    exact = {kind: root(width, kind) for kind in ("quenched", "median")}
    grid = exact["quenched"] * np.linspace(0.72, 1.33, cells)
    rng = np.random.default_rng([width, cells, networks])
    pools = np.stack([pool(width, s, 200_000) for s in grid])
    replicas, found = REPLICAS // 2, dict.fromkeys(exact, 0)
    for _ in range(replicas):
        gain = np.take_along_axis(pools, rng.integers(0, pools.shape[1], (cells, networks)), axis=1)
        rows = analysis.boundary(summaries(gain, cells_of("tanh", width, DEPTH, grid)), kinds=list(exact))
        for _, row in rows.iterrows():
            found[row["kind"]] += row["ci_low"] <= exact[row["kind"]] <= row["ci_high"]
    slack = 3.3 * math.sqrt(0.05 * 0.95 / replicas)
    for kind, hits in found.items():
        print(f"tanh {width}x{DEPTH}, {cells} cells of {networks}: {kind} {hits / replicas:.4f}")
        assert 0.95 - slack <= hits / replicas <= 0.95 + slack + 0.01, kind
