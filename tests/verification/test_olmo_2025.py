"""OLMo 2 (arXiv:2501.00656), figure 5: growth exponents of two initialisations of transformers with SwiGLU.

There the old one, with norms before branches, has a positive exponent, about +0.09, and the new one, with norms on the
output of branches, about -0.03. Here an exponent is ln(|last| / |first|) / blocks: of the stream from the input to the
last block, of its gradient from the last block to the input. The old initialisation is the preset "llama" where
0.02 sqrt(width) is 1, at a width of 2,500; the new one is "olmo2".

Both exponents of both are positive, and those of the new one are the larger: in theory and in simulated networks. No
direction of gradients gives them opposite signs.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import gradsim as gs

BLOCKS, WIDTH, NETWORKS = 32, 2_500, 16
KINDS = {"old": ("llama", "pre"), "new": ("olmo2", "output")}
OPTIONS = {"normalisation": "rms", "gated": True}
EXPANSION = 8 / 3


@cache
def expected(preset, placement, width=WIDTH, tokens=1):
    """Exponents of the stream and of its gradient in theory, over all blocks."""
    sigmas = gs.theory.preset_sigmas(preset, "transformer", BLOCKS, width, EXPANSION)
    options = OPTIONS | {"placement": placement, "inputs": tokens}
    found = gs.theory.stream("transformer", "silu", BLOCKS, sigmas, **options)
    inner = (found.log_q[-1] - found.log_q[0]) / (2 * BLOCKS - 2), found.log_chi[:-1].sum() / (2 * BLOCKS - 2)
    return (found.log_q[-1] / (2 * BLOCKS), found.log_growth / (2 * BLOCKS)), inner


@pytest.mark.parametrize("width", [WIDTH, *(pytest.param(width, marks=pytest.mark.verify) for width in (1_024, 8_192))])
def test_no_exponent_is_negative(width):
    """Norms on the output add 1 to the mean square with every branch: ln(1 + 2 L) / (2 L) = +0.065 at every width."""
    new, _ = expected(*KINDS["new"], width)
    old, _ = expected(*KINDS["old"])  # at every width, as its standard deviations are parts of 1 / sqrt(width)
    assert new[0] == pytest.approx(np.log(1 + 2 * BLOCKS) / (2 * BLOCKS), rel=1e-3)
    assert min(new) > max(old) > min(old) > 0.02


@pytest.mark.verify
@pytest.mark.parametrize("tokens", [1, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_simulated_exponents(kind, tokens):
    """Of both, between the first block and the last, to 4.5 standard errors, and 1 % for heads of 125 numbers."""
    preset, placement = KINDS[kind]
    _, (of_stream, of_gradient) = expected(preset, placement, tokens=tokens)
    found = gs.simulate("silu", architecture="transformer", preset=preset, placement=placement, **OPTIONS, heads=20,
                        expansion=EXPANSION, inputs=tokens, depth=BLOCKS, width=WIDTH, networks=NETWORKS,
                        method="conditional", seed=4)  # fmt: skip
    grown = (found.log_q[:, -1] - found.log_q[:, 0]) / (2 * BLOCKS - 2)
    pulled = (found.log_delta[:, 0] - found.log_delta[:, -1]) / (BLOCKS - 1)
    for sample, exact in ((grown, of_stream), (pulled, of_gradient)):
        error = sample.std(ddof=1) / NETWORKS**0.5
        assert abs(sample.mean() - exact) < 4.5 * error + 0.01 * exact
        assert sample.min() > 0.01
