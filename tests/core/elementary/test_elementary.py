"""Elementary functions and normals, compiled, against float64 (for float32) and 50-digit arithmetic (for float64)."""

from __future__ import annotations

from functools import cache

import mpmath as mp
import numpy as np
import pytest
from scipy import special

from gradsim_core import elementary, jit
from gradsim_core.lanes import load, store
from gradsim_core.rng.normals import normal_pair


@pytest.fixture(autouse=True)
def digits():
    """Fifty digits in these tests alone: the precision of mpmath is global."""
    with mp.workdps(50):
        yield


@cache
def vectorised(function):
    def run(x, out):
        for i in range(0, len(x), 16):
            store(out, i, function(load(x, i)))

    return jit.compile_kernel(run, disk_cache=False)


def apply(function, x):
    x = np.ascontiguousarray(x)
    padded = np.resize(x, -(-len(x) // 16) * 16)
    out = np.empty_like(padded)
    vectorised(function)(padded, out)
    return out[: len(x)]


def ulps(got, exact):
    return np.abs(got.astype(np.float64) - exact) / np.spacing(np.abs(exact).astype(got.dtype)).astype(np.float64)


def both_signs(sizes):
    return np.concatenate([-sizes[::-1], sizes])


TINY, WIDE = np.geomspace(1e-30, 1e-3, 4000), np.linspace(1e-3, 30, 40000)
# name: (range, exact in float64, largest error of float32 in ulp, mpmath, largest error of float64 in ulp)
CASES = {
    "log": (np.geomspace(1e-37, 1e38, 50000), np.log, 2, mp.log, 1.5),
    "exp": (both_signs(np.concatenate([TINY, np.linspace(1e-3, 86, 40000)])), np.exp, 1.5, mp.exp, 1.5),
    "expm1": (-np.concatenate([TINY, WIDE]), np.expm1, 2, mp.expm1, 2),
    "log1p": (np.concatenate([TINY, np.linspace(1e-3, 1, 40000)]), np.log1p, 2.5, mp.log1p, 2.5),
    "sin": (both_signs(np.concatenate([TINY, np.linspace(1e-3, 1000, 40000)])), np.sin, 2, mp.sin, 2),
    "cos": (both_signs(np.concatenate([TINY, np.linspace(1e-3, 1000, 40000)])), np.cos, 2, mp.cos, 2),
    "tanh": (both_signs(np.concatenate([TINY, WIDE])), np.tanh, 3, mp.tanh, 3),
    "logistic": (both_signs(np.concatenate([TINY, np.linspace(1e-3, 86, 40000)])), special.expit, 3,
                 lambda x: 1 / (1 + mp.exp(-x)), 3),
    "erf": (both_signs(np.concatenate([TINY, np.linspace(1e-3, 6, 40000)])), special.erf, 3, mp.erf, 3),
    "normal_tail": (np.concatenate([TINY, np.linspace(1e-3, 12.9, 40000)]), lambda x: special.ndtr(-x), 6,
                    lambda x: mp.erfc(x / mp.sqrt(2)) / 2, 8),
    "erfcx": (np.concatenate([TINY, np.geomspace(1e-3, 1e5, 40000)]), special.erfcx, 5,
              lambda x: mp.exp(x * x) * mp.erfc(x), 6),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_float32_error(name):
    x, exact, bound, *_ = CASES[name]
    x = x.astype(np.float32)
    error = ulps(apply(getattr(elementary, name), x), exact(x.astype(np.float64)))
    assert error.max() <= bound, (error.max(), x[error.argmax()])


@pytest.mark.parametrize("name", CASES)
def test_float64_error(name):
    x, _, _, exact, bound = CASES[name]
    x = x[:: len(x) // 600]
    got = apply(getattr(elementary, name), x)
    exact = [exact(mp.mpf(float(value))) for value in x]
    error = [
        abs(mp.mpf(float(g)) - e) / mp.mpf(float(np.spacing(abs(float(e))))) for g, e in zip(got, exact, strict=True)
    ]
    assert max(error) <= bound, (max(error), x[np.argmax(error)])


@pytest.mark.parametrize("name", list(CASES))
def test_nan_stays_nan(name):
    for dtype in (np.float32, np.float64):
        if name not in ("log", "erfcx", "normal_tail"):
            assert np.isnan(apply(getattr(elementary, name), np.full(16, np.nan, dtype))).all()


def test_exp_ends():
    for dtype, top in ((np.float32, 89.0), (np.float64, 710.0)):
        x = np.array([-1e30, -800.0, top, 1e30, 0.0] + [0.0] * 11, dtype)
        np.testing.assert_array_equal(apply(elementary.exp, x)[:5], np.array([0, 0, np.inf, np.inf, 1], dtype))


def pairs(radius, angle, like, out):
    for i in range(0, len(radius), 16):
        a, b = normal_pair(load(radius, i), load(angle, i), like)
        store(out[0], i, a)
        store(out[1], i, b)


def normals(radius, angle, dtype):
    out = np.empty((2, len(radius)), dtype)
    jit.compiled(pairs)(radius, angle, dtype(1), out)
    return out


def test_normals_against_float64_everywhere():
    """Float32 normals, also where u is near 1 or 0, against Box-Muller in NumPy's float64 from the same words."""
    rng = np.random.default_rng(7)
    radius = rng.integers(-(2**31), 2**31, 160_000, np.int64)
    radius[:2000] = np.arange(-2000, 0)  # u within 5e-7 of 1
    radius[2000:4000] = np.arange(2000)  # u down to 2^-32
    angle = rng.integers(-(2**31), 2**31, len(radius), np.int64)
    angle[4000:6000] = 2**31 - 1 - 100 * np.arange(2000)  # cos near 0
    angle[6000:8000] = 100 * np.arange(-1000, 1000)  # sin near 0
    u = ((radius | 1) % 2**32) / 2.0**32
    sign = np.where(radius & 1, -1.0, 1.0)
    r, theta = np.sqrt(-2 * np.log(u)), np.pi * ((angle & -256 | 128) / 2.0**32)
    exact = np.array([sign * r * np.cos(theta), r * np.sin(theta)])
    radius, angle = radius.astype(np.int32), angle.astype(np.int32)
    error = np.abs(normals(radius, angle, np.float32) / exact - 1)
    assert error.max() < 6 * 2.0**-24
    error = np.abs(normals(radius, angle, np.float64) - exact) / r  # NumPy's own cosine is off at its zero
    assert error.max() < 8 * 2.0**-53
    assert np.abs(exact).max() <= 6.661


def test_coefficients_are_the_fits():
    """`coefficients.py` is the output of the fitting script, to the last digit."""
    from gradsim_core.elementary import coefficients
    from tests.core.elementary import fit_coefficients

    with open(coefficients.__file__) as file:
        assert file.read() == fit_coefficients.module()
