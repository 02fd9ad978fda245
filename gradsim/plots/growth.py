"""The gain of gradients against depth, a line for each kind of network, beside the mean field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gradsim.analysis.summaries import DECADE
from gradsim.plots import selection, words
from gradsim.plots.styles import panel
from gradsim.report.thinning import spread_evenly
from gradsim.sweep.columns import with_network_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gradsim.runs.results import Run

_AXES = ["activation", "law", "sigma_b", "width", "sigma_w"]
_MOST_LINES = 8
_MARKERS = "os^Dv<>p"


def growth(run: Run, ax: Axes | None = None, **where: Any) -> Axes:
    """Draw the median gain against depth: how many decades the gradient's norm grows from the last layer to the first.

    Dashed lines are the mean field (`gradsim.theory.stream`).

    Parameters
    ----------
    run
        What `gradsim.run` or `gradsim.open` returns.
    ax
        Axes to draw on; a new figure by default.
    where
        Network axes, activation, law, sigma_b, width, sigma_w: which cells. Of more than 8 lines 8 are drawn.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    SweepError
        For a value that the run does not have.
    PlotExtraMissingError
        matplotlib is not installed.
    """
    names = with_network_axes(_AXES, run.cells())
    found = selection.matching(run.growth(), names, where)
    groups = list(found.groupby(names, sort=False))
    shown = spread_evenly(groups, _MOST_LINES)
    heads = pd.DataFrame([rows.iloc[0] for _, rows in shown]).drop(columns="depth")
    common, labels = words.told_apart(heads)
    with panel(ax) as axes:
        lines = [
            _line(axes, rows.sort_values("depth"), label or None, marker)
            for (_, rows), label, marker in zip(shown, labels, _MARKERS, strict=False)
        ]
        axes.set_ylim(axes.get_ylim())  # a theory that runs away leaves the picture
        for (_, rows), line in zip(shown, lines, strict=True):
            theory = rows.sort_values("depth")
            axes.plot(theory["depth"], theory["theory_decades"], "--", color=line.get_color(), linewidth=0.9)
        axes.axhline(0.0, color="0.7", linewidth=0.8, zorder=0)
        axes.set_xscale("log", base=2)
        depths = sorted(found["depth"].unique())
        ticks = spread_evenly(depths, 8)
        axes.set_xticks(ticks, [str(depth) for depth in ticks], minor=False)
        axes.set(xlabel="depth", ylabel="decades of |δ¹|/|δᴸ|   (median)")
        words.set_title(axes, common)
        drawn = pd.concat([rows for _, rows in shown])
        caption = [selection.networks_sentence(run, drawn["cell_id"]), "Intervals: 95\u00a0%, order statistics."]
        caption += [f"{len(shown)} of {len(groups)} combinations."] if len(shown) < len(groups) else []
        words.set_foot(axes, [*caption, *_missing(drawn)])
    return axes


def _line(ax: Axes, rows: pd.DataFrame, label: str | None, marker: str) -> Any:
    """Draw the measured gains; returns the line."""
    value, low, high = (rows[f"median_log_gain{end}"].to_numpy(np.float64) / DECADE for end in ("", "_low", "_high"))
    known = np.isfinite(value)
    reach = np.nan_to_num(np.stack([value - low, high - value]), posinf=0.0, neginf=0.0)
    (line, *_) = ax.errorbar(
        rows["depth"][known], value[known], yerr=reach[:, known], marker=marker, markersize=4, capsize=2, linewidth=1.0,
        label=label,
    )  # fmt: skip
    return line


def _missing(rows: pd.DataFrame) -> list[str]:
    """The sentences about what is not drawn."""
    lost = int((~np.isfinite(rows["median_log_gain"].astype(float))).sum())
    said = [f"{lost} cells without live networks."] if lost else []
    said += ["Dashed: mean field."] if rows["theory"].notna().any() else []
    return said + words.sentences_of(rows["theory_reason"])
