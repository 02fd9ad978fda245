"""The table of rules. A new rule is a function of `Facts` that returns findings, and a row here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd

from gradsim.checking.facts import Facts
from gradsim.checking.rules import chains, matrices, numbers, streams
from gradsim.checking.rules.finding import Finding

COLUMNS = ["rule", "places", "verdict", "source"]


class Rule(NamedTuple):
    """A rule.

    Attributes
    ----------
    name
        In the table of verdicts.
    looks_at
        What it compares with which threshold.
    source
        Where the fault, or the scale that it breaks, is described.
    find
        The function.
    """

    name: str
    looks_at: str
    source: str
    find: Callable[[Facts], Sequence[Finding]]


RULES = (
    Rule("not finite", "outputs of modules, and gradients at them", "arXiv:1710.03740", numbers.not_finite),
    Rule(
        "dead networks",
        "models without matrices of zeros: the gradient of a random matrix is exactly zero in more than a tenth of "
        "the networks",
        "arXiv:1903.06733",
        numbers.dead,
    ),
    Rule(
        "depth scale missing",
        "pre-norm streams of 8 sums or more: std of the matrices that write to it equals that of the others, and its "
        "root mean square grows by more than 2.5",
        "arXiv:1908.11365, arXiv:1909.08053",
        streams.scale_missing,
    ),
    Rule(
        "depth scale misplaced",
        "streams of 8 sums or more: std over sqrt(sums) in a matrix that does not write to it, and full std in those "
        "that do",
        "arXiv:1908.11365, arXiv:1909.08053",
        streams.scale_misplaced,
    ),
    Rule(
        "depth scale twice",
        "streams of 8 sums or more: std over sums in the matrices that write to it",
        "arXiv:1908.11365, arXiv:1909.08053",
        streams.scale_twice,
    ),
    Rule(
        "exploding stream",
        "streams of 4 sums or more without norms: mean square of the stream and of all its branches grow by more than "
        "100 from the first sum to the last, or that of the gradient by 100 times more than the stream",
        "arXiv:1901.09321, arXiv:1712.08969",
        streams.explodes,
    ),
    Rule(
        "branches drowned",
        "pre-norm streams that begin with embeddings: all branches add less than 1 % of their mean square",
        "arXiv:2312.16903",
        streams.branches_drowned,
    ),
    Rule(
        "post-norm too deep",
        "post-norm streams: less than 1e-4 of the begin's mean square reaches the end",
        "arXiv:2002.04745, arXiv:2203.00555",
        streams.post_norm_too_deep,
    ),
    Rule(
        "zeroed matrix",
        "matrices that are zero where most of their family are not",
        "arXiv:1901.09321",
        matrices.zeroed,
    ),
    Rule(
        "no gradient",
        "matrices that are zero and whose gradient is zero in every network",
        "arXiv:1901.09321",
        matrices.no_gradient,
    ),
    Rule(
        "constant matrix",
        "matrices of several outputs whose entries are all the same number, and not 0",
        "Goodfellow et al. 2016, Deep Learning, section 8.4",
        matrices.constant,
    ),
    Rule("copied blocks", "matrices of repeated blocks with equal entries", "torch.nn.TransformerEncoder",
         matrices.copied),
    Rule(
        "tied head",
        "a matrix that is table of embeddings and makes the output: root mean square of the output above 3",
        "arXiv:1608.05859, arXiv:1910.10683",
        matrices.tied_head,
    ),
    Rule(
        "truncation without correction",
        "three matrices or more with the kurtosis and support of a normal law cut at 2: std 0.8796 of a preset",
        "arXiv:1502.01852, jax.nn.initializers.variance_scaling",
        matrices.truncated,
    ),
    Rule(
        "fan_out for fan_in",
        "chains of 4 layers or more: std by fan_out, and activations that drift by more than 3 in mean square",
        "arXiv:1502.01852",
        chains.fan_out,
    ),
    Rule(
        "gain",
        "chains of 4 layers or more: squared gradient norm changes, or the mean square of activations grows, by more "
        "than 10",
        "arXiv:1611.01232, arXiv:1502.01852",
        chains.gain,
    ),
)  # fmt: skip
"""Tests of thresholds are one-sided, at `gradsim.checking.facts.LEVEL` each, over networks."""


def verdicts(facts: Facts, rules: Sequence[Rule] = RULES) -> pd.DataFrame:
    """Return a row per finding: rule, places, verdict (sentence), source."""
    rows = [
        (rule.name, ", ".join(finding.places), finding.sentence, rule.source)
        for rule in rules
        for finding in rule.find(facts)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)
