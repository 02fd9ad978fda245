"""Mean field as the limit of wide networks: Schoenholz et al. 2017, arXiv:1611.01232."""

from __future__ import annotations

import numpy as np
import pytest

import gradsim as gs

DEPTH = 8


@pytest.mark.verify
def test_the_boundary_approaches_theory_as_the_width_grows(tmp_path):
    """Quenched boundary of tanh at depth 8: its distance from theory at that depth falls like 1 / width.

    The distance at each width must be within 4 standard errors of distance(64) * 64 / width, allowing 20 % of it for
    the next order; false alarms below 1e-4. Theory off by 1 % (0.014) would be caught at width 1,024.
    """
    theory = gs.theory.boundary("tanh", depth=DEPTH)
    distance, error = {}, {}
    for width, networks in [(64, 8192), (256, 1500), (1024, 300)]:
        middle = theory * (1 + 2.6 / width)
        sweep = gs.Sweep(
            activation="tanh",
            sigma_w=list(np.round(middle * np.exp(np.linspace(-0.15, 0.15, 7)), 9)),
            depth=DEPTH,
            width=width,
            networks=networks,
            seed=11,
        )
        row = gs.run(sweep, tmp_path / str(width), progress="none").boundary().set_index("kind").loc["quenched"]
        distance[width] = row["sigma_w"] - theory
        error[width] = (row["ci_high"] - row["ci_low"]) / (2 * 1.96)
        print(f"width {width}: {row['sigma_w']:.4f} +- {error[width]:.4f}, theory {theory:.4f}")
    for width in (256, 1024):
        expected = distance[64] * 64 / width
        assert abs(distance[width] - expected) < 0.2 * expected + 4 * np.hypot(error[width], error[64] * 64 / width)
    assert distance[64] > distance[256] > distance[1024]
