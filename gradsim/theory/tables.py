"""Theory as tables, for the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd

from gradsim import theory


def numbers(activation: str, sigma_w: float, sigma_b: float) -> pd.DataFrame:
    """Return one row with the mean-field numbers at one point (sigma_w, sigma_b)."""
    return theory.plane(activation, sigma_w, sigma_b).drop(columns="reason")


def everything(
    activation: str, sigma_b: float, depths: Sequence[int], width: int | None, sigma_w: float | None
) -> pd.DataFrame:
    """Return `boundaries`, with the mean-field numbers at ``sigma_w`` as columns (``at_sigma_w``, ``q_star`` …)."""
    frame = boundaries(activation, sigma_b, depths, width)
    if sigma_w is None:
        return frame
    row = numbers(activation, sigma_w, sigma_b).drop(columns=["activation", "sigma_b"]).iloc[0]
    return frame.assign(**{f"at_{name}" if name == "sigma_w" else str(name): value for name, value in row.items()})


def boundaries(activation: str, sigma_b: float, depths: Sequence[int], width: int | None) -> pd.DataFrame:
    """Return a row per depth, the last for infinite depth: sigma_w of the boundary, or the reason why there is none.

    With a width, ``sigma_w_at_width`` is the quenched boundary at that width: exact for relu, leaky_relu, abs and
    linear without biases, else to first order in 1/width; ``reason_at_width`` says why there is none.
    """
    roots = {str(depth): partial(theory.boundary, activation, depth, sigma_b) for depth in depths}
    roots["inf"] = partial(theory.critical_sigma_w, activation, sigma_b)
    at_width = {str(depth): partial(theory.typical_sigma_w, activation, depth, sigma_b, width) for depth in depths}
    at_width["inf"] = partial(theory.boundary, activation, 2, sigma_b, width)
    rows = []
    for depth, root in roots.items():
        rows.append({"activation": activation, "sigma_b": sigma_b, "depth": depth, **_root(root)})
        if width is not None:
            found = _root(at_width[depth])
            rows[-1] |= {"sigma_w_at_width": found["sigma_w"], "reason_at_width": found["reason"]}
    return pd.DataFrame(rows)


def _root(root: Callable[[], float]) -> dict[str, Any]:
    try:
        return {"sigma_w": root(), "reason": None}
    except theory.NoCriticalPoint as none:
        return {"sigma_w": None, "reason": str(none)}
