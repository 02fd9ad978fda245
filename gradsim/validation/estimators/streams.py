"""Numbers of the mean field of other networks than plain ones."""

from __future__ import annotations

import math
from typing import Any

from gradsim import theory


def _stream(architecture: str, activation: str, depth: int, sigma_w: float, **options: Any) -> theory.Stream:
    return theory.stream(architecture, activation, depth, sigma_w, **options)


def stream_factor(
    architecture: str,
    activation: str,
    sigma_w: float,
    depth: int,
    normalisation: str = "none",
    branch_scale: float = 1.0,
) -> float:
    """Factor of the mean square gradient in the block after so many."""
    found = _stream(architecture, activation, depth, sigma_w, normalisation=normalisation, branch_scale=branch_scale)
    return math.exp(found.log_chi[-1])


def stream_square(architecture: str, activation: str, sigma_w: float, depth: int, branch_scale: float = 1.0) -> float:
    """Mean square of the stream after so many blocks without norms, from an input of mean square 1."""
    return math.exp(_stream(architecture, activation, depth, sigma_w, branch_scale=branch_scale).log_q[-1])


def stream_growth(
    architecture: str,
    activation: str,
    sigma_w: float,
    depth: int,
    normalisation: str = "none",
    branch_scale: float = 1.0,
) -> float:
    """Factor of the mean square gradient from the last of so many blocks to the input."""
    found = _stream(architecture, activation, depth, sigma_w, normalisation=normalisation, branch_scale=branch_scale)
    return math.exp(found.log_growth)


def root_slope(architecture: str, activation: str, sigma_w: float, depth: int) -> float:
    """How much ln of the mean square gradient grows, over sqrt(depth), from a quarter of so many blocks on."""
    whole, part = (_stream(architecture, activation, each, sigma_w).log_growth for each in (depth, depth // 4))
    return (whole - part) / (math.sqrt(depth) - math.sqrt(depth // 4))


def deepnorm_alpha(depth: float) -> float:
    """Factor of the stream of DeepNet."""
    return float(theory.deepnorm(depth).alpha)  # type: ignore[arg-type]  # a real number, so that an error can be planted


def deepnorm_beta(depth: float) -> float:
    """Factor of the weights of DeepNet."""
    return float(theory.deepnorm(depth).beta)  # type: ignore[arg-type]


ROWS = {
    function.__name__: function
    for function in (stream_factor, stream_square, stream_growth, root_slope, deepnorm_alpha, deepnorm_beta)
}
"""The estimators of this family."""
