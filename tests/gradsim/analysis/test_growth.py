"""The gain by depth, beside the mean field of each kind of network."""

from __future__ import annotations

import numpy as np
import pytest

import gradsim as gs
from gradsim import theory

BASE = {"activation": "relu", "sigma_w": 1.2, "depth": [4, 12], "networks": 200, "seed": 3, "method": "conditional"}


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """Plain and residual networks of width 512."""
    sweep = gs.Sweep(**BASE, width=512, architecture=["plain", "residual2"], branch_scale="1/sqrt(L)")
    return gs.run(sweep, tmp_path_factory.mktemp("grown") / "run", progress="none")


def test_simulated_gains_are_near_the_mean_field(grown):
    """At width 512: to depth 5 / N and a few standard errors of the median."""
    frame = grown.growth()
    assert frame["architecture"].tolist() == ["plain", "plain", "residual2", "residual2"]
    reach = 0.5 * (frame["median_log_gain_high"] - frame["median_log_gain_low"]) + 5.0 * frame["depth"] / 512
    assert (np.abs(frame["median_log_gain"] - frame["theory"]) < 2.0 * reach).all()
    assert not (np.abs(frame["median_log_gain"] - 1.2 * frame["theory"]) < 2.0 * reach).all()
    expected = [theory.trajectory("relu", depth, 1.2).log_gain[0] for depth in (4, 12)]
    expected += [theory.stream("residual2", "relu", d, 1.2, branch_scale="1/sqrt(L)").log_gain[0] for d in (4, 12)]
    np.testing.assert_allclose(frame["theory"], expected, rtol=1e-9)
    assert frame["theory_reason"].isna().all()


@pytest.mark.verify  # a kernel of its own
def test_a_missing_theory_says_why(tmp_path):
    sweep = gs.Sweep(**BASE | {"networks": 4}, width=8, architecture="residual2", inputs=2, normalisation="dyt",
                     placement=["pre", "post"])  # fmt: skip
    frame = gs.run(sweep, tmp_path / "run", progress="none").growth().set_index(["placement", "depth"])
    assert frame.loc["pre", "theory"].notna().all()
    assert frame.loc["post", "theory"].isna().all()
    assert frame.loc[("post", 4), "theory_reason"].startswith("dyt at placement 'post'")


@pytest.mark.verify
def test_batch_norm_of_correlated_inputs_has_no_theory(tmp_path):
    sweep = gs.Sweep(**BASE | {"networks": 4}, width=8, inputs=4, normalisation="batch", input_correlation=[0.0, 0.5])
    frame = gs.run(sweep, tmp_path / "run", progress="none").growth()
    assert frame["theory"].isna().tolist() == [False, False, True, True]
    assert frame["theory_reason"].iloc[-1] == "The mean field of batch norm is of independent inputs."
