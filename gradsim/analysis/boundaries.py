"""Phase boundaries over sigma_w, per depth and other axes, beside theory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from gradsim.analysis.annealed import MOST_TOP_SHARE, Array, fewest_networks
from gradsim.analysis.crossings import Crossing, find_crossing, no_crossing
from gradsim.analysis.kinds import KINDS, Kind, find_kinds
from gradsim.analysis.summaries import why_unknown
from gradsim.errors import SweepError, why_not_finite
from gradsim.sweep.columns import are_plain, with_network_axes
from gradsim.theory import NoCriticalPoint
from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.boundaries import boundary as theory_boundary
from gradsim.theory.errors import check_probability
from gradsim.theory.finite_width import roots
from gradsim.theory.infinite_width.fixed_point import critical_sigma_w
from gradsim.theory.typical import median_sigma_w
from gradsim_core.activations import Activation

AXES = ["activation", "law", "sigma_b", "width", "depth"]
COLUMNS = [
    *AXES, "kind", "sigma_w", "ci_low", "ci_high", "theory", "theory_inf", "theory_width",
    "crossing", "direction", "trusted", "live_share", "reason", "theory_reason",
]  # fmt: skip
OF_PLAIN = "This theory is of plain networks with one input and no norm; run.growth() has that of others."
_TYPICAL = 0.5  # share of the networks within a decade from which a boundary is one of typical networks


@ignoring_floating_point_errors
def boundary(
    summary: pd.DataFrame,
    level: float = 0.95,
    activations: Mapping[str, Activation] | None = None,
    kinds: Sequence[str] = KINDS,
) -> pd.DataFrame:
    """Return the boundary between vanishing and exploding gradients for every combination of the axes except sigma_w.

    Parameters
    ----------
    summary
        Rows of :func:`gradsim.analysis.summary`, with the moments among the kinds.
    level
        Probability that an interval covers the boundary, between 0 and 1.
    activations
        A user's own activations by name, for the theory.
    kinds
        Which boundaries: see ``kind``.

    Returns
    -------
    pandas.DataFrame
        A row per (activation, law, sigma_b, width, depth, kind), and the network axes that are set. ``kind``:
        "quenched" (mean of ln over live networks is 0), "annealed" (ln of the mean is 0, dead networks counted as 0),
        "median"; "moment(s)", 0 < s <= 2: the mean of (|delta^1| / |delta^L|)^s is 1; "decades(k)": the median norm of
        the gradient grows by k decades. sigma_w,
        ci_low, ci_high; theory (infinite width, at this depth), theory_inf (chi_1 = 1), theory_width (exact at this
        width); crossing (its number, from 1), direction ("up", "down"); trusted: False where rare networks dominate the
        mean, networks are not finite, or few networks have a gain like it; live_share: of the networks near it, the
        share whose gradient norm is within a decade; reason: why there is no number, or why it is not trusted;
        theory_reason: why theory or theory_inf is missing.

    Raises
    ------
    SweepError
        For a level outside (0, 1), or an unknown kind.
    """
    level, found = check_probability("level", level), find_kinds(kinds)
    rows, names = [], with_network_axes(AXES, summary)
    for axes, cells in summary.sort_values("sigma_w").groupby(names, sort=True):
        group: dict[str, Any] = dict(zip(names, axes, strict=True))
        activation = (activations or {}).get(group["activation"], group["activation"])
        rows += [_row(group, activation, cells, kind, level) for kind in found]
    frame = pd.DataFrame(
        rows, columns=with_network_axes(COLUMNS, summary), dtype=object
    )  # object, so that a missing reason stays None
    numbers = ("sigma_w", "ci_low", "ci_high", "theory", "theory_inf", "theory_width", "live_share")
    types = {name: summary[name].dtype for name in names}
    return frame.astype({**types, **dict.fromkeys(numbers, float), "crossing": "Int64", "trusted": bool})


def _row(
    group: dict[str, Any], activation: str | Activation, cells: pd.DataFrame, kind: Kind, level: float
) -> dict[str, Any]:
    crossing = _crossing(group, cells, kind, level)
    near = _near(cells, crossing)
    trusted, reason = _trust(near, kind) if crossing.reason is None else (False, _why_none(group, cells, crossing))
    if kind.power and crossing.reason is None and not trusted:  # rare networks: the sample has no interval to give
        crossing = crossing._replace(ci_low=float("nan"), ci_high=float("nan"))
    return {
        **group,
        "kind": kind.name,
        **{name: getattr(crossing, name) for name in ("sigma_w", "ci_low", "ci_high", "direction")},
        **_theory(group, activation, kind),
        "crossing": crossing.number or None,
        "trusted": trusted,
        "live_share": float(near["live_share"].mean()) if crossing.reason is None else float("nan"),
        "reason": reason,
    }


def _crossing(group: dict[str, Any], cells: pd.DataFrame, kind: Kind, level: float) -> Crossing:
    """Crossing of one kind of log gain; its random numbers are keyed by the group and its values."""
    if group["depth"] == 1:
        return no_crossing("A network of depth 1 has no boundary: its gain is 1 by definition.")
    return find_crossing(*curve(cells, kind), level, key=f"{kind.name} {group}")


def curve(cells: pd.DataFrame, kind: Kind) -> tuple[Array, Array, Array]:
    """Return sigma_w, the log gain whose crossing of 0 is the boundary, and its standard error, of each cell."""
    names = ("sigma_w", f"{kind.column}_log_gain", f"{kind.column}_se", "std")
    sigma_w, value, se, std = (cells[name].to_numpy(np.float64, na_value=np.nan) for name in names)
    if kind.column == "median":
        se = _smoothed(se, std, committed_networks(cells))
    return sigma_w, value - kind.log_gain, se


def committed_networks(cells: pd.DataFrame) -> Array:
    """Return the networks of each cell that the estimates are of: the live ones over their share."""
    live, lost = cells["live_networks"].to_numpy(np.float64), cells["dead_fraction"] + cells["nonfinite_fraction"]
    return np.asarray(np.rint(live / (1.0 - lost.to_numpy(np.float64))), np.float64)


def _smoothed(se: Array, std: Array, networks: Array) -> Array:
    """Standard errors of medians as one multiple of std / sqrt(networks), since single ones are noisy.

    With 50 networks in 5 cells intervals then cover 94 %; with each cell's own error they cover 92 %.
    """
    std = std / np.sqrt(networks / np.nanmax(networks)) if np.isfinite(networks).any() else std
    share = se / std
    usable = np.isfinite(share) & (share > 0.0)
    return np.where(usable, std * np.sqrt(np.mean(share[usable] ** 2)) if usable.any() else np.nan, se)


def _near(cells: pd.DataFrame, crossing: Crossing) -> pd.DataFrame:
    """The two cells nearest to a crossing."""
    distance = np.abs(np.log(cells["sigma_w"].to_numpy(np.float64) / crossing.sigma_w))
    return cells.iloc[np.argsort(distance)[:2]]


def _why_none(group: dict[str, Any], cells: pd.DataFrame, crossing: Crossing) -> str | None:
    """The sentence about a boundary that is not there: all networks of all cells are lost, or the crossing's own."""
    return why_not_finite(group["activation"], float(cells["nonfinite_fraction"].min())) or crossing.reason


def _trust(near: pd.DataFrame, kind: Kind) -> tuple[bool, str | None]:
    """Whether the boundary can be trusted, and if not the sentence for ``reason``."""
    lost = float(near["nonfinite_fraction"].max())
    if lost > 0:
        return False, f"Not to be trusted: {lost:.2g} of the networks near it are not finite."
    if kind.power and (reason := _carried_by_few(near, kind)):
        return False, reason
    share = float(near["live_share"].mean())
    if kind.log_gain == 0.0 and share < _TYPICAL:
        humps = " Their gain has two humps." if near["two_humps"].any() else ""
        return False, f"Not typical: {share:.0%} of the networks near it have a gradient norm within a decade.{humps}"
    return True, None


def _carried_by_few(near: pd.DataFrame, kind: Kind) -> str | None:
    """The sentence about a mean that rare networks make up."""
    needed = fewest_networks(near, near["std"].to_numpy(np.float64), kind.power)
    if not (near["live_networks"].to_numpy() >= needed).all():
        most = _rounded_up(float(needed.max()))
        return f"Not to be trusted: the gain is so widely spread that its mean near it needs {most} networks."
    share = float(near["top_share"].max())
    if kind.power == 1.0 and share > MOST_TOP_SHARE:
        top = "the top 0.01 % of the networks (at least one)"
        return f"Not to be trusted: {top} make up {share:.0%} of the mean near it."
    return None


def _rounded_up(count: float) -> str:
    """A count to one digit, for a sentence."""
    if count > 1e15:
        return "more than 10^15"
    unit = 10.0 ** np.floor(np.log10(max(count, 1.0)))
    return f"{int(np.ceil(count / unit) * unit):,}"


def _theory(group: dict[str, Any], activation: str | Activation, kind: Kind) -> dict[str, Any]:
    """The columns of the theory; NaN where there is no root, with the reason if it is not a matter of the width.

    Mean field holds for independent weights of finite variance and for orthogonal ones, with the same chi_1; the exact
    finite-width laws for Gaussian weights without biases.
    """
    sigma_b, depth, width = float(group["sigma_b"]), int(group["depth"]), int(group["width"])
    unknown = why_unknown(activation) if are_plain(pd.DataFrame([group])).all() else OF_PLAIN
    if unknown:
        columns = ("theory", "theory_inf", "theory_width")
        return {**dict.fromkeys(columns, float("nan")), "theory_reason": unknown}
    at_depth, why = _root(lambda: theory_boundary(activation, depth, sigma_b, log_gain=kind.log_gain))
    infinite, why_infinite = _root(lambda: critical_sigma_w(activation, sigma_b))
    exact = group["law"] == "gaussian" and sigma_b == 0.0 and depth > 1
    at_width = _root(lambda: _exact(activation, depth, width, kind))[0] if exact else float("nan")
    return {"theory": at_depth, "theory_inf": infinite, "theory_width": at_width, "theory_reason": why or why_infinite}


def _exact(activation: str | Activation, depth: int, width: int, kind: Kind) -> float:
    """The boundary at a width, of activations whose law is known."""
    if kind.power:
        return roots.moment_sigma_w(activation, 2.0 * kind.power, width)
    if kind.column == "median":
        return median_sigma_w(activation, depth, width, kind.log_gain)
    return roots.quenched_sigma_w(activation, width)


def _root(root: Callable[[], float]) -> tuple[float, str | None]:
    """The root, or NaN and the reason why there is none."""
    try:
        return root(), None
    except NoCriticalPoint as none:
        return float("nan"), none.reason
    except SweepError as refused:  # a user's own activation without an average
        return float("nan"), str(refused)
