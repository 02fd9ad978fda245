"""What an activation is, and how a name becomes one. The modules beside this one fill the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradsim_core.names import parse

Function = Callable[..., Any]


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
        Value of the parameter. `parameter` names it, `allowed` says which values it takes.
    kinks : tuple of float
        Where dphi jumps: quadrature is split there.
    slope_zero, slope_inf : pair of float, or None
        One-sided slopes at 0-, 0+ and at -inf, +inf; None where they do not exist.
    log_phi, log_dphi : callable, optional
        ln|phi|, ln|dphi| in the tails where they underflow. `tail_sign`: their sign at negative h.
    formula, reference : str
        For the documentation.
    """

    name: str
    phi: Function
    dphi: Function
    alpha: float = 0.0
    parameter: str | None = None
    allowed: str = ""
    kinks: tuple[float, ...] = ()
    slope_zero: tuple[float, float] | None = None
    slope_inf: tuple[float, float] | None = None
    log_phi: Function | None = None
    log_dphi: Function | None = None
    tail_sign: float = 1.0
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


def define(name: str, phi: Function, dphi: Function, *values: Any, **fields: Any) -> None:
    """Add a row to the table: the fields of `Activation`."""
    ACTIVATIONS[name] = Activation(name, phi, dphi, *values, **fields)


def resolve_activation(activation: str | Activation) -> Activation:
    """The activation of a name such as ``"tanh"`` or ``"leaky_relu(0.2)"``; a user's own pair passes through.

    Raises
    ------
    ValueError
        Unknown name or parameter: says what was got, the nearest name and what is allowed.
    """
    if isinstance(activation, Activation) and not activation.built_in:
        return activation
    name, parameter = parse(getattr(activation, "name", activation), ACTIVATIONS, "activation")
    row = ACTIVATIONS[name]
    if row.parameter is None:
        if parameter is not None:
            raise ValueError(f"activation {name!r} takes no parameter, got {activation!r}.")
        return row
    alpha = row.alpha if parameter is None else parameter
    if name == "elu" and not alpha > 0:
        raise ValueError(f"activation {activation!r}: {row.parameter} must be {row.allowed}.")
    slopes = (alpha, 1.0)
    return replace(
        row,
        name=f"{name}({alpha:.12g})" if alpha != row.alpha else name,
        alpha=alpha,
        slope_zero=slopes,
        slope_inf=slopes if name == "leaky_relu" else row.slope_inf,
    )
