"""Marks that pictures share: boundaries with intervals, and bands that are hatched where networks are few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.plots import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]

_WHITE = "#ffffff"


def boundaries(ax: Axes, rows: pd.DataFrame, places: Any, label: str, *, vertical: bool = False, **look: Any) -> None:
    """Draw measured boundaries with their intervals; open marks where they are not to be trusted.

    Parameters
    ----------
    rows
        Rows of `Run.boundary`; those without a number are left out.
    places
        Of each row on the other axis.
    label
        In the legend.
    vertical
        Whether sigma_w is on the vertical axis.
    look
        ``color``, ``marker`` and further options of `Axes.errorbar`.
    """
    known = rows["sigma_w"].notna().to_numpy()
    rows, places = rows[known], np.asarray(places, np.float64)[known]
    for trusted in (True, False):
        chosen = (rows["trusted"] == trusted).to_numpy()
        if not chosen.any():
            continue
        value, low, high = (rows[name].to_numpy(np.float64)[chosen] for name in ("sigma_w", "ci_low", "ci_high"))
        reach = np.abs(np.stack([value - low, high - value]))
        points = (places[chosen], value) if vertical else (value, places[chosen])
        ax.errorbar(
            *points, **{"yerr" if vertical else "xerr": reach}, linestyle="none",
            markerfacecolor=look["color"] if trusted else _WHITE, markeredgecolor=_WHITE if trusted else look["color"],
            label=label + ("" if trusted else ", not to be trusted"), **look,
        )  # fmt: skip


def live(rows: pd.DataFrame) -> NDArray[np.int64]:
    """Return how many networks each row of `Run.layers` has a finite value of."""
    return (rows["networks"] - rows["dead"] - rows["nonfinite"]).to_numpy(np.int64)


def few(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows of `Run.layers` have fewer than 100 live networks."""
    return live(rows) < words.FEWEST


def hatch(ax: Axes, rows: pd.DataFrame, x: Any, ends: tuple[Array, Array], colour: Any) -> None:
    """Hatch a band between two ends where live networks are few."""
    where = few(rows)
    if where.any():
        look: dict[str, Any] = {"facecolor": "none", "edgecolor": colour, "hatch": "////", "linewidth": 0}
        ax.fill_between(x, *ends, where=where.tolist(), **look)


def few_sentence(rows: pd.DataFrame, how: str = "Hatched") -> list[str]:
    """Return the sentence on how few networks show, if there are any."""
    return [f"{how}: fewer than {words.FEWEST} live networks."] if few(rows).any() else []
