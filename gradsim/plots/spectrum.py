"""The squared singular values of Jacobians beside the density and the edge of infinite width."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gradsim.errors import SweepError
from gradsim.plots import words
from gradsim.plots.styles import GREY, INK, OKABE_ITO, panel
from gradsim.spectra import Jacobian
from gradsim.theory.infinite_width.density import jacobian_density

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_MOST_BARS = 60
_POINTS = 160  # of the density
_BARS, _TOP = OKABE_ITO[0], OKABE_ITO[1]
_LOWEST_SHARE = 0.005  # values below this quantile are left out of the picture: a tail of small singular values is long


def spectrum(found: Jacobian, ax: Axes | None = None) -> Axes:
    """Draw the distribution of ln s^2 over all singular values and networks.

    The bars are densities of ln s^2: their area is the share of singular values that are not 0, without the smallest
    half percent. The line is theory at infinite width, dotted its upper edge. The conditional method finds the largest
    values only: then these are drawn, with the edge.

    Parameters
    ----------
    found
        What `gradsim.jacobian` returns.
    ax
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    SweepError
        If `found` is something else.
    PlotExtraMissingError
        matplotlib is not installed.
    """
    if not isinstance(found, Jacobian):
        raise SweepError("found", found, "a Jacobian", "Give what gradsim.jacobian returns")
    squares = 2.0 * found.log_singular_values
    values = squares[np.isfinite(squares)]
    with panel(ax) as axes:
        handles = _draw(axes, found, values)
        axes.set(xlabel=r"ln $s^2$", ylabel="density of singular values")
        words.set_title(axes, _title(found))
        words.set_foot(axes, _caption(found, squares), handles)
    return axes


def _draw(ax: Axes, found: Jacobian, values: Array) -> list[Any]:
    if not len(values):
        words.say_inside(ax, "No singular value is finite and not 0.")
        return []
    edges = bar_edges(values)
    total = int(np.count_nonzero(~np.isnan(found.log_singular_values)))
    height = np.histogram(values, edges)[0] / total / np.diff(edges)
    few = {"hatch": "////", "edgecolor": GREY} if len(values) < words.FEWEST else {}
    label = "all singular values" if _complete(found) else f"the {found.log_singular_values.shape[1]} largest"
    bars: Any = ax.bar(
        edges[:-1], height, np.diff(edges), align="edge", color=_BARS, alpha=0.45, linewidth=0, label=label, **few
    )
    ax.set_ylim(0.0, 1.15 * float(height.max()))
    return [bars, *_theory(ax, found, edges)]


def _theory(ax: Axes, found: Jacobian, edges: Array) -> list[Any]:
    """The density of infinite width, where all singular values are shown, and its edge."""
    edge = found.theory.spectrum.log_edge
    handles: list[Any] = []
    if np.isfinite(edge):
        label = f"edge at infinite width: {edge:.4g}"
        handles.append(ax.axvline(edge, color=_TOP, linewidth=0.9, linestyle=":", label=label))
    if _complete(found) and np.isfinite(edge):
        cell = found.cell
        x = np.append(np.linspace(edges[0], edge - 0.02, _POINTS - 4), edge - np.array([0.01, 3e-3, 1e-3, 1e-4]))
        x = np.unique(np.minimum(x, edge))
        density = jacobian_density(x, cell.activation, cell.depth, cell.sigma_w, cell.sigma_b, cell.law, cell.output)
        handles += ax.plot(x, density, color=INK, linewidth=1.0, label="infinite width")
    return handles


def bar_edges(values: Array) -> Array:
    """Edges of bars of equal width, by the rule of Freedman and Diaconis (1981); equal values get a bar of 0.1."""
    low, q25, q75, high = np.quantile(values, [_LOWEST_SHARE, 0.25, 0.75, 1.0])
    if high - low < 1e-9:
        return np.array([low - 0.05, low + 0.05])
    wanted = 2.0 * (q75 - q25) / len(values) ** (1 / 3)
    bars = int(np.clip(np.ceil((high - low) / max(wanted, 1e-12)), 1, _MOST_BARS))
    return np.linspace(low, high, bars + 1)


def _complete(found: Jacobian) -> bool:
    return bool(found.log_singular_values.shape[1] == found.cell.width)


def _title(found: Jacobian) -> str:
    cell = found.cell
    names = ("activation", "width", "law", "sigma_b", "sigma_w", "depth")
    known = {name: getattr(cell, name) for name in names} | {"activation": cell.name}
    return words.title_of(known)


def _caption(found: Jacobian, squares: Array) -> list[str]:
    said = [words.networks_sentence([len(squares)], found.cell.seed)]
    known = ~np.isnan(squares)
    zeros = float(np.isneginf(squares).sum() / max(known.sum(), 1))
    if zeros:
        said.append(f"{100 * zeros:.3g} % of the singular values shown are exactly 0.")
    if not known.all():
        said.append(f"{int((~known).any(axis=1).sum()):,} networks are not finite.")
    errors = found.errors[np.isfinite(found.errors)]
    if errors.size and errors.max() > 0.0:
        said.append(f"Estimated errors of ln s²: at most {2.0 * errors.max():.2g}.")
    if found.cell.output == "preactivation":
        said.append("J ends with the last weights.")
    return said
