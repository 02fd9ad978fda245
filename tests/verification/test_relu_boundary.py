"""From sweep to boundary, against the exact finite-width root of relu: sigma_w^2 = 2 exp(-E ln S)."""

from __future__ import annotations

import numpy as np
import pytest

import gradsim as gs


@pytest.mark.verify
@pytest.mark.parametrize(("width", "exact"), [(16, 1.544611), (64, 1.442861)])
def test_the_quenched_boundary_is_the_exact_one(tmp_path, width, exact):
    """Within 0.5 % at depth 4 and 16, and its 95 % interval, doubled, covers the root (false alarms below 1e-4)."""
    sweep = gs.Sweep(
        activation="relu",
        sigma_w={"start": 1.2, "stop": 1.8, "num": 13},
        depth=[4, 16],
        width=width,
        networks=8192,
        seed=3,
    )
    rows = gs.run(sweep, tmp_path / "run", progress="none").boundary().set_index(["kind", "depth"]).loc["quenched"]
    for depth, row in rows.iterrows():
        print(
            f"n = {width}, L = {depth}: {row['sigma_w']:.5f} [{row['ci_low']:.5f}, {row['ci_high']:.5f}], exact {exact}"
        )
        assert row["theory_width"] == pytest.approx(exact, abs=2e-6)
        assert row["sigma_w"] == pytest.approx(exact, rel=0.005)
        assert abs(np.log(row["sigma_w"] / exact)) < np.log(row["ci_high"] / row["ci_low"])
