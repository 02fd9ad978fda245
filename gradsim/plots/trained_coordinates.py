"""Signals after steps of training against width: what they have moved, and their size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.activations import name_of
from gradsim.errors import SweepError
from gradsim.plots import words
from gradsim.plots.styles import OKABE_ITO, panel
from gradsim.report.thinning import spread_evenly
from gradsim.steps.check_result import CoordinateCheck

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_DASHES = {"change": "-", "size": ":"}
_MARKERS = "osD^v<"
_MOST_LAYERS = 6
_CAPTION = "Medians: changes since step 0 (solid, with 5–95 % of the networks) and sizes (dotted)."
_LABELS = {"forward": "root mean square of h", "backward": "|δ|, δ = dC/dh"}


def trained_coordinates(
    check: CoordinateCheck,
    direction: str = "forward",
    step: int | None = None,
    layers: int | Sequence[int] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw size and change of the signals in some layers against width, after steps of training.

    Solid lines are changes since step 0, dotted ones sizes: medians over networks, with the band from 5 to 95 % of the
    changes. The legend has the exponents with their intervals.

    Parameters
    ----------
    check
        What `gradsim.coordinate_check` returns.
    direction : {"forward", "backward"}
        h, or delta = dC/dh.
    step
        After which step; the last one by default.
    layers
        Numbers of layers, at most 6; the one after the last is the readout. By default as many as there is room for.
    ax
        Axes to draw on; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    SweepError
        For a direction, step or layer that the check does not have.
    PlotExtraMissingError
        matplotlib is not installed.
    """
    problem = check.problem
    if direction not in _LABELS:
        raise SweepError("direction", direction, "forward or backward", "Write for example direction='forward'")
    at = problem.steps if step is None else step
    if not 0 <= at <= problem.steps:
        raise SweepError("step", step, f"a whole number from 0 to {problem.steps}", "Leave it out to draw the last one")
    chosen = _check_layers(layers, problem.depth)
    with panel(ax) as axes:
        _draw(axes, check, direction, at, chosen)
        axes.set(xlabel="width", ylabel=_LABELS[direction])
        title = {"activation": name_of(problem.activation), "depth": problem.depth, "sigma_w": problem.sigma_w}
        words.set_title(axes, f"{words.title_of(title)}, {problem.parametrisation}, step {at}")
        intervals = f"Exponents with {100 * check.level:.3g} % intervals, by bootstrap over networks."
        networks = words.networks_sentence([check.networks], problem.seed)
        words.set_foot(axes, [_CAPTION, networks, intervals, *_lost(check, at)])
    return axes


def _check_layers(layers: int | Sequence[int] | None, depth: int) -> list[int]:
    if layers is None:
        return [int(layer) for layer in spread_evenly(list(range(1, depth + 2)), _MOST_LAYERS)]
    chosen = sorted({int(layer) for layer in np.atleast_1d(np.asarray(layers))})
    if not chosen or chosen[0] < 1 or chosen[-1] > depth + 1 or len(chosen) > _MOST_LAYERS:
        allowed = f"1 to {_MOST_LAYERS} numbers from 1 to {depth + 1}"
        raise SweepError("layers", layers, allowed, f"Write for example layers=[1, {depth}]")
    return chosen


def _draw(ax: Axes, check: CoordinateCheck, direction: str, step: int, layers: Sequence[int]) -> None:
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    rows = check.sizes[(check.sizes["step"] == step) & (check.sizes["direction"] == direction)]
    drawn = False
    for layer, colour, marker in zip(layers, OKABE_ITO, _MARKERS, strict=False):
        for measure, dashes in _DASHES.items():
            own = rows[(rows["layer"] == layer) & (rows["measure"] == measure)].sort_values("width")
            label = _label(check, direction, measure, step, layer) if measure == "change" or step == 0 else None
            drawn |= _curve(ax, own, label, color=colour, linestyle=dashes, marker=marker)
    widths = spread_evenly(list(check.widths), 8)
    ax.set_xticks(widths, [str(width) for width in widths])
    ax.xaxis.set_minor_locator(_none())
    ax.grid(color="0.9")
    ax.set_axisbelow(True)
    if not drawn:
        words.say_inside(ax, "No finite size above 0.")


def _none() -> Any:
    from matplotlib.ticker import NullLocator

    return NullLocator()


def _label(check: CoordinateCheck, direction: str, measure: str, step: int, layer: int) -> str:
    """The layer and the exponent of what is drawn."""
    rows = check.exponents
    row = rows[(rows["step"] == step) & (rows["layer"] == layer) & (rows["direction"] == direction)]
    row = row[row["measure"] == measure]
    name = "readout" if layer > check.problem.depth else f"layer {layer}"
    exponent, low, high = row[["exponent", "ci_low", "ci_high"]].to_numpy(np.float64)[0] if len(row) else [np.nan] * 3
    if not np.isfinite([exponent, low, high]).all():
        return name
    return f"{name}, N^{exponent:+.2f} [{low:+.2f}, {high:+.2f}]"


def _curve(ax: Axes, rows: pd.DataFrame, label: str | None, **look: Any) -> bool:
    """Draw a median, and the band of a change; whether there was anything to draw."""
    width = rows["width"].to_numpy(np.float64)
    low, median, high = (_positive(rows[name]) for name in ("q05", "median", "q95"))
    if not np.isfinite(median).any():
        return False
    if look["linestyle"] == _DASHES["change"]:
        ax.fill_between(width, low, high, color=look["color"], alpha=0.12, linewidth=0)
    ax.plot(width, median, label=label, **look)
    return True


def _positive(column: pd.Series) -> Array:
    """Sizes, with gaps where they are 0 or not finite."""
    values = column.to_numpy(np.float64)
    return np.where(np.isfinite(values) & (values > 0.0), values, np.nan)


def _lost(check: CoordinateCheck, step: int) -> list[str]:
    lost = check.sizes[(check.sizes["step"] == step) & (check.sizes["nonfinite"] > 0)]
    widths = sorted(lost["width"].unique())
    return [f"Some networks have diverged at width {', '.join(map(str, widths))}."] if widths else []
