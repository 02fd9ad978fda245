"""Boundaries against 1/width, with their extrapolation to infinite width and theory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim import analysis
from gradsim.analysis.kinds import find_kind
from gradsim.plots import marks, selection, words
from gradsim.plots.styles import INK, panel
from gradsim.report.thinning import spread_evenly
from gradsim.sweep.columns import with_network_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gradsim.runs.results import Run

Array = NDArray[np.float64]

_AXES = ["activation", "law", "sigma_b", "depth"]
_ONE = ["activation", "law", "sigma_b"]
_MOST_DEPTHS = 6
_MARKERS = "os^Dv<"
_SIZES = (8.0, 7.0, 6.0, 5.0, 4.0, 3.0)  # so that boundaries at the same place show
_CURVE = 60


def width_convergence(run: Run, kind: str = "quenched", ax: Axes | None = None, **where: Any) -> Axes:
    """Draw the boundary of each depth against 1/width, and what it tends to at infinite width.

    Marks at 1/width = 0 are the extrapolation (`Run.infinite_width`), with the fitted curve; crosses are the theory at
    infinite width. Dashed lines are exact at a width, where that is known. Open marks cannot be trusted.

    Parameters
    ----------
    run
        What `gradsim.run` or `gradsim.open` returns.
    kind
        Of the boundary: see `Run.boundary`.
    ax
        Axes to draw on; a new figure by default.
    where
        activation, law, sigma_b, depth: which boundaries. Of several combinations of the first three the first is
        drawn; of more than 6 depths 6 are. The caption says so.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    SweepError
        For an unknown kind, or a value that the run does not have.
    PlotExtraMissingError
        matplotlib is not installed.
    """
    name = find_kind(kind).name
    names = with_network_axes(_AXES, run.cells())
    selection.matching(run.cells(), names, where)
    summary = run.summary(kinds=[name] if find_kind(kind).is_moment else [])
    cells, group, said = selection.first_combination(
        selection.matching(summary, names, where), with_network_axes(_ONE, names)
    )
    boundary = run.boundary(summary=cells, kinds=name)
    limits = analysis.infinite_width(boundary)
    depths = sorted(boundary["depth"].unique())
    shown = spread_evenly(depths, _MOST_DEPTHS)
    said += [f"{len(shown)} of {len(depths)} depths."] if len(shown) < len(depths) else []
    with panel(ax) as axes:
        _draw(axes, boundary, limits, shown)
        axes.set(xlabel="1 / width", ylabel=f"boundary $\\sigma_w$, {name}")
        words.set_title(axes, words.title_of(group))
        caption = [selection.networks_sentence(run, cells["cell_id"]), *said]
        caption += [words.interval_sentence(0.95), "At infinite width: of the fit."]
        words.set_foot(axes, [*caption, *_missing(boundary, limits)])
    return axes


def _draw(ax: Axes, boundary: pd.DataFrame, limits: pd.DataFrame, depths: list[int]) -> None:
    from matplotlib import colormaps

    largest = 1.0 / boundary["width"].min()
    colours = colormaps["viridis"](np.linspace(0.0, 0.9, max(len(depths), 1)))
    labelled: set[str] = set()
    for depth, colour, marker, size in zip(depths, colours, _MARKERS, _SIZES, strict=False):
        rows = boundary[boundary["depth"] == depth].sort_values("width")
        limit = limits[limits["depth"] == depth].iloc[0]
        look = {"color": colour, "marker": marker, "capsize": 2, "markersize": size}
        marks.boundaries(ax, rows, 1.0 / rows["width"], f"depth {depth}", vertical=True, **look)
        _exact(ax, rows, colour, labelled)
        fitted = rows[np.isfinite(rows["ci_high"] - rows["ci_low"])]
        _limit(ax, limit, colour, marker, 1.0 / fitted["width"].min())
        if np.isfinite(limit["theory"]):
            label = _once("theory, infinite width", labelled)
            ax.plot([0.0], [limit["theory"]], "x", color=INK, label=label, markersize=6, zorder=3, clip_on=False)
    if boundary["sigma_w"].isna().all():
        words.say_inside(ax, "No boundary at any width.")
    widths = sorted(boundary["width"].unique())
    far: list[float] = []  # from each other and from 0, so that labels do not overlap
    for tick in sorted((1.0 / width for width in widths), reverse=True):
        if tick > 0.15 * largest and (not far or far[-1] - tick > 0.15 * largest):
            far.append(tick)
    ax.set_xticks([0.0, *far], ["∞", *(f"1/{round(1.0 / tick)}" for tick in far)])
    ax.set_xlim(-0.04 * largest, 1.06 * largest)


def _once(label: str, labelled: set[str]) -> str | None:
    """The label the first time, so that a legend has it once."""
    if label in labelled:
        return None
    labelled.add(label)
    return label


def _exact(ax: Axes, rows: pd.DataFrame, colour: Any, labelled: set[str]) -> None:
    known = rows.dropna(subset=["theory_width"])
    if len(known):
        label = _once("theory, exact at the width", labelled)
        marker = "_" if len(known) == 1 else None
        look = {"color": colour, "linewidth": 0.8, "linestyle": "--", "marker": marker, "markersize": 12}
        ax.plot(1.0 / known["width"], known["theory_width"], label=label, **look)


def _limit(ax: Axes, limit: pd.Series, colour: Any, marker: str, end: float) -> None:
    """The extrapolated boundary with its interval, and the fitted curve."""
    if not np.isfinite(limit["sigma_w"]):
        return
    reach = [[limit["sigma_w"] - limit["ci_low"]], [limit["ci_high"] - limit["sigma_w"]]]
    ax.errorbar(
        [0.0], [limit["sigma_w"]], yerr=reach, color=colour, marker=marker, markersize=7, markerfacecolor="none",
        capsize=3, linestyle="none", clip_on=False,
    )  # fmt: skip
    x = np.linspace(0.0, end, _CURVE)
    ax.plot(x, limit["sigma_w"] * np.exp(limit["slope"] * x + limit["bend"] * x**2), color=colour, linewidth=0.9)


def _missing(boundary: pd.DataFrame, limits: pd.DataFrame) -> list[str]:
    """Sentences on boundaries and extrapolations that are not there."""
    none = boundary[boundary["sigma_w"].isna()]
    said = [
        f"None at width {', '.join(map(str, spread_evenly(sorted(rows['width'].unique()), 6)))}: {reason}"
        for reason, rows in none.groupby("reason", sort=False)
    ]
    lost = limits[limits["sigma_w"].isna()]
    said += [f"No extrapolation: {reason}" for reason in lost["reason"]]
    return words.sentences_of(said)
