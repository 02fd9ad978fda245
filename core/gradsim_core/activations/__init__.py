"""The activations: one block each, and the table that everything else iterates.

A block is phi, its derivative dphi, and its row, given to `define`. Both functions take (h, alpha), where alpha is the
activation's parameter or unused, and are written over `lanes` and `elementary`: the kernels, the interpreter and the
theory read the same text. dphi is a formula in the preactivation: 1 - tanh(h)^2 would be exactly 0 from |h| = 19 on.

Where phi or dphi falls below the smallest float without being zero in theory, the row also has ln|phi| or ln|dphi|,
for which the range-safe path falls back when a whole layer has sunk that low.
"""

from . import gated, own, periodic, piecewise, rectifying, saturating
from .table import ACTIVATIONS, Activation, resolve_activation

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "gated",
    "own",
    "periodic",
    "piecewise",
    "rectifying",
    "resolve_activation",
    "saturating",
]
