"""Sentences about boundaries: where gradients vanish and explode, and whether theory agrees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from gradsim.report.languages import Words

_FAR = 3.0  # standard errors beyond which a measurement differs from theory
_REMAINDER = 0.2  # share of the first correction in 1/width that the higher ones may be


def standard_error(boundary: pd.DataFrame, level: float) -> pd.Series:
    """Return the standard error of each boundary, from its interval; NaN without one."""
    return (boundary["ci_high"] - boundary["ci_low"]) / (2.0 * float(ndtri(0.5 + level / 2.0)))


def z_scores(boundary: pd.DataFrame, theory: str, level: float) -> pd.Series:
    """Return how many standard errors each boundary lies above a column of theory."""
    return (boundary["sigma_w"] - boundary[theory]) / standard_error(boundary, level).replace(0.0, np.nan)


def verdicts(boundary: pd.DataFrame, expected: np.ndarray, level: float, words: Words) -> list[str]:
    """Return the verdict on each boundary, in plain sentences.

    Parameters
    ----------
    boundary
        Rows of `Run.boundary`.
    expected
        sigma_w that theory at the width of each row predicts, to first order in 1/width; NaN if unknown.
    level
        Probability that the intervals cover the boundaries.
    words
        The texts of the report.
    """
    error = standard_error(boundary, level)
    rows = boundary.assign(error=error, expected=expected).to_dict("records")
    return [_verdict({str(name): value for name, value in row.items()}, words) for row in rows]


def _verdict(row: dict[str, Any], words: Words) -> str:
    where = {"depth": f"{row['depth']:,}", "width": f"{row['width']:,}"}
    reason = row["reason"] or ""
    if not np.isfinite(row["sigma_w"]):
        return words("verdict.none", **where, reason=reason).strip()
    half = 0.5 * (row["ci_high"] - row["ci_low"])
    digits = decimals(half)
    value = f"{row['sigma_w']:.{digits}f}" + (f" ± {half:.{digits}f}" if np.isfinite(half) else "")
    said = words(f"verdict.{row['direction']}", **where, value=value)
    return words("space").join(part for part in (said, _compared(row, digits, words), reason) if part)


def _compared(row: dict[str, Any], digits: int, words: Words) -> str:
    """The sentences that compare a boundary with theory; "" where there is none, or no error to compare with."""

    def number(value: float) -> str:
        return f"{value:.{digits + 1}f}"

    def far(value: float) -> float:
        return (row["sigma_w"] - value) / row["error"] if row["error"] > 0 else float("nan")

    exact, infinite, expected = row["theory_width"], row["theory"], row["expected"]
    if np.isfinite(z := far(exact)):
        verdict = "agrees" if abs(z) <= _FAR else "differs"
        return words(f"verdict.exact.{verdict}", theory=number(exact), z=f"{z:+.1f}")
    if not np.isfinite(z := far(infinite)):
        return ""
    told = {"theory": number(infinite), "z": f"{z:+.1f}", "width": f"{row['width']:,}", "expected": number(expected)}
    if abs(z) <= _FAR:
        return words("verdict.infinite.agrees", **told)
    if not np.isfinite(expected):
        return words("verdict.infinite.differs", **told)
    allowed = max(_FAR * row["error"], _REMAINDER * abs(expected - infinite))
    explained = abs(row["sigma_w"] - expected) <= allowed
    return words("verdict.width.explains" if explained else "verdict.width.fails", **told)


def decimals(half_width: float) -> int:
    """Return the decimals at which a half-width has one or two digits; 3 without one.

    Examples
    --------
    >>> decimals(0.0031), decimals(0.27)
    (4, 2)
    """
    if not np.isfinite(half_width) or half_width <= 0:
        return 3
    return int(np.clip(1 - np.floor(np.log10(half_width)), 1, 8))
