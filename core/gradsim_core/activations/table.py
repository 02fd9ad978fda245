"""What an activation is, and how a name becomes one. The modules beside this one fill the table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from gradsim_core.names import resolve

Function = Callable[..., Any]
Entry = Any  # a value, or in the table a function of the parameter that gives it


@dataclass(frozen=True)
class Activation:
    """An activation phi and its derivative.

    ``Activation("mine", phi, dphi)`` makes a user's own pair from scalar functions ``phi(h)`` and ``dphi(h)`` that
    Numba can compile; it is accepted wherever a name is. The other fields are for the table.

    Parameters
    ----------
    name : str
        Name, with the parameter in brackets where there is one: ``"leaky_relu(0.2)"``.
    phi, dphi : callable
        The function and its derivative; the table's own take (h, alpha).
    alpha : float, optional
        Value of the parameter; its default in the table. `parameter` names it, `accepts` decides which finite values it
        takes, and `allowed` says so in words.
    kinks : tuple of float
        Where dphi jumps: quadrature is split there.
    slope_zero, slope_inf : pair of float, or None
        One-sided slopes at 0-, 0+ and at -inf, +inf; None where they do not exist.
    period : float, optional
        Period of dphi, where it has one: phi is then a line and a wave, and averages over wide Gaussians have a limit.
    log_phi, log_dphi : callable, optional
        ln|phi|, ln|dphi| in the tails where they underflow. `tail_sign`: their sign at negative h.
    formula, reference : str
        For the documentation.

    In a row of the table, the fields of `OF_PARAMETER` may be functions of the parameter; `resolve_activation` puts in
    what they give.
    """

    OF_PARAMETER: ClassVar = ("kinks", "slope_zero", "slope_inf", "period", "tail_sign")

    name: str
    phi: Function
    dphi: Function
    alpha: float = 0.0
    parameter: str | None = None
    accepts: Callable[[float], bool] = math.isfinite
    allowed: str = "any finite number"
    kinks: Entry = ()
    slope_zero: Entry = None
    slope_inf: Entry = None
    period: Entry = None
    log_phi: Function | None = None
    log_dphi: Function | None = None
    tail_sign: Entry = 1.0
    formula: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        for what in ("phi", "dphi"):
            if not callable(getattr(self, what)):
                found = getattr(self, what)
                raise TypeError(
                    f"{what} of Activation {self.name!r} is {found!r}: it must be a function of one number."
                )

    @property
    def built_in(self) -> bool:
        """Whether this is a row of the table, and not a user's own pair."""
        row = ACTIVATIONS.get(self.name.split("(")[0])
        return row is not None and self.phi is row.phi and self.dphi is row.dphi

    def __call__(self, h: Any) -> np.ndarray:
        """phi at an array of preactivations, in float64."""
        return self._evaluate(self.phi, h)

    def derivative(self, h: Any) -> np.ndarray:
        """dphi at an array of preactivations, in float64."""
        return self._evaluate(self.dphi, h)

    def _evaluate(self, function: Function, h: Any) -> np.ndarray:
        h = np.asarray(h, np.float64)
        if not self.built_in:
            return np.array([float(function(float(value))) for value in h.ravel()]).reshape(h.shape)
        with np.errstate(all="ignore"):
            return np.asarray(function(h, self.alpha), np.float64)


ACTIVATIONS: dict[str, Activation] = {}


def positive(parameter: float) -> bool:
    """Whether a parameter is > 0."""
    return parameter > 0


MODERATE = {"accepts": lambda parameter: 1e-6 <= parameter <= 1e6, "allowed": "a number from 1e-6 to 1e6"}
"""Range of a parameter that sets the scale of h: to a rounding of float32, phi must be linear beyond 2^-50 and 2^50."""


def define(name: str, phi: Function, dphi: Function, **fields: Any) -> None:
    """Add a row to the table: the fields of `Activation`."""
    ACTIVATIONS[name] = Activation(name, phi, dphi, **fields)


def resolve_activation(activation: str | Activation) -> Activation:
    """The activation of a name such as ``"tanh"`` or ``"leaky_relu(0.2)"``; a user's own pair passes through.

    Raises
    ------
    ValueError
        Unknown name or parameter: says what was got, the nearest name and what is allowed.
    """
    if isinstance(activation, Activation) and not activation.built_in:
        return activation
    found: Activation
    name, found = resolve(getattr(activation, "name", activation), ACTIVATIONS, "activation", "alpha")
    return found if found.alpha == ACTIVATIONS[name].alpha else replace(found, name=f"{name}({found.alpha:.12g})")
