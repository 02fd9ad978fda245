"""Initialisations of networks with branches against laws that can be written down, and networks of another seed.

Gains of relu without a norm: E|x'|^2 = (1 + alpha^2 sigma_up^2 sigma_down^2 / 2) |x|^2, at every width. A norm before
the branch makes what it adds independent of the stream: 1 + L / 2 after L blocks with sigma 1.
"""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

import gradsim as gs
from gradsim.errors import SweepError
from gradsim.recommendation import BranchRecommendation

DECADE = log(100.0)
L, N = 16, 64


def asked(activation: str = "relu", depth: int = L, width: int = N, **network) -> BranchRecommendation:
    return gs.recommend(activation, depth, width, **{"architecture": "residual2"} | network)


@pytest.fixture(scope="module")
def bare() -> BranchRecommendation:
    return asked()


def rows(found: BranchRecommendation):
    return found.initialisations.set_index("initialisation")


def per_block(found: BranchRecommendation, name: str) -> float:
    """1 + alpha^2 sigma_up^2 sigma_down^2 / 2, from the std in the table."""
    row = rows(found).loc[name]
    return 1.0 + row["branch_scale"] ** 2 * N * row["std_up"] ** 2 * N * row["std_down"] ** 2 / 2.0


@pytest.mark.parametrize(
    ("name", "factor"), [("depth_scaled", 1 + 1 / L), ("he_normal", 3.0), ("xavier_normal", 1.5),
                         ("xavier_normal, 1/sqrt(L)", 1 + 0.5 / L), ("gpt2", 1 + (0.02**2 * N) ** 2 / L / 2)],
)  # fmt: skip
def test_relu_without_a_norm_grows_by_its_exact_factor(bare, name, factor):
    row = rows(bare).loc[name]
    assert per_block(bare, name) == pytest.approx(factor, rel=1e-9)
    assert row["stream_theory"] == pytest.approx(L * log(factor) / DECADE, rel=1e-6)
    assert row["gradient_theory"] == pytest.approx((L - 1) * log(factor) / DECADE, rel=1e-6)
    # Medians at width 64 lie below the mean by half the variance of ln, about 5 L / N for branches as large as
    # the stream: less than 0.6 in ln, 0.13 decades.
    assert row["stream"] == pytest.approx(row["stream_theory"], abs=0.15)
    assert row["gradient"] == pytest.approx(row["gradient_theory"], abs=0.15)
    assert row["gradient_low"] <= row["gradient"] <= row["gradient_high"]


def test_the_one_to_take_is_level_and_the_verdict_says_why(bare):
    assert bare.best == "depth_scaled"
    assert bare.level
    assert bare.verdict.startswith("Take depth_scaled")
    assert "Not level, with the decades of the gradient: he_normal (+" in bare.verdict
    assert not rows(bare).loc["he_normal", "level"]
    stds = bare.stds()
    assert stds.loc["up", "block_1"] == pytest.approx(sqrt(2 / N))
    assert stds.loc["down", f"block_{L}"] == pytest.approx(sqrt(1 / N / L))
    text = str(bare)
    assert text.index("0.03125") < text.index("Take depth_scaled") < text.index("The std by kind of matrix")


def test_networks_of_another_seed_agree(bare):
    """Of 400 networks: the median lies within 4 standard errors (1 in 16,000), and that of he_normal does not."""
    medians = {}
    for name in ("depth_scaled", "he_normal"):
        options = {"architecture": "residual2", "method": "conditional", "seed": 77, "networks": 400}
        gain = gs.simulate("relu", depth=L, width=N, preset=name, **options).log_gain[:, 0] / DECADE
        medians[name] = np.median(gain), 1.2533 * gain.std() / sqrt(400)
    own, se = medians["depth_scaled"]
    row = rows(bare).loc["depth_scaled"]
    both = 4 * sqrt(se**2 + ((row["gradient_high"] - row["gradient_low"]) / 3.92) ** 2)
    assert abs(own - row["gradient"]) < both
    assert abs(medians["he_normal"][0] - row["gradient"]) > 10 * both


def test_a_norm_before_the_branch():
    found = rows(asked(normalisation="layer"))
    assert found.loc["xavier_normal", "stream_theory"] == pytest.approx(log(1 + L / 2) / DECADE, rel=1e-4)
    assert found.loc["depth_scaled", "stream_theory"] == pytest.approx(log(2) / DECADE, rel=1e-4)
    assert found.loc["he_normal", "stream_theory"] == pytest.approx(log(1 + 2 * L) / DECADE, rel=1e-4)
    assert (abs(found["stream"] - found["stream_theory"]) < 0.1).all()


def test_deepnorm_where_norms_are_on_the_sum():
    found = asked(architecture="transformer", normalisation="layer", placement="post", depth=4, scores="1/d")
    assert found.best == "deepnorm, (2 L)^(-1/4)"
    row = rows(found).loc[found.best]
    beta, glorot, inner = (8 * 4) ** -0.25, sqrt(1 / N), sqrt(2 / (5 * N))
    stds = [row[f"std_{kind}"] for kind in ("queries", "values", "attention", "up", "down")]
    assert stds == pytest.approx([glorot, beta * glorot, beta * glorot, beta * inner, beta * inner])
    assert row["branch_scale"] == pytest.approx((2 * 4) ** -0.25)
    assert (abs(found.initialisations["stream"]) < 1e-3).all()
    assert "branch(x)" in found.snippet()


def test_a_norm_on_the_output_leaves_the_scale_of_the_branch():
    """sigma drops out: the stream is 1 + 2 L alpha^2, which is 2 once alpha = 1 / sqrt(2 L)."""
    found = asked(architecture="transformer", normalisation="rms", placement="output", depth=4, heads=2, inputs=4)
    table = rows(found)
    assert found.best == "xavier_normal, 1/sqrt(2 L)"
    assert table.loc[found.best, "stream_theory"] == pytest.approx(log(2) / DECADE, rel=1e-3)
    assert table.loc["lecun_normal", "stream_theory"] == pytest.approx(log(1 + 8) / DECADE, rel=1e-3)
    assert "depth_scaled" not in table.index


def test_std_of_gpt2_and_llama_by_block():
    found = asked(architecture="transformer", normalisation="layer", depth=3, scores="1/d", inputs=2)
    gpt2, llama = (found.stds(name) for name in ("gpt2", "llama"))
    assert gpt2.loc["down", "block_2"] == pytest.approx(0.02 / sqrt(6))
    assert gpt2.loc["up", "block_2"] == 0.02
    assert llama.loc["attention", ["block_1", "block_2", "block_3"]].tolist() == pytest.approx(
        [0.02 / sqrt(2), 0.02 / 2, 0.02 / sqrt(6)]
    )
    assert gpt2["fan_in"].tolist() == [N, N, N, N, 4 * N]
    assert found.stds("he_uniform").equals(found.stds("he_normal"))


def test_a_scale_that_is_given_is_not_applied_twice():
    found = asked(branch_scale="1/sqrt(L)")
    assert found.best == "xavier_normal"
    assert rows(found).loc["xavier_normal", "stream_theory"] == pytest.approx(L * log(1 + 0.5 / L) / DECADE, rel=1e-6)


def test_what_is_not_simulated_or_has_no_theory_is_said():
    huge = asked(depth=64, width=2**20)
    assert (huge.initialisations["networks"] == 0).all()
    assert "Theory of infinite width alone" in huge.advice[0]
    assert huge.best == "depth_scaled"
    assert huge.level
    post = asked(normalisation="dyt", placement="post", depth=4)
    assert any(sentence.startswith("No theory: dyt") for sentence in post.advice)
    assert post.initialisations["gradient"].notna().all()


@pytest.mark.verify
def test_networks_that_are_not_finite():
    """relu(h)^2 without a norm: the stream squares itself away, unless branches are next to nothing."""
    found = asked("relu2", depth=24)
    assert "not finite" in str(found)
    assert "add next to nothing" in found.verdict


def test_a_users_own_pair():
    def phi(h):
        return h if h > 0.0 else 0.0

    def dphi(h):
        return 1.0 if h > 0.0 else 0.0

    own = gs.recommend(gs.Activation("my_relu", phi, dphi), L, 2**20, architecture="residual2")
    assert own.activation == "my_relu"
    assert rows(own).loc["he_normal", "stream_theory"] == pytest.approx(L * log(3) / DECADE, rel=1e-6)


def test_as_one_table(bare):
    frame = bare.to_frame()
    assert frame["best"].sum() == 1
    assert set(frame["architecture"]) == {"residual2"}
    assert frame["initialisation"].is_unique
    again = asked(threads=1).to_frame()
    assert again.equals(frame)


REFUSED = {
    "preset = 'gpt2' .* recommend compares": {"preset": "gpt2"},
    "sigma_b = 0.1 .* biases of its own": {"sigma_b": 0.1},
    "law = 'orthogonal' .* one of gaussian, uniform": {"law": "orthogonal"},
    "heads = 2 .* unless the architecture is transformer": {"heads": 2},
    "heads = 5 .* divisor of the width": {"architecture": "transformer", "heads": 5},
    "placement = 'post' .* no norm": {"placement": "post"},
    "placement = 'sandwich' .* without branches": {
        "architecture": "plain", "placement": "sandwich", "normalisation": "rms",
    },
    "architecture = 'transformr' .* nearest is transformer": {"architecture": "transformr"},
    "cells = 2": {"normalisation": ["none", "layer"]},
    "depth = 1 ": {"depth": 1},
    "law = 'orthogonal' .* unless the network is plain": {"architecture": "recurrent", "law": "orthogonal"},
    "law = 'gausian'": {"architecture": "recurrent", "law": "gausian"},
}  # fmt: skip


@pytest.mark.parametrize("told", REFUSED)
def test_refused(told):
    with pytest.raises(SweepError, match=told):
        asked(**REFUSED[told])


def test_unknown_names_of_the_result(bare):
    with pytest.raises(SweepError, match="The nearest is he_normal"):
        bare.stds("he_norml")
    with pytest.raises(SweepError, match="one of pytorch"):
        bare.snippet("torch")
    assert bare.snippet("flax") is None
