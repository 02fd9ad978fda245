"""The table of presets: initialisations by the names that users know, for each kind of matrix.

A preset stands for the law of the weights, sigma of every matrix, whose entries have the variance sigma^2 / fan_in, and
sigma_b. Its standard deviations are those of the source; where that truncates a normal law, the whole one is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import NamedTuple

from gradsim_core.activations import Activation, resolve_activation

HIDDEN, QUERIES, VALUES, ATTENTION, UP, DOWN = "hidden", "queries", "values", "attention", "up", "down"
"""Kinds of matrices: the one of a layer or a branch; of an attention, queries and keys, values, and what ends it; into
an MLP (both of a gated one), and out of it."""
_OUTPUTS = (ATTENTION, DOWN)


class Matrix(NamedTuple):
    """What sigma may depend on.

    Attributes
    ----------
    kind
        A name in this module.
    fan_in, fan_out
        Inputs of an output, outputs of an input; those of queries, keys and values by themselves.
    block, depth
        Number of its block, from 1; how many blocks there are.
    branches
        How many branches all blocks add to the stream; 0 without a stream.
    """

    kind: str
    fan_in: int
    fan_out: int
    block: int
    depth: int
    branches: int


class Preset(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    name, source
        As users know it, and where it is defined.
    sigma
        Of a matrix; None if it depends on the activation and the depth (see `gradsim.sweep.presets`).
    law
        Weight law.
    sigma_b
        Of the matrix that the biases follow; they are normal.
    by_block
        Whether sigma differs from block to block.
    architectures
        Where it has a meaning; all, if empty.
    """

    name: str
    source: str
    sigma: Callable[[Matrix], float] | None
    law: str = "gaussian"
    sigma_b: Callable[[Matrix], float] = lambda one: 0.0
    by_block: bool = False
    architectures: tuple[str, ...] = ()


def xavier(one: Matrix) -> float:
    """Variance 2 / (fan_in + fan_out)."""
    return sqrt(2.0 * one.fan_in / (one.fan_in + one.fan_out))


def he(one: Matrix) -> float:
    """Variance 2 / fan_in."""
    return sqrt(2.0)


def lecun(one: Matrix) -> float:
    """Variance 1 / fan_in."""
    return 1.0


def of_std(std: float, one: Matrix) -> float:
    """Sigma of a standard deviation."""
    return std * sqrt(one.fan_in)


def gpt2(one: Matrix) -> float:
    """0.02, and less by the root of the number of branches where a branch ends."""
    return of_std(0.02, one) / (sqrt(one.branches) if one.kind in _OUTPUTS else 1.0)


def llama(one: Matrix) -> float:
    """0.02, and less by sqrt(2 l) where a branch of block l ends."""
    return of_std(0.02, one) / (sqrt(2.0 * one.block) if one.kind in _OUTPUTS else 1.0)


def deepnorm(one: Matrix) -> float:
    """Xavier's, and less by (8 L)^(1/4) but for queries and keys."""
    return xavier(one) * (1.0 if one.kind == QUERIES else (8.0 * one.depth) ** -0.25)


def depth_scaled(one: Matrix) -> float:
    """Branches that together add about the mean square of the input: He's into an MLP, 1 into an attention, and what
    ends a branch less by the root of the number of branches.
    """
    first = sqrt(2.0) if one.kind in (UP, HIDDEN) else 1.0
    return first / (sqrt(max(one.branches, 1)) if one.kind in (HIDDEN, *_OUTPUTS) else 1.0)  # 0 where it is refused


def torch_gain(activation: str | Activation) -> float | None:
    """Sigma by ``torch.nn.init.calculate_gain``, which knows the activation and no matrix; None where it has none."""
    found = resolve_activation(activation)
    if not found.built_in:
        return None
    slope = found.alpha if found.name.startswith("leaky_relu") else 0.0
    gains = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": sqrt(2.0), "selu": 0.75}
    return sqrt(2.0 / (1.0 + slope**2)) if slope else gains.get(found.name)


_BRANCHES = ("residual2", "transformer")

PRESETS: dict[str, Preset] = {
    row.name: row
    for row in (
        Preset("xavier_normal", "Glorot & Bengio 2010", xavier),
        Preset("xavier_uniform", "Glorot & Bengio 2010", xavier, law="uniform"),
        Preset("he_normal", "arXiv:1502.01852", he),
        Preset("he_uniform", "arXiv:1502.01852", he, law="uniform"),
        Preset("lecun_normal", "LeCun et al. 1998", lecun),
        Preset("lecun_uniform", "LeCun et al. 1998", lecun, law="uniform"),
        Preset("pytorch_linear", "torch.nn.Linear", lambda one: 1.0 / sqrt(3.0), law="uniform",
               sigma_b=lambda one: 1.0 / sqrt(3.0 * one.fan_in)),
        Preset("orthogonal", "arXiv:1312.6120", lecun, law="orthogonal", architectures=("plain",)),
        Preset("critical", "arXiv:1611.01232", None, architectures=("plain",)),
        Preset("gpt2", "Radford et al. 2019", gpt2, architectures=_BRANCHES),
        Preset("llama", "arXiv:1908.11365", llama, by_block=True, architectures=_BRANCHES),
        Preset("olmo2", "arXiv:2501.00656", lambda one: of_std(0.02, one)),
        Preset("deepnorm", "arXiv:2203.00555", deepnorm, architectures=_BRANCHES),
        Preset("depth_scaled", "arXiv:2010.12859", depth_scaled, architectures=("residual", *_BRANCHES)),
        Preset("ntk", "arXiv:1806.07572", lecun, sigma_b=lambda one: 0.1),
        Preset("mup", "arXiv:2203.03466", lecun),
    )
}  # fmt: skip
"""All presets. At the start ntk and mup differ from lecun_normal only by biases, learning rates and the readout."""
