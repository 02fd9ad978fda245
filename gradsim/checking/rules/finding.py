"""What a rule finds."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isfinite, log
from typing import NamedTuple


class Finding(NamedTuple):
    """A fault.

    Attributes
    ----------
    places
        Names of modules or parameters, of families with ``*``.
    sentence
        What was measured, what it does, and the remedy, with numbers.
    """

    places: tuple[str, ...]
    sentence: str


def listed(names: Sequence[str]) -> str:
    """Return names as words.

    Examples
    --------
    >>> listed(["q", "k", "v"]), listed(["q"])
    ('q, k and v', 'q')
    """
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def times(factor: float) -> str:
    """Return a factor as words, to two or three digits.

    Examples
    --------
    >>> times(3.14159), times(1234.5), times(2.5e-7)
    ('3.1', '1,200', '2.5e-07')
    """
    if 1000 <= factor < 1e6:
        return f"{float(f'{factor:.2g}'):,.0f}"
    return f"{factor:.2g}" if factor < 100 or factor >= 1e6 else f"{factor:.3g}"


def times_exp(log_factor: float) -> str:
    """Return the factor of a natural logarithm as words, also where no float64 holds it.

    Examples
    --------
    >>> times_exp(2.3), times_exp(1000.0), times_exp(-1000.0)
    ('10', '1e+434', '1e-434')
    """
    if abs(log_factor) < 700.0:
        return times(exp(log_factor))
    return f"1e{log_factor / log(10.0):+.0f}" if isfinite(log_factor) else f"{log_factor}"
