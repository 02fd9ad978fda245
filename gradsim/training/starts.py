"""Starts: how the parameters of a network are drawn before training."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Start(NamedTuple):
    """A row of the table of starts.

    Attributes
    ----------
    law
        Name of the weight law.
    sigmas
        Standard deviations of a layer's weights and biases, from (fan_in, fan_out, parameter).
    formula
        The same for people.
    takes
        Whether the user may give the parameter, a number > 0.
    """

    law: str
    sigmas: Callable[[int, int, float], tuple[float, float]]
    formula: str
    takes: bool = False


STARTS: dict[str, Start] = {
    "normal": Start("gaussian", lambda i, o, s: (s * i**-0.5, 1.0), "W ~ N(0, s²/fan_in), b ~ N(0, 1); s = 1", True),
    "default": Start("uniform", lambda i, o, s: ((3 * i) ** -0.5,) * 2, "W, b uniform on ±1/sqrt(fan_in), as PyTorch"),
    "xavier": Start("gaussian", lambda i, o, s: ((2 / (i + o)) ** 0.5, 0.0), "W ~ N(0, 2/(fan_in + fan_out)), b = 0"),
    "he": Start("gaussian", lambda i, o, s: ((2 / i) ** 0.5, 0.0), "W ~ N(0, 2/fan_in), b = 0"),
    "critical": Start("gaussian", lambda i, o, s: (s * i**-0.5, 0.0), "W ~ N(0, s²/fan_in), b = 0; s from theory"),
}
"""The starts by name; ``"normal(4)"`` gives the parameter s."""
