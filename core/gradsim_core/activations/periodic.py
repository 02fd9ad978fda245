"""Activations with a wave: sin, snake.

Where h is coarser than the period their slope is NaN rather than noise.
"""

from __future__ import annotations

from math import pi

from gradsim_core import jit
from gradsim_core.elementary import cos, sin
from gradsim_core.lanes import select

from .table import MODERATE, define


def sin_activation(h, omega):
    return sin(h * omega)


def sin_derivative(h, omega):
    return cos(h * omega) * omega


define(
    "sin",
    sin_activation,
    sin_derivative,
    alpha=1.0,
    parameter="omega",
    **MODERATE,
    slope_zero=lambda omega: (omega, omega),
    period=lambda omega: 2 * pi / omega,
    formula="sin(omega h)",
    reference="Sitzmann et al. 2020, arXiv:2006.09661",
)


def snake(h, a):
    s = sin(h * a)
    square = s * s
    # Where the phase is unknown the wave is below an ulp of h: any value will do.
    return h + select(square == square, square, 0.5) / a


def snake_derivative(h, a):
    # 1 + sin(2 a h), without its cancellation.
    root = sin(h * a) + cos(h * a)
    return root * root


define(
    "snake",
    snake,
    snake_derivative,
    alpha=1.0,
    parameter="a",
    **MODERATE,
    slope_zero=(1, 1),
    period=lambda a: pi / a,
    formula="h + sin(a h)^2/a",
    reference="Ziyin et al. 2020, arXiv:2006.08195",
)


jit.register_leaves(__name__, inline=True)
