"""Phase boundaries over sigma_w, per depth and other axes, beside theory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from gradsim import theory
from gradsim.analysis.crossings import Crossing, find_crossing, no_crossing
from gradsim.analysis.summaries import MOST_TOP_SHARE, why_unknown
from gradsim.errors import SweepError, why_not_finite
from gradsim.theory.errors import check_probability
from gradsim.theory.finite_width import annealed_sigma_w
from gradsim.theory.functions import ignoring_floating_point_errors
from gradsim_core.activations import Activation

AXES = ["activation", "law", "sigma_b", "width", "depth"]
KINDS = ("quenched", "annealed", "median")
COLUMNS = [
    *AXES, "kind", "sigma_w", "ci_low", "ci_high", "theory", "theory_inf", "theory_width",
    "crossing", "direction", "trusted", "reason", "theory_reason",
]  # fmt: skip


@ignoring_floating_point_errors
def boundary(
    summary: pd.DataFrame, level: float = 0.95, activations: Mapping[str, Activation] | None = None
) -> pd.DataFrame:
    """Return the boundary between vanishing and exploding gradients for every combination of the axes except sigma_w.

    Parameters
    ----------
    summary
        Rows of :func:`gradsim.analysis.summary`.
    level
        Probability that an interval covers the boundary, between 0 and 1.
    activations
        A user's own activations by name, for the theory.

    Returns
    -------
    pandas.DataFrame
        A row per (activation, law, sigma_b, width, depth, kind). ``kind``: "quenched" (mean of ln over live networks is
        0), "annealed" (ln of the mean is 0), "median". sigma_w, ci_low, ci_high; theory (infinite width, at this
        depth), theory_inf (chi_1 = 1), theory_width (exact at this width); crossing (its number, from 1), direction
        ("up", "down"); trusted: False where rare networks dominate the annealed mean or networks are not finite;
        reason: why there is no number, or why it is not trusted; theory_reason: why theory or theory_inf is missing.

    Raises
    ------
    SweepError
        For a level outside (0, 1).
    """
    level = check_probability("level", level)
    rows = []
    for axes, cells in summary.sort_values("sigma_w").groupby(AXES, sort=True):
        group: dict[str, Any] = dict(zip(AXES, axes, strict=True))
        activation = (activations or {}).get(group["activation"], group["activation"])
        for kind in KINDS:
            crossing = _crossing(group, cells, kind, level)
            trusted, reason = _trust(group, cells, crossing, kind)
            rows.append(
                {
                    **group,
                    "kind": kind,
                    **{name: getattr(crossing, name) for name in ("sigma_w", "ci_low", "ci_high", "direction")},
                    **_theory(group, activation, kind),
                    "crossing": crossing.number or None,
                    "trusted": trusted,
                    "reason": reason,
                }
            )
    frame = pd.DataFrame(rows, columns=COLUMNS, dtype=object)  # object, so that a missing reason stays None
    numbers = dict.fromkeys(("sigma_w", "ci_low", "ci_high", "theory", "theory_inf", "theory_width"), float)
    types = {name: summary[name].dtype for name in AXES}
    return frame.astype({**types, **numbers, "crossing": "Int64", "trusted": bool})


def _crossing(group: dict[str, Any], cells: pd.DataFrame, kind: str, level: float) -> Crossing:
    """Crossing of one kind of log gain; its random numbers are keyed by the group and its values."""
    if group["depth"] == 1:
        return no_crossing("A network of depth 1 has no boundary: its gain is 1 by definition.")
    sigma_w, value, se = (
        cells[name].to_numpy(np.float64, na_value=np.nan) for name in ("sigma_w", f"{kind}_log_gain", f"{kind}_se")
    )
    return find_crossing(sigma_w, value, se, level, key=f"{kind} {group}")


def _trust(group: dict[str, Any], cells: pd.DataFrame, crossing: Crossing, kind: str) -> tuple[bool, str | None]:
    """Whether the boundary can be trusted, and if not the sentence for ``reason``."""
    if crossing.reason is not None:
        all_lost = why_not_finite(group["activation"], float(cells["nonfinite_fraction"].min()))
        return False, all_lost or crossing.reason
    distance = np.abs(np.log(cells["sigma_w"].to_numpy(np.float64) / crossing.sigma_w))
    near = cells.iloc[np.argsort(distance)[:2]]
    lost, share = float(near["nonfinite_fraction"].max()), float(near["top_share"].max())
    if lost > 0:
        return False, f"Not to be trusted: {lost:.2g} of the networks near it are not finite."
    if kind != "annealed" or share <= MOST_TOP_SHARE:
        return True, None
    reason = (
        f"Not to be trusted: the top 0.01 % of the networks (at least one) make up {share:.0%} of the mean near it."
    )
    return False, reason


def _theory(group: dict[str, Any], activation: str | Activation, kind: str) -> dict[str, Any]:
    """The columns of the theory; NaN where there is no root, with the reason if it is not a matter of the width.

    Mean field holds for independent weights of finite variance and for orthogonal ones, with the same chi_1; the exact
    finite-width laws for Gaussian weights without biases.
    """
    sigma_b, depth, width = float(group["sigma_b"]), int(group["depth"]), int(group["width"])
    exact = group["law"] == "gaussian" and sigma_b == 0.0 and depth > 1
    at_width: dict[str, Callable[[], float]] = {
        "quenched": lambda: theory.boundary(activation, depth, sigma_b, width),
        "annealed": lambda: annealed_sigma_w(activation),
    }
    unknown = why_unknown(activation)
    if unknown:
        columns = ("theory", "theory_inf", "theory_width")
        return {**dict.fromkeys(columns, float("nan")), "theory_reason": unknown}
    at_depth, why = _root(lambda: theory.boundary(activation, depth, sigma_b))
    infinite, why_infinite = _root(lambda: theory.critical_sigma_w(activation, sigma_b))
    return {
        "theory": at_depth,
        "theory_inf": infinite,
        "theory_width": _root(at_width[kind])[0] if exact and kind in at_width else float("nan"),
        "theory_reason": why or why_infinite,
    }


def _root(root: Callable[[], float]) -> tuple[float, str | None]:
    """The root, or NaN and the reason why there is none."""
    try:
        return root(), None
    except theory.NoCriticalPoint as none:
        return float("nan"), none.reason
    except SweepError as refused:  # a user's own activation without an average
        return float("nan"), str(refused)
