"""The size of forward and backward signals against width: flat where the parametrisation keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.errors import SweepError
from gradsim.plots import marks, selection, words
from gradsim.plots.layers import LN10
from gradsim.plots.styles import OKABE_ITO, panel
from gradsim.report.thinning import spread_evenly
from gradsim.sweep.columns import with_network_axes
from gradsim.system.streams import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gradsim.runs.results import Run

Array = NDArray[np.float64]

_AXES = ["activation", "law", "sigma_b", "depth", "sigma_w"]
_DIRECTIONS = {"log_q": ("forward", "-", 0.5), "log_delta": ("backward", "--", 1.0)}
_MARKERS = "osD^v<"
_MOST_LAYERS = 6


def coordinate_check(run: Run, layers: int | Sequence[int] | None = None, ax: Axes | None = None, **where: Any) -> Axes:
    """Draw the size of the signals in some layers against width: forward sqrt(q), backward |delta|, in powers of ten.

    sqrt(q) is the root mean square of h; of delta it is the norm, since the readout makes that of order 1. Both are
    flat in width under the variance sigma_w^2 / fan_in; the legend has the slope, d log10 size / d log10 width, by
    least squares through the medians.

    Parameters
    ----------
    run
        What `gradsim.run` or `gradsim.open` returns.
    layers
        Numbers of layers, at most 6; by default the first, the middle and the last.
    ax
        Axes to draw on; a new figure by default.
    where
        activation, law, sigma_b, depth, sigma_w: which cells. Of several combinations the one with the most widths
        whose gain is nearest to 1 is drawn; the caption says so.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    SweepError
        For a layer beyond the depth, or a value that the run does not have.
    PlotExtraMissingError
        matplotlib is not installed.
    """
    cells, group, said = _chosen(run, where)
    chosen = _check_layers(layers, int(group["depth"]))
    rows = run.layers(cells["cell_id"].tolist(), chosen, list(_DIRECTIONS)).merge(cells[["cell_id", "width"]])
    with panel(ax) as axes:
        _draw(axes, rows, chosen)
        axes.set(xlabel="width", ylabel="log₁₀ of size   (√q, |δ|)")
        words.set_title(axes, words.title_of(group))
        caption = ["Median, 5–95\u00a0% of the networks.", selection.networks_sentence(run, cells["cell_id"]), *said]
        words.set_foot(axes, [*caption, *_missing(rows)])
    return axes


def _chosen(run: Run, where: dict[str, Any]) -> tuple[pd.DataFrame, dict[str, Any], list[str]]:
    """The cells of one combination, the combination, and the sentence if there are others."""
    names = with_network_axes(_AXES, run.cells())
    cells = selection.matching(run.cells(), names, where)
    groups = cells.groupby(names, sort=False)
    if len(groups) > 1:
        summary = run.summary().set_index("cell_id")["median_log_gain"].abs().replace(np.inf, np.nan)
        gain = cells["cell_id"].map(summary).fillna(np.inf)
        order = cells.assign(gain=gain).groupby(names, sort=False).agg(widths=("width", "size"), gain=("gain", "max"))
        best = order.sort_values(["widths", "gain"], ascending=[False, True], kind="stable").index[0]
        said = [f"Of {len(groups)} combinations the one whose gain is nearest to 1."]
        cells = cells.set_index(names, drop=False).loc[[best]].reset_index(drop=True)
    else:
        said = []
    group = {name: cells[name].iloc[0] for name in names}
    return cells.sort_values("width"), group, said


def _check_layers(layers: int | Sequence[int] | None, depth: int) -> list[int]:
    if layers is None:
        return sorted({1, (depth + 1) // 2, depth})
    chosen = sorted({int(layer) for layer in np.atleast_1d(np.asarray(layers))})
    if not chosen or chosen[0] < 1 or chosen[-1] > depth or len(chosen) > _MOST_LAYERS:
        allowed = f"1 to {_MOST_LAYERS} numbers from 1 to {depth}"
        raise SweepError("layers", layers, allowed, f"Write for example layers=[1, {depth}]")
    return chosen


def _draw(ax: Axes, rows: pd.DataFrame, layers: Sequence[int]) -> None:
    ax.set_xscale("log", base=2)
    for layer, colour, marker in zip(layers, OKABE_ITO, _MARKERS, strict=False):
        for quantity, (direction, dashes, power) in _DIRECTIONS.items():
            own = rows[(rows["layer"] == layer) & (rows["quantity"] == quantity)].sort_values("width")
            _curve(ax, own, power, f"{direction}, layer {layer}",
                   color=colour, linestyle=dashes, marker=marker,
                   markerfacecolor=colour if direction == "forward" else "white")  # fmt: skip
    widths = spread_evenly(sorted(rows["width"].unique()), 8)
    ax.set_xticks(widths, [str(width) for width in widths])
    ax.minorticks_off()
    if len(widths) == 1:
        ax.set_xlim(widths[0] / 2.0, widths[0] * 2.0)
    ax.grid(color="0.9")
    ax.set_axisbelow(True)
    if not np.isfinite(rows["median"].to_numpy(np.float64)).any():
        words.say_inside(ax, "No live network.")


def _curve(ax: Axes, rows: pd.DataFrame, power: float, label: str, **look: Any) -> None:
    """The median with a band, hatched where live networks are few; the label has the slope."""
    width = rows["width"].to_numpy(np.float64)
    low, median, high = (sizes(rows[name], power) for name in ("q05", "median", "q95"))
    known = np.isfinite(median)
    if not known.any():
        return
    if known.sum() > 1:
        label += f" (slope {slope(width[known], median[known]):+.3f})"
    if len(rows) == 1:  # which has no band
        ax.vlines(width, low, high, color=look["color"], linewidth=0.8, linestyle=look["linestyle"])
    ax.fill_between(width, low, high, color=look["color"], alpha=0.12, linewidth=0)
    marks.hatch(ax, rows, width, (low, high), look["color"])
    ax.plot(width, median, label=label, **look)


def sizes(column: pd.Series, power: float) -> Array:
    """Return a column of logarithms as log10 of a size; dead ones as gaps."""
    values = power * column.to_numpy(np.float64) / LN10
    return np.where(np.isfinite(values), values, np.nan)


def slope(width: Array, size: Array) -> float:
    """Return d log10 size / d log10 width by least squares."""
    return float(np.polyfit(np.log10(width), size, 1)[0])


def _missing(rows: pd.DataFrame) -> list[str]:
    said = ["One width: no slope."] if rows["width"].nunique() == 1 else []
    lost = int(((marks.live(rows) == 0) & (rows["quantity"] == "log_delta")).sum())
    said += [f"{counted(lost, 'point')} without live networks."] if lost else []
    said += ["Bands end where more than 5 % are dead."] if (rows["dead"] > 0.05 * rows["networks"]).any() else []
    return said + marks.few_sentence(rows, "Hatched, if there is a band")
