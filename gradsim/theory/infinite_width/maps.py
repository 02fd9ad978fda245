"""The maps of one layer: of q, and of the correlation of two inputs; and Gaussian averages of any function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.integrate import quad_vec

from gradsim.errors import SweepError
from gradsim.theory.averages.functions import Array, ignoring_floating_point_errors
from gradsim.theory.averages.moments import moments
from gradsim.theory.averages.pairs import pair_average
from gradsim.theory.averages.quadrature import gaussian_density
from gradsim.theory.errors import check_correlation, check_q, check_sigma_b, check_sigma_w
from gradsim.theory.infinite_width.fixed_point import mean_field
from gradsim.theory.memory import current
from gradsim_core.activations import Activation

_REACH = 38.0  # standard deviations: the density beyond is 0 in float64
_PANELS, _MOST_PANELS = 20, 4000  # to begin with; they are halved where needed
_ACCURACY = 1e-13  # relative
_WRONG = 1e-9  # relative error from which the average is refused


@ignoring_floating_point_errors
def q_map(activation: str | Activation, q: float, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Return the mean square preactivation of the next layer: sigma_w^2 E[phi(sqrt(q) z)^2] + sigma_b^2.

    Poole et al. 2016 (arXiv:1606.05340), equation 3.

    Parameters
    ----------
    activation
        A name, or a user's own activation.
    q
        Mean square preactivation, >= 0.
    sigma_w
        Weight standard deviation times sqrt(fan_in), > 0.
    sigma_b
        Bias standard deviation, >= 0.

    Raises
    ------
    SweepError
        For an argument that is not valid; for a user's own pair without finite values where they are needed.

    Examples
    --------
    >>> round(q_map("relu", q=2.0, sigma_w=1.5), 12)  # 1.5^2 / 2 * 2
    2.25
    """
    resolved, q = current(activation), check_q(q)
    sigma_w, sigma_b = check_sigma_w(sigma_w), check_sigma_b(sigma_b)
    forward = float(moments(resolved).log_moments(np.log(q))[0])
    if np.isnan(forward):
        raise moments(resolved).refusal()
    return float(sigma_w**2 * np.exp(forward) + sigma_b**2)


@ignoring_floating_point_errors
def c_map(
    activation: str | Activation, c: float, sigma_w: float, sigma_b: float = 0.0, q: float | None = None
) -> float:
    """Return the correlation of two inputs' preactivations in the layer after one with correlation ``c``.

    It is (sigma_w^2 E[phi(u1) phi(u2)] + sigma_b^2) / (sigma_w^2 E[phi(u1)^2] + sigma_b^2), u1 and u2 being N(0, q)
    with correlation c: Poole et al. 2016 (arXiv:1606.05340), equation 5.

    Parameters
    ----------
    activation
        A name, or a user's own activation.
    c
        Correlation, from -1 to 1.
    sigma_w
        Weight standard deviation times sqrt(fan_in), > 0.
    sigma_b
        Bias standard deviation, >= 0.
    q
        Mean square preactivation of both inputs, > 0. None: q_star; where that is 0 or infinite, 1.

    Raises
    ------
    SweepError
        For an argument that is not valid; for a user's own pair without finite values where they are needed.

    Examples
    --------
    >>> round(c_map("relu", c=0.0, sigma_w=2**0.5), 7)  # 1 / pi
    0.3183099
    """
    resolved, c = current(activation), check_correlation(c)
    sigma_w, sigma_b = check_sigma_w(sigma_w), check_sigma_b(sigma_b)
    if q is None:
        q = mean_field(resolved, sigma_w, sigma_b).q_star
        q = q if 0.0 < q < np.inf else 1.0
    q = check_q(q)
    table = moments(resolved)
    if abs(c) < 1.0:
        average = pair_average(table, table.activation, q, c)
    else:
        h, weights = table.grid(q)
        average = float(weights @ (table.activation(h) * table.activation(c * h)))
    return min(1.0, (sigma_w**2 * average + sigma_b**2) / q_map(resolved, q, sigma_w, sigma_b))


@ignoring_floating_point_errors
def gaussian_mean(function: Callable[[Any], Any], q: float = 1.0, kinks: Sequence[float] = ()) -> float:
    """Return E[f(sqrt(q) z)] for z ~ N(0, 1), to about 12 digits.

    Parameters
    ----------
    function
        f of a number h; any function that returns a number.
    q
        Variance of h, >= 0.
    kinks
        Values of h at which f or its derivative jumps. They are found without being named, more slowly.

    Raises
    ------
    SweepError
        For an argument that is not valid; if f is not finite where the Gaussian reaches, or changes too often.

    Examples
    --------
    >>> round(gaussian_mean(lambda h: max(h, 0.0) ** 2, q=3.0), 12)
    1.5
    """
    if not callable(function):
        raise SweepError("function", function, "a function of a number h", "Write for example lambda h: h**2")
    q = check_q(q)
    if q == 0.0:
        return float(function(0.0))
    deviation = float(np.sqrt(q))
    reach = _REACH * deviation
    places = [reach * k / _PANELS for k in range(1 - _PANELS, _PANELS)]
    places += [h for kink in kinks if abs(h := float(kink)) < reach]
    (mean, scale), error = quad_vec(
        lambda h: _weighted(function, h, deviation), -reach, reach, points=places,
        epsabs=0.0, epsrel=_ACCURACY, norm="max", limit=_MOST_PANELS,
    )  # fmt: skip
    if error > _WRONG * scale:
        raise _refused(function, "one that changes slowly enough to be integrated", "Name its jumps in kinks")
    return float(mean)


def _weighted(function: Callable[[Any], Any], h: float, deviation: float) -> Array:
    """The integrand, and its absolute value: the scale of its error."""
    try:
        value = float(function(h))
    except (ArithmeticError, ValueError):  # such as math.exp's and math.sqrt's
        value = float("nan")
    if not np.isfinite(value):
        allowed = f"a function that is finite where the Gaussian reaches; here it is {value} at h = {h:.6g}"
        raise _refused(function, allowed, "Rewrite it there: avoid exp of large numbers, division by 0")
    weighted = value * float(gaussian_density(np.asarray(h), deviation))
    return np.array([weighted, abs(weighted)])


def _refused(function: Callable[[Any], Any], allowed: str, remedy: str) -> SweepError:
    return SweepError("function", getattr(function, "__name__", function), allowed, remedy)
