"""Finite-size scaling against theory at infinite width (Schoenholz et al. 2017, arXiv:1611.01232)."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradsim as gs


@pytest.mark.verify
@pytest.mark.parametrize("variance", [0.0, 0.05])
def test_the_boundary_of_tanh_extrapolates_to_theory(tmp_path, variance):
    """Depth 8, five widths: the 99 % interval of the quenched and of the median boundary covers."""
    sigma_b = math.sqrt(variance)
    root = gs.theory.boundary("tanh", 8, sigma_b)
    sweep = gs.Sweep(
        activation="tanh", sigma_w=(root * np.linspace(0.94, 1.2, 9)).tolist(), sigma_b=sigma_b, depth=8,
        width=[32, 64, 128, 256, 512], networks=25_000, seed=11, method="conditional",
    )  # fmt: skip
    found = gs.run(sweep, tmp_path / "run", progress="none").infinite_width(0.99, ("quenched", "median"))
    print(found[["kind", "sigma_w", "ci_low", "ci_high", "theory", "misfit"]])
    for row in found.itertuples():
        assert row.ci_low < root < row.ci_high
        assert row.ci_high - row.ci_low < 0.02 * root


@pytest.mark.verify
@pytest.mark.parametrize("sigma_w", [1.2, 1.8])
def test_the_annealed_slope_is_that_of_chi_1(tmp_path, sigma_w):
    """tanh, width 1,024: from the layer where q is at its fixed point, within 4 standard errors and 1/width."""
    sweep = gs.Sweep(
        activation="tanh",
        sigma_w=sigma_w,
        sigma_b=0.3,
        depth=40,
        width=1024,
        networks=4000,
        seed=5,
        method="conditional",
    )
    row = gs.run(sweep, tmp_path / "run", progress="none").slopes(layer=20).iloc[0]
    expected = math.log(gs.theory.chi_1("tanh", sigma_w, 0.3)) / 2
    print(row["annealed_slope"], row["annealed_slope_se"], expected)
    assert abs(row["annealed_slope"] - expected) < 4 * row["annealed_slope_se"] + 1 / 1024
    off = math.log(gs.theory.chi_1("tanh", 1.02 * sigma_w, 0.3)) / 2
    assert abs(row["annealed_slope"] - off) > 4 * row["annealed_slope_se"] + 1 / 1024
