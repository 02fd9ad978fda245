"""chi_1 and the depth scales of the mean field against sigma_w, with their divergence at the critical point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim import theory
from gradsim.plots import words
from gradsim.plots.plane import find_known
from gradsim.plots.styles import GREY, INK, OKABE_ITO, panel
from gradsim.theory import NoCriticalPoint
from gradsim.theory.errors import check_sigma_b, check_sigma_w
from gradsim_core.activations import Activation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_EVEN = 100  # values of sigma_w from end to end
_NEAR = np.geomspace(1e-4, 0.3, 16)  # relative distances from the critical point, where the scales diverge
_LOWEST, _HIGHEST = 0.1, 1e4  # layers: what lies beyond is of no interest
_SCALES = {
    "xi_grad": (r"$|\xi_{grad}|$, gradients", OKABE_ITO[0], "-"),
    "xi_c": (r"$\xi_c$, correlation of two inputs", OKABE_ITO[1], "--"),
    "xi_q": (r"$\xi_q$, mean square", OKABE_ITO[2], "-."),
}


def depth_scales(
    activation: str | Activation, sigma_w: Any = (0.5, 3.0), sigma_b: float = 0.0, ax: Axes | None = None
) -> Axes:
    """Draw the depth scales of the mean field against sigma_w, and chi_1 on the right axis.

    A gradient changes by a factor e over xi_grad layers in its mean square: it grows where chi_1 > 1. Scales diverge at
    the critical point, chi_1 = 1 (Schoenholz et al. 2017, arXiv:1611.01232).

    Parameters
    ----------
    activation
        A name, or a user's own activation.
    sigma_w
        Ends of the axis, or all values: an array of more than two ascending numbers.
    sigma_b
        Bias standard deviation, >= 0.
    ax
        Axes to draw on; a new figure by default. The right axis is a twin of it.

    Returns
    -------
    matplotlib.axes.Axes
        The axes of the depth scales, in layers.

    Raises
    ------
    SweepError
        For a wrong argument.
    PlotExtraMissingError
        matplotlib is not installed.
    """
    known = find_known(activation)
    sigma_b = check_sigma_b(sigma_b)
    critical, reason = _critical(activation, sigma_b)
    field = theory.mean_field(activation, values_of(sigma_w, critical), sigma_b)
    with panel(ax) as axes:
        twin = axes.twinx()
        handles = _scales(axes, field) + _factor(twin, field)
        inside = field["sigma_w"].min() <= critical <= field["sigma_w"].max()
        if inside:
            label = f"critical: $\\sigma_w$ = {critical:.4g}"
            handles.append(axes.axvline(critical, color=GREY, linewidth=0.8, linestyle=":", label=label))
        axes.set(xlabel=r"$\sigma_w$", ylabel="depth scale (layers)")
        words.set_title(axes, words.title_of({"activation": getattr(known, "name", activation), "sigma_b": sigma_b}))
        outside = [] if inside or reason else [f"The critical point, {critical:.4g}, lies outside."]
        words.set_foot(axes, ["Mean field, infinite width.", *_missing(field), *outside, *reason], handles)
    return axes


def values_of(sigma_w: Any, critical: float) -> Array:
    """Return values of sigma_w: those given, or from end to end and close to the critical point on both sides."""
    given = np.array([check_sigma_w(value) for value in np.atleast_1d(np.asarray(sigma_w, object))])
    if len(given) != 2:
        return np.unique(given)
    low, high = given.min(), given.max()
    near = critical * np.concatenate([1.0 - _NEAR, 1.0 + _NEAR])
    return np.unique(np.concatenate([np.linspace(low, high, _EVEN), near[(near >= low) & (near <= high)]]))


def _critical(activation: str | Activation, sigma_b: float) -> tuple[float, list[str]]:
    """The critical sigma_w, or NaN and the sentence why there is none."""
    try:
        return float(theory.critical_sigma_w(activation, sigma_b)), []
    except NoCriticalPoint as none:
        return float("nan"), words.sentences_of([none.reason])


def _scales(ax: Axes, field: pd.DataFrame) -> list[Any]:
    handles: list[Any] = []
    sigma_w = field["sigma_w"].to_numpy(np.float64)
    marker = {"marker": "o"} if len(sigma_w) == 1 else {}
    for name, (label, colour, dashes) in _SCALES.items():
        size = drawn(field, name)
        if np.isfinite(size).any():
            handles += ax.plot(sigma_w, size, dashes, color=colour, label=label, **marker)
    if not handles:
        words.say_inside(ax, "No depth scale is finite here.")
        return []
    ax.set_yscale("log")
    _, top = ax.get_ylim()
    ax.set_ylim(_LOWEST, float(np.clip(top, 10.0, _HIGHEST)))
    return handles


def drawn(field: pd.DataFrame, name: str) -> Array:
    """Return the scales that are drawn: the size of xi_grad, and of the others those that are finite and positive."""
    size = field[name].to_numpy(np.float64)
    size = np.abs(size) if name == "xi_grad" else size
    return np.where(np.isfinite(size) & (size > 0.0), size, np.nan)


def _factor(twin: Axes, field: pd.DataFrame) -> list[Any]:
    """chi_1 on an axis of its own, with 1 marked."""
    sigma_w, chi = field["sigma_w"].to_numpy(np.float64), field["chi_1"].to_numpy(np.float64)
    positive = np.where(np.isfinite(chi) & (chi > 0.0), chi, np.nan)
    marker = {"marker": "s"} if len(sigma_w) == 1 else {}
    twin.set_ylabel(r"$\chi_1$, factor of |δ|² per layer")
    if not np.isfinite(positive).any():
        return []
    handles = twin.plot(sigma_w, positive, color=INK, linewidth=0.9, label=r"$\chi_1$ (right axis)", **marker)
    twin.axhline(1.0, color=GREY, linewidth=0.6)
    span = max(2.0, 1.2 * float(np.nanmax(np.maximum(positive, 1.0 / positive))))
    twin.set_yscale("log")
    twin.set_ylim(1.0 / min(span, 1e3), min(span, 1e3))
    twin.minorticks_off()
    ticks = [tick for tick in (0.01, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0) if 1.0 / span <= tick <= span]
    twin.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    return list(handles)


def _missing(field: pd.DataFrame) -> list[str]:
    """Sentences on scales without a curve, and on points without a mean field."""
    said = [
        f"{name} is infinite or undefined at every sigma_w."
        for name in _SCALES
        if not np.isfinite(drawn(field, name)).any()
    ]
    return said + words.sentences_of(field["reason"])
