"""Weight laws: the table of laws, and how the weights of a layer are drawn, stored and used."""

from .table import (
    LAWS,
    WeightLaw,
    gaussian,
    masks,
    rademacher,
    resolve_law,
    sparse,
    standard,
    truncated_normal,
    uniform,
)

__all__ = [
    "LAWS",
    "WeightLaw",
    "gaussian",
    "masks",
    "rademacher",
    "resolve_law",
    "sparse",
    "standard",
    "truncated_normal",
    "uniform",
]
