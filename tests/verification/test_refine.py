"""Refined boundaries: their intervals cover the exact root, and cost a fraction of a uniform grid that was really run.

The interval decides when to stop, which could make it too short: hence the proof by replicas.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradsim as gs
from gradsim.analysis.refinement import half_widths
from tests.gradsim.analysis.made_boundary import ROOT, MadeBoundary, bent, line


def slack(replicas: int) -> float:
    """Of the share that covers: 3.3 standard errors, one false alarm in a thousand."""
    return 3.3 * math.sqrt(0.05 * 0.95 / replicas)


@pytest.mark.verify
@pytest.mark.parametrize(("law", "cells", "target"), [(line, 13, 0.005), (bent, 13, 0.005), (bent, 25, 0.002)])
def test_coverage_of_made_boundaries(law, cells, target):
    replicas, hits = 1000, 0
    for seed in range(replicas):
        made = MadeBoundary(seed, np.linspace(0.8, 2.0, cells), 300, law)
        row = made.refine(target)[1].iloc[0]
        hits += row["ci_low"] <= ROOT <= row["ci_high"]
    print(f"{law.__name__}, {cells} cells, to {target}: {hits / replicas:.4f}")
    assert 0.95 - slack(replicas) <= hits / replicas <= 0.95 + slack(replicas) + 0.01


@pytest.mark.verify
def test_coverage_of_relu(tmp_path):
    """Real runs of different seeds; the exact root at this width is known."""
    exact, replicas, hits, networks = gs.theory.boundary("relu", depth=8, width=16), 400, 0, []
    for seed in range(replicas):
        sweep = gs.Sweep(
            activation="relu", sigma_w={"start": 1.1, "stop": 2.0, "num": 7}, depth=8, width=16, networks=300,
            seed=seed, method="conditional",
        )  # fmt: skip
        found = gs.run(sweep, tmp_path / str(seed), progress="none").refine(0.008, progress="none").precision
        assert found.reached
        row = found.table.iloc[0]
        hits += row["ci_low"] <= exact <= row["ci_high"]
        networks.append(found.networks)
    print(f"relu: {hits} of {replicas} intervals cover {exact:.6f}, with {np.mean(networks):.0f} networks on average")
    assert 0.95 - slack(replicas) <= hits / replicas <= 0.95 + slack(replicas) + 0.01


@pytest.mark.verify
@pytest.mark.parametrize(
    ("cells", "target", "least"), [(13, 0.002, 5.0), (13, 0.001, 5.0), (25, 0.002, 5.0), (25, 0.001, 8.0)]
)
def test_a_uniform_grid_that_was_really_run(tmp_path, cells, target, least):
    """Its networks follow from the estimate that the command prints; its measured interval then says what it takes."""
    predicted, measured, refined = [], [], []
    for seed in range(10):
        sweep = gs.Sweep(
            activation="tanh", sigma_w={"start": 0.8, "stop": 2.0, "num": cells}, depth=16, width=32, networks=256,
            seed=seed, method="conditional",
        )  # fmt: skip
        found = gs.run(sweep, tmp_path / f"{seed}", progress="none").refine(target, progress="none").precision
        assert found.reached
        uniform = sweep.replace(networks=found.uniform_networks // cells, seed=1000 + seed)
        rows = gs.run(uniform, tmp_path / f"{seed}-uniform", progress="none").boundary(kinds="quenched")
        half = float(half_widths(rows)[0])
        refined.append(found.networks)
        predicted.append(found.uniform_networks)
        measured.append(found.uniform_networks * (half / target) ** 2)
    ratios = np.mean(predicted) / np.mean(refined), np.mean(measured) / np.mean(refined)
    print(f"{cells} cells to {target}: uniform {np.mean(measured):,.0f} networks (estimate {np.mean(predicted):,.0f}), "
          f"refined {np.mean(refined):,.0f}: {ratios[1]:.2f} times as many (estimate {ratios[0]:.2f})")  # fmt: skip
    assert ratios[1] > least
    assert 0.75 < ratios[0] / ratios[1] < 1.25
