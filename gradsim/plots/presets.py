"""The gain of gradients for each activation and initialisation, as a table in colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gradsim.analysis.summaries import median_decades
from gradsim.errors import SweepError
from gradsim.plots import selection, words
from gradsim.plots.phase import limit_of
from gradsim.plots.styles import panel
from gradsim.report import style
from gradsim.sweep.cells import network_axes_of
from gradsim.system.streams import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gradsim.runs.results import Run

_DARK = 0.55  # share of the colour scale beyond which text is white


def presets(run: Run, ax: Axes | None = None, **where: Any) -> Axes:
    """Draw how many decades the norm of the gradient grows from the last layer to the first, for each initialisation.

    A row is an activation and a column a preset; numbers are medians over the live networks, 0 is best.

    Parameters
    ----------
    run
        What `gradsim.run` or `gradsim.open` returns, of a sweep with presets.
    ax
        Axes to draw on; a new figure by default.
    where
        Network axes, width, depth: which cells. Else the first of each, and the largest depth.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    SweepError
        For a run without presets, or a value that the run does not have.
    PlotExtraMissingError
        matplotlib is not installed.
    """
    cells = run.cells()
    if "preset" not in cells:
        raise SweepError("preset", None, "an axis of the run", 'Run a sweep with preset = ["he_normal", "critical"]')
    names = [*(axis for axis in network_axes_of(map(str, cells)) if axis != "preset"), "width", "depth"]
    selection.matching(cells, names, where)  # refuse what is wrong before anything is computed
    summary = selection.matching(run.summary(), names, where).sort_values("depth", ascending=False, kind="stable")
    found, group, said = selection.first_combination(summary, names)
    rows, columns = (list(dict.fromkeys(cells[name])) for name in ("activation", "preset"))
    found = found.assign(
        decades=median_decades(found), lost=np.where(found["nonfinite_fraction"] > 0.0, "not\nfinite", "dead")
    )
    table, lost = (
        found.pivot(index="activation", columns="preset", values=name).reindex(index=rows, columns=columns)
        for name in ("decades", "lost")
    )
    with panel(ax) as axes:
        mesh = _draw(axes, table, lost, limit_of(found))
        bar = style.figure_of(axes).colorbar(mesh, ax=axes, extend="both", pad=0.02, aspect=28)
        bar.set_label("decades of |δ¹|/|δᴸ|   (median)")
        words.set_title(axes, words.title_of(group))
        words.set_foot(axes, [selection.networks_sentence(run, found["cell_id"]), *said, *_missing(table)])
    return axes


def _draw(ax: Axes, table: pd.DataFrame, lost: pd.DataFrame, limit: float) -> Any:
    """Draw the cells with their numbers, or what became of their networks; returns the mesh."""
    from matplotlib import colormaps

    values = table.to_numpy(np.float64)
    mesh = ax.pcolormesh(
        np.ma.masked_invalid(values), cmap=colormaps["RdBu_r"].with_extremes(bad="0.85"), vmin=-limit, vmax=limit,
        edgecolors="white", linewidth=0.8,
    )  # fmt: skip
    for (i, j), value in np.ndenumerate(values):
        text = str(lost.iloc[i, j]) if np.isnan(value) else f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")
        colour = "white" if abs(value) > _DARK * limit else "black"
        ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", color=colour, fontsize="small")
    ax.set_yticks(np.arange(len(table)) + 0.5, [words.literal(name) for name in table.index])
    ax.set_xticks(np.arange(table.shape[1]) + 0.5, [words.literal(name) for name in table], rotation=30, ha="right")
    ax.tick_params(length=0)
    ax.invert_yaxis()
    return mesh


def _missing(table: pd.DataFrame) -> list[str]:
    lost = int(table.isna().to_numpy().sum())
    return [f"Grey: {counted(lost, 'cell')} without live networks."] if lost else []
