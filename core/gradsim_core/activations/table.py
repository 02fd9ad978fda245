"""What an activation is, and how a name becomes one. The modules beside this one fill the table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from gradsim_core.caching.digest import Digest, digest
from gradsim_core.names import resolve

from .differences import REACH, by_differences, find_fault

Function = Callable[..., Any]
Entry = Any  # a value, or in the table a function of the parameter that gives it


@dataclass(frozen=True)
class Activation:
    """An activation phi and its derivative.

    ``Activation("mine", phi, dphi)`` makes a user's own pair from scalar functions ``phi(h)`` and ``dphi(h)`` that
    Numba can compile; it is accepted wherever a name is. Both must be finite in |h| <= 8, and dphi is compared there
    with differences of phi. Most other fields are for the table.

    Parameters
    ----------
    name : str
        Name, with the parameter in brackets where there is one: ``"leaky_relu(0.2)"``.
    phi, dphi : callable
        The function and its derivative; the table's own take (h, alpha). Without dphi it is made from differences of
        phi, to about 1e-12 of |phi|: give dphi where phi saturates and smaller slopes matter.
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
    homogeneous : bool
        Whether phi is a line on each side of 0, so that phi(s h) = s phi(h) for s > 0: the radial method needs it.
    surrogate : bool
        Whether dphi is meant to differ from the derivative of phi, as in spiking networks; it is not compared then.

    Raises
    ------
    TypeError
        If the name is no text, or phi or dphi is no function of one number.
    ValueError
        If the name cannot be printed, or a value is not finite, or dphi is not the derivative of phi: says at which h.

    In a row of the table, the fields of `OF_PARAMETER` may be functions of the parameter; `resolve_activation` puts in
    what they give.
    """

    built_in: ClassVar[bool] = False
    """Whether this is a row of the table, and not a user's own pair."""

    OF_PARAMETER: ClassVar = ("kinks", "slope_zero", "slope_inf", "period", "tail_sign")

    name: str
    phi: Function
    dphi: Any = None  # then made by differences
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
    homogeneous: bool = False
    surrogate: bool = False

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.dphi is None and callable(self.phi):
            object.__setattr__(self, "dphi", by_differences(self.phi))
        for what in ("phi", "dphi"):
            if not callable(getattr(self, what)):
                found = getattr(self, what)
                raise TypeError(
                    f"{what} of Activation {self.name!r} is {found!r}: it must be a function of one number."
                )
        self._check_values()

    def _check_values(self) -> None:
        """Refuse a pair that is not finite near 0, and a dphi that is not the derivative of phi."""
        compare = not self.surrogate and not hasattr(self.dphi, "differences_of")
        try:
            fault = find_fault(self.phi, self.dphi, compare)
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise TypeError(
                f"Activation {self.name!r}: {type(error).__name__} when phi and dphi are called with a number: "
                f"{reason}. Both must be functions of one number that return a number."
            ) from error
        if fault is None:
            self._check_homogeneous()
            return
        where = f"{fault.function} of Activation {self.name!r} is {fault.value:.6g} at h = {fault.h:.6g}"
        if fault.slope is None:
            raise ValueError(f"{where}: it must be finite for |h| <= {REACH:g}. Define it there.")
        raise ValueError(
            f"{where}, where phi has the slope {fault.slope:.6g}: it must be the derivative of phi. Correct it, leave "
            "it out, or write surrogate=True if it is meant to differ."
        )

    def _check_homogeneous(self) -> None:
        """Refuse a pair that is called homogeneous and is not."""
        if not self.homogeneous:
            return
        slopes = {sign: float(self.phi(sign)) / sign for sign in (-1.0, 1.0)}
        for h in (sign * size for sign in slopes for size in (1e-6, 1e-3, 0.1, 0.7, 2.0, REACH)):
            expected = slopes[np.sign(h)] * h
            if abs(float(self.phi(h)) - expected) > 1e-12 * abs(expected):
                raise ValueError(
                    f"phi of Activation {self.name!r} is {float(self.phi(h)):.6g} at h = {h:.6g}: it is homogeneous "
                    f"only if it is {expected:.6g} there, one line on each side of 0. Leave homogeneous out."
                )
        if not any(slopes.values()):
            raise ValueError(f"phi of Activation {self.name!r} is 0 everywhere: no network is live. Give it a slope.")

    @property
    def digest(self) -> Digest:
        """Digest of the name and of all that the kernels take from a user's own pair; TypeError if there is none."""
        fields = "name", "phi", "dphi", "alpha", *self.OF_PARAMETER, "log_phi", "log_dphi"
        return digest(**{field: getattr(self, field) for field in fields})

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


class Row(Activation):
    """A row of the table, whose functions take (h, alpha); tests check them."""

    built_in = True

    def _check_values(self) -> None:
        """Do nothing."""


ACTIVATIONS: dict[str, Activation] = {}


def check_name(name: object) -> None:
    """Refuse the name of a user's own activation that is not a word or line of printable text."""
    if not isinstance(name, str):
        raise TypeError(f"the name of an Activation is {name!r}: it must be text. Write for example 'mine'.")
    if not name.isprintable() or not name.strip() or name != name.strip():
        raise ValueError(
            f"the name of an Activation is {name!r}: it must be printable, on one line, without spaces at its ends. "
            "Write for example 'mine'."
        )


def positive(parameter: float) -> bool:
    """Whether a parameter is > 0."""
    return parameter > 0


MODERATE = {"accepts": lambda parameter: 1e-6 <= parameter <= 1e6, "allowed": "a number from 1e-6 to 1e6"}
"""Range of a parameter that sets the scale of h: to a rounding of float32, phi must be linear beyond 2^-50 and 2^50."""


def define(name: str, phi: Function, dphi: Function, **fields: Any) -> None:
    """Add a row to the table: the fields of `Activation`."""
    ACTIVATIONS[name] = Row(name, phi, dphi, **fields)


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
