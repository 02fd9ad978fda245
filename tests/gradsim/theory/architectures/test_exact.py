"""Numbers of closed forms and of papers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradsim import theory
from gradsim.errors import SweepError
from gradsim.theory import stream
from gradsim.theory.architectures.alike import Alike
from gradsim.theory.architectures.norms import DERF
from gradsim.theory.architectures.softmax import weights_of
from gradsim.theory.averages.moments import moments
from gradsim_core.activations import ACTIVATIONS, resolve_activation

PI = math.pi


@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_two_matrices_of_relu_without_a_norm(alpha):
    """1 + alpha^2 sigma_w^4 / 2 a block, forward and backward: Yang and Schoenholz 2017, arXiv:1712.08969."""
    found = stream("residual2", "relu", 30, 1.3, branch_scale=alpha)
    factor = math.log1p(alpha**2 * 1.3**4 / 2)
    np.testing.assert_allclose(found.log_q, factor * np.arange(1, 31), rtol=1e-12)
    np.testing.assert_allclose(found.log_chi, factor, rtol=1e-12)
    assert found.log_growth == pytest.approx(30 * factor)


UNIFORM = {"scores": "1/d", "causal": False}


def test_branches_over_the_root_of_the_depth():
    """(1 + 1 / (2 L))^L, to e^(1/2); over the depth nothing is left."""
    growth = [stream("residual2", "relu", depth, 1.0, branch_scale="1/sqrt(L)").log_growth for depth in (10, 100, 8000)]
    assert growth == pytest.approx([depth * math.log1p(0.5 / depth) for depth in (10, 100, 8000)])
    assert math.exp(growth[-1]) == pytest.approx(1.648721, abs=6e-5)
    assert stream("residual2", "relu", 1000, 1.0, branch_scale="1/L").log_growth == pytest.approx(5e-4, rel=1e-3)


def test_residual_tanh():
    """Mean squares grow by E[tanh^2], and ln of the gradient's as 8 / (3 sqrt(2 pi)) sqrt(L): Yang and Schoenholz."""
    assert stream("residual", "tanh", 10, 1.0).log_growth == pytest.approx(2.643206, abs=5e-7)
    assert stream("residual", "tanh", 100, 1.0).log_growth == pytest.approx(10.545549, abs=5e-7)
    slope = np.diff([stream("residual", "tanh", depth, 1.0).log_growth for depth in (2500, 10_000)]) / 50
    assert slope == pytest.approx(8 / (3 * math.sqrt(2 * PI)), abs=0.01)


@pytest.mark.parametrize("placement", ["pre", "post"])
def test_batch_norm_of_relu(placement):
    """pi / (pi - 1) = 1.466942 at any sigma_w: Yang et al. 2019, arXiv:1902.08129."""
    for sigma_w in (0.7, 2.0):
        found = stream("plain", "relu", 20, sigma_w, normalisation="batch", placement=placement, epsilon=0.0)
        np.testing.assert_allclose(np.exp(found.log_chi[1:]), PI / (PI - 1), rtol=1e-12)


def test_layer_norm_after_relu_subtracts_its_mean():
    """As batch norm: Var relu = 1/2 - 1/(2 pi); without the mean, and before relu, the factor is 1."""
    chi = {
        (norm, placement): np.exp(
            stream("plain", "relu", 9, 1.3, normalisation=norm, placement=placement, epsilon=0.0).log_chi[-1]
        )
        for norm in ("layer", "rms")
        for placement in ("pre", "post")
    }
    assert chi == pytest.approx(dict.fromkeys(chi, 1.0) | {("layer", "post"): PI / (PI - 1)}, rel=1e-12)


def test_a_norm_before_branches_of_relu():
    """The gradient grows as the stream does, 1 + L / 2: Xiong et al. 2020, arXiv:2002.04745."""
    found = stream("residual2", "relu", 100, 1.0, normalisation="layer", epsilon=0.0)
    np.testing.assert_allclose(np.exp(found.log_q), 1 + np.arange(1, 101) / 2, rtol=1e-12)
    assert math.exp(found.log_growth) == pytest.approx(51.0, rel=1e-12)
    assert stream("residual2", "relu", 100, 1.0, normalisation="rms").log_growth == pytest.approx(
        math.log(51), rel=1e-4
    )


def test_a_norm_after_the_sum():
    """Post-LN relu: (1 + c) / (1 + c) = 1 a block. Before its norm the stream has E|x|^2 = 3 d / 2: Xiong, lemma 2."""
    found = stream("residual2", "relu", 50, 1.0, normalisation="layer", placement="post", epsilon=0.0)
    np.testing.assert_allclose(found.log_chi, 0.0, atol=1e-13)
    np.testing.assert_allclose(found.log_q, 0.0, atol=1e-13)
    branch = stream("residual2", "relu", 1, 1.0, normalisation="layer")  # of a stream of mean square 1
    assert np.exp(branch.log_q[0]) == pytest.approx(1.5, rel=1e-4)


def test_transformers_before_layer_norm_of_many_tokens():
    """Attention adds 1 to the stream and nothing to the gradient, the MLP 1/2 to each: exponent (1/2) / (3/2).

    With T tokens a gradient that all share grows as the stream does, and is a share 1 / T of the mean square.
    """
    exponent = {
        tokens: np.diff(
            [
                stream("transformer", "relu", depth, 1.0, normalisation="layer", inputs=tokens, **UNIFORM).log_growth
                for depth in (2000, 4000)
            ]
        ).item()
        / math.log(2)
        for tokens in (math.inf, 10.0**9, 4)
    }
    assert exponent == pytest.approx({math.inf: 1 / 3, 10.0**9: 1 / 3, 4: 1.0}, abs=0.02)


def test_derf_of_alekseev():
    """Alekseev 2026 (arXiv:2604.11890): ln of the gradient at 24 and 200 branches, 197 tokens, correlation 1/2.

    Those recursions drop two parts of the gradient of a token, which `stream` has: the errors of other tokens, and
    those of scores. Without them the averages of `stream` give the numbers.
    """
    derf, relu = (moments(activation) for activation in (DERF, resolve_activation("relu")))
    x, growth, found = Alike.of_inputs(197.0, 0.5), 0.0, {}
    for block in range(1, 101):
        y, slopes = x.through(derf)
        answers, _ = y.attended(0.0)
        tau, correlation = math.exp(0.5 * (y.log_d + y.log_q)), math.exp(y.products()[1] - y.log_q)
        growth += math.log1p(math.exp(slopes[0]) * weights_of(197.0, tau, correlation).same)
        x = x.plus(answers)
        y, slopes = x.through(derf)
        growth += math.log1p(math.exp(slopes[0]) / 2)
        x = x.plus(y.through(relu)[0])
        found[2 * block] = growth
    assert (found[24], found[200]) == pytest.approx((0.94113, 3.17739), abs=1.5e-5)
    options = {"normalisation": "derf", "inputs": 197, "input_correlation": 0.5, "causal": False}
    whole = stream("transformer", "relu", 100, 1.0, **options)
    assert whole.log_q[-1] == pytest.approx(x.log_q, rel=1e-12)
    assert whole.log_growth > 1.05 * growth


def test_a_norm_on_the_output_keeps_branches_at_one():
    """OLMo 2's reordered norm (arXiv:2501.00656): the stream grows by 1 a branch, with it or without large weights."""
    for sigma_w in (0.5, 3.0):
        found = stream(
            "transformer",
            "silu",
            8,
            sigma_w,
            normalisation="rms",
            placement="output",
            epsilon=0.0,
            inputs=64,
            **UNIFORM,
        )
        np.testing.assert_allclose(np.exp(found.log_q), 1 + 2 * np.arange(1, 9), rtol=1e-12)


def test_deepnorm():
    """Wang et al. 2022, arXiv:2203.00555: 100 layers."""
    assert theory.deepnorm(100) == pytest.approx((3.760603, 0.188030), abs=5e-7)
    by_name, by_number = (
        stream("residual2", "relu", 100, 1.0, normalisation="layer", placement="post", branch_scale=scale)
        for scale in ("deepnorm", 1 / 3.7606030930863934)
    )
    np.testing.assert_allclose(by_name.log_chi, by_number.log_chi, atol=1e-15)


def test_gated_branches():
    """Shazeer 2020 (arXiv:2002.05202), g, u ~ N(0, 1): forward E[(phi(g) u)^2], backward sum E phi'^2 + E phi^2."""
    for name, forward, backward in [
        ("silu", 0.355776, 0.735258), ("gelu", 0.425221, 0.881072), ("relu", 0.5, 1.0), ("sigmoid", 0.293379, 0.338215),
    ]:  # fmt: skip
        found = stream("residual2", name, 1, 1.0, normalisation="rms", gated=True, epsilon=0.0)
        assert np.expm1(found.log_q[0]) == pytest.approx(forward, abs=5e-7)
        assert np.expm1(found.log_input) == pytest.approx(backward, abs=5e-7)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "relu2"])
def test_plain_networks_are_those_of_the_trajectory(name):
    found, known = stream("plain", name, 20, 1.2, 0.3), theory.trajectory(name, 20, 1.2, 0.3)
    np.testing.assert_array_equal([found.log_q, found.log_chi], known)
    np.testing.assert_array_equal(found.log_gain, known.log_gain)


@pytest.mark.parametrize("options", [{}, {"normalisation": "layer"}, {"normalisation": "rms", "placement": "post"}])
def test_ten_thousand_blocks(options):
    """Any growth stays finite."""
    found = stream("residual2", "relu", 10_000, 2.0, **options)
    assert np.isfinite(found.log_q).all()
    assert np.isfinite(found.log_gain).all()
    if not options:
        assert found.log_growth == pytest.approx(10_000 * math.log(9))


REFUSED = [
    (("flat", "relu", 3, 1.0), {}, "residual"),
    (("plain", "relu", 3, 1.0), {"placement": "sandwich"}, "one of pre, post"),
    (("plain", "relu", 3, 1.0), {"branch_scale": 0.5}, "no branch"),
    (("residual", "relu", 3, 1.0), {"branch_scale": "1/sqrt(l)"}, "1/sqrt"),
    (("residual", "relu", 3, 1.0), {"normalisation": "batchnorm"}, "nearest is batch"),
    (("residual", "relu", 3, 1.0), {"gated": True}, "residual2"),
    (("residual2", "relu", 3, 1.0, 0.1), {"gated": True}, "sigma_b = 0"),
    (("transformer", "relu", 3, 1.0), {"normalisation": "batch"}, "not independent"),
    (("transformer", "relu", 3, 1.0), {"inputs": 0}, "whole number"),
    (("transformer", "relu", 3, 1.0), {"inputs": math.inf}, "256"),
    (("residual", "relu", 3, 1.0), {"causal": False}, "transformer alone"),
    (("plain", "relu", 0, 1.0), {}, "depth"),
]


@pytest.mark.parametrize(("arguments", "options", "told"), REFUSED)
def test_refused(arguments, options, told):
    with pytest.raises(SweepError, match=told):
        stream(*arguments, **options)


@pytest.mark.parametrize(
    ("architecture", "options", "told"),
    [
        ("residual", {"normalisation": "dyt", "placement": "output"}, "non-Gaussian"),
        ("residual2", {"normalisation": "dyt", "placement": "post"}, "non-Gaussian"),
        ("transformer", {"causal": False, "inputs": math.inf}, "random at infinite width"),
        ("transformer", {"sigma_w": 1e25, "inputs": 64, **UNIFORM}, "ln of a mean square is"),
        ("plain", {"sigma_b": 1e8, "normalisation": "batch", "placement": "post"}, "Biases are so large"),
        ("transformer", {"causal": False, "inputs": 64, "depth": 20}, "Take a smaller sigma_w"),
    ],
)
def test_without_a_theory(architecture, options, told):
    with pytest.raises(theory.NoMeanField, match=told):
        stream(architecture, "tanh", **{"depth": 3, "sigma_w": 1.0} | options)


def test_a_causal_block_by_hand():
    """One block of a linear transformer; the last norm weighs the errors of tokens by one over their mean squares."""
    tokens, w4 = 6, 1.5**4
    a = np.tril(np.ones((tokens, tokens))) / np.arange(1, tokens + 1)[:, None]
    x = np.eye(tokens) + w4 * a @ a.T
    size = np.sqrt(np.diag(x))
    after = x + w4 * x / np.outer(size, size)
    errors = np.diag(1.0 / np.diag(after))
    errors *= tokens / np.trace(errors)
    errors += w4 * errors / np.outer(size, size)
    errors += w4 * a.T @ errors @ a
    options = {"normalisation": "rms", "inputs": tokens, "scores": "1/d", "epsilon": 0.0}
    found = stream("transformer", "linear", 1, 1.5, **options)
    assert np.exp(found.log_q[0]) == pytest.approx(np.trace(after) / tokens, rel=1e-12)
    assert math.exp(found.log_input) == pytest.approx(np.trace(errors) / tokens, rel=1e-12)
    assert found.log_growth == found.log_input
