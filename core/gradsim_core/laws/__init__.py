"""Weight laws: the table, and how the weights of a layer are stored and used."""

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
