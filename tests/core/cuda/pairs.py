"""Users' own activations of several kinds: some have the CPU's bits on GPUs, some call functions of libm."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from gradsim_core.activations import Activation

BEND = 0.25
TABLE = np.array([1.0, 0.5, 0.25])


@njit
def squared(h):
    return h * h


@njit
def softened(h, by=1.0):
    return math.sqrt(squared(h) + by)


@njit("float64(float64)")
def typed(h):
    return h / (1.0 + abs(h))


@njit
def tanh_of(h):
    return math.tanh(h)


def _scaled(factor):
    bend = BEND

    def phi(h):
        return factor * h + bend * min(h, 0.0)

    def dphi(h):
        return factor + (bend if h < 0.0 else 0.0)

    return phi, dphi


def _piecewise(h):
    if h < -1.0:
        return 0.0
    if h > 1.0:
        return h
    return (h + 1.0) ** 2 / 4.0


def _slope_of_pieces(h):
    return 0.0 if h < -1.0 else (1.0 if h > 1.0 else (h + 1.0) / 2.0)


def _series(h):
    total, term = 0.0, 1.0
    for k in range(1, 6):
        term *= max(-4.0, min(h, 4.0)) / k
        total += term
    return total


def _bits(name: str, phi, dphi=None, **more) -> Activation:
    return Activation(name, phi, dphi, **more)


EXACT = [
    _bits("rational", lambda h: h / (1.0 + abs(h)), lambda h: 1.0 / (1.0 + abs(h)) ** 2),
    _bits("piecewise", _piecewise, _slope_of_pieces),
    _bits("own functions", lambda h: h / softened(h), lambda h: 1.0 / softened(h) ** 3),
    _bits("own types", typed, lambda h: 1.0 / squared(1.0 + abs(h))),
    _bits("closure", *_scaled(1.5)),
    _bits("differences", lambda h: max(h, BEND * h) - 0.5 * squared(h) / (1.0 + squared(h))),
    _bits("loop", _series),
    _bits("sawtooth", lambda h: h - 0.125 * (h % 0.5), lambda h: 0.875 + h // 4.0, surrogate=True),
    _bits("array", lambda h: TABLE[min(2, int(min(abs(h), 9.0)))] * h, lambda h: TABLE[1] * h, surrogate=True),
    _bits("numpy", lambda h: np.sqrt(np.absolute(h)), lambda h: np.maximum(np.sign(h), np.floor(h)), surrogate=True),
]

OF_LIBM = [
    _bits("tanh", lambda h: tanh_of(h), lambda h: 1.0 / math.cosh(h) ** 2 if abs(h) < 300.0 else 0.0),
    _bits("softplus", lambda h: max(h, 0.0) + math.log1p(math.exp(-abs(h))), lambda h: 0.5 * (1.0 + np.tanh(0.5 * h))),
    _bits("gelu", lambda h: 0.5 * h * math.erfc(-h / math.sqrt(2.0)), lambda h: (
        0.5 * math.erfc(-h / math.sqrt(2.0)) + h * math.exp(-0.5 * h * h) / math.sqrt(2.0 * math.pi)
    )),
    _bits("power", lambda h: math.copysign(abs(h) ** 1.25, h), lambda h: 1.25 * np.power(abs(h), 0.25)),
    _bits("ufunc", np.arctan, lambda h: 1.0 / (1.0 + squared(h))),
]  # fmt: skip
