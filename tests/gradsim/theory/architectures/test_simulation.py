"""The theory of every architecture, norm and placement against simulated networks of width 1,024.

The allowance is 4.5 standard errors (7e-6 a value, 0.5 % for all 700 values), and for finite sizes depth * 5 / N of
both logarithms: the variance of ln|delta|^2 grows by 5 / N a layer of relu (Hanin and Nica 2018, arXiv:1812.05994).
Attention whose scores are over the root of d = N / 8 is within that, too. Batch norm over B inputs adds depth *
2.5 / B, as ln of its factor for relu is off by 1.1 / B (1.47968 at B = 128).
"""

from __future__ import annotations

import numpy as np
import pytest

from gradsim import theory
from tests.gradsim.theory.architectures.tapes import Case, measured

NORMS, PLACEMENTS = ("none", "layer", "rms", "batch"), ("pre", "post", "sandwich", "output")
BATCH = {"count": 192, "networks": 4}


def sized(norm):
    return BATCH if norm == "batch" else {}


PLAIN = [Case("plain", "relu")] + [
    Case("plain", "relu", norm, placement, **sized(norm))
    for norm in ("layer", "rms", "batch")
    for placement in ("pre", "post")
]
RESIDUAL = [Case(name, "relu", branch_scale=0.8) for name in ("residual", "residual2")] + [
    Case(name, "relu", norm, placement, 0.8, **sized(norm))
    for name in ("residual", "residual2")
    for norm in ("layer", "rms", "batch")
    for placement in PLACEMENTS
]
TRANSFORMERS = [
    Case("transformer", "relu", norm, placement, 0.8, causal=causal)
    for norm in ("layer", "rms")
    for placement in PLACEMENTS
    for causal in (False, True)
] + [
    Case("transformer", "relu", "none", "pre", 0.8, causal=causal, sigma_w=0.8)  # scores grow with the stream
    for causal in (False, True)
]
GATED = [
    Case("transformer", "relu", "rms", placement, 0.8, gated=True, causal=causal)
    for placement in PLACEMENTS
    for causal in (False, True)
] + [Case("residual2", "relu", "layer", "pre", 0.8, gated=True)]
SOFTMAX = (
    [
        Case("transformer", "relu", norm, placement, sigma_w=1.2, heads=8, depth=3, networks=100)
        for norm, placement in [("layer", "pre"), ("rms", "post"), ("rms", "sandwich")]
    ]
    + [
        Case("transformer", "relu", "rms", "output", sigma_w=0.8, heads=8, depth=3, networks=100),
        Case("transformer", "relu", "layer", "pre", gated=True, heads=8, depth=3, count=3, networks=100),
        Case("transformer", "relu", branch_scale=0.8, sigma_w=0.9, heads=8, depth=3, networks=100),
    ]
    + [
        Case("transformer", "relu", "layer", placement, sigma_w=1.2, heads=8, depth=3, networks=100, causal=True)
        for placement in ("pre", "post", "sandwich")
    ]
)
PRESETS = [
    Case("residual2", "relu", preset="xavier_normal"),
    Case("residual2", "relu", "layer", "pre", preset="llama", branch_scale=8.0),
    Case("transformer", "relu", "layer", "post", preset="deepnorm", heads=8, depth=3, networks=100),
    Case("transformer", "relu", "rms", "pre", preset="gpt2", causal=True),
    Case("transformer", "relu", "rms", "pre", preset="llama", branch_scale=3.0, gated=True),
]
TANH = [
    Case(name, "tanh", "dyt", placement, **more)
    for name, placement, more in [
        ("plain", "pre", {}), ("plain", "post", {}), ("residual", "pre", {}), ("residual2", "pre", {}),
        ("residual2", "output", {}), ("transformer", "pre", {}), ("transformer", "output", {}),
        ("transformer", "pre", {"causal": True}),
    ]
] + [
    Case("transformer", "tanh", "layer", "pre", causal=True),
    Case("plain", "tanh", "layer", "post"),
    Case("residual", "tanh"),
    Case("residual", "tanh", "rms", "post", sigma_w=2.5),
]  # fmt: skip


def expected(case, **changes):
    """What theory says of a case, (2, depth)."""
    case = case._replace(**{name: value for name, value in changes.items() if name in case._fields})
    options = {name: getattr(case, name) for name in ("normalisation", "placement", "branch_scale", "gated")}
    if case.architecture == "transformer":
        options["scores"] = changes.get("scores", "1/sqrt(d)" if case.heads else "1/d")
        options["causal"] = case.causal
    options["inputs"] = changes.get("inputs", case.count)
    sigma_w = case.sigma_w
    if case.preset != "none":
        sigma_w = theory.preset_sigmas(case.preset, case.architecture, case.depth, case.n, 2.0)
    found = theory.stream(case.architecture, case.activation, case.depth, sigma_w, case.sigma_b, **options)
    return np.array([found.log_q, found.log_gain])


def outside(case, found, right):
    """Whether any value is farther off than the allowance."""
    slack = 5.0 * case.depth / case.n + (2.5 * case.depth / case.count if case.normalisation == "batch" else 0.0)
    return bool((np.abs(found[:, 0] - right) > 4.5 * found[:, 1] + slack).any())


def name_of(case):
    return "-".join([*case[:4], case.preset, *(word for word in ("gated", "causal", "heads") if getattr(case, word))])


ALL = PLAIN + RESIDUAL + TRANSFORMERS + GATED + SOFTMAX + PRESETS


def in_quick_half(case):
    """Whether the quick suite has a case: a chessboard of norms and placements, and the other colour with a mask."""
    places = NORMS.index(case.normalisation) + PLACEMENTS.index(case.placement)
    kinds = ("plain", "residual", "residual2", "transformer").index(case.architecture) + case.causal + case.gated
    return case.normalisation == "none" or case.preset != "none" or (places + kinds) % 2 == 0


HALVED = [pytest.param(case, marks=[] if in_quick_half(case) else pytest.mark.verify) for case in ALL]


def test_the_quick_half_has_every_option():
    quick = list(filter(in_quick_half, ALL))
    assert len(quick) < 0.6 * len(ALL)
    for fields in (("architecture", "normalisation"), ("architecture", "placement"), ("architecture", "causal"),
                   ("architecture", "gated"), ("architecture", "heads"), ("normalisation", "placement")):  # fmt: skip
        assert levels(quick, fields) == levels(ALL, fields), fields


def levels(cases, fields):
    return {tuple(getattr(case, field) for field in fields) for case in cases}


@pytest.mark.parametrize("case", HALVED, ids=name_of)
def test_networks_of_relu(case):
    assert not outside(case, measured(case), expected(case))


@pytest.mark.verify  # another kernel
@pytest.mark.parametrize("case", TANH, ids=name_of)
def test_networks_of_tanh(case):
    assert not outside(case, measured(case), expected(case))


BIASED = [
    Case(name, activation, norm, placement, **sized(norm))
    for name, activation, norm, placement in [
        ("plain", "relu", "layer", "post"), ("plain", "relu", "batch", "pre"), ("plain", "relu", "batch", "post"),
        ("residual", "gelu", "batch", "pre"), ("residual", "relu", "layer", "post"),
        ("residual2", "gelu", "none", "pre"),
        ("residual2", "relu", "batch", "pre"), ("transformer", "gelu", "layer", "pre"),
        ("plain", "gelu", "batch", "post"),
    ]
] + [Case("transformer", "gelu", "layer", "pre", causal=True), Case("transformer", "relu", "derf", "pre")]  # fmt: skip


@pytest.mark.parametrize("case", BIASED, ids=name_of)
def test_networks_with_biases(case):
    """Explicit matrices and biases, in PyTorch."""
    pytest.importorskip("torch")
    from tests.gradsim.theory.architectures.explicit import measured_explicitly

    case = case._replace(sigma_b=0.6, n=384, networks=case.networks // 3 + 2, depth=3)
    found = measured_explicitly(case)
    assert not outside(case, found, expected(case))
    assert outside(case, found, expected(case, sigma_b=0.0))


@pytest.mark.parametrize(
    ("case", "planted"),
    [
        (Case("plain", "relu", "layer", "post"), {"normalisation": "rms"}),  # the mean of phi forgotten
        (Case("plain", "relu", "batch", "pre", **BATCH), {"normalisation": "rms"}),  # the mean over inputs
        (Case("residual2", "relu", branch_scale=0.8), {"branch_scale": 0.8**0.5}),  # alpha in place of alpha^2
        (Case("residual", "relu", "rms", "pre", 0.8), {"branch_scale": 0.8**0.5}),
        (Case("residual2", "relu", "rms", "sandwich", 0.8), {"placement": "pre"}),
        (Case("transformer", "relu", "layer", "pre"), {"inputs": 1e9}),  # errors of other tokens forgotten
        (Case("transformer", "relu", "layer", "post"), {"causal": True}),
        (Case("transformer", "relu", "rms", "pre", gated=True), {"gated": False}),
        (SOFTMAX[0], {"scores": "1/d"}),
        (SOFTMAX[-3], {"scores": "1/d"}),
        (SOFTMAX[-3], {"causal": False}),
    ],
    ids=lambda part: name_of(part) if isinstance(part, Case) else "-".join(map(str, part)),
)
def test_planted_errors_are_seen(case, planted):
    assert outside(case, measured(case), expected(case, **planted))
