"""Checks of the arguments of `stream`, and the network that they describe."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from gradsim.errors import SweepError, suggestion
from gradsim.theory.architectures.norms import NORMS, Norm
from gradsim.theory.architectures.table import ARCHITECTURES, Architecture, Network
from gradsim.theory.averages.moments import moments
from gradsim.theory.errors import NoMeanField, check_count, check_number, check_sigma_b, check_sigma_w
from gradsim.theory.memory import current
from gradsim_core.activations import Activation
from gradsim_core.architectures import ARCHITECTURES as MATRICES
from gradsim_core.architectures.network import SCALES

_FEW_TOKENS, _MANY_TOKENS = 64, 10**9  # of softmax attention, with a causal mask and without
_MOST_TOKENS = 256  # under a causal mask, where all pairs are followed


class DeepNorm(NamedTuple):
    """Constants of DeepNet for a network of ``depth`` blocks.

    Attributes
    ----------
    alpha
        Factor of the stream in norm(alpha x + branch); dividing by it gives branch_scale = 1 / alpha.
    beta
        Factor of the standard deviation of the weights of values, outputs and MLPs.
    """

    alpha: float
    beta: float


def deepnorm(depth: int) -> DeepNorm:
    """Return (2 L)^(1/4) and (8 L)^(-1/4): Wang et al. 2022 (arXiv:2203.00555), for an encoder or a decoder alone.

    Examples
    --------
    >>> [round(number, 6) for number in deepnorm(100)]
    [3.760603, 0.18803]
    """
    return DeepNorm((2.0 * depth) ** 0.25, (8.0 * depth) ** -0.25)


class Options(NamedTuple):
    """What `stream` takes beside the activation, the depth and the standard deviations."""

    normalisation: str = "none"
    placement: str = "pre"
    branch_scale: float | str = 1.0
    gated: bool = False
    inputs: float = 1
    causal: bool = True
    scores: str = "1/sqrt(d)"
    input_correlation: float = 0.0
    epsilon: float = 1e-5


_OF_TOKENS = {field: Options._field_defaults[field] for field in ("causal", "scores")}


Sigmas: TypeAlias = float | Mapping[str, float | Sequence[float]]
"""sigma_w of all matrices; or by the kind of a matrix, of all blocks or of each."""


def networks_of(
    architecture: str, activation: str | Activation, depth: int, sigmas: tuple[Sigmas, float], options: Options
) -> tuple[Architecture, list[Network]]:
    """Return the row of the table and its network, one for each block if those differ.

    Raises
    ------
    SweepError, NoMeanField
        As `stream`.
    """
    row = ARCHITECTURES[_one_of("architecture", architecture, ARCHITECTURES)]
    sigma_b = check_sigma_b(sigmas[1])
    scale = _branch_scale(architecture, options.branch_scale, depth)
    epsilon = check_number("epsilon", options.epsilon, "a number >= 0", 0.0)
    name = _one_of("normalisation", options.normalisation, NORMS)
    norm = NORMS[name](_log(epsilon))
    _one_of("placement", options.placement, row.placements)
    _check_tokens(row, norm, options)
    _check_gaussian(row, name, norm, options)
    if options.gated and (architecture not in ("residual2", "transformer") or sigma_b > 0.0):
        raise SweepError("gated", True, "for residual2 and transformer, with sigma_b = 0", "Leave gated out")
    table = moments(current(activation))
    placed = options.placement, options.gated, options.scores
    rest = 2.0 * _log(sigma_b), 2.0 * _log(scale), norm, *placed
    return row, [Network(table, log_w2, *rest) for log_w2 in _by_block(sigmas[0], architecture, depth)]


def _by_block(sigma_w: Sigmas, architecture: str, depth: int) -> list[dict[str, float]]:
    """ln of sigma_w^2 by the kind of a matrix, one for each block if those differ."""
    kinds = MATRICES[architecture].matrices
    if not isinstance(sigma_w, Mapping):
        return [dict.fromkeys(kinds, 2.0 * math.log(check_sigma_w(sigma_w)))]
    if set(sigma_w) != set(kinds):
        allowed = f"a number, or one for each of the kinds of matrices {', '.join(kinds)}"
        raise SweepError("sigma_w", dict(sigma_w), allowed, f"Give {', '.join(kinds)}, and no others")
    columns = {}
    for kind in kinds:
        values = np.atleast_1d(np.asarray(sigma_w[kind]))
        if values.shape not in ((1,), (depth,)):
            allowed = f"a number, or one for each of {depth} blocks"
            raise SweepError(f"sigma_w[{kind}]", list(values.shape), allowed, "Change its length, or the depth")
        columns[kind] = [2.0 * math.log(check_sigma_w(value)) for value in values.tolist()]
    blocks = max(map(len, columns.values()))
    return [{kind: column[min(l, len(column) - 1)] for kind, column in columns.items()} for l in range(blocks)]  # noqa: E741


def _branch_scale(architecture: str, scale: float | str, depth: int) -> float:
    if isinstance(scale, str):
        scale = SCALES[_one_of("branch_scale", scale, SCALES)](depth)
    if architecture == "plain" and scale != 1.0:
        raise SweepError("branch_scale", scale, "1 for plain networks, which have no branch", "Leave it out")
    return check_number("branch_scale", float(scale), f"a number >= 0, or one of {', '.join(SCALES)}", 0.0)


def _check_tokens(row: Architecture, norm: Norm, options: Options) -> None:
    """Refuse what has no meaning for tokens, and what is not computed."""
    if not row.tokens:
        for field, default in _OF_TOKENS.items():
            if getattr(options, field) != default:
                raise SweepError(field, getattr(options, field), "given for a transformer alone", "Leave it out")
        return
    if norm.inputs != 1.0:
        allowed = "all but batch for a transformer, whose tokens are not independent inputs"
        raise SweepError("normalisation", options.normalisation, allowed, "Take layer")
    if options.causal or options.inputs != math.inf:
        check_count("inputs", options.inputs, _MOST_TOKENS if options.causal else math.inf)  # type: ignore[arg-type]
    check_number("input_correlation", options.input_correlation, "a number from 0 to 1", 0.0, 1.0)
    if _one_of("scores", options.scores, ("1/d", "1/sqrt(d)")) == "1/d":
        return
    if options.inputs > (_FEW_TOKENS if options.causal else _MANY_TOKENS):
        raise NoMeanField(
            "With scores over sqrt(d) the weights of attention stay random at infinite width. Their means are computed "
            f"for {_FEW_TOKENS} tokens under a causal mask, else for {_MANY_TOKENS:,}. Take fewer, or scores='1/d'."
        )


def _check_gaussian(row: Architecture, name: str, norm: Norm, options: Options) -> None:
    """Refuse networks whose stream an activation in place of a norm makes non-Gaussian, where its law matters."""
    if norm.dividing or row.placements == ("pre", "post"):
        return
    if options.placement in ("post", "sandwich") or (options.placement == "output" and row.nonlinear):
        raise NoMeanField(
            f"{name} at placement {options.placement!r} makes the stream non-Gaussian, and activations act on it: a "
            "mean square does not say enough. Take placement 'pre'."
        )


def _one_of(field: str, value: Any, choices: Iterable[str]) -> str:
    known = list(choices)
    if value not in known:
        raise SweepError(field, value, f"one of {', '.join(known)}", suggestion(value, known))
    return str(value)


def _log(value: float) -> float:
    return math.log(value) if value > 0.0 else -math.inf
