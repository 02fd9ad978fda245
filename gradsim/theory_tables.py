"""Theory as tables, for the command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from gradsim import theory
from gradsim.errors import SweepError


def numbers(activation: str, sigma_w: float, sigma_b: float) -> pd.DataFrame:
    """Return one row with the mean-field numbers."""
    field = theory.mean_field(activation, sigma_w, sigma_b)
    return pd.DataFrame([{"activation": activation, "sigma_w": sigma_w, "sigma_b": sigma_b, **field._asdict()}])


def boundaries(activation: str, sigma_b: float, depths: Sequence[int], width: int | None) -> pd.DataFrame:
    """Return a row per depth, the last for infinite depth: sigma_w of the boundary, or the reason why there is none."""
    rows = [("inf", lambda: theory.critical_sigma_w(activation, sigma_b))]
    for depth in depths:
        rows.insert(-1, (str(depth), lambda depth=depth: theory.boundary(activation, depth, sigma_b)))
    frame = pd.DataFrame([{"activation": activation, "sigma_b": sigma_b, "depth": name} | _root(root) for name, root in rows])
    if width is not None:
        exact = _root(lambda: theory.boundary(activation, 2, sigma_b, width))
        frame["sigma_w_at_width"] = exact["sigma_w"]
        frame["reason"] = frame["reason"].fillna(exact["reason"])
    return frame


def _root(root: Callable[[], float]) -> dict[str, object]:
    try:
        return {"sigma_w": root(), "reason": None}
    except theory.NoCriticalPoint as none:
        return {"sigma_w": None, "reason": str(none)}
    except SweepError:
        raise
