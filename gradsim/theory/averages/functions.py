"""phi and phi' as the theory evaluates them: at any h, also where a user's own function overflows in a step between.

Beyond the last h at which such a function is finite it is continued by its asymptote c |h|^p, if it has one by then, or
is infinite, if it has grown without bound. What is left is NaN, and named in :func:`refusal`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from gradsim.errors import SweepError
from gradsim_core.activations import Activation

Array = NDArray[np.float64]
Function = Callable[[Array], Array]
P = ParamSpec("P")
R = TypeVar("R")

RADIUS = 64.0  # asymptotes hold from here on, and undeclared features are searched up to here
_RUNGS = 2.0 ** np.arange(-4, 10)  # |h| at which a tail is looked at
_GROWN = 1e10  # a function that reaches this at its last finite rung, growing, is taken to overflow
_SMALL = 1e-12  # a tail below it is 0


def ignoring_floating_point_errors(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function so that overflow and the like give inf and NaN, whatever ``np.seterr`` says."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with np.errstate(all="ignore"):
            return function(*args, **kwargs)

    return call


@ignoring_floating_point_errors
def values(function: Function, h: Array) -> Array:
    """Return ``function`` at h; NaN where a user's own function raises (math.exp overflows with an exception)."""
    try:
        return np.asarray(function(h), dtype=np.float64).reshape(h.shape)
    except Exception:  # whatever a user's own function raises
        if h.size == 1:
            return np.full(h.shape, np.nan)
        half = h.size // 2
        return np.concatenate([values(function, part) for part in (h.ravel()[:half], h.ravel()[half:])]).reshape(
            h.shape
        )


class Tail(NamedTuple):
    """f(h) = factor (|h| / start)^power for |h| > start on one side; NaN as factor if there is no asymptote."""

    start: float
    factor: float
    power: float

    def at(self, h: Array) -> Array:
        """The asymptote at h."""
        return self.factor * (np.abs(h) / self.start) ** self.power if self.factor else np.zeros_like(h)


class Extended:
    """The pair (phi, phi') of an activation, called like it, with its asymptotes where it has no finite value.

    Attributes
    ----------
    slopes
        phi' at -inf and +inf; None where it has no limit.
    tailed
        Whether phi and phi' have asymptotes on both sides.
    """

    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        self._phi_tails = _tails(activation)
        self._dphi_tails = _tails(activation.derivative)
        left, right = self._dphi_tails
        measured = (left.factor, right.factor) if left.power == right.power == 0.0 else None
        self.slopes: tuple[float, float] | None = activation.slope_inf or measured
        self.tailed = not any(np.isnan(tail.factor) for tail in (*self._phi_tails, *self._dphi_tails))

    def __call__(self, h: Array) -> Array:
        """phi at h."""
        return _evaluated(self.activation, self._phi_tails, h)

    def derivative(self, h: Array) -> Array:
        """phi' at h."""
        return _evaluated(self.activation.derivative, self._dphi_tails, h)

    def refusal(self, h: Array) -> SweepError:
        """Return the error for preactivations among which phi or phi' is NaN; it names the smallest one."""
        h = np.ravel(h)
        for name, function in (("phi", self), ("dphi", self.derivative)):
            bad = h[np.isnan(function(h))]
            if bad.size:
                worst = _edge(function, float(bad[np.argmin(np.abs(bad))]))
                return refusal(self.activation.name, f"{name} has no finite value at h = {worst:.6g}")
        return refusal(self.activation.name, f"phi or dphi has grown too large at h = {h.max():.6g}")


def refusal(name: str, fault: str, remedy: str = "") -> SweepError:
    """Return the error for a user's own pair that the theory cannot use."""
    allowed = f"for the theory a pair of finite, integrable functions with dphi = phi'; here {fault}"
    rewrite = "Rewrite the function there: avoid exp of large numbers, division by 0, roots and logarithms below 0"
    return SweepError("activation", name, allowed, remedy or rewrite)


def _evaluated(function: Function, tails: tuple[Tail, Tail], h: Array) -> Array:
    found = values(function, h)
    missing = ~np.isfinite(found)
    if missing.any():
        found = found.copy()
        for sign, tail in zip((-1.0, 1.0), tails, strict=True):
            beyond = missing & (sign * h > tail.start)
            found[beyond] = tail.at(h[beyond])
    return found


def _tails(function: Function) -> tuple[Tail, Tail]:
    return _tail(function, -1.0), _tail(function, 1.0)


@ignoring_floating_point_errors
def _tail(function: Function, sign: float) -> Tail:
    """Asymptote of a function on one side, from its three last finite rungs."""
    found = values(function, np.asarray(sign * _RUNGS, np.float64))
    count = int(np.argmin(np.append(np.isfinite(found), False)))
    if count < 3:
        return Tail(0.0, np.nan, np.nan)
    start, (first, second, third) = float(_RUNGS[count - 1]), found[count - 3 : count].tolist()
    if start >= RADIUS:
        if abs(third) < _SMALL and abs(second) < _SMALL:
            return Tail(start, 0.0, 0.0)
        if abs(third - second) <= 1e-12 * abs(third):
            return Tail(start, third, 0.0)
        powers = np.log2([second / first, third / second])  # NaN if the sign changes
        if abs(powers[1] - powers[0]) < 1e-9 * (1.0 + abs(powers[1])):
            return Tail(start, third, float(powers[1]))
    if abs(third) > _GROWN and abs(third) > abs(second) > abs(first):
        return Tail(start, np.copysign(np.inf, third), 1.0)
    return Tail(start, np.nan, np.nan)


def _edge(function: Function, bad: float) -> float:
    """The h nearest to 0 from which on the function is NaN as far as ``bad``, by bisection."""
    rungs = np.sign(bad) * np.geomspace(1e-6, 1.0, 400) * abs(bad)
    finite = np.flatnonzero(~np.isnan(function(rungs)))
    good = float(rungs[finite[-1]]) if finite.size else 0.0
    for _ in range(60 if finite.size else 0):
        middle = 0.5 * (good + bad)
        good, bad = (good, middle) if np.isnan(function(np.array([middle]))).any() else (middle, bad)
    return bad
