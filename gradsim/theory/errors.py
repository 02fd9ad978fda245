"""The error of the theory, and checks of its arguments."""

from __future__ import annotations

import math

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


def check_sigma_w(sigma_w: float) -> float:
    """Return ``sigma_w`` as a float, or raise SweepError unless it is a finite number > 0."""
    return _check("sigma_w", sigma_w, positive=True)


def check_sigma_b(sigma_b: float) -> float:
    """Return ``sigma_b`` as a float, or raise SweepError unless it is a finite number >= 0."""
    return _check("sigma_b", sigma_b, positive=False)


def check_count(field: str, value: int, most: float = math.inf) -> int:
    """Return ``value``, or raise SweepError unless it is a whole number from 1 to ``most``."""
    if isinstance(value, bool) or not _is_number(value) or value != int(value) or not 1 <= value <= most:
        allowed = "a whole number >= 1" if most == math.inf else f"a whole number from 1 to {most:,}"
        raise SweepError(field, value, allowed, f"Write for example {field} = 32")
    return int(value)


def _check(field: str, value: float, *, positive: bool) -> float:
    if isinstance(value, bool) or not _is_number(value) or value < 0 or (positive and value == 0):
        sign = ">" if positive else ">="
        raise SweepError(field, value, f"a finite number {sign} 0", f"Write for example {field} = 0.5")
    return float(value)


def _is_number(value: object) -> bool:
    """Whether ``value`` converts to a finite float."""
    try:
        return not isinstance(value, str) and math.isfinite(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
