"""The error of the theory, and checks of its arguments."""

from __future__ import annotations

import math

import numpy as np

from gradsim.errors import GradsimError, SweepError


class NoCriticalPoint(GradsimError, ValueError):
    """There is no boundary between vanishing and exploding gradients to report.

    Parameters
    ----------
    reason
        Why, as a sentence.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class NoMeanField(GradsimError, ValueError):
    """There is no theory of infinite width for this network here.

    Parameters
    ----------
    reason
        Why, as a sentence.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def check_sigma_w(sigma_w: float) -> float:
    """Return ``sigma_w`` as a float, or raise SweepError unless it is a number from 1e-30 to 1e30, as in a sweep."""
    return check_number("sigma_w", sigma_w, "a finite number > 0 (from 1e-30 to 1e30)", 1e-30)


def check_sigma_b(sigma_b: float) -> float:
    """Return ``sigma_b`` as a float, or raise SweepError unless it is a number from 0 to 1e30, as in a sweep."""
    return check_number("sigma_b", sigma_b, "a finite number >= 0 (to 1e30)", 0.0)


def check_q(q: float) -> float:
    """Return ``q`` as a float, or raise SweepError unless it is a finite number >= 0."""
    return check_number("q", q, "a finite number >= 0 (to 1e300)", 0.0, 1e300)


def check_correlation(c: float) -> float:
    """Return ``c`` as a float, or raise SweepError unless it lies from -1 to 1."""
    return check_number("c", c, "a number from -1 to 1", -1.0, 1.0)


def check_moment(s: float) -> float:
    """Return ``s`` as a float, or raise SweepError unless 0 < s <= 2."""
    return check_number("s", s, "a number > 0 and <= 2", 5e-324, 2.0)


def check_count(field: str, value: int, most: float = math.inf) -> int:
    """Return ``value``, or raise SweepError unless it is a whole number from 1 to ``most``."""
    if not _is_number(value) or value != int(value) or not 1 <= value <= most:
        allowed = "a whole number >= 1" if most == math.inf else f"a whole number from 1 to {most:,}"
        raise SweepError(field, value, allowed, f"Write for example {field} = 32")
    return int(value)


def check_probability(field: str, value: float) -> float:
    """Return ``value`` as a float, or raise SweepError unless it lies between 0 and 1."""
    if not _is_number(value) or not 0.0 < value < 1.0:
        raise SweepError(field, value, "a probability between 0 and 1", f"Write for example {field} = 0.95")
    return float(value)


def check_number(field: str, value: float, allowed: str, least: float, most: float = 1e30) -> float:
    """Return ``value`` as a float, or raise SweepError unless it is a finite number from ``least`` to ``most``."""
    if not _is_number(value) or not least <= value <= most:
        raise SweepError(field, value, allowed, f"Write for example {field} = 0.5")
    return float(value)


def _is_number(value: object) -> bool:
    """Whether ``value`` is one finite real number, and neither text nor a truth value nor masked."""
    if isinstance(value, (str, bytes, bool, np.bool_)):
        return False
    try:
        single = np.ndim(value) == 0 and not np.ma.is_masked(value) and not np.iscomplexobj(value)  # type: ignore[arg-type]
        return single and math.isfinite(float(value))  # type: ignore[arg-type]
    except Exception:  # whatever the conversion of a foreign object raises
        return False
