"""Errors of the theory, and the checks of its arguments."""

from __future__ import annotations

import math

from gradsim.errors import SweepError


class NoCriticalPoint(ValueError):
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
    return _check("sigma_w", sigma_w, minimum=0.0, open_end=True)


def check_sigma_b(sigma_b: float) -> float:
    """Return ``sigma_b`` as a float, or raise SweepError unless it is a finite number >= 0."""
    return _check("sigma_b", sigma_b, minimum=0.0, open_end=False)


def check_count(field: str, value: int) -> int:
    """Return ``value``, or raise SweepError unless it is a whole number >= 1."""
    if isinstance(value, bool) or not _is_number(value) or value != int(value) or value < 1:
        raise SweepError(field, value, "a whole number >= 1", f"Give {field} as a positive integer")
    return int(value)


def _check(field: str, value: float, minimum: float, open_end: bool) -> float:
    """Return ``value`` as a float, or raise SweepError unless it is finite and at or above (above) ``minimum``."""
    if isinstance(value, bool) or not _is_number(value) or value < minimum or (open_end and value == minimum):
        sign = ">" if open_end else ">="
        raise SweepError(field, value, f"a finite number {sign} {minimum:g}", f"Give {field} as a standard deviation")
    return float(value)


def _is_number(value: object) -> bool:
    """Whether ``value`` converts to a finite float."""
    try:
        return not isinstance(value, str) and math.isfinite(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
