"""Digests of what a few small cells give: run as a program, under whatever processor Numba is told to compile for."""

from __future__ import annotations

import hashlib
import itertools
import sys

from gradsim_core import statistics
from gradsim_core.cpu import METHODS
from gradsim_core.laws import resolve_law
from tests.core.conftest import Cell

# Of explicit networks, those up to width 28 run side by side and the others one by one.
QUICK = [
    ("tanh", "gaussian", 16, 0.3, "float32", "explicit"), ("tanh", "gaussian", 33, 0.3, "float32", "explicit"),
    ("tanh", "gaussian", 16, 0.3, "float32", "conditional"),
]  # fmt: skip
KINDS = [
    ("tanh", "gaussian", 16, 0.3), ("gelu", "gaussian", 33, 0.0), ("erf", "truncated_normal", 5, 0.3),
    ("sin", "uniform", 40, 0.1), ("mish", "sparse(0.3)", 17, 0.2), ("softplus", "orthogonal", 9, 0.0),
    ("sigmoid", "rademacher", 16, 1.0),
]  # fmt: skip
FULL = QUICK + [
    (*kind, dtype, method)
    for kind, dtype, method in itertools.product(KINDS, ("float32", "float64"), METHODS)
    if method == "explicit" or resolve_law(kind[1]).conditional
]


def digests(cells):
    """One line for each cell and sigma_w."""
    for activation, law, width, sigma_b, dtype, method in cells:
        for sigma_w in (0.05, 1.5, 60.0):
            one = Cell(activation, law, dtype, method, sigma_w=sigma_w, sigma_b=sigma_b, depth=24, width=width)
            values, status = one.block(20)
            parts = values, status, *statistics.reduce(values)
            digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
            yield f"{activation} {law} {width} {dtype} {method} {sigma_w} {digest[:32]}\n"


if __name__ == "__main__":
    sys.stdout.writelines(digests(FULL if "--full" in sys.argv else QUICK))
