"""Elementary functions from polynomials: log, exp, expm1, log1p, sin, cos, tanh, logistic, erf, normal tail.

NumPy's and libm's versions change bytes with the processor, so nothing that is stored may use them. What differs in
float32 and float64, polynomials and limits, has a body for each, chosen by `by_precision`; the rest is one text. NaN in
gives NaN out.

Largest error over every float32 number, in ulp: log 0.96, exp 0.99, expm1 1.44, log1p 1.39, sin and cos 1.99 (to
|x| = 1000), tanh 3.0, 1 / cosh^2 5.91, logistic 2.41, erf 2.77, erfcx 5.59, the normal tail 6.06. `make verify`
measures them; the quick tests sample both precisions.
"""

from .error_function import (
    INV_SQRT_2PI,
    SQRT_HALF,
    erf,
    erf_polynomial,
    erfcx,
    erfcx_polynomial,
    mills_ratio,
    normal_tail,
)
from .exponential import decay, exp, exp_minus_square, expm1, log_logistic, logistic, tanh, tanh_derivative
from .logarithm import LN2, log, log1p, log_32, log_64, log_from_parts_32, log_scaled
from .precision import by_precision, power_of_two, scale
from .trigonometric import cos, sin

__all__ = [
    "INV_SQRT_2PI",
    "LN2",
    "SQRT_HALF",
    "by_precision",
    "cos",
    "decay",
    "erf",
    "erf_polynomial",
    "erfcx",
    "erfcx_polynomial",
    "exp",
    "exp_minus_square",
    "expm1",
    "log",
    "log1p",
    "log_32",
    "log_64",
    "log_from_parts_32",
    "log_logistic",
    "log_scaled",
    "logistic",
    "mills_ratio",
    "normal_tail",
    "power_of_two",
    "scale",
    "sin",
    "tanh",
    "tanh_derivative",
]
