"""The largest error of every elementary function over all float32 numbers of its domain, each one tried.

The truth is the float64 version, which `tests/core/test_elementary.py` holds against 50 digits: its own errors, below
10 of its ulp, are 2e-8 of those looked for.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from gradsim_core import elementary
from tests.core.elementary.test_elementary import vectorised

CHUNK = 2**20
SMALLEST, LARGEST = 2.0**-126, float(np.finfo(np.float32).max)
# name: ((from, to) of each sign, largest error in ulp). Beyond an end the function has its limit, or is not used.
DOMAINS = {
    "log": ([(SMALLEST, LARGEST)], 1),
    "exp": ([(SMALLEST, 88.7), (-SMALLEST, -103.9)], 1.5),
    "expm1": ([(SMALLEST, 88.0), (-SMALLEST, -LARGEST)], 2),
    "log1p": ([(SMALLEST, LARGEST)], 2.5),
    "sin": ([(SMALLEST, 1000.0), (-SMALLEST, -1000.0)], 2),
    "cos": ([(SMALLEST, 1000.0), (-SMALLEST, -1000.0)], 2),
    "tanh": ([(SMALLEST, LARGEST), (-SMALLEST, -LARGEST)], 3),
    "tanh_derivative": ([(SMALLEST, 43.0), (-SMALLEST, -43.0)], 6),
    "logistic": ([(SMALLEST, LARGEST), (-SMALLEST, -103.0)], 3),
    "erf": ([(SMALLEST, LARGEST), (-SMALLEST, -LARGEST)], 3),
    "normal_tail": ([(SMALLEST, 12.9)], 6.5),
    "erfcx": ([(SMALLEST, 2.0**100)], 6),
}


@numba.njit(nogil=True)
def worst(got, exact):
    """Largest error in units of the last place of float32, and where it is."""
    largest, where = -1.0, 0
    for i in range(len(got)):
        exponent = max(math.frexp(exact[i])[1], -125)
        error = abs(np.float64(got[i]) - exact[i]) * math.ldexp(1.0, 24 - exponent)
        if not error <= largest:  # a NaN counts
            largest, where = error, i
    return largest, where


def bits(x):
    return int(np.float32(x).view(np.uint32))


def largest_error(name, domain):
    """(error, where) over all float32 numbers between the ends of a domain."""
    function = vectorised(getattr(elementary, name))
    found, place = 0.0, domain[0]
    for start in range(bits(domain[0]), bits(domain[1]) + 1, CHUNK):
        # The last part is filled up with its first number, as a whole chunk would leave the domain.
        numbers = np.arange(start, start + CHUNK, dtype=np.uint32)
        x = np.where(numbers <= bits(domain[1]), numbers, np.uint32(start)).astype(np.uint32).view(np.float32)
        got, exact = np.empty_like(x), np.empty(CHUNK)
        function(x, got)
        function(x.astype(np.float64), exact)
        error, where = worst(got, exact)
        if not error <= found:
            found, place = error, x[where]
    return found, place


@pytest.mark.verify
@pytest.mark.parametrize("name", DOMAINS)
def test_every_float32(name):
    domains, bound = DOMAINS[name]
    for domain in domains:
        error, where = largest_error(name, domain)
        print(f"{name} from {domain[0]:g} to {domain[1]:g}: largest error {error:.3f} ulp at {where:.9g}")
        assert error <= bound
