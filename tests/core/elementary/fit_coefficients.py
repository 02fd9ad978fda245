"""Make `gradsim_core/coefficients.py`: Chebyshev fits in 60-digit arithmetic, as decimal monomial coefficients.

Run `python tests/core/fit_coefficients.py` to print the module; a test refits and compares.
"""

from __future__ import annotations

import mpmath as mp

mp.mp.dps = 60
PI, TINY = mp.pi, mp.mpf(10) ** -25


def chebyshev_fit(function, low, high, degree):
    """Monomial coefficients of the polynomial through the Chebyshev nodes of [low, high]."""
    low, high, n = mp.mpf(low), mp.mpf(high), degree + 1
    nodes = [mp.cos(PI * (2 * k + 1) / (2 * n)) for k in range(n)]
    values = [function((low + high) / 2 + (high - low) / 2 * t) for t in nodes]
    basis = [[mp.mpf(1)], [mp.mpf(0), mp.mpf(1)]]
    while len(basis) < n:
        basis.append([mp.mpf(0)] + [2 * c for c in basis[-1]])
        for i, c in enumerate(basis[-3]):
            basis[-1][i] -= c
    in_t = [mp.mpf(0)] * n
    for j in range(n):
        c = (2 if j else 1) * mp.fsum(y * mp.cos(j * mp.acos(t)) for t, y in zip(nodes, values, strict=True)) / n
        for i, b in enumerate(basis[j]):
            in_t[i] += c * b
    slope, offset = 2 / (high - low), -(low + high) / (high - low)
    return [mp.fsum(in_t[i] * mp.binomial(i, k) * slope**k * offset ** (i - k) for i in range(k, n)) for k in range(n)]


def relative_error(function, coefficients, low, high, points=301):
    """Largest relative error on a grid."""
    grid = [mp.mpf(low) + (mp.mpf(high) - low) * k / (points - 1) for k in range(points)]
    return max(abs(mp.fsum(c * x**k for k, c in enumerate(coefficients)) / function(x) - 1) for x in grid)


def _even(function):
    """f(sqrt z)/sqrt z as a function of z, with its limit at 0."""
    return lambda z: function(mp.sqrt(max(z, TINY))) / mp.sqrt(max(z, TINY))


def _sine(w):
    t = mp.sqrt(max(1 - w, TINY))
    return mp.sin(PI * t / 2) / t


def _cosine(w):
    return mp.cos(PI * mp.sqrt(1 - w) / 2) / w if w > TINY else PI / 4


def _off_zero(x):
    return x if abs(x) > TINY else TINY


def _erfcx(t):
    if t > 1 - mp.mpf(10) ** -12:
        return 2 / mp.sqrt(PI)
    x = mp.mpf("2.5") * (1 + t) / (1 - t)
    return mp.exp(x * x) * mp.erfc(x) * (1 + 2 * x)


_CUT = mp.erf(mp.sqrt(2))


def _truncated(w):
    x = mp.sqrt(-mp.expm1(-max(w, TINY)))
    return mp.sqrt(2) * mp.erfinv(x) / x * _CUT


HALF_LN2, MARGIN = mp.log(2) / 2, mp.mpf(10) ** -5
FITS = {  # name: (what it is, function, low, high, degree for float32, degree for float64)
    "SINE": ("sin(t pi/2) / t in w = 1 - t^2, |t| <= 1", _sine, 0, 1, 4, 9),
    "COSINE": ("cos(t pi/2) / w in w = 1 - t^2, |t| <= 1", _cosine, 0, 1, 4, 8),
    "RADIUS": ("-2 ln(1 + f) / f, sqrt(1/2) <= 1 + f <= sqrt(2)", lambda f: -2 * mp.log1p(_off_zero(f)) / _off_zero(f),
               mp.sqrt(0.5) - 1 - MARGIN, mp.sqrt(2) - 1 + MARGIN, 8, None),
    "LOG1P": ("(ln(1 + f) - f) / f^2, sqrt(1/2) <= 1 + f <= sqrt(2)",
              lambda f: (mp.log1p(_off_zero(f)) - _off_zero(f)) / _off_zero(f) ** 2,
              mp.sqrt(0.5) - 1 - MARGIN, mp.sqrt(2) - 1 + MARGIN, 8, None),
    "ATANH": ("(2 atanh(s) / s - 2) / s^2 in s^2, |s| <= 0.1716",
              lambda z: (2 * mp.atanh(mp.sqrt(max(z, TINY))) / mp.sqrt(max(z, TINY)) - 2) / max(z, TINY),
              0, mp.mpf("0.0295"), None, 7),
    "EXPM1": ("(expm1(r) - r) / r^2, |r| <= ln(2)/2",
              lambda r: (mp.expm1(_off_zero(r)) - _off_zero(r)) / _off_zero(r) ** 2,
              -HALF_LN2 - MARGIN, HALF_LN2 + MARGIN, 5, 11),
    "SIN": ("(sin(r) / r - 1) / r^2 in r^2, |r| <= pi/2",
            lambda z: (mp.sin(mp.sqrt(max(z, TINY))) / mp.sqrt(max(z, TINY)) - 1) / max(z, TINY),
            0, (PI / 2) ** 2 + MARGIN, 4, 9),
    "ERF": ("erf(x) / x in x^2, |x| <= 1", _even(mp.erf), 0, 1, 7, 13),
    "ERFCX": ("(1 + 2x) exp(x^2) erfc(x) in t = (x - 5/2) / (x + 5/2), x >= 0", _erfcx, -1, 1, 12, 26),
    "TRUNCATED": ("z / x in w = -ln(1 - (c x)^2): z the normal cut at 2 with signed probability x, c = erf(sqrt 2)",
                  _truncated, 0, -mp.log(1 - _CUT**2) + MARGIN, 8, 16),
}  # fmt: skip


def module() -> str:
    """The text of `coefficients.py`."""
    lines = [
        '"""Polynomial coefficients of the elementary functions, lowest power first; one tuple for each precision.',
        "",
        "Chebyshev fits in 60 digits by `tests/core/fit_coefficients.py`; the relative error of each stands beside it.",
        '"""',
        "",
    ]
    for name, (text, function, low, high, *degrees) in FITS.items():
        lines += [f"# {text}"]
        for bits, degree in zip((32, 64), degrees, strict=True):
            if degree is None:
                continue
            fit = chebyshev_fit(function, low, high, degree)
            error = relative_error(function, fit, low, high)
            lines += [f"{name}_{bits} = (  # relative error 2^{float(mp.log(error, 2)):.1f}"]
            lines += [f"    {float(c)!r}," for c in fit] + [")"]
        lines += [""]
    return "\n".join(lines[:-1]) + "\n"


if __name__ == "__main__":
    print(module(), end="")
