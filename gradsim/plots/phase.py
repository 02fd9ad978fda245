"""The phase diagram over (sigma_w, depth): decades of gradient gain, measured boundaries, and theory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.plots import marks, selection, words
from gradsim.plots.styles import INK, OKABE_ITO, panel
from gradsim.report import style
from gradsim.report.thinning import spread_evenly
from gradsim.sweep.columns import with_network_axes
from gradsim.system.streams import counted
from gradsim.theory.errors import check_probability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gradsim.runs.results import Run

Array = NDArray[np.float64]

MOST_PANELS = 12
AXES = ["activation", "law", "sigma_b", "width"]
DECADES = "decades of |δ¹|/|δᴸ|   (mean over networks)"
_MOST_TICKS = 8
_MARKS = {"quenched": ("o", INK), "annealed": ("D", OKABE_ITO[2])}
_LINES = {"theory": ("-", "theory, infinite width"), "theory_width": ("--", "theory, this width")}


def phase(run: Run, ax: Axes | None = None, *, level: float = 0.95, **where: Any) -> Axes:
    """Draw the decades of gradient gain over (sigma_w, depth), with the boundaries and theory over them.

    Red cells explode, blue ones vanish, grey ones have no live network, and hatched ones fewer than 100. Filled marks
    are boundaries that can be trusted.

    Parameters
    ----------
    run
        What `gradsim.run` or `gradsim.open` returns.
    ax
        Axes to draw on; a new figure by default.
    level
        Probability that the interval of a boundary covers it.
    where
        activation, law, sigma_b, width: which cells. Of several combinations the first is drawn; the caption says so.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    SweepError
        For a value that the run does not have, or a wrong level.
    PlotExtraMissingError
        matplotlib is not installed.
    """
    level = check_probability("level", level)
    names = with_network_axes(AXES, run.cells())
    selection.matching(run.cells(), names, where)  # refuse what is wrong before anything is computed
    summary = run.summary()
    cells, group, said = selection.first_combination(selection.matching(summary, names, where), names)
    boundary = run.boundary(level, summary=cells, kinds=list(_MARKS))
    with panel(ax) as axes:
        mesh = draw(axes, cells, boundary, limit_of(cells), level)
        bar = style.figure_of(axes).colorbar(mesh, ax=axes, extend="both", pad=0.02, aspect=28)
        bar.set_label(DECADES.replace("   ", "\n"))
        axes.set_ylabel("depth")
        words.set_title(axes, words.title_of(group))
        caption = [selection.networks_sentence(run, cells["cell_id"]), *said]
        caption += [words.interval_sentence(level), *_missing(cells, boundary)]
        words.set_foot(axes, caption)
    return axes


@style.own_settings()
def phase_diagram(summary: pd.DataFrame, boundary: pd.DataFrame, path: str | Path) -> Path:
    """Draw the decades of gradient gain over (sigma_w, depth), with the boundaries and theory over them.

    Parameters
    ----------
    summary, boundary
        Frames of :func:`gradsim.analysis.summary` and :func:`gradsim.analysis.boundary`. Each (activation, law,
        sigma_b, width) gets a panel; only the first 12 are drawn, and the picture says so.
    path
        File to write; its suffix selects the format.

    Returns
    -------
    pathlib.Path
        ``path``.

    Raises
    ------
    PlotExtraMissingError
        matplotlib is not installed.
    """
    _diagram(summary, boundary).savefig(path, dpi=150)
    return Path(path)


def _diagram(summary: pd.DataFrame, boundary: pd.DataFrame) -> Figure:
    """A figure with a panel for each combination."""
    names = with_network_axes(AXES, summary)
    groups = list(summary.groupby(names, sort=True))
    shown = groups[:MOST_PANELS]
    columns = min(max(len(shown), 1), 3 if len(shown) != 4 else 2)
    rows = -(-max(len(shown), 1) // columns)
    figure = style.figure(0.9 + 3.7 * rows if rows > 1 else 5.0, 1.6 + 4.6 * columns if columns > 1 else 7.6)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    limit, mesh = limit_of(summary), None
    common, titles = words.told_apart(
        pd.DataFrame([dict(zip(names, key, strict=True)) for key, _ in shown], columns=names)
    )
    titles = [title or common for title in titles]
    for ax, title, (key, cells) in zip(axes, titles, shown, strict=False):
        same = (boundary[names] == list(key)).all(axis=1)
        mesh = draw(ax, cells, boundary[same], limit)
        ax.set_title(title, fontsize=11)
    for ax in axes[len(shown) :]:
        ax.set_visible(False)
    for ax in axes[::columns]:
        ax.set_ylabel("depth")
    if mesh is not None:
        bar = figure.colorbar(mesh, ax=list(axes), extend="both", pad=0.02, aspect=28)
        bar.set_label(DECADES)
    _legend(figure, axes, columns)
    above = [common] if len(shown) > 1 and common else []
    above += [f"the first {len(shown)} of {len(groups)} combinations"] if len(groups) > len(shown) else []
    if above:
        figure.suptitle("; ".join(above), fontsize=10)
    return figure


def _legend(figure: Figure, axes: Any, columns: int) -> None:
    legends = [ax.get_legend_handles_labels() for ax in axes]
    named = {label: handle for handles, labels in legends for handle, label in zip(handles, labels, strict=True)}
    if named:
        figure.legend(
            named.values(),
            named.keys(),
            loc="outside lower center",
            ncols=min(len(named), columns + 1),
            frameon=False,
            fontsize=10,
        )


def limit_of(summary: pd.DataFrame) -> float:
    """End of the symmetric colour scale: 80 % of the cells fall inside, so that an extreme corner does not set it."""
    finite = np.abs(summary["decades"].to_numpy(np.float64))
    finite = finite[np.isfinite(finite)]
    return max(1.0, float(np.ceil(np.quantile(finite, 0.8)))) if finite.size else 1.0


def draw(ax: Axes, cells: pd.DataFrame, boundary: pd.DataFrame, limit: float, level: float = 0.95) -> Any:
    """Draw one combination: cells as rectangles, depth on a log2 axis, boundaries; return the mesh."""
    from matplotlib import colormaps

    table = cells.pivot_table(index="depth", columns="sigma_w", values="decades", dropna=False)
    sigma_w, depth = table.columns.to_numpy(np.float64), table.index.to_numpy(np.float64)
    there = cells.groupby(["depth", "sigma_w"]).size().unstack().reindex_like(table).notna().to_numpy()
    edges = _edges(sigma_w), 2.0 ** _edges(np.log2(depth))
    mesh = ax.pcolormesh(
        *edges, np.ma.masked_invalid(_nearest(sigma_w, table.to_numpy(np.float64, copy=True), there)),
        cmap=colormaps["RdBu_r"].with_extremes(bad="0.85"), vmin=-limit, vmax=limit, edgecolors="none", rasterized=True,
    )  # fmt: skip
    live = cells.pivot_table(index="depth", columns="sigma_w", values="live_networks", dropna=False)
    few = (live < words.FEWEST).reindex_like(table).to_numpy(bool, na_value=False) & there
    _hatch(ax, *edges, few)
    ax.set_yscale("log", base=2)
    ticks = _apart(depth)
    ax.set_yticks(ticks, [f"{value:g}" for value in ticks])
    ax.minorticks_off()
    ratios = sigma_w[1:] / sigma_w[:-1]
    if len(ratios) > 1 and np.allclose(ratios, ratios[0], rtol=1e-3):
        ax.set_xscale("log")
        ticks = spread_evenly(sigma_w.tolist(), 6)
        ax.set_xticks(ticks, [f"{value:.3g}" for value in ticks])
        ax.minorticks_off()
    ax.set_xlabel(r"$\sigma_w$")
    _theory(ax, boundary)
    _boundaries(ax, boundary, level)
    return mesh


def _apart(depth: Array) -> list[float]:
    """The depths, from the largest down, that are so far apart on the log axis that their labels do not overlap."""
    gap = (depth[-1] / depth[0]) ** (1.0 / _MOST_TICKS)
    ticks: list[float] = []
    for value in depth[::-1].tolist():
        if not ticks or ticks[-1] / value >= gap:
            ticks.append(value)
    return ticks


def _hatch(ax: Axes, x: Array, y: Array, few: NDArray[np.bool_]) -> None:
    """Hatch rectangles between the edges."""
    from matplotlib.collections import PolyCollection

    corners = [
        [(x[j], y[i]), (x[j + 1], y[i]), (x[j + 1], y[i + 1]), (x[j], y[i + 1])] for i, j in np.argwhere(few).tolist()
    ]
    if corners:
        label = f"fewer than {words.FEWEST} live networks"
        ax.add_collection(
            PolyCollection(corners, facecolor="none", edgecolor="0.35", hatch="////", linewidth=0.0, label=label)
        )


def _nearest(sigma_w: Array, values: Array, there: NDArray[np.bool_]) -> Array:
    """Values (depth, sigma_w) in which each depth has the value of its nearest cell: refined ones have cells alone."""
    for row, own in zip(values, map(np.flatnonzero, there), strict=True):
        row[:] = row[own[np.abs(sigma_w[:, None] - sigma_w[own]).argmin(axis=1)]]
    return values


def _theory(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw the boundaries of theory as lines over depth."""
    from matplotlib import patheffects

    halo = [patheffects.withStroke(linewidth=3.5, foreground="#ffffff")]
    quenched = rows[rows["kind"] == "quenched"].sort_values("depth")
    for name, (dashes, label) in _LINES.items():
        line = quenched.dropna(subset=[name])
        if len(line):
            depth = line["depth"].to_numpy(np.float64)
            ends = [depth[0] / 1.3, *depth, depth[-1] * 1.3] if len(line) == 1 else depth
            places = np.resize(line[name].to_numpy(np.float64), len(ends)) if len(line) == 1 else line[name]
            ax.plot(places, ends, dashes, color=INK, linewidth=1.6, label=label, path_effects=halo, scaley=False)


def _boundaries(ax: Axes, rows: pd.DataFrame, level: float) -> None:
    """Draw measured boundaries, those of the two kinds a little apart."""
    for (kind, (marker, colour)), shift in zip(_MARKS.items(), (1.06, 1 / 1.06), strict=True):
        measured = rows[rows["kind"] == kind]
        label = f"boundary, {kind} ({100 * level:.3g} %)"
        look: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 6, "capsize": 3, "elinewidth": 1.4}
        marks.boundaries(ax, measured, measured["depth"] * shift, label, **look)


def _missing(cells: pd.DataFrame, boundary: pd.DataFrame) -> list[str]:
    """Sentences on cells without live networks, and on boundaries that are not there."""
    lost = int((~np.isfinite(cells["decades"].to_numpy(np.float64))).sum())
    said = [f"Grey: {counted(lost, 'cell')} without live networks."] if lost else []
    none = boundary[boundary["sigma_w"].isna()]
    for (kind, reason), rows in none.groupby(["kind", "reason"], sort=False):
        depths = ", ".join(f"{depth}" for depth in spread_evenly(sorted(rows["depth"]), 6))
        said.append(f"No {kind} boundary at depth {depths}: {reason}")
    return words.sentences_of(said)


def _edges(centres: Array) -> Array:
    """Edges half-way between neighbouring centres; a single one gets a width of 1."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = 0.5 * (centres[1:] + centres[:-1])
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
