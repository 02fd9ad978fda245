"""Fixed points of the mean field, the depth scales around them, and the critical sigma_w.

q^(l+1) = sigma_w^2 E[phi(sqrt(q^l) z)^2] + sigma_b^2 from q^1 = sigma_w^2 + sigma_b^2. There may be several fixed
points; q_star is the one that the default input reaches (Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017,
arXiv:1611.01232).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.averages.moments import SLOPE_RANGE, Moments, moments
from gradsim.theory.errors import NoCriticalPoint, check_sigma_b, check_sigma_w
from gradsim.theory.infinite_width.correlation import fixed_correlation
from gradsim.theory.infinite_width.finite_depth import HIGHEST, LOWEST
from gradsim.theory.infinite_width.fixed_curve import fixed_points
from gradsim.theory.memory import current, kept
from gradsim_core.activations import Activation

_NOISE = 4e-13  # rounding error of ln(q'/q): below it q counts as a fixed point
_STRIDE = 0.125  # step in ln q of the search for a fixed point
_BENT = 1e-9  # second difference of ln(q'/q) that exceeds rounding
_JUMP = 1e-3  # change of chi_1 over a relative step of 2e-6 in sigma_w: above it, a jump
_MOST = 1e12  # bound of chi_1, which may be infinite, in the search for chi_1 = 1
_NEAR = 1e-6  # relative distance in sigma_w at which chi_1 is looked at on either side of a place
_SCAN = 97  # values of sigma_w in the search for the critical point


class MeanField(NamedTuple):
    """Fixed point and depth scales of the mean field.

    Attributes
    ----------
    q_star
        Fixed point of the mean square preactivation; 0 or inf if q tends to that.
    c_star
        Stable fixed point of the correlation of two inputs. Where q_star is 0 or inf, 1 if phi there consists of two
        lines of different slopes, as relu does, else NaN: one line keeps every correlation.
    chi_1
        sigma_w^2 E[phi'(sqrt(q_star) z)^2]: factor of the squared gradient norm per layer (its limit if q diverges).
    xi_q, xi_c, xi_grad
        Depth scales -1 / ln of dq'/dq, of chi_c = sigma_w^2 E[phi'(u1) phi'(u2)] at c_star, and of chi_1, in layers;
        inf where the factor is 1, negative where it is above 1. NaN where dq'/dq is negative. Where q_star is 0 or
        inf, xi_c is inf: the correlation approaches its fixed point more slowly than any exponential, or stays; it is
        NaN where phi has no slopes there.
    """

    q_star: float
    c_star: float
    chi_1: float
    xi_q: float
    xi_c: float
    xi_grad: float


def mean_field(activation: str | Activation, sigma_w: float, sigma_b: float = 0.0) -> MeanField:
    """Return the mean field of an activation at one point of the plane (sigma_w, sigma_b).

    Parameters
    ----------
    activation
        A name, or a user's own activation.
    sigma_w
        Weight standard deviation times sqrt(fan_in), > 0.
    sigma_b
        Bias standard deviation, >= 0.

    Raises
    ------
    SweepError
        For sigma_w <= 0, sigma_b < 0 or an unknown activation; for a user's own pair without finite values where they
        are needed, with the h.

    Examples
    --------
    >>> found = mean_field("tanh", sigma_w=1.5)
    >>> round(found.q_star, 4), round(found.chi_1, 4)
    (0.7934, 1.1393)
    """
    return mean_field_and_chi_c(activation, sigma_w, sigma_b)[0]


def chi_c(activation: str | Activation, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Return chi_c = sigma_w^2 E[phi'(u1) phi'(u2)] at (q_star, c_star): the slope of the map of the correlation there.

    Differences from c_star shrink by it in each layer, so xi_c = -1 / ln chi_c. It is chi_1 where c_star is 1, and 1
    where q_star is 0 or infinite and phi has slopes there.

    Parameters
    ----------
    activation, sigma_w, sigma_b
        As :func:`mean_field`.

    Raises
    ------
    SweepError
        As :func:`mean_field`.

    Examples
    --------
    >>> round(chi_c("tanh", sigma_w=2.5**0.5, sigma_b=0.05**0.5), 4)
    0.9187
    """
    return mean_field_and_chi_c(activation, sigma_w, sigma_b)[1]


@ignoring_floating_point_errors
def mean_field_and_chi_c(activation: str | Activation, sigma_w: float, sigma_b: float) -> tuple[MeanField, float]:
    """Return what `mean_field` and `chi_c` do, in the time of one."""
    resolved = current(activation)
    sigma_w, sigma_b = check_sigma_w(sigma_w), check_sigma_b(sigma_b)
    table = moments(resolved)
    q_star = _q_star(resolved, sigma_w, sigma_b)
    chi = chi_1(resolved, sigma_w, sigma_b)
    if not 0.0 < q_star < np.inf:  # phi is linear on either side of 0 there, and dq'/dq is chi_1
        slopes = table.ends[0 if q_star == 0.0 else 1]
        bent, straight = slopes is not None and slopes[0] != slopes[1], slopes is not None and any(slopes)
        c_star, chi_of_c = 1.0 if bent else float("nan"), 1.0 if straight else float("nan")
        xi_c = _depth_scale(chi_of_c)
        return MeanField(q_star, c_star, chi, _depth_scale(chi), xi_c, _depth_scale(chi)), chi_of_c
    slope = sigma_w**2 * table.slope_of_map(q_star)
    c_star, chi_of_c = fixed_correlation(table, q_star, sigma_w, sigma_b, chi)
    return MeanField(q_star, c_star, chi, _depth_scale(slope), _depth_scale(chi_of_c), _depth_scale(chi)), chi_of_c


@ignoring_floating_point_errors
def chi_1(activation: str | Activation, sigma_w: float, sigma_b: float = 0.0) -> float:
    """Return chi_1 = sigma_w^2 E[phi'(sqrt(q_star) z)^2] alone, in a tenth of the time of :func:`mean_field`.

    Examples
    --------
    >>> round(chi_1("relu", sigma_w=1.5), 12)  # sigma_w^2 / 2
    1.125
    """
    resolved = current(activation)
    sigma_w, sigma_b = check_sigma_w(sigma_w), check_sigma_b(sigma_b)
    table = moments(resolved)
    found = float(sigma_w**2 * np.exp(table.log_moments(np.log(_q_star(resolved, sigma_w, sigma_b)))[1]))
    if np.isnan(found):
        raise table.refusal()
    return found


@ignoring_floating_point_errors
def critical_sigma_w(activation: str | Activation, sigma_b: float = 0.0) -> float:
    """Return the smallest sigma_w at which chi_1 crosses 1 upward, on the fixed point that the default input reaches.

    Parameters
    ----------
    activation
        A name, or a user's own activation.
    sigma_b
        Bias standard deviation, >= 0.

    Raises
    ------
    NoCriticalPoint
        If chi_1 never crosses 1, jumps over it because q runs to infinity first, or reaches it only at infinite q.
    SweepError
        As :func:`mean_field`.

    Examples
    --------
    >>> round(critical_sigma_w("relu"), 6)  # the square root of 2
    1.414214
    """
    return _critical(current(activation), check_sigma_b(sigma_b))


@kept(256)
def _critical(activation: Activation, sigma_b: float) -> float:
    curve = fixed_points(moments(activation), sigma_b)
    places = np.concatenate([curve.critical, curve.folds])  # between two steps of the scan chi_1 crosses 1 only there
    scan = np.concatenate([np.geomspace(LOWEST, HIGHEST, _SCAN), places * (1 - _NEAR), places * (1 + _NEAR)])
    grid = np.unique(scan[(scan >= LOWEST) & (scan <= HIGHEST)])
    excess, low, high = np.nan, np.nan, np.nan
    for sigma_w in grid.tolist():  # no further than needed: a user's own function may have no value at a greater q
        below, excess = excess, _excess(activation, sigma_w, sigma_b)
        low, high = high, sigma_w
        if below < 0.0 <= excess:
            break
    else:
        side = "below" if excess < 0.0 else "above"
        raise NoCriticalPoint(
            f"{activation.name}: chi_1 stays {side} 1 at every sigma_w from {LOWEST:g} to {HIGHEST:g}."
        )
    for sigma_w, q in zip(curve.critical.tolist(), curve.q.tolist(), strict=True):
        if low < sigma_w < high and np.isclose(_q_star(activation, sigma_w, sigma_b), q, rtol=1e-6):
            return float(sigma_w)
    root = float(brentq(lambda s: _excess(activation, s, sigma_b), low, high, xtol=1e-15, rtol=1e-15))
    return _checked_crossing(activation, sigma_b, root)


def _excess(activation: Activation, sigma_w: float, sigma_b: float) -> float:
    """chi_1 - 1, bounded: chi_1 is infinite where phi grows faster than h."""
    return min(chi_1(activation, sigma_w, sigma_b), _MOST) - 1.0


def _checked_crossing(activation: Activation, sigma_b: float, root: float) -> float:
    """Return the crossing, in closed form if q_star = 0 below it; NoCriticalPoint if q is infinite or jumps there."""
    below, above = root * (1 - _NEAR), root * (1 + _NEAR)
    q_below, q_above = _q_star(activation, below, sigma_b), _q_star(activation, above, sigma_b)
    chi_below, chi_above = chi_1(activation, below, sigma_b), chi_1(activation, above, sigma_b)
    constant = abs(chi_1(activation, 0.9 * root, sigma_b) / 0.81 - 1.0) < 1e-9  # chi_1 / sigma_w^2 does not depend on q
    if np.isinf(q_above) and not constant and chi_above < 1.0 + 1e-4:
        raise NoCriticalPoint(
            f"{activation.name}: chi_1 reaches 1 only in the limit of infinite q, at sigma_w = {root:.6g}."
        )
    if chi_above - chi_below > _JUMP:
        end = "runs to infinity" if np.isinf(q_above) else f"jumps from {q_below:.4g} to {q_above:.4g}"
        raise NoCriticalPoint(
            f"{activation.name}: q {end} at sigma_w = {root:.6g}, where chi_1 jumps from {chi_below:.4g} "
            f"to {chi_above:.4g}."
        )
    # Above such a point chi_1 - 1 grows only quadratically (tanh), so that rounding would blur the root to 1e-8.
    zero = moments(activation).slope_zero
    if q_below == 0.0 and zero and abs(root**2 * zero - 1.0) < 1e-5:
        return float(1.0 / np.sqrt(zero))
    return root


@kept(4096)
def _q_star(activation: Activation, sigma_w: float, sigma_b: float) -> float:
    """Fixed point of q reached from the default input: the first in the direction of the first step."""
    table = moments(activation)
    start = float(np.log(sigma_w**2 + sigma_b**2))
    excess = float(log_ratio(table, start, sigma_w, sigma_b))
    if np.isnan(excess) or (start > table.grown and excess <= _NOISE):
        raise table.refusal()
    if abs(excess) <= _NOISE:
        return float(np.exp(start))
    direction = float(np.sign(excess))
    end = direction * max(SLOPE_RANGE, abs(start) + 10.0)
    steps = np.arange(0.0, abs(end - start) + _STRIDE, _STRIDE)
    for first in range(0, len(steps), 64):
        t = start + direction * steps[first : first + 65]
        bracket = _bracket(table, t, direction, sigma_w, sigma_b)
        if bracket is not None:
            if np.sign(log_ratio(table, bracket[0], sigma_w, sigma_b)) != direction:  # a fixed point to rounding
                return float(np.exp(bracket[0]))
            root = brentq(lambda x: float(log_ratio(table, x, sigma_w, sigma_b)), *bracket, xtol=1e-15, rtol=1e-15)
            return float(np.exp(root))
    return 0.0 if direction < 0 else np.inf


def log_ratio(table: Moments, log_q: float | np.ndarray, sigma_w: float, sigma_b: float) -> np.ndarray:
    """ln(q' / q) for the map of one layer."""
    image = np.logaddexp(2 * np.log(sigma_w) + table.log_moments(log_q)[0], 2 * np.log(sigma_b))
    return np.asarray(image - log_q)


def _bracket(
    table: Moments, t: np.ndarray, direction: float, sigma_w: float, sigma_b: float
) -> tuple[float, float] | None:
    """First interval of the steps t in which q' - q changes sign by more than rounding, or None."""
    ahead = direction * log_ratio(table, t, sigma_w, sigma_b)
    crossed = np.flatnonzero(ahead < -_NOISE)
    last = int(crossed[0]) if crossed.size else len(t)
    if np.isnan(ahead[:last]).any() or (crossed.size and t[last] > table.grown):
        raise table.refusal()
    inner, bend = ahead[1:-1], ahead[:-2] - 2 * ahead[1:-1] + ahead[2:]
    # A minimum between two steps lies at most bend / 8 below the lowest of three: only there can two roots hide.
    dips = (inner <= ahead[:-2]) & (inner <= ahead[2:]) & (bend > _BENT) & (inner < 0.25 * bend)
    for k in np.flatnonzero(dips[: last - 1]) + 1:
        lowest = minimize_scalar(
            lambda x: direction * float(log_ratio(table, x, sigma_w, sigma_b)),
            bounds=sorted((t[k - 1], t[k + 1])),
            method="bounded",
            options={"xatol": 1e-10},
        )
        if lowest.fun < -_NOISE:
            return float(t[k - 1]), float(lowest.x)
    return (float(t[last - 1]), float(t[last])) if crossed.size and last > 0 else None


def _depth_scale(factor: float) -> float:
    """-1 / ln(factor): inf at 1, NaN for a negative factor and NaN."""
    if not factor >= 0.0:
        return float("nan")
    if factor == 0.0:
        return 0.0
    logarithm = float(np.log(factor))
    return -1.0 / logarithm if abs(logarithm) > _NOISE else float("inf")
