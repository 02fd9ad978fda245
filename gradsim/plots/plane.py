"""The plane of sigma_w and sigma_b: chi_1, the critical line, and measured boundaries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim import theory
from gradsim.activations import OwnActivation
from gradsim.analysis.summaries import why_unknown
from gradsim.errors import SweepError
from gradsim.plots import marks, selection, words
from gradsim.plots.styles import INK, panel
from gradsim.report import style
from gradsim.report.thinning import spread_evenly
from gradsim.runs.results import Run
from gradsim.theory.errors import check_probability, check_sigma_b, check_sigma_w
from gradsim.theory.infinite_width import many_points
from gradsim.theory.memory import current
from gradsim_core.activations import Activation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_GRID = (81, 41)
_LINE = 13  # values of sigma_b on the critical line
_MOST_SERIES = 6
_SERIES = ["law", "width", "depth"]
_MARKERS = "osD^v<"
_WIDE, _TALL = (0.5, 3.0), (0.0, 1.0)


def plane(
    subject: Run | Activation | str,
    ax: Axes | None = None,
    *,
    sigma_w: tuple[float, float] | None = None,
    sigma_b: tuple[float, float] | None = None,
    level: float = 0.95,
    **where: Any,
) -> Axes:
    """Draw chi_1 over the plane of sigma_w and sigma_b with the critical line chi_1 = 1, and a run's boundaries.

    Parameters
    ----------
    subject
        A run, or an activation: theory alone.
    ax
        Axes to draw on; a new figure by default.
    sigma_w, sigma_b
        Ends of the axes; by default those of the run, else 0.5 to 3 and 0 to 1.
    level
        Probability that the interval of a boundary covers it.
    where
        activation, law, width, depth: which boundaries of the run. Of several activations the first is drawn; of more
        than 6 combinations of the others 6 are. The caption says so.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    SweepError
        For a wrong range or level, an unknown activation, or a value that the run does not have.
    PlotExtraMissingError
        matplotlib is not installed.
    """
    level = check_probability("level", level)
    said: list[str] = []
    rows = pd.DataFrame()
    activation: Any = subject
    if isinstance(subject, Run):
        rows, activation, said = _measured(subject, level, where)
        sigma_w, sigma_b = (
            sigma_w or _ends(subject.sweep.sigma_w, _WIDE),
            sigma_b or _ends(subject.sweep.sigma_b, _TALL),
        )
    elif where:
        raise SweepError(next(iter(where)), next(iter(where.values())), "nothing without a run", "Give a run, too")
    wide, tall = _range("sigma_w", sigma_w or _WIDE), _range("sigma_b", sigma_b or _TALL)
    known = find_known(activation)
    with panel(ax) as axes:
        missing = _theory(axes, known, wide, tall) if known else words.sentences_of([why_unknown(activation.name)])
        _boundaries(axes, rows, level)
        below = tall[0] - 0.05 * (tall[1] - tall[0])  # so that marks at the lower end are whole
        axes.set(xlim=wide, ylim=(below, tall[1]), xlabel=r"$\sigma_w$", ylabel=r"$\sigma_b$")
        words.set_title(axes, words.literal(getattr(known or activation, "name", activation)))
        words.set_foot(axes, [*said, *missing])
    return axes


def find_known(activation: Any) -> Activation | None:
    """Return an activation with its functions; None for a user's own one from a stored run, which has none.

    Raises
    ------
    SweepError
        For anything else.
    """
    if isinstance(activation, OwnActivation):
        return None
    try:
        return current(activation)
    except (ValueError, TypeError, AttributeError) as unknown:
        remedy = str(unknown) or "Write for example tanh"
        raise SweepError("activation", activation, "a run, or an activation", remedy.rstrip(".")) from None


def _measured(run: Run, level: float, where: dict[str, Any]) -> tuple[pd.DataFrame, Any, list[str]]:
    """Boundaries of one activation of a run, the activation, and sentences on them."""
    axes = ["activation", *_SERIES]
    selection.matching(run.cells(), axes, where)
    cells = selection.matching(run.summary(), axes, where)
    cells, group, said = selection.first_combination(cells, ["activation"])
    found = run.boundary(level, summary=cells, kinds="quenched")
    name = group["activation"]
    said = [selection.networks_sentence(run, cells["cell_id"]), *said]
    said += ["Boundaries are quenched.", words.interval_sentence(level)]
    series = found[_SERIES].drop_duplicates()
    if len(series) > _MOST_SERIES:
        said.append(f"{_MOST_SERIES} of {len(series)} combinations of law, width and depth.")
    if found["sigma_b"].nunique() == 1:
        said.append("The run has one sigma_b.")
    said += words.sentences_of(found.loc[found["sigma_w"].isna(), "reason"])
    return found, run.sweep.activations.get(name, name), said


def _ends(values: Any, otherwise: tuple[float, float]) -> tuple[float, float]:
    """The range of a sweep's values, with a little room; of a single value the usual range, made to hold it."""
    low, high = float(min(values)), float(max(values))
    if low == high:
        return min(otherwise[0], 0.5 * low), max(otherwise[1], 1.5 * high)
    room = 0.05 * (high - low)
    return max(low - room, 0.5 * low), high + room


def _range(field: str, ends: Any) -> tuple[float, float]:
    check = check_sigma_w if field == "sigma_w" else check_sigma_b
    if np.shape(ends) != (2,) or not ends[0] < ends[1]:
        raise SweepError(field, ends, "two numbers, of which the first is smaller", f"Write {field}=(0.5, 3.0)")
    return check(ends[0]), check(ends[1])


def _theory(ax: Axes, activation: Activation, wide: tuple[float, float], tall: tuple[float, float]) -> list[str]:
    """Draw log10 chi_1 and the critical line; return sentences on what is missing."""
    from matplotlib import colormaps

    x, y = np.linspace(*wide, _GRID[0]), np.linspace(*tall, _GRID[1])
    grid_x, grid_y = np.meshgrid(x, y)
    with np.errstate(all="ignore"):
        chi = np.log10(many_points.chi_1(activation, grid_x.ravel(), grid_y.ravel())).reshape(grid_x.shape)
    chi = np.ma.masked_invalid(chi)
    limit = max(float(np.abs(chi).max()) if chi.count() else 0.0, 1e-3)
    mesh = ax.pcolormesh(
        x, y, chi, cmap=colormaps["RdBu_r"].with_extremes(bad="0.85"), vmin=-limit, vmax=limit, shading="nearest",
        rasterized=True,
    )  # fmt: skip
    bar = style.figure_of(ax).colorbar(mesh, ax=ax, pad=0.02, aspect=28)
    bar.set_label(r"log₁₀ $\chi_1$: decades of |δ|² per layer")
    # Closer together near sigma_b = 0, where the line starts with the slope of a root.
    line = theory.critical_sigma_w(activation, np.linspace(tall[0] ** 0.5, tall[1] ** 0.5, _LINE) ** 2)
    known = line.dropna(subset=["sigma_w"])
    inside = known[known["sigma_w"].between(*wide)]
    if len(known):
        ax.plot(known["sigma_w"], known["sigma_b"], color=INK, linewidth=1.6, label=r"theory, $\chi_1$ = 1")
    said = [] if len(inside) or not len(known) else ["The critical line lies outside."]
    none = line[line["sigma_w"].isna()]
    if len(none):
        ends = f"{none['sigma_b'].min():.3g} to {none['sigma_b'].max():.3g}"
        said.append(f"No critical point at sigma_b from {ends}: {words.literal(none['reason'].iloc[0])}")
    return said + (["Grey: no mean field."] if np.ma.getmaskarray(chi).any() else [])


def _boundaries(ax: Axes, rows: pd.DataFrame, level: float) -> None:
    """Draw the boundaries of each law, width and depth over sigma_b; those not to be trusted as open marks."""
    if rows.empty:
        return
    from matplotlib import colormaps

    shown = spread_evenly(list(rows.groupby(_SERIES, sort=True)), _MOST_SERIES)
    colours = colormaps["viridis"](np.linspace(0.0, 0.95, len(shown)))
    varying = [name for name in _SERIES if rows[name].nunique() > 1] or ["depth"]
    for (key, series), colour, marker in zip(shown, colours, _MARKERS, strict=False):
        group = dict(zip(_SERIES, key, strict=True))
        label = ", ".join(words.phrase(name, group[name]) for name in varying) + f" ({100 * level:.3g} %)"
        look = {"color": colour, "marker": marker, "markersize": 5, "capsize": 2}
        marks.boundaries(ax, series, series["sigma_b"], label, **look)
