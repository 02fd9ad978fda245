"""erf, the scaled complement erfcx, and the tail of the normal law."""

from __future__ import annotations

from gradsim_core import jit
from gradsim_core.lanes import absolute, copysign, fma, horner, minimum, select

from . import coefficients as c
from .exponential import exp_minus_square
from .precision import by_precision

SQRT_HALF = 0.7071067811865476
INV_SQRT_2PI = 0.3989422804014327


def _erfcx_polynomial_32(t):
    return horner(t, c.ERFCX_32)


def _erfcx_polynomial_64(t):
    return horner(t, c.ERFCX_64)


def _erf_polynomial_32(z):
    return horner(z, c.ERF_32)


def _erf_polynomial_64(z):
    return horner(z, c.ERF_64)


erfcx_polynomial = by_precision(_erfcx_polynomial_32, _erfcx_polynomial_64)
erf_polynomial = by_precision(_erf_polynomial_32, _erf_polynomial_64)


def erfcx(x):
    """exp(x^2) erfc(x) for x >= 0.

    (1 + 2x) erfcx(x) is smooth in (x - k)/(x + k) on the whole half line: Shepherd and Laframboise (1981),
    doi:10.1090/S0025-5718-1981-0595058-X.
    """
    t = 1.0 - 5.0 / (x + 2.5)
    return erfcx_polynomial(t) / fma(x, 2.0, 1.0)


def erf(x):
    """Error function."""
    size = absolute(x)
    outside = 1.0 - exp_minus_square(size, 1.0) * erfcx(size)
    near = minimum(1.0, size)
    return copysign(select(size > 1.0, outside, near * erf_polynomial(near * near)), x)


def normal_tail(x):
    """P(z > |x|) for a standard normal z, with full relative accuracy."""
    size = absolute(x)
    return 0.5 * exp_minus_square(size, 0.5) * erfcx(size * SQRT_HALF)


def mills_ratio(x):
    """P(z > |x|) / density(|x|) for a standard normal z: never underflows before 1/|x| does."""
    return 1.2533141373155003 * erfcx(absolute(x) * SQRT_HALF)


jit.register_leaves(__name__, inline=True)
