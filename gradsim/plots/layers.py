"""Quantiles of a quantity through the layers, for some cells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.plots import marks, selection, words
from gradsim.plots.styles import panel
from gradsim.report import style
from gradsim.report.thinning import spread_evenly
from gradsim.runs.results import Run
from gradsim_core.results.of_inputs import described

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

MOST_CELLS = 8
LN10 = float(np.log(10.0))
_MARKERS = "os^Dv<>P"
_SHORT = {
    "log_delta": "log₁₀ |δˡ|",
    "log_weight_grad": "log₁₀ |dC/dWˡ|",
    "log_q": "log₁₀ qˡ   (mean square of h)",
    "log_gain": "log₁₀ of the gain of |δ|²",
    "log_distance": "log₁₀ |h_a − h_b| of two inputs",
    "log_decorrelation": "log₁₀ (1 − c), cosine c of two h",
    "log_delta_decorrelation": "log₁₀ (1 − c), cosine c of two δ",
    "log_gradient_decorrelation": "log₁₀ (1 − c), cosine c of two gradients",
    "log_gradient_noise": "log₁₀ tr Cov of gradients",
    "log_noise_scale": "log₁₀ of the gradient noise scale",
    "log_ntk": "log₁₀ of the NTK up to layer l",
    "log_ntk_decorrelation": "log₁₀ (1 − c) of the NTK",
}


def layers(
    run: Run, quantity: str = "log_delta", cells: int | Sequence[int] | None = None, ax: Axes | None = None
) -> Axes:
    """Draw a quantity against the layer: the median network, and bands from 25 to 75 % and from 5 to 95 %.

    Dead networks count as smaller than all others: a band that reaches the bottom has more dead ones than its quantile.

    Parameters
    ----------
    run
        What `gradsim.run` or `gradsim.open` returns.
    quantity
        A quantity that the run has recorded, such as "log_gain"; drawn in powers of ten.
    cells
        Numbers of cells (cell_id). Of more than 8, by default of all, 8 spread evenly are drawn; the caption says so.
    ax
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    SweepError
        For an unknown quantity or cell.
    PlotExtraMissingError
        matplotlib is not installed.
    """
    every = selection.check_cells(run, cells)
    shown = spread_evenly(every, MOST_CELLS)
    rows = run.layers(shown, quantity=quantity)
    parameters = run.cells().set_index("cell_id", drop=False).loc[shown]
    same, labels = words.told_apart(parameters)
    with panel(ax) as axes:
        draw(axes, rows, dict(zip(shown, labels, strict=True)))
        axes.set_ylabel(axis_label(quantity))
        words.set_title(axes, same)
        caption = ["Median, 25–75\u00a0% and 5–95\u00a0% of the networks.", selection.networks_sentence(run, shown)]
        caption += [f"{len(shown)} of {len(every)} cells."] if len(shown) < len(every) else []
        words.set_foot(axes, [*caption, *_missing(rows, shown)], None if any(labels) else [])
    return axes


@style.own_settings()
def layer_profile(layers: pd.DataFrame, path: str | Path, cells: pd.DataFrame | None = None) -> Path:
    """Draw log10 |delta| against the layer for each cell: the median network, and bands that hold 50 % and 90 %.

    Parameters
    ----------
    layers
        Frame of :func:`gradsim.analysis.layers_frame`.
    path
        File to write; its suffix selects the format.
    cells
        cell_id and parameters, for the legend. More than 8 cells: 8 spread evenly are drawn, and the picture says so.

    Returns
    -------
    pathlib.Path
        ``path``.

    Raises
    ------
    PlotExtraMissingError
        matplotlib is not installed.
    """
    rows = layers[layers["quantity"] == "log_delta"]
    every = np.sort(rows["cell_id"].unique()).tolist()
    shown = spread_evenly(every, MOST_CELLS)
    figure = style.figure(4.8, 8.2)
    ax: Axes = figure.subplots()
    draw(ax, rows, {cell: _cell_label(cell, cells) for cell in shown})
    ax.set_ylabel("log₁₀ |δ|   (median, 25–75 %, 5–95 %)")
    if shown:
        note = f"{len(shown)} of {len(every)} cells" if len(shown) < len(every) else None
        figure.legend(loc="outside right upper", title=note, frameon=False, fontsize=9, title_fontsize=9)
    figure.savefig(path, dpi=150)
    return Path(path)


def axis_label(quantity: str) -> str:
    """Return the label of a quantity's axis."""
    return _SHORT.get(quantity) or f"log₁₀ of exp {quantity}\n({words.literal(described(quantity))})"


def draw(ax: Axes, rows: pd.DataFrame, labels: dict[int, str]) -> None:
    """Draw the median and bands of one quantity for each of the cells."""
    from matplotlib import colormaps

    values = rows[["q05", "q25", "median", "q75", "q95"]].to_numpy(np.float64) / LN10
    finite = values[np.isfinite(values)]
    floor = float(finite.min() - 0.05 * max(np.ptp(finite), 1.0)) if finite.size else 0.0
    colours = colormaps["viridis"](np.linspace(0.0, 0.9, max(len(labels), 1)))
    for (cell_id, label), colour, marker in zip(labels.items(), colours, _MARKERS, strict=False):
        cell = rows[rows["cell_id"] == cell_id].sort_values("layer")
        _bands(ax, cell, colour, floor)
        layer, median = cell["layer"].to_numpy(), in_decades(cell["median"])
        every = max(1, len(layer) // 6)
        look = {"color": colour, "marker": marker, "markevery": every, "markersize": 4}
        ax.plot(layer, median, label=label, markerfacecolor="white" if marks.few(cell).any() else colour, **look)
    ax.set_xlabel("layer")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.grid(color="0.9")
    ax.set_axisbelow(True)
    if not finite.size:
        ax.set_yticks([])
        ax.set_xlim(0.5, max(rows["layer"].max(), 1) + 0.5 if len(rows) else 1.5)
        words.say_inside(ax, "No live network in any layer.")


def in_decades(column: pd.Series) -> Array:
    """The column in powers of ten, with -inf (dead) as a gap."""
    values = column.to_numpy(np.float64) / LN10
    return np.where(np.isfinite(values), values, np.nan)


def _bands(ax: Axes, cell: pd.DataFrame, colour: Any, floor: float) -> None:
    """Fill between quantiles, from the bottom where the lower one is dead; hatched where live networks are few."""
    layer = cell["layer"].to_numpy()
    for low, high, alpha in (("q25", "q75", 0.25), ("q05", "q95", 0.15)):
        bottom, top = np.nan_to_num(in_decades(cell[low]), nan=floor), in_decades(cell[high])
        ax.fill_between(layer, bottom, top, where=np.isfinite(top).tolist(), color=colour, alpha=alpha, linewidth=0)
    marks.hatch(ax, cell, layer, (bottom, top), colour)


def _missing(rows: pd.DataFrame, shown: Sequence[int]) -> list[str]:
    """Sentences on cells without a curve, and on hatches."""
    curves = set(rows.loc[marks.live(rows) > 0, "cell_id"])
    lost = [cell for cell in shown if cell not in curves]
    some = rows["dead"].gt(0.05 * rows["networks"]).any()
    said = [f"No live network: cell {', '.join(map(str, lost))}."] if lost else []
    said += ["Bands reach the bottom where more than 5 % are dead."] if some else []
    return said + marks.few_sentence(rows, "Hatched, with open marks")


def _cell_label(cell_id: int, cells: pd.DataFrame | None) -> str:
    """Label of one cell: its parameters if they are known."""
    rows = cells[cells["cell_id"] == cell_id] if cells is not None else None
    if rows is None or rows.empty:
        return f"cell {cell_id}"
    return words.title_of(rows.iloc[0].to_dict())
