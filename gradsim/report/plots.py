"""Pictures: the phase diagram over (sigma_w, depth), and the gradient's profile through the layers.

matplotlib is an extra and is imported inside the functions; figures use the Agg canvas and no pyplot state, so that
they may be drawn in any thread and without a display.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.report import style
from gradsim.system.streams import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

MOST_PANELS = 12
MOST_PROFILES = 8
_PANEL_AXES = ["activation", "law", "sigma_b", "width"]
_LN10 = float(np.log(10.0))
_INK, _WHITE = "#1a1a1a", "#ffffff"
_MARKS = {
    "quenched": {"marker": "o", "color": _INK, "label": "boundary, quenched (95 %)"},
    "annealed": {"marker": "D", "color": "#1b7f3b", "label": "boundary, annealed (95 %)"},
}


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
    groups = list(summary.groupby(_PANEL_AXES, sort=True))
    shown = groups[:MOST_PANELS]
    columns = min(max(len(shown), 1), 3 if len(shown) != 4 else 2)
    rows = -(-max(len(shown), 1) // columns)
    figure = style.figure(0.9 + 3.7 * rows if rows > 1 else 5.0, 1.6 + 4.6 * columns if columns > 1 else 7.6)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    limit = _limit(summary["decades"].to_numpy(np.float64))
    mesh = None
    for panel, (key, cells) in zip(axes, shown, strict=False):
        mesh = _decades(panel, cells, limit) or mesh
        same = (boundary[_PANEL_AXES] == list(key)).all(axis=1)
        _boundaries(panel, boundary[same])
        panel.set_title(_title(dict(zip(_PANEL_AXES, key, strict=True))), fontsize=11)
        panel.set_xlabel(r"$\sigma_w$")
    for panel in axes[len(shown) :]:
        panel.set_visible(False)
    for panel in axes[::columns]:
        panel.set_ylabel("depth")
    if mesh is not None:
        bar = figure.colorbar(mesh, ax=list(axes), extend="both", pad=0.02, aspect=28)
        bar.set_label("decades of |δ¹|/|δᴸ|   (mean over networks)")
    legends = [panel.get_legend_handles_labels() for panel in axes]
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
    if len(groups) > len(shown):
        figure.suptitle(f"the first {len(shown)} of {len(groups)} combinations", fontsize=10)
    return _save(figure, path)


@style.own_settings()
def layer_profile(layers: pd.DataFrame, path: str | Path, cells: pd.DataFrame | None = None) -> Path:
    """Draw log10 |delta| against the layer: the median network, and a band from 5 to 95 %, for each cell.

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
    from matplotlib import colormaps

    rows = layers[layers["quantity"] == "log_delta"].sort_values("layer")
    every = np.sort(rows["cell_id"].unique())
    shown = every[np.unique(np.linspace(0, len(every) - 1, min(len(every), MOST_PROFILES)).round().astype(int))]
    figure = style.figure(4.8, 8.2)
    panel = figure.subplots()
    for cell_id, colour in zip(shown, colormaps["viridis"](np.linspace(0.0, 0.9, len(shown))), strict=True):
        cell = rows[rows["cell_id"] == cell_id]
        layer = cell["layer"].to_numpy()
        low, middle, high = (_finite(cell[name]) / _LN10 for name in ("q05", "median", "q95"))
        panel.fill_between(layer, low, high, color=colour, alpha=0.18, linewidth=0)
        panel.plot(layer, middle, color=colour, linewidth=1.8, label=_cell_label(int(cell_id), cells))
    panel.set_xlabel("layer")
    panel.set_ylabel("log₁₀ |δ|   (median, 5–95 %)")
    panel.grid(color="0.9")
    panel.set_axisbelow(True)
    if len(shown):
        note = f"{len(shown)} of {len(every)} cells" if len(shown) < len(every) else None
        figure.legend(loc="outside right upper", title=note, frameon=False, fontsize=9, title_fontsize=9)
    return _save(figure, path)


def _save(figure: Figure, path: str | Path) -> Path:
    figure.savefig(path, dpi=150)
    return Path(path)


def _limit(decades: Array) -> float:
    """End of the symmetric colour scale: 80 % of the cells fall inside, so that an extreme corner does not set it."""
    finite = np.abs(decades[np.isfinite(decades)])
    return max(1.0, float(np.ceil(np.quantile(finite, 0.8)))) if finite.size else 1.0


def _decades(panel: Axes, cells: pd.DataFrame, limit: float) -> Any:
    """Draw cells as rectangles, edges half-way between them, depth on a log2 axis; return the mesh, None if empty."""
    table = cells.pivot_table(index="depth", columns="sigma_w", values="decades", dropna=False)
    sigma_w, depth = table.columns.to_numpy(np.float64), table.index.to_numpy(np.float64)
    if not table.size:
        return None
    panel.set_facecolor("0.85")  # cells without a value
    there = cells.groupby(["depth", "sigma_w"]).size().unstack().reindex_like(table).notna().to_numpy()
    values = _nearest(sigma_w, table.to_numpy(np.float64, copy=True), there)
    mesh = panel.pcolormesh(
        _edges(sigma_w), 2.0 ** _edges(np.log2(depth)), np.ma.masked_invalid(values),
        cmap="RdBu_r", vmin=-limit, vmax=limit, edgecolors="none", rasterized=True,
    )  # fmt: skip
    panel.set_yscale("log", base=2)
    panel.set_yticks(depth, [f"{value:g}" for value in depth])
    panel.minorticks_off()
    ratios = sigma_w[1:] / sigma_w[:-1]
    if len(ratios) > 1 and np.allclose(ratios, ratios[0], rtol=1e-3):
        panel.set_xscale("log")
        ticks = sigma_w[np.unique(np.linspace(0, len(sigma_w) - 1, 6).round().astype(int))]
        panel.set_xticks(ticks, [f"{value:.3g}" for value in ticks])
        panel.minorticks_off()
    return mesh


def _nearest(sigma_w: Array, values: Array, there: NDArray[np.bool_]) -> Array:
    """Values (depth, sigma_w) in which each depth has the value of its nearest cell: refined ones have cells alone."""
    for row, own in zip(values, map(np.flatnonzero, there), strict=True):
        row[:] = row[own[np.abs(sigma_w[:, None] - sigma_w[own]).argmin(axis=1)]]
    return values


def _boundaries(panel: Axes, rows: pd.DataFrame) -> None:
    """Draw measured boundaries with their intervals, and theory as lines."""
    from matplotlib import patheffects

    halo = [patheffects.withStroke(linewidth=3.5, foreground=_WHITE)]
    quenched = rows[rows["kind"] == "quenched"].sort_values("depth")
    for name, dashes, label in (
        ("theory", "-", "theory, infinite width"),
        ("theory_width", "--", "theory, this width"),
    ):
        line = quenched.dropna(subset=[name])
        if len(line):
            depth = line["depth"].to_numpy(np.float64)
            ends = [depth[0] / 1.3, *depth, depth[-1] * 1.3] if len(line) == 1 else depth
            places = np.resize(line[name].to_numpy(np.float64), len(ends)) if len(line) == 1 else line[name]
            panel.plot(places, ends, dashes, color=_INK, linewidth=1.6, label=label, path_effects=halo, scaley=False)
    for (kind, mark), shift in zip(_MARKS.items(), (1.06, 1 / 1.06), strict=True):
        measured = rows[rows["kind"] == kind].dropna(subset=["sigma_w"])
        for trusted, line in measured.groupby("trusted"):
            place = line["sigma_w"].to_numpy(np.float64)
            interval = np.abs(np.stack([place - line["ci_low"], line["ci_high"] - place]).astype(np.float64))
            panel.errorbar(
                place, line["depth"] * shift, xerr=interval, linestyle="none", markersize=6, capsize=3, elinewidth=1.4,
                color=mark["color"], marker=mark["marker"], markerfacecolor=mark["color"] if trusted else _WHITE,
                markeredgecolor=_WHITE if trusted else mark["color"],
                label=mark["label"] + ("" if trusted else ", not to be trusted"),
            )  # fmt: skip


def _edges(centres: Array) -> Array:
    """Edges half-way between neighbouring centres; a single one gets a width of 1."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = 0.5 * (centres[1:] + centres[:-1])
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _finite(column: pd.Series) -> Array:
    """The column with -inf (dead) as a gap."""
    values = column.to_numpy(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _title(group: dict[str, Any]) -> str:
    """Title of a panel: activation and width; law and biases where they are not the default."""
    name = printable(str(group["activation"]), keep="").replace("$", r"\$")  # which matplotlib reads as mathematics
    parts = [name, f"width {group['width']}"]
    parts += [str(group["law"])] if group["law"] != "gaussian" else []
    parts += [f"$\\sigma_b$ = {group['sigma_b']:g}"] if group["sigma_b"] else []
    return ", ".join(parts)


def _cell_label(cell_id: int, cells: pd.DataFrame | None) -> str:
    """Label of one cell: its parameters if they are known."""
    rows = cells[cells["cell_id"] == cell_id] if cells is not None else None
    if rows is None or rows.empty:
        return f"cell {cell_id}"
    cell = rows.iloc[0]
    return f"{_title(dict(cell))}, $\\sigma_w$ = {cell['sigma_w']:.4g}, depth {cell['depth']}"
